"""Material used on patients: recorded in a visit, taken back with a reason, never changed; approved with the visit."""

import pytest
from sqlalchemy import select

from clinic.errors import Conflict, DomainError, NotAllowed
from clinic.extensions import db
from clinic.models import AuditEvent, GateItem, MaterialUse, Stage, VisitStatus
from clinic.operations.materials import record_use, take_back_use
from clinic.queries.gates import changed_gates, changers_of, standing_of
from clinic.queries.materials import use_for, used_lately, uses_in
from tests.gated import dismissal_asked, dismissed, gates_on, seated
from tests.scene import put_in_queue

COMPOSITE = {"material": "Composite A2", "quantity": 2, "unit": "capsule", "lot": "L-77"}


@pytest.fixture
def used(world, session):
    """`used(material=..., actor=...)`: material in Fernando's visit of today, who is in treatment; by Kamal."""
    put_in_queue(world, "fernando", Stage.IN_TREATMENT)

    def use(person="kamal", **how):
        return record_use(world.visit("fernando"), **(COMPOSITE | how), actor=world.user(person))

    return use


def test_what_was_used_is_read_in_order_with_its_lot(world, used):
    used()
    used("nimal", material="  Lidocaine\n2 %", unit="carpule", quantity=1, lot="")
    found = uses_in(world.user("kamal"), world.visits["fernando"])
    assert [use.words for use in found] == ["2 capsule Composite A2, lot L-77", "1 carpule Lidocaine 2 %"]
    assert [use.recorded_by.name for use in found] == ["Kamal Dias", "Nimal Costa"]
    acts = db.session.scalars(select(AuditEvent.sentence).where(AuditEvent.act == "material.use")).all()
    assert acts[0] == "Used 2 capsule Composite A2, lot L-77 on P-2026-00001"


def test_what_was_used_on_several_patients_is_offered_and_nothing_that_was_typed_once(world, used):
    used()
    used(material="Told in confidence")
    assert used_lately() == []
    put_in_queue(world, "perera", Stage.IN_TREATMENT)
    again = record_use(world.visit("perera"), **COMPOSITE, actor=world.user("leela"))
    assert used_lately() == [("Composite A2", "capsule")]
    take_back_use(again.id, version=1, reason="Not used", actor=world.user("leela"))
    assert used_lately() == []


@pytest.mark.parametrize("wrong", [
    {"material": " "}, {"material": "x" * 121}, {"unit": ""}, {"unit": "y" * 21}, {"lot": "z" * 41}, {"quantity": 0}, {"quantity": 1000},
])  # fmt: skip
def test_what_cannot_be_is_refused_and_leaves_nothing(used, wrong):
    with pytest.raises(DomainError):
        used(**wrong)
    assert db.session.scalars(select(MaterialUse)).all() == []


@pytest.mark.parametrize(
    ("person", "error"), [("omar", NotAllowed), ("leela", NotAllowed), ("ruwan", NotAllowed), ("sato", NotAllowed)]
)
def test_who_is_not_given_the_patient_or_has_no_such_work_records_nothing(used, person, error):
    with pytest.raises(error):
        used(person)


def test_at_a_visit_that_has_not_begun_nothing_is_used(world, session):
    assert world.visit("fernando").status is VisitStatus.SCHEDULED
    with pytest.raises(DomainError, match="has not arrived"):
        record_use(world.visit("fernando"), **COMPOSITE, actor=world.user("kamal"))


def test_of_an_archived_patient_nothing_is_recorded(world, used):
    world.patient("fernando").archived_at = world.patient("fernando").created_at
    db.session.flush()
    with pytest.raises(DomainError, match="is archived"):
        used()


def test_a_mistake_is_taken_back_once_and_stays(world, used):
    use = used()
    with pytest.raises(DomainError, match="Write why"):
        take_back_use(use.id, version=1, reason=" ", actor=world.user("kamal"))
    take_back_use(use.id, version=1, reason="Another patient's", actor=world.user("kamal"))
    with pytest.raises(Conflict, match="Kamal Dias took it back on .* “Another patient's”"):
        take_back_use(use.id, version=1, reason="Again", actor=world.user("silva"))
    [there] = uses_in(world.user("silva"), world.visits["fernando"])
    assert (there.taken_back_by.name, there.reason, there.words) == ("Kamal Dias", "Another patient's", use.words)


def test_a_student_takes_back_only_what_they_recorded(world, used):
    by_nurse = used("nimal")
    with pytest.raises(NotAllowed):
        take_back_use(by_nurse.id, version=1, reason="Not mine", actor=world.user("kamal"))
    take_back_use(used().id, version=1, reason="Not used", actor=world.user("nimal"))
    take_back_use(by_nurse.id, version=1, reason="Not used", actor=world.user("silva"))


def test_whoever_may_not_see_the_patient_finds_none(world, used):
    use, visit = used(), world.visits["fernando"]
    assert use_for(world.user("omar"), visit, use.id) is None
    assert uses_in(world.user("leela"), visit) == []


class TestTheDismissal:
    @pytest.fixture(autouse=True)
    def _gated(self, world, session):
        gates_on("dismiss")
        seated(world, stage=Stage.IN_TREATMENT, plan="")

    def use(self, world, person="kamal"):
        return record_use(world.visit("fernando"), **COMPOSITE, actor=world.user(person))

    def test_a_students_material_is_in_it_and_a_nurses_needs_no_approval(self, world):
        use, by_nurse = self.use(world), self.use(world, "nimal")
        pieces = {piece.subject: piece for piece in standing_of(world.visit("fernando")).pieces}
        assert pieces[f"material:{use.id}"].words == "Material: 2 capsule Composite A2, lot L-77"
        assert pieces[f"material:{use.id}"].is_students
        assert not pieces[f"material:{by_nurse.id}"].is_students
        items = select(GateItem.subject).where(GateItem.gate_id == dismissal_asked(world).id)
        assert db.session.scalars(items).all() == [f"material:{use.id}"]

    def test_recorded_or_taken_back_after_the_approval_it_comes_back(self, world):
        first = self.use(world)
        dismissed(world)
        assert standing_of(world.visit("fernando")).is_approved
        assert changed_gates(world.user("silva")) == []
        second = self.use(world)
        standing = standing_of(world.visit("fernando"))
        assert [piece.subject for piece in standing.missing] == [f"material:{second.id}"]
        assert [gate.visit_id for gate in changed_gates(world.user("silva"))] == [world.visits["fernando"]]
        take_back_use(first.id, version=1, reason="Not used", actor=world.user("kamal"))
        assert [item.subject for item in standing_of(world.visit("fernando")).gone] == [f"material:{first.id}"]
        assert changers_of(f"material:{first.id}") == {world.people["kamal"]}

    def test_recorded_and_taken_back_it_is_nothing(self, world):
        take_back_use(self.use(world).id, version=1, reason="Not used", actor=world.user("kamal"))
        assert standing_of(world.visit("fernando")).pieces == []
