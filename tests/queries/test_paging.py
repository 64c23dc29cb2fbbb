"""Pages that follow one another."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from clinic import clock
from clinic.models import Patient
from clinic.queries.paging import count_up_to, page_of
from clinic.queries.patients import ORDERS
from tests.queries_counted import counted


@pytest.fixture
def many(world, session):
    """Forty more patients, of whom many share a name, archived two by two."""
    at = clock.now()
    for number in range(40):
        session.add(
            Patient(
                code=f"P-2025-{number:05d}",
                name="x",
                sort_name=f"x{number // 7}",
                birth_date=clock.today(),
                sex="male",
                created_at=at,
                created_by_id=world.people["ruwan"],
                archived_at=at - timedelta(days=number // 2),
            )
        )
    session.flush()


@pytest.mark.parametrize("order", sorted(ORDERS))
@pytest.mark.parametrize("size", [1, 7, 41, 100])
def test_walking_there_and_back_meets_everyone_once_in_order(many, session, order, size):
    rows = select(Patient).where(Patient.archived_at.is_not(None))
    whole = [patient.id for patient in session.execute(rows.order_by(*ORDERS[order].by(backwards=False))).scalars()]
    pages, after = [], None
    while True:
        page = page_of(rows, ORDERS[order], size=size, after=after)
        pages.append([patient.id for patient in page.rows])
        if page.after is None:
            break
        after = page.after
    assert [one for page_ids in pages for one in page_ids] == whole
    back = [pages[-1]]
    while page.before is not None:
        page = page_of(rows, ORDERS[order], size=size, before=page.before)
        back.insert(0, [patient.id for patient in page.rows])
        assert page.after == back[0][-1]
    assert back == pages


def test_a_page_costs_two_queries_wherever_it_is(many, session):
    rows = select(Patient)
    with counted() as statements:
        page_of(rows, ORDERS["name"], size=5, after=session.execute(select(Patient.id).limit(1)).scalar_one())
    assert len(statements) == 3  # the test's own, the place, the page


def test_a_place_that_is_gone_starts_at_the_beginning(many):
    first = page_of(select(Patient), ORDERS["name"], size=5)
    assert page_of(select(Patient), ORDERS["name"], size=5, after=999_999).rows == first.rows


def test_counting_stops(many):
    assert count_up_to(select(Patient.id), 10) == 11
    assert count_up_to(select(Patient.id)) == 45
