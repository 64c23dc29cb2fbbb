"""Cutting versions of a chart, and reading them all anew. Their order of locks is that of clinic/operations/chart.py."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, or_, select

from clinic import audit, clock, settings
from clinic.chart import versions
from clinic.chart.mouth import Mouth
from clinic.chart.teeth import Dentition, Numbering
from clinic.errors import Conflict, DomainError
from clinic.extensions import db
from clinic.formatting import clock_time, number_of, when
from clinic.models import Chart, ChartEntry, ChartVersion, Patient, SignOff, User, VersionReason, Visit
from clinic.operations.chart import Desk, lock_chart, locked_chart, sit_down
from clinic.queries import chart as charts
from clinic.text import one_line

NAME_LENGTH = 120


def finish_first_charting(patient: Patient, *, dentition: Dentition | str | None = None, actor: User) -> ChartVersion:
    """The first charting is done: cut the initial odontogram, which nothing changes. Of a healthy mouth too."""
    desk = sit_down(patient, dentition=dentition, actor=actor)
    last = charts.last_version(patient.id)
    if last is not None:
        raise Conflict(f"The initial odontogram was cut on {when(last.at)}, or before. Cut a further version instead.")
    return _cut(desk.chart, None, why=VersionReason.FIRST, visit_id=desk.visit_id, author=actor, actor=actor)


def cut_version(
    patient: Patient, *, why: VersionReason, name: str = "", visit_id: int | None = None, actor: User
) -> ChartVersion | None:
    """Cut a version by hand or for a sending; None when nothing changed since the last, or nothing was charted.

    When there is none yet, the initial odontogram is cut first; unless a name is asked for, that is the version.
    """
    name = one_line(name)
    if len(name) > NAME_LENGTH or (why is VersionReason.NAMED and not name):
        raise DomainError(f"Give the version a name of at most {NAME_LENGTH} characters.")
    desk = lock_chart(patient, actor=actor)
    return _cut_next(desk, why=why, name=name, visit_id=visit_id or desk.visit_id) if desk else None


def cut_for_sending(desk: Desk) -> ChartVersion:
    """A version of what somebody sends for approval, whether anything has changed or not; the initial odontogram when there is none."""
    cut = _cut_next(desk, why=VersionReason.SENT, visit_id=desk.visit_id, anew=True)
    assert cut is not None
    return cut


def cut_at_visit(visit: Visit, *, actor: User) -> ChartVersion | None:
    """A visit completes: cut what was charted since the last version, under the name of who wrote last. Visit locked by the caller."""
    chart = locked_chart(visit.patient_id)
    return _cut_by_itself(chart, why=VersionReason.VISIT, visit_id=visit.id, actor=actor) if chart else None


def cut_left_open(before: datetime, *, limit: int = 100) -> int:
    """Cut the initial odontogram of charts begun before an instant that have none; answers how many. For the job, until 0."""
    none_yet = ~select(ChartVersion.id).where(ChartVersion.patient_id == Chart.patient_id).exists()
    left = select(Chart.patient_id).where(Chart.begun_at < before, none_yet).order_by(Chart.patient_id).limit(limit)
    count = 0
    for patient_id in db.session.scalars(left).all():
        chart = locked_chart(patient_id)
        if chart and _cut_by_itself(chart, why=VersionReason.FIRST, visit_id=None, actor=None):
            count += 1
    return count


def _cut_next(
    desk: Desk, *, why: VersionReason, name: str = "", visit_id: int | None = None, anew: bool = False
) -> ChartVersion | None:
    """The next version, of the one who asks; `anew` also when nothing has changed."""
    last = charts.last_version(desk.patient.id)
    if last is None:
        last = _cut(desk.chart, None, why=VersionReason.FIRST, visit_id=visit_id, author=desk.actor, actor=desk.actor)
        if why is not VersionReason.NAMED:
            return last
        anew = True
    if last.stroke == desk.chart.stroke and not anew:
        return None
    return _cut(desk.chart, last, why=why, name=name, visit_id=visit_id, author=desk.actor, actor=desk.actor)


def _cut_by_itself(
    chart: Chart, *, why: VersionReason, visit_id: int | None, actor: User | None
) -> ChartVersion | None:
    last = charts.last_version(chart.patient_id)
    if last is not None and (why is VersionReason.FIRST or last.stroke == chart.stroke):
        return None
    wrote = select(ChartEntry.entered_by_id).where(ChartEntry.patient_id == chart.patient_id)
    author_id = db.session.scalar(wrote.order_by(ChartEntry.id.desc()).limit(1)) or chart.begun_by_id
    author = db.session.get_one(User, author_id)
    return _cut(chart, last, why=why if last else VersionReason.FIRST, visit_id=visit_id, author=author, actor=actor)


def _cut(
    chart: Chart,
    last: ChartVersion | None,
    *,
    why: VersionReason,
    visit_id: int | None,
    author: User,
    actor: User | None,
    name: str = "",
) -> ChartVersion:
    """One more link of the patient's chain. The chart is locked by the caller; `last` is the link before."""
    patient, at = db.session.get_one(Patient, chart.patient_id), clock.now()
    visit = db.session.get(Visit, visit_id) if visit_id else None
    number = last.number + 1 if last else 1
    mouth = Mouth(
        charts.base_of(chart), tuple(charts.holding(chart.patient_id, shared=True)), charts.catalogue(), chart.dentition
    )
    about = about_version(patient, author, visit, number=number, why=why, name=name, at=at, stroke=chart.stroke)
    body = versions.body_of(mouth, about)
    before = last.sha256 if last else ""
    sha256 = versions.digest(before, body)
    version = ChartVersion(
        patient_id=patient.id,
        number=number,
        why=why,
        name=name,
        stroke=chart.stroke,
        body=body,
        sha256=sha256,
        before_sha256=before,
        check_code=versions.check_code(sha256),
        visit_id=visit_id,
        at=at,
        author_id=author.id,
    )
    db.session.add(version)
    db.session.flush()
    audit.record(
        "chart.version",
        f"Version {number} of the chart of {patient.code} was cut: {name or why}",
        actor=actor,
        subject=version,
        patient=patient.id,
        after={"number": number, "stroke": chart.stroke, "sha256": sha256},
    )
    return version


