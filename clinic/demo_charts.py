"""Believable charts for the demo clinic: first chartings by age, work planned and done visit by visit, versions, sign-offs.

Each entry is tried against the rules before it is written, and versions are cut as the operations cut them. Rows come out for a bulk
insert; the same seed makes the same charts.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import select

from clinic import clock
from clinic.chart import teeth, versions
from clinic.chart.entry import Entry, details_text, teeth_text
from clinic.chart.kinds import BUILT_IN, Status
from clinic.chart.mouth import Mouth
from clinic.chart.rules import About, judge
from clinic.extensions import db
from clinic.models import (
    Base,
    Chart,
    ChartEntry,
    ChartVersion,
    Patient,
    SignOff,
    SignOffStatus,
    User,
    VersionReason,
    Visit,
    VisitStatus,
)
from clinic.operations.chart_versions import about_version

SHARE = 0.7  # of the patients who have been here
MOST = 1500  # charts of one clinic; each with its versions, of some kilobytes
MOST_VISITS = 6  # of one chart
WAITING = 3  # sign-offs that wait, of each department
F, P, X = Status.FINDING, Status.PLANNED, Status.EXISTING
MOLARS = ("16", "17", "26", "27", "36", "37", "46", "47")
PREMOLARS = ("14", "15", "24", "25", "34", "35", "44", "45")
ANTERIOR = ("11", "12", "13", "21", "22", "23", "31", "32", "33", "41", "42", "43")
WISDOM = ("18", "28", "38", "48")
PRIMARY_MOLARS = ("54", "55", "64", "65", "74", "75", "84", "85")
WORDS = (
    "First charting, please look at the molars",
    "",
    "Second opinion on the extractions, please",
    "After the filling",
)
RETURNED = ("Probe the distal surfaces again and chart them", "The radiograph shows more than is charted")

Row = tuple[type[Base], dict[str, Any]]


@dataclass
class Sheet:
    """One chart as it grows."""

    patient: Patient
    mouth: Mouth
    stroke: int = 0
    versions: list[dict[str, Any]] = field(default_factory=list)  # rows of those cut


def rows(seed: int, new_id: Callable[[str], int], at: datetime) -> Iterator[Row]:
    """The rows of all charts, parents before children."""
    dice = random.Random(f"{seed}-charts")
    people = {user.id: user for user in db.session.scalars(select(User))}
    waiting: dict[int, int] = {}
    for patient, visits in _chosen(dice):
        sheet, found = _begun(dice, patient, visits[0])
        for visit in visits:
            writer = people[visit.student_id or 0]
            yield from _work(dice, sheet, visit, writer, found, new_id)
            found = []
            yield from _version(sheet, visit, writer, new_id)
        yield Chart, _chart(sheet, visits[0])
        yield from _signed(dice, sheet, visits[-1], new_id, at, waiting)


def _chosen(dice: random.Random) -> Iterator[tuple[Patient, list[Visit]]]:
    """The patients who get a chart, with the visits in which it is written, oldest first."""
    found = db.session.execute(
        select(Visit, Patient)
        .join(Patient, Patient.id == Visit.patient_id)
        .where(
            Visit.patient_id <= MOST * 2,
            Visit.status == VisitStatus.COMPLETED,
            Visit.student_id.is_not(None),
            Patient.archived_at.is_(None),
        )
        .order_by(Visit.patient_id, Visit.starts_at, Visit.id)
    ).all()
    count = 0
    for _patient_id, group in groupby(found, key=lambda row: row[0].patient_id):
        together = list(group)
        patient = together[0][1]
        visits = [visit for visit, _ in together if clock.local(visit.starts_at).date() > patient.birth_date]
        if visits and dice.random() < SHARE and count < MOST:
            count += 1
            yield patient, visits[:MOST_VISITS]


def _begun(dice: random.Random, patient: Patient, visit: Visit) -> tuple[Sheet, list[Entry]]:
    """An empty chart of the age at the first visit, and what is found in it."""
    day = clock.local(visit.starts_at).date()
    years = (day - patient.birth_date).days / 365.25
    dentition = teeth.usual_dentition(years)
    sheet = Sheet(patient, Mouth(teeth.present_at(dentition, years), (), BUILT_IN, dentition))
    found = _young(dice) if years < 12 else _grown(dice, years)
    return sheet, found


def _grown(dice: random.Random, years: float) -> list[Entry]:
    said: list[Entry] = []
    for key in dice.sample(MOLARS + PREMOLARS, dice.randrange(2, 6)):
        said.append(_surfaces("caries", key, dice, F, icdas=dice.choice("2344556")))
        said.append(_surfaces("restoration", key, dice, P, material=dice.choice(("composite", "composite", "gic"))))
    for key in dice.sample(MOLARS + PREMOLARS + ANTERIOR, dice.randrange(1, 5)):
        said.append(_surfaces("restoration", key, dice, X, material=dice.choice(("amalgam", "composite"))))
    for key in dice.sample(WISDOM, dice.randrange(0, 3)):
        said.append(_whole("missing", key, F, why=dice.choice(("unknown", "ortho", "caries"))))
    if years < 30 and dice.random() < 0.5:
        key = dice.choice(("38", "48"))
        said.append(_whole("impacted", key, F, angle=dice.choice(("mesial", "horizontal"))))
        said.append(_whole("extraction", key, P))
    if dice.random() < 0.4:
        key = dice.choice(MOLARS)
        said.append(Entry("root_canal", dice.choice((P, X)), ((key, ""),)))
        said.append(_whole("crown", key, P, material=dice.choice(("pfm", "zirconia", "ceramic"))))
    if years > 35 and dice.random() < 0.4:
        before, gone, after = dice.choice(
            (("14", "15", "16"), ("24", "25", "26"), ("35", "36", "37"), ("45", "46", "47"))
        )
        said.append(_whole("missing", gone, F, why="caries"))
        roles = ((before, "abutment"), (gone, "pontic"), (after, "abutment"))
        said.append(Entry("bridge", dice.choice((P, X)), roles, details={"material": "pfm"}))
    if years > 45:
        for key in dice.sample(ANTERIOR, 3):
            said.append(_whole("recession", key, F, mm=str(dice.randrange(1, 5))))
        said.append(Entry("wear", F, ((dice.choice(ANTERIOR), ""),), surfaces="O", details={"type": "attrition"}))
    if years > 60:
        said += [_whole("missing", key, F, why="perio") for key in dice.sample(MOLARS, 3)]
        said.append(_whole("mobility", "31", F, grade="2"))
    if dice.random() < 0.3:
        said.append(_whole("note", dice.choice(ANTERIOR), F, note="Sensitive to cold"))
    return said


def _young(dice: random.Random) -> list[Entry]:
    said: list[Entry] = []
    for key in dice.sample(PRIMARY_MOLARS, dice.randrange(1, 5)):
        said.append(_surfaces("caries", key, dice, F, icdas=dice.choice("3456")))
        said.append(_surfaces("restoration", key, dice, P, material="gic"))
    for key in ("16", "26", "36", "46"):
        if dice.random() < 0.6:
            said.append(Entry("sealant", P, ((key, ""),), surfaces="O"))
    if dice.random() < 0.3:
        said.append(_whole("pulpotomy", dice.choice(PRIMARY_MOLARS), P))
    if dice.random() < 0.2:
        said.append(Entry("hypoplasia", F, (("16", ""),), surfaces="OB"))
    return said


def _surfaces(kind: str, key: str, dice: random.Random, status: Status, **details: str) -> Entry:
    return Entry(kind, status, ((key, ""),), surfaces=dice.choice(("O", "MO", "OD", "MOD", "O", "B")), details=details)


def _whole(kind: str, key: str, status: Status, **details: str) -> Entry:
    return Entry(kind, status, ((key, ""),), details=details)


def _work(
    dice: random.Random, sheet: Sheet, visit: Visit, writer: User, found: list[Entry], new_id: Callable[[str], int]
) -> Iterator[Row]:
    """What is charted at one visit: what was found, a line a stroke; later some of the plans, done."""
    began = visit.arrived_at or visit.starts_at
    day = clock.local(began).date()
    about = About(sheet.patient.birth_date, day, is_in_clinic=True)
    minutes = 0
    for entry in found:
        if not judge(sheet.mouth, [entry], about):
            minutes += 1
            yield from _stroke(sheet, entry, None, began + timedelta(minutes=minutes), day, visit, writer, new_id)
    if found:
        return
    plans = [each for each in sheet.mouth.entries if each.status is P]
    for plan in dice.sample(plans, min(len(plans), dice.randrange(1, 3))):
        done = plan.changed(id=0, status=Status.COMPLETED, dated=day, performer_id=writer.id, performer=writer.name)
        if not judge(sheet.mouth, [done], about):
            minutes += 20
            yield from _stroke(sheet, done, plan, began + timedelta(minutes=minutes), day, visit, writer, new_id)


def _stroke(
    sheet: Sheet,
    entry: Entry,
    before: Entry | None,
    at: datetime,
    day: date,
    visit: Visit,
    writer: User,
    new_id: Callable[[str], int],
) -> Iterator[Row]:
    sheet.stroke += 1
    number = new_id("chart_entry")
    written = entry.changed(
        id=number,
        thread=before.thread if before else number,
        stroke=sheet.stroke,
        dated=entry.dated or day,
        visit_id=visit.id,
        entered_by_id=writer.id,
        entered_by=writer.name,
        entered_at=at,
    )
    sheet.mouth = sheet.mouth.with_entries([written], without=[before.thread] if before else [])
    yield (
        ChartEntry,
        {
            "id": number,
            "patient_id": sheet.patient.id,
            "stroke": sheet.stroke,
            "first_id": before.thread if before else None,
            "supersedes_id": before.id if before else None,
            "kind": written.kind,
            "status": written.status,
            "teeth": teeth_text(written.teeth),
            "surfaces": written.surfaces,
            "jaw": written.jaw,
            "details": details_text(written.details),
            "dated": written.dated,
            "performer_id": written.performer_id,
            "visit_id": visit.id,
            "reason": "",
            "entered_at": at,
            "entered_by_id": writer.id,
        },
    )


def _chart(sheet: Sheet, first: Visit) -> dict[str, Any]:
    return {
        "patient_id": sheet.patient.id,
        "dentition": sheet.mouth.dentition,
        "base": " ".join(sheet.mouth.base),
        "stroke": sheet.stroke,
        "begun_at": first.arrived_at or first.starts_at,
        "begun_by_id": first.student_id,
    }


def _version(sheet: Sheet, visit: Visit, writer: User, new_id: Callable[[str], int]) -> Iterator[Row]:
    """What the end of a visit cuts: the initial odontogram at the first, later only when something has changed."""
    last = sheet.versions[-1] if sheet.versions else None
    if last and last["stroke"] == sheet.stroke:
        return
    number, why = len(sheet.versions) + 1, VersionReason.VISIT if last else VersionReason.FIRST
    at = visit.completed_at or visit.starts_at
    about = about_version(sheet.patient, writer, visit, number=number, why=why, name="", at=at, stroke=sheet.stroke)
    body, before = versions.body_of(sheet.mouth, about), last["sha256"] if last else ""
    sha256 = versions.digest(before, body)
    row = {
        "id": new_id("chart_version"),
        "patient_id": sheet.patient.id,
        "number": number,
        "why": why,
        "name": "",
        "stroke": sheet.stroke,
        "body": body,
        "sha256": sha256,
        "before_sha256": before,
        "check_code": versions.check_code(sha256),
        "visit_id": visit.id,
        "at": at,
        "author_id": writer.id,
    }
    sheet.versions.append(row)
    yield ChartVersion, row


def _signed(
    dice: random.Random,
    sheet: Sheet,
    visit: Visit,
    new_id: Callable[[str], int],
    at: datetime,
    waiting: dict[int, int],
) -> Iterator[Row]:
    """A version that waits for a supervisor, for some of each department; else one that was approved or returned, for most."""
    waits = waiting.get(visit.department_id, 0) < WAITING
    version = sheet.versions[-1] if waits else dice.choice(sheet.versions)
    status = (
        SignOffStatus.PENDING
        if waits
        else dice.choices((SignOffStatus.APPROVED, SignOffStatus.RETURNED, None), (65, 8, 27))[0]
    )
    if status is None:
        return
    if waits:
        waiting[visit.department_id] = waiting.get(visit.department_id, 0) + 1
    asked = at - timedelta(hours=dice.randrange(1, 40)) if waits else version["at"] + timedelta(minutes=5)
    yield (
        SignOff,
        {
            "id": new_id("sign_off"),
            "patient_id": sheet.patient.id,
            "chart_version_id": version["id"],
            "sha256": version["sha256"],
            "words": dice.choice(WORDS),
            "department_id": visit.department_id,
            "asked_by_id": version["author_id"],
            "asked_at": max(asked, version["at"]),
            "status": status,
            "decided_by_id": None if waits else visit.supervisor_id,
            "decided_at": None if waits else min(asked + timedelta(hours=dice.randrange(1, 30)), at),
            "reason": dice.choice(RETURNED) if status is SignOffStatus.RETURNED else "",
            "open_key": sheet.patient.id if waits else None,
            "version": 1 if waits else 2,
        },
    )
