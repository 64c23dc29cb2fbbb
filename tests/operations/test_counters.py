"""Numbers without gaps."""

from clinic.extensions import db
from clinic.operations.counters import next_number


def test_a_new_series_begins_at_one_and_counts_on(session):
    assert [next_number("ticket:1:2026-03-02") for _ in range(3)] == [1, 2, 3]
    assert next_number("ticket:2:2026-03-02") == 1


def test_a_number_of_an_act_that_failed_is_given_again(session):
    next_number("patient:2030")
    session.commit()
    with db.session.begin_nested() as act:
        assert next_number("patient:2030") == 2
        act.rollback()
    assert next_number("patient:2030") == 2
