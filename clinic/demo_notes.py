"""Believable notes for the demo clinic: one of each charted visit, signed by its student, most of them approved, some not yet, some
returned. Signed as the operations sign; rows come out for a bulk insert, and the same seed makes the same notes.
"""

import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import select

from clinic.canonical import digest
from clinic.chart import teeth
from clinic.chart.entry import Entry
from clinic.chart.kinds import BUILT_IN, Status
from clinic.chart.words import sentence
from clinic.extensions import db
from clinic.models import (
    Base,
    ChartEntry,
    Decision,
    Execution,
    Note,
    NoteSigning,
    NoteStatus,
    NoteType,
    Patient,
    User,
    Visit,
)
from clinic.notes.signed import signed_body
from clinic.queries.chart import rows_of

MOST = 300  # patients with notes
WAITING = 4  # notes that are not approved yet, of each department
BEGIN = (
    "Came on time, no change in the history.",
    "No pain since the last visit.",
    "Some sensitivity to cold, else well.",
)
WORK = (
    "Anaesthesia with lidocaine 2 % and adrenaline 1:80,000, one cartridge. Rubber dam.",
    "No anaesthesia needed. Cotton rolls, as the patient does not tolerate rubber dam.",
    "Instructed in brushing between the teeth; plaque shown with a disclosing tablet.",
)
NEXT = (
    "Next: go on as planned in two weeks.",
    "Next: recall in six months.",
    "Next: radiograph of the lower left before going on.",
)
RETURNED = "Write which material and shade, and why there was no rubber dam."

Row = tuple[type[Base], dict[str, Any]]


def rows(seed: int, new_id: Callable[[str], int], at: datetime) -> Iterator[Row]:
    """The rows of all notes and their signings, parents before children."""
    dice = random.Random(f"{seed}-notes")
    people = {user.id: user for user in db.session.scalars(select(User))}
    waiting: dict[int, int] = {}
    charted = select(ChartEntry.patient_id).distinct().order_by(ChartEntry.patient_id).limit(MOST)
    for patient_id in db.session.scalars(charted).all():
        patient = db.session.get_one(Patient, patient_id)
        entries = sorted(rows_of(patient_id, ChartEntry.visit_id.is_not(None)), key=lambda each: each.visit_id or 0)
        for visit_id, group in groupby(entries, key=lambda each: each.visit_id):
            visit = db.session.get_one(Visit, visit_id)
            yield from _note(dice, patient, visit, list(group), people, new_id, at, waiting)


def _note(
    dice: random.Random,
    patient: Patient,
    visit: Visit,
    entries: list[Entry],
    people: dict[int, User],
    new_id: Callable[[str], int],
    at: datetime,
    waiting: dict[int, int],
) -> Iterator[Row]:
    author, supervisor = people[visit.student_id or entries[-1].entered_by_id], people.get(visit.supervisor_id or 0)
    if author.department_id is None or supervisor is None:
        return
    signed_at = min((visit.completed_at or visit.starts_at) + timedelta(minutes=dice.randrange(1, 15)), at)
    before = waiting.get(author.department_id, 0)
    status = (NoteStatus.SIGNED if before else NoteStatus.RETURNED) if before <= WAITING else NoteStatus.APPROVED
    if status is not NoteStatus.APPROVED:
        waiting[author.department_id] = before + 1
    note_id, said = new_id("note"), _said(dice, visit, entries)
    columns = {
        "id": note_id,
        "patient_id": patient.id,
        "addendum_to_id": None,
        "author_id": author.id,
        "department_id": author.department_id,
        "status": status,
        "signed_at": signed_at,
        "error_reason": "",
        "version": 1 if status is NoteStatus.SIGNED else 2,
    }
    yield Note, columns | said
    about = {
        "note": note_id, "addendum_to": None, "number": 1, "patient": patient.id, "patient_code": patient.code,
        "patient_name": patient.name, "author": author.id, "author_name": author.name, "author_role": str(author.role),
        "signed_at": signed_at.isoformat(),
    }  # fmt: skip
    body = signed_body(said | {"type": str(said["type"]), "execution": str(said["execution"])}, about)
    is_decided = status is not NoteStatus.SIGNED
    yield (
        NoteSigning,
        {
            "id": new_id("note_signing"),
            "note_id": note_id,
            "number": 1,
            "signed": body,
            "sha256": digest(body),
            "signed_by_id": author.id,
            "signed_at": signed_at,
            "decision": Decision(status.value) if is_decided else None,
            "decided_by_id": supervisor.id if is_decided else None,
            "decided_at": min(signed_at + timedelta(hours=dice.randrange(1, 30)), at) if is_decided else None,
            "reason": RETURNED if status is NoteStatus.RETURNED else "",
        },
    )


def _said(dice: random.Random, visit: Visit, entries: list[Entry]) -> dict[str, Any]:
    done = [each for each in entries if each.status is Status.COMPLETED]
    charted = "\n".join(f"- {sentence(each, kinds=BUILT_IN)}" for each in entries[:12])
    keys = teeth.in_order(list(dict.fromkeys(key for each in done or entries for key in each.keys)))[:12]
    return {
        "visit_id": visit.id,
        "type": NoteType.TREATMENT if done else NoteType.OBSERVATION,
        "execution": Execution.COMPLETED if done else Execution.PLANNED,
        "procedure": "Treatment as planned" if done else "Examination and first charting",
        "teeth": " ".join(keys),
        "text": "\n".join((dice.choice(BEGIN), dice.choice(WORK), "", "Charted:", charted, "", dice.choice(NEXT))),
        "outcome": "Without complications." if done else "",
    }
