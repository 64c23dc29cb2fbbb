"""Random days in the clinic against a small model: whatever people press, the queue stays whole and undo is an inverse."""

import itertools
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import select

from clinic import clock
from clinic.acts import Outcome
from clinic.errors import Conflict, DomainError
from clinic.extensions import db
from clinic.models import (
    CHAIR_STAGES,
    FINAL_STAGES,
    Chair,
    Priority,
    QueueEntry,
    Role,
    Stage,
    Visit,
    VisitStatus,
)
from clinic.operations import chairs, queue, visits
from tests.operations.lifecycle import STAGE_MOVES
from tests.soak import daily_seed, share

PATIENTS = st.sampled_from(["fernando", "perera", "wu", "nadia"])
ACTORS = st.sampled_from(["ruwan", "rita", "nimal"])
CHAIRS = st.sampled_from(["A1", "A2", "A3", "B1", "B2"])
DEPARTMENTS = st.sampled_from(["restorative", "orthodontics"])
LEAVABLE = (Stage.WAITING, Stage.CALLED, Stage.IN_CHAIR)
# Stages that `move` leads to, and from where: written out here, so that the machine does not believe the code.
PLAIN = {
    Stage.IN_CHAIR: {Stage.CALLED},
    Stage.IN_TREATMENT: {Stage.IN_CHAIR, Stage.AWAITING_SUPERVISOR, Stage.AWAITING_DISMISSAL},
    Stage.AWAITING_SUPERVISOR: {Stage.IN_TREATMENT},
    Stage.AWAITING_DISMISSAL: {Stage.IN_TREATMENT},
    Stage.CHECKOUT: {Stage.AWAITING_DISMISSAL},
    Stage.DONE: {Stage.CHECKOUT},
}


