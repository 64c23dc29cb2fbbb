"""What students have to do: said, changed and retired by those who may, checked, told, and never written over unseen."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from clinic import clock
from clinic.chart.kinds import Scope
from clinic.errors import Conflict, DomainError, NotAllowed
from clinic.extensions import db
from clinic.models import AuditEvent, OwnKind, Requirement, ToothClass
from clinic.operations.requirements import (
    Asked,
    add_requirement,
    change_requirement,
    retire_requirement,
)
from clinic.queries.requirements import MOST, every_requirement, requirement_to_change, requirements_of
from tests.required import asked_for


def asked(**said):
    today = clock.today()
    usual = {
        "name": "Fillings",
        "kinds": ["restoration"],
        "wanted": 10,
        "begins": today,
        "due": today + timedelta(days=90),
    }
    return Asked(**(usual | said))


def add(world, actor="silva", department="restorative", year=4, **said):
    return add_requirement(
        department=world.department(department), year=year, asked=asked(**said), actor=world.user(actor)
    )


def acts():
    return list(
        db.session.scalars(
            select(AuditEvent.act).where(AuditEvent.act.startswith("requirement.")).order_by(AuditEvent.id)
        )
    )


@pytest.mark.parametrize(("actor", "department"), [("silva", "restorative"), ("adel", "orthodontics")])
def test_it_is_said_by_supervisors_of_the_department_and_administrators(world, session, actor, department):
    row = add(world, actor, department, name="  Crowns \n and bridges ", kinds=["crown", "bridge", "crown"], cap=2)
    assert (row.name, row.kinds, row.cap, row.tooth_class) == ("Crowns and bridges", "bridge crown", 2, ToothClass.ANY)
    assert requirements_of(row.department_id, 4) == [row]
    assert acts() == ["requirement.add"]


@pytest.mark.parametrize(
    ("actor", "department"), [("silva", "orthodontics"), ("kamal", "restorative"), ("ruwan", "restorative")]
)
def test_nobody_else_says_it(world, session, actor, department):
    with pytest.raises(NotAllowed):
        add(world, actor, department)
    row = asked_for(world, department)
    with pytest.raises(NotAllowed):
        change_requirement(row.id, version=1, asked=asked(), actor=world.user(actor))
    with pytest.raises(NotAllowed):
        retire_requirement(row.id, version=1, is_retired=True, actor=world.user(actor))
    assert requirement_to_change(world.user(actor), row.id) is None
    assert row not in every_requirement(world.user(actor))
    assert acts() == []


@pytest.mark.parametrize(("said", "sentence"), [
    ({"name": " "}, "Give it a name"),
    ({"name": "x" * 121}, "at most 120 letters"),
    ({"kinds": []}, "at least one kind"),
    ({"kinds": ["caries"]}, "at least one kind"),
    ({"kinds": ["no such"]}, "at least one kind"),
    ({"wanted": 0}, "from 1 to 500"),
    ({"wanted": 501}, "from 1 to 500"),
    ({"cap": 0}, "Of one patient"),
    ({"cap": 11}, "Of one patient"),
    ({"least_mark": 0}, "a step from 1 to 5"),
    ({"least_mark": 6}, "a step from 1 to 5"),
    ({"least_surfaces": 6}, "5 surfaces"),
    ({"due": clock.now().date() - timedelta(days=9)}, "begins before it is due"),
    ({"due": clock.now().date() + timedelta(days=999)}, "at most two years"),
    ({"year": 9}, "year of study"),
])  # fmt: skip
def test_what_makes_no_sense_is_refused_and_leaves_nothing(world, session, said, sentence):
    with pytest.raises(DomainError, match=sentence):
        add(world, **said)
    assert db.session.scalar(select(func.count()).select_from(Requirement)) == 0


def test_no_more_than_a_page_holds(world, session):
    for number in range(MOST):
        asked_for(world, name=f"Number {number}")
    with pytest.raises(DomainError, match="has 40 requirements"):
        add(world)


def test_it_is_changed_with_what_was_before_and_after_in_the_trail(world, session):
    row = add(world)
    change_requirement(row.id, version=row.version, asked=asked(wanted=12, cap=3), actor=world.user("silva"))
    assert (row.wanted, row.cap, row.version) == (12, 3, 2)
    event = db.session.scalars(select(AuditEvent).where(AuditEvent.act == "requirement.change")).one()
    assert "Fillings, year 4" in event.sentence
    change_requirement(row.id, version=row.version, asked=asked(wanted=12, cap=3), actor=world.user("silva"))
    assert acts() == ["requirement.add", "requirement.change"]  # nothing was changed the second time


def test_what_somebody_else_has_changed_is_not_written_over(world, session):
    row = add(world)
    change_requirement(row.id, version=1, asked=asked(wanted=12), actor=world.user("adel"))
    for act in (
        lambda: change_requirement(row.id, version=1, asked=asked(wanted=5), actor=world.user("silva")),
        lambda: retire_requirement(row.id, version=1, is_retired=True, actor=world.user("silva")),
    ):
        with pytest.raises(Conflict, match="Fillings was changed meanwhile: it asks for 12 by"):
            act()
    assert row.wanted == 12


def test_it_is_retired_and_brought_back(world, session):
    row, silva = add(world), world.user("silva")
    retire_requirement(row.id, version=1, is_retired=True, actor=silva)
    assert requirements_of(row.department_id, 4) == []
    assert every_requirement(silva) == [row]
    with pytest.raises(Conflict, match="retired already"):
        retire_requirement(row.id, version=2, is_retired=True, actor=silva)
    retire_requirement(row.id, version=2, is_retired=False, actor=silva)
    assert requirements_of(row.department_id, 4) == [row]
    assert acts() == ["requirement.add", "requirement.retire", "requirement.bring_back"]


def test_a_kind_of_the_clinics_own_that_was_retired_stays_in_what_names_it(world, session):
    own = OwnKind(code="own-1", name="Varnish", word="varnish", scope=Scope.SURFACES, is_treatment=True, rule="zone",
                  pattern="dots", created_at=clock.now(), created_by_id=world.people["adel"])  # fmt: skip
    db.session.add(own)
    db.session.flush()
    row = add(world, kinds=["own-1"])
    own.retired_at = clock.now()
    db.session.flush()
    change_requirement(row.id, version=1, asked=asked(kinds=["own-1"], wanted=3), actor=world.user("silva"))
    assert (row.kinds, row.wanted) == ("own-1", 3)
    with pytest.raises(DomainError, match="at least one kind"):
        add(world, kinds=["own-1"])