def about_version(
    patient: Patient,
    author: User,
    visit: Visit | None,
    *,
    number: int,
    why: VersionReason,
    name: str,
    at: datetime,
    stroke: int,
) -> dict[str, Any]:
    """What a version says of itself: whose it is, as they were called then; which, why, by whom, at which visit; how it was shown."""
    return {
        "clinic": settings.read("clinic_name"),
        "code": patient.code,
        "patient": patient.name,
        "birth_date": patient.birth_date.isoformat(),
        "sex": str(patient.sex),
        "patient_id": patient.id,
        "number": number,
        "why": str(why),
        "name": name,
        "at": at.isoformat(),
        "day": clock.local(at).date().isoformat(),
        "time": clock_time(at),
        "stroke": stroke,
        "author": author.name,
        "author_id": author.id,
        "author_role": str(author.role),
        "numbering": str(author.numbering or Numbering.FDI),
        "legend": author.legend or "neutral",
        "visit_id": visit.id if visit else None,
        "visit_day": clock.local(visit.starts_at).date().isoformat() if visit else "",
        "visit_reason": visit.reason if visit else "",
    }


@dataclass(frozen=True)
class Verdict:
    """Whether every version reads as it was cut; otherwise the first that does not, in a sentence that names no patient."""

    is_good: bool
    sentence: str


def verify_versions(*, chunk: int = 200) -> Verdict:
    """Read every version anew: numbers without gaps, digests and their chain, check codes, and that approvals mean what they meant."""
    count, patients, after = 0, 0, (0, 0)
    before: ChartVersion | None = None
    while True:
        found = db.session.execute(
            select(ChartVersion, SignOff.sha256, Chart.stroke)
            .outerjoin(SignOff, SignOff.chart_version_id == ChartVersion.id)
            .outerjoin(Chart, Chart.patient_id == ChartVersion.patient_id)
            .where(
                or_(
                    ChartVersion.patient_id > after[0],
                    and_(ChartVersion.patient_id == after[0], ChartVersion.number > after[1]),
                )
            )
            .order_by(ChartVersion.patient_id, ChartVersion.number)
            .limit(chunk)
        ).all()
        if not found:
            break
        for version, signed, stroke in found:
            if before is not None and before.patient_id != version.patient_id:
                before = None
            if wrong := _wrong_with(version, before, signed, stroke):
                return Verdict(False, f"Version {version.number} of patient {version.patient_id}: {wrong}")
            patients += before is None
            count += 1
            before = version
        last = found[-1][0]
        after = last.patient_id, last.number
        for version, *_rest in found[:-1]:
            db.session.expunge(version)
    return Verdict(True, f"{number_of(count, 'version')} of {number_of(patients, 'chart')} are whole.")


def _wrong_with(version: ChartVersion, before: ChartVersion | None, signed: str | None, stroke: int | None) -> str:
    link = before.sha256 if before else ""
    if version.number != (before.number + 1 if before else 1):
        return "the one before it is missing."
    if version.before_sha256 != link or version.sha256 != versions.digest(link, version.body):
        return "it does not read as it was cut."
    if version.check_code != versions.check_code(version.sha256):
        return "its check code is another's."
    if signed is not None and signed != version.sha256:
        return "what was signed is not what it says."
    if stroke is None or stroke < version.stroke:
        return "the chart has fewer strokes than it."
    return ""