class Day(RuleBasedStateMachine):
    """`last[patient]` is the newest entry of the patient's newest visit as the model has it; `undo[entry]` what it was before."""

    world = None  # set by the test

    def __init__(self):
        super().__init__()
        db.session.remove()
        self.savepoint = db.session.get_bind().begin_nested()
        self.at = clock.start_of(clock.today()) + timedelta(hours=7)
        for visit_id in self.world.visits.values():
            db.session.get_one(Visit, visit_id).starts_at = self.at + timedelta(hours=1)
        db.session.commit()
        self.last = {}  # patient -> id of the newest entry that was not undone
        self.moves = {}  # entry id -> (actor, instant, the patient's state before)
        self.broken = {"A4"}

    def teardown(self):
        db.session.remove()
        self.savepoint.rollback()

    # --- what the model reads -----------------------------------------------------------------------------------------

    def entry(self, patient):
        number = self.last.get(patient)
        return db.session.get_one(QueueEntry, number) if number else None

    def open_entry(self, patient):
        entry = self.entry(patient)
        return entry if entry is not None and entry.is_open else None

    def chair_is_free(self, name, department_id):
        chair = self.world.chair(name)
        held = db.session.scalar(
            select(QueueEntry.id).where(QueueEntry.ended_at.is_(None), QueueEntry.chair_id == chair.id)
        )
        return chair.department_id == department_id and name not in self.broken and held is None

    def state(self, patient):
        """What undo must bring back: visits and the entries that were not undone, but for versions."""
        patient_id = self.world.patients[patient]
        of_visit = (Visit.id, Visit.status, Visit.ticket, Visit.department_id, Visit.outcome, Visit.completed_at)
        of_entry = [
            column
            for column in QueueEntry.__table__.columns
            if column.name not in ("version", "open_chair_id", "open_patient_id")
        ]
        return (
            db.session.execute(select(*of_visit).where(Visit.patient_id == patient_id).order_by(Visit.id)).all(),
            db.session.execute(
                select(*of_entry)
                .where(QueueEntry.patient_id == patient_id, QueueEntry.voided_at.is_(None))
                .order_by(QueueEntry.id)
            ).all(),
        )

    # --- how it acts --------------------------------------------------------------------------------------------------

    def attempt(self, patient, actor, legal, act):
        """Do it as one request; it must succeed when the model says so, and be refused with a sentence when not."""
        before = self.state(patient)
        refused, number = None, None
        with clock.frozen(self.at):
            try:
                number = act(self.world.user(actor)).id
                db.session.commit()
            except DomainError as refusal:
                db.session.rollback()
                refused = refusal.sentence
            finally:
                db.session.remove()
        assert legal == (refused is None), refused or "this should have been refused"
        if refused is None:
            return before, number
        assert refused[-1] in ".?!"
        assert self.state(patient) == before
        return None

    def moved(self, patient, actor, done):
        if done is not None:
            before, number = done
            if number != self.last.get(patient):
                self.moves[number] = (actor, self.at, before)
            else:  # changed in place: undo takes back the move before it, which this state was not part of
                self.moves[number] = (*self.moves[number][:2], None) if number in self.moves else (None, None, None)
            self.last[patient] = number

    @rule(seconds=st.sampled_from([1, 20, 60, 240, 400, 700]))
    def time_passes(self, seconds):
        self.at += timedelta(seconds=seconds)

    @rule(patient=st.sampled_from(["fernando", "perera", "wu"]), actor=ACTORS)
    def check_in(self, patient, actor):
        visit = self.world.visit(patient)
        legal = visit.status is VisitStatus.SCHEDULED and self.open_entry(patient) is None
        done = self.attempt(
            patient, actor, legal, lambda person: visits.check_in(self.world.visit(patient), actor=person)
        )
        self.moved(patient, actor, done)

    @rule(patient=PATIENTS, actor=ACTORS, department=DEPARTMENTS, priority=st.sampled_from(list(Priority)))
    def walk_in(self, patient, actor, department, priority):
        self.walk_in_anywhere(patient, actor, department, priority)

    def walk_in_anywhere(self, patient, actor, department="restorative", priority=Priority.NORMAL):
        done = self.attempt(
            patient,
            actor,
            self.open_entry(patient) is None,
            lambda person: visits.add_walk_in(
                patient=self.world.patient(patient),
                department=self.world.department(department),
                reason="Pain",
                priority=priority,
                actor=person,
            ),
        )
        self.moved(patient, actor, done)

    def on_last(self, patient, actor, stages, act, also=True):
        """Act on the patient's newest entry with its version; legal when open, in one of the stages, and `also`."""
        entry = self.entry(patient)
        if entry is None:
            return
        number, version = entry.id, entry.version
        legal = entry.is_open and entry.stage in stages and also
        done = self.attempt(patient, actor, legal, lambda person: act(number, version=version, actor=person))
        self.moved(patient, actor, done)

    @rule(patient=PATIENTS, actor=ACTORS, chair=CHAIRS)
    def call(self, patient, actor, chair):
        self.call_to(patient, actor, chair)

    def call_to(self, patient, actor, chair):
        entry = self.entry(patient)
        free = entry is not None and self.chair_is_free(chair, entry.department_id)
        act = lambda number, **who: queue.call_to_chair(number, chair_id=self.world.chairs[chair], **who)  # noqa: E731
        self.on_last(patient, actor, {Stage.WAITING}, act, free)

    @rule(patient=PATIENTS, actor=ACTORS, to=st.sampled_from(list(Stage)))
    def move(self, patient, actor, to):
        self.move_to(patient, actor, to)

    def move_to(self, patient, actor, to):
        self.on_last(patient, actor, PLAIN.get(to, set()), lambda number, **who: queue.move(number, to=to, **who))

    @rule(patient=PATIENTS, actor=ACTORS, steps=st.integers(1, 9), way=st.booleans())
    def go_on(self, patient, actor, steps, way):
        """Some steps of care on the usual way, from the door on, so that days come to their end."""
        for _ in range(steps):
            self.at += timedelta(seconds=90)
            entry = self.open_entry(patient)
            if entry is None:
                self.walk_in_anywhere(patient, actor)
            elif entry.stage is Stage.WAITING:
                chair = next(
                    (name for name in self.world.chairs if self.chair_is_free(name, entry.department_id)), None
                )
                if chair is None:
                    return
                self.call_to(patient, actor, chair)
            else:
                ways = sorted(to for to, stages in PLAIN.items() if entry.stage in stages)
                self.move_to(patient, actor, ways[-1 if way else 0])

    @rule(patient=PATIENTS, actor=ACTORS)
    def call_again(self, patient, actor):
        self.on_last(patient, actor, {Stage.CALLED}, queue.call_again)

    @rule(patient=PATIENTS, actor=ACTORS)
    def put_back(self, patient, actor):
        self.on_last(patient, actor, {Stage.CALLED}, queue.put_back)

    @rule(patient=PATIENTS, actor=ACTORS)
    def leave(self, patient, actor):
        act = lambda number, **who: queue.leave_unseen(number, reason="Had to go", **who)  # noqa: E731
        self.on_last(patient, actor, LEAVABLE, act)

    @rule(patient=PATIENTS, actor=ACTORS, department=DEPARTMENTS)
    def transfer(self, patient, actor, department):
        entry, target = self.entry(patient), self.world.departments[department]
        act = lambda number, **who: queue.transfer(number, department_id=target, reason="Wrong door", **who)  # noqa: E731
        self.on_last(patient, actor, LEAVABLE, act, entry is not None and entry.department_id != target)

    @rule(patient=PATIENTS, actor=ACTORS, chair=CHAIRS)
    def change_chair(self, patient, actor, chair):
        entry, number = self.entry(patient), self.world.chairs[chair]
        free = entry is not None and (entry.chair_id == number or self.chair_is_free(chair, entry.department_id))
        act = lambda entry_id, **who: queue.change_chair(entry_id, chair_id=number, **who)  # noqa: E731
        self.on_last(patient, actor, CHAIR_STAGES, act, free)

    @rule(patient=PATIENTS, actor=ACTORS, priority=st.sampled_from(list(Priority)), first=st.booleans())
    def order(self, patient, actor, priority, first):
        act = lambda number, **who: queue.set_priority(number, priority=priority, reason="Pain", **who)  # noqa: E731
        self.on_last(patient, actor, {Stage.WAITING}, act)
        act = lambda number, **who: queue.set_place(number, first=first, reason="Pain", **who)  # noqa: E731
        self.on_last(patient, actor, {Stage.WAITING}, act)

    @rule(patient=PATIENTS, actor=st.sampled_from(["nimal", "nimal", "ruwan"]), times=st.integers(1, 4))
    def undo(self, patient, actor, times):
        for _ in range(times):
            self.undo_once(patient, actor)

    def undo_once(self, patient, actor):
        entry = self.entry(patient)
        if entry is None:
            return
        former = db.session.get(QueueEntry, entry.previous_id or 0)
        if former is not None and former.stage is Stage.TRANSFERRED:
            former = db.session.get_one(QueueEntry, former.previous_id)
        by = next(name for name in ("ruwan", "rita", "nimal") if self.world.people[name] == entry.moved_by_id)
        chair = next((name for name, number in self.world.chairs.items() if former and number == former.chair_id), None)
        legal = (
            (by == actor or self.world.user(actor).role is Role.NURSE)
            and self.at - entry.started_at <= timedelta(minutes=10)
            and (chair is None or entry.chair_id == former.chair_id or self.chair_is_free(chair, former.department_id))
        )
        number, version, before = entry.id, entry.version, self.moves[entry.id][2]
        former_id = former.id if former else None
        act = lambda person: queue.undo_last_move(number, version=version, actor=person)  # noqa: E731
        done = self.attempt(patient, actor, legal, act)
        if done is None:
            return
        assert done[1] == (former_id or number)
        if before is not None and former_id is not None:
            assert self.state(patient) == before
        if former_id is not None:
            self.last[patient] = former_id
        else:
            del self.last[patient]

    @rule(patient=PATIENTS, actor=ACTORS)
    def press_an_old_button(self, patient, actor):
        entry = self.entry(patient)
        if entry is None or entry.version == 1:
            return
        number, version = entry.id, entry.version - 1
        with clock.frozen(self.at), pytest.raises(Conflict) as refusal:
            queue.move(number, to=Stage.IN_CHAIR, version=version, actor=self.world.user(actor))
        db.session.rollback()
        db.session.remove()
        assert any(name in refusal.value.sentence for name in ("Ruwan Senanayake", "Rita Gomes", "Nimal Costa"))

    @rule(chair=CHAIRS)
    def a_chair_breaks_or_is_mended(self, chair):
        row, nimal = self.world.chair(chair), self.world.user("nimal")
        if chair in self.broken:
            chairs.return_to_service(row, version=row.version, actor=nimal)
        else:
            chairs.take_out_of_service(row, reason="Lamp", version=row.version, actor=nimal)
        self.broken ^= {chair}
        db.session.commit()
        db.session.remove()

    @precondition(lambda self: self.last)
    @rule(department=DEPARTMENTS, actor=ACTORS, data=st.data())
    def close_the_day(self, department, actor, data):
        number = self.world.departments[department]
        still = [
            patient
            for patient in sorted(self.last)
            if (entry := self.open_entry(patient)) is not None and entry.department_id == number
        ]
        outcomes, fits = {}, True
        for patient in still:
            entry = self.open_entry(patient)
            outcome = data.draw(st.sampled_from(list(Outcome)))
            outcomes[entry.id] = outcome
            fits &= outcome is Outcome.CARRY_OVER or (outcome is Outcome.LEFT) == (entry.stage in LEAVABLE)
        with clock.frozen(self.at):
            try:
                closed = queue.close_day(
                    self.world.department(department), outcomes=outcomes, actor=self.world.user(actor)
                )
                closed = [entry.id for entry in closed]
                db.session.commit()
            except DomainError:
                db.session.rollback()
                closed = None
            finally:
                db.session.remove()
        assert (closed is not None) == fits
        for former, entry_id in zip(sorted(outcomes), closed or [], strict=False):
            patient = next(name for name, last in self.last.items() if last == former)
            self.moves[entry_id] = (actor, self.at, None)
            self.last[patient] = entry_id

    # --- what always holds --------------------------------------------------------------------------------------------

    @invariant()
    def the_queue_is_whole(self):
        entries = db.session.scalars(
            select(QueueEntry).where(QueueEntry.voided_at.is_(None)).order_by(QueueEntry.visit_id, QueueEntry.id)
        ).all()
        still = [entry for entry in entries if entry.is_open]
        assert len({entry.patient_id for entry in still}) == len(still)
        seated = [entry.chair_id for entry in still if entry.chair_id]
        assert len(set(seated)) == len(seated)
        newest = {
            patient: number for patient, number in self.last.items() if db.session.get_one(QueueEntry, number).is_open
        }
        assert {self.world.patients[patient]: number for patient, number in newest.items()} == {
            entry.patient_id: entry.id for entry in still
        }
        of_visit = {key: list(rows) for key, rows in itertools.groupby(entries, key=lambda entry: entry.visit_id)}
        for visit in db.session.scalars(select(Visit).where(Visit.patient_id.in_(self.world.patients.values()))):
            self.the_visit_is_whole(visit, of_visit.get(visit.id, []))
        db.session.remove()

    def the_visit_is_whole(self, visit, rows):
        opened = [entry for entry in rows if entry.is_open]
        assert len(opened) == (visit.status is VisitStatus.ARRIVED)
        assert bool(rows) == (visit.status in (VisitStatus.ARRIVED, VisitStatus.COMPLETED))
        for entry in rows:
            assert entry.patient_id == visit.patient_id
            assert (entry.chair_id is not None) == (entry.stage in CHAIR_STAGES)
            if entry.chair_id is not None:
                assert db.session.get_one(Chair, entry.chair_id).department_id == entry.department_id
        if not rows:
            return
        assert rows[0].previous_id is None
        assert rows[0].started_at == visit.arrived_at
        assert rows[-1].department_id == visit.department_id
        for former, entry in itertools.pairwise(rows):
            assert entry.previous_id == former.id
            assert entry.started_at == former.ended_at
            closing = entry.stage is Stage.DONE and (entry.note or "").startswith("Day closed")
            through = former.stage is Stage.TRANSFERRED and entry.stage is Stage.WAITING
            assert closing or through or entry.stage in STAGE_MOVES[former.stage]
        if visit.status is VisitStatus.COMPLETED:
            assert rows[-1].stage in FINAL_STAGES
            assert rows[-1].started_at == rows[-1].ended_at == visit.completed_at
            total = sum((entry.ended_at - entry.started_at for entry in rows), timedelta())
            assert total == visit.completed_at - visit.arrived_at


@pytest.mark.soak
@pytest.mark.timeout(3000)
def test_random_days_keep_the_queue_whole(app, context, world):
    Day.world = world
    steps = settings(
        max_examples=share(100, 4),
        stateful_step_count=50,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate,),  # a failure prints its steps at once; shrinking a whole day takes minutes
        print_blob=True,
    )
    run_state_machine_as_test(seed(daily_seed())(Day), settings=steps)
