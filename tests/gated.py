"""The two gates in tests: switching them on, a patient who is ready to be treated, and preparing and deciding in a few words."""

import json
from datetime import timedelta

from sqlalchemy import delete, select

from clinic import clock, settings
from clinic.extensions import db
from clinic.models import (
    Alert,
    Assignment,
    AssignmentKind,
    Category,
    Filling,
    Gate,
    HistoryForm,
    HistoryReview,
    QueueEntry,
    Setting,
    Stage,
    Visit,
)
from clinic.operations import gates
from clinic.operations.documents import Said
from clinic.operations.gates import Readiness
from clinic.queries.chart import mouth_of
from clinic.queries.gates import standing_of
from tests.charting import chart_line
from tests.filed import file_document
from tests.scene import entry_of, put_in_queue
from tests.world import World


def gates_on(*names: str) -> None:
    """Switch on these gates (`start`, `dismiss`), or both. Flushes."""
    for name in names or ("start", "dismiss"):
        db.session.execute(delete(Setting).where(Setting.name == f"{name}_gate"))
        db.session.add(Setting(name=f"{name}_gate", value="true"))
    db.session.flush()
    settings.forget()


def setting(name: str, value: object) -> None:
    db.session.execute(delete(Setting).where(Setting.name == name))
    db.session.add(Setting(name=name, value=json.dumps(value)))
    db.session.flush()
    settings.forget()


def reviewed(world: World, patient: str = "fernando", person: str = "kamal") -> None:
    """The patient's medical history was filled and looked through today."""
    at = clock.now()
    form = db.session.query(HistoryForm).filter_by(code="medical", number=1).one_or_none()
    if form is None:
        form = HistoryForm(code="medical", number=1, title="Medical", body="{}", sha256="0" * 64, published_at=at)
        db.session.add(form)
        db.session.flush()
    number = db.session.query(Filling).filter_by(patient_id=world.patients[patient]).count() + 1
    filling = Filling(
        patient_id=world.patients[patient], form_id=form.id, code="medical", number=number, answers="{}",
        sha256="0" * 64, filled_by_id=world.people[person], at=at,
    )  # fmt: skip
    db.session.add(filling)
    db.session.flush()
    db.session.add(
        HistoryReview(
            filling_id=filling.id,
            patient_id=world.patients[patient],
            day=clock.today(),
            reviewed_by_id=world.people[person],
            at=at,
        )  # fmt: skip
    )
    db.session.flush()


def seated(
    world: World, patient: str = "fernando", stage: Stage = Stage.IN_CHAIR, plan: str = "36 o am plan"
) -> QueueEntry:
    """The patient is in a chair with a plan on the chart from before, and the history was looked through today."""
    if plan:
        with clock.frozen(clock.now() - timedelta(hours=1)):
            chart_line(world.patient(patient), plan, actor=world.user(student_of(patient)), reason="Planned")
    reviewed(world, patient, student_of(patient))
    return put_in_queue(world, patient, stage)


def papers(world: World, tooth: str, patient: str = "fernando") -> list[int]:
    """A radiograph and a consent that name a tooth, from before; their ids."""
    kinds = {"radiograph": Category.RADIOGRAPH, "consent": Category.CONSENT}
    with clock.frozen(clock.now() - timedelta(hours=1)):
        return [
            file_document(
                world, patient, student_of(patient), name=f"{name}-{tooth}.png", said=Said(of, teeth=(tooth,))
            ).id
            for name, of in kinds.items()
        ]


def given(world: World, patient: str, person: str) -> None:
    """The patient is this person's too."""
    db.session.add(
        Assignment(
            patient_id=world.patients[patient],
            user_id=world.people[person],
            kind=AssignmentKind.PRIMARY,
            starts_at=clock.now() - timedelta(hours=1),
            created_by_id=world.people["silva"],
        )  # fmt: skip
    )
    db.session.flush()


def student_of(patient: str) -> str:
    return {"fernando": "kamal", "perera": "leela", "wu": "omar"}[patient]


def threads_of(world: World, patient: str = "fernando") -> list[int]:
    """What may be started, of the chart."""
    return [e.thread for e in mouth_of(world.patients[patient]).entries if e.status in ("planned", "in_process")]


def ready(world: World, patient: str = "fernando", **changes: object) -> Readiness:
    """Everything that a start asks for."""
    held = select(Alert.id).where(Alert.patient_id == world.patients[patient], Alert.ended_at.is_(None))
    alerts = list(db.session.scalars(held))
    usual = {
        "identity": ("name", "birth_date"),
        "alerts": alerts,
        "threads": threads_of(world, patient),
        "site": True,
        "no_radiograph": "One of last month is enough",
    }
    return Readiness(**(usual | changes))  # type: ignore[arg-type]


def start_asked(world: World, patient: str = "fernando", actor: str | None = None, **changes: object) -> Gate:
    who = world.user(actor or student_of(patient))
    return gates.prepare_start(world.visit(patient), ready(world, patient, **changes), actor=who)


def started(world: World, patient: str = "fernando", supervisor: str = "silva", **changes: object) -> Gate:
    gate = start_asked(world, patient, **changes)
    return gates.approve_start(gate.id, version=gate.version, actor=world.user(supervisor))


def dismissal_asked(world: World, patient: str = "fernando", words: str = "") -> Gate:
    visit = db.session.get_one(Visit, world.visits[patient], populate_existing=True)
    seen = standing_of(visit).sha256
    return gates.prepare_dismissal(visit, words=words, seen=seen, actor=world.user(student_of(patient)))


def dismissed(world: World, patient: str = "fernando", supervisor: str = "silva") -> Gate:
    gate = dismissal_asked(world, patient)
    return gates.approve_dismissal(gate.id, version=gate.version, actor=world.user(supervisor))


def stage_of(world: World, patient: str = "fernando") -> Stage:
    return entry_of(world, patient).stage
