"""Days as people type them."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.days import NotADay, read_day


@pytest.mark.parametrize(
    "typed",
    [
        "2/3/1984", "02/03/1984", "2.3.1984", "2-3-1984", "2 3 1984", "1984-03-02", "1984/3/2", "2 Mar 1984", "2 march 1984",
        "2nd of March 1984", "March 2, 1984", "mar 2 1984", "1984 Mar 2", "02031984", "19840302", "٢/٣/١٩٨٤", "２／３／１９８４",
    ],
)  # fmt: skip
def test_a_day_is_read_however_it_is_typed(typed):
    assert read_day(typed) == date(1984, 3, 2)


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("", "Type day, month and year"),
        ("1984", "Type day, month and year"),
        ("2/3/84", "four digits"),
        ("2 mar 84", "four digits"),
        ("3/25/1984", "The day comes first: 25/3/1984"),
        ("31/2/1984", "no such day"),
        ("2 mär 1984", "like 2/3/1984"),
        ("2 ma 1984", "like 2/3/1984"),
        ("2 mar apr", "like 2/3/1984"),
        ("mar apr may", "like 2/3/1984"),
        ("0/0/0000", "no such day"),
    ],
)
def test_what_is_no_day_says_how_to_type_it(typed, says):
    with pytest.raises(NotADay, match=says):
        read_day(typed)


@given(st.text(max_size=40))
def test_any_text_is_a_day_or_a_sentence(typed):
    try:
        assert isinstance(read_day(typed), date)
    except NotADay as wrong:
        assert str(wrong)  # noqa: PT017


@given(st.dates(min_value=date(1000, 1, 1)))
def test_every_day_is_read_back_from_the_ways_we_write_it(day):
    assert read_day(day.isoformat()) == day
    assert read_day(f"{day.day}/{day.month}/{day.year}") == day
    assert read_day(f"{day.day} {day:%b} {day.year}") == day
