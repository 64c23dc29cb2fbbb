"""Departments: opened, renamed, closed when nobody is left, opened again."""

import pytest
from sqlalchemy import select

from clinic import clock
from clinic.errors import Conflict, DomainError
from clinic.extensions import db
from clinic.models import AuditEvent, Chair, Department, Display, Role, Unowned, VisitStatus
from clinic.operations import departments
from clinic.operations.people import create_person, deactivate
from clinic.operations.visits import check_in


@pytest.fixture
def adel(session, world):
    return world.user("adel")


@pytest.fixture
def empty(adel):
    return departments.open_department(name=" Oral  surgery ", letter="c", chairs=2, actor=adel)


def acts():
    return db.session.scalars(select(AuditEvent.act).order_by(AuditEvent.id)).all()


def test_one_is_opened_with_its_chairs(session, empty):
    assert (empty.name, empty.letter, empty.active, empty.version) == ("Oral surgery", "C", True, 1)
    chairs = select(Chair.name).where(Chair.department_id == empty.id).order_by(Chair.id)
    assert session.scalars(chairs).all() == ["C1", "C2"]
    assert acts() == ["department.open"]


@pytest.mark.parametrize(
    ("name", "letter"), [("Restorative", "Z"), ("New", "a"), ("New", "7"), (" ", "Z"), ("x" * 121, "Z"), ("New", "ABC")]
)
def test_what_is_taken_or_no_name_is_refused(session, adel, name, letter):
    with pytest.raises(DomainError):
        departments.open_department(name=name, letter=letter, chairs=1, actor=adel)
    assert len(session.scalars(select(Department.id)).all()) == 2


def test_a_name_is_changed_and_the_letter_stays(session, world, adel, empty):
    departments.rename_department(empty.id, name="Surgery", version=1, actor=adel)
    assert (empty.name, empty.letter) == ("Surgery", "C")
    assert f"queue:{empty.id}" in session.info["nudges"]
    with pytest.raises(Conflict, match="it is called Surgery and is open"):
        departments.rename_department(empty.id, name="Theatre", version=1, actor=adel)
    with pytest.raises(DomainError, match="Restorative has that name"):
        departments.rename_department(empty.id, name="Restorative", version=empty.version, actor=adel)
    departments.rename_department(empty.id, name="Surgery", version=empty.version, actor=adel)
    assert acts() == ["department.open", "department.rename"]


def test_one_is_closed_only_when_nobody_is_left(session, world, adel):
    place = world.department("orthodontics")
    session.add(
        Display(token_hash="d" * 64, name="Hall", department_id=place.id, created_at=clock.now(), paired_at=clock.now())
    )
    with pytest.raises(DomainError) as refusal:
        departments.close_department(place.id, version=1, actor=adel)
    assert refusal.value.sentence == (
        "Orthodontics cannot be closed yet: 2 people work or study in it, 1 visit is planned in it and 1 display shows it. "
        "See to them first."
    )
    check_in(world.visit("wu"), actor=world.user("ruwan"))
    with pytest.raises(DomainError, match="1 patient is in its queue"):
        departments.close_department(place.id, version=1, actor=adel)
    assert place.active


def test_one_whose_patients_have_nobody_is_not_closed(session, world, adel):
    """Only its supervisors have the list of them: closed, nobody would."""
    world.visit("wu").status = VisitStatus.CANCELLED
    for person in ("omar", "sato"):
        deactivate(world.people[person], actor=adel)
    place = world.department("orthodontics")
    with pytest.raises(DomainError, match="cannot be closed yet: 1 patient waits there for an owner. See"):
        departments.close_department(place.id, version=place.version, actor=adel)
    session.delete(session.scalars(select(Unowned)).one())
    session.flush()
    departments.close_department(place.id, version=place.version, actor=adel)
    assert not place.active


def test_a_closed_one_takes_nobody_until_it_is_opened_again(session, world, adel, empty):
    def newcomer():
        return create_person(
            name="Sam", email="sam@clinic.test", role=Role.SUPERVISOR, department_id=empty.id, year=None,
            password_hash="!", actor=adel,
        )  # fmt: skip

    departments.close_department(empty.id, version=1, actor=adel)
    assert not empty.active
    with pytest.raises(DomainError, match="There is no such department"):
        newcomer()
    departments.close_department(empty.id, version=empty.version, actor=adel)
    with pytest.raises(Conflict, match="is closed"):
        departments.reopen_department(empty.id, version=1, actor=adel)
    departments.reopen_department(empty.id, version=empty.version, actor=adel)
    assert newcomer().department_id == empty.id
    assert acts()[:3] == ["department.open", "department.close", "department.reopen"]
