"""Writing on a chart. Rows are only added: an edit, a completion, an error, an undo are each a further row.

Locks, in one order everywhere: the patient (at the first stroke, or by whoever hands them over), the visit, the chart, the sign-off.
Whoever holds the chart's row is the only one who writes on it; numbers of strokes and versions have no gaps.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import and_, or_, select
from sqlalchemy.exc import NoResultFound

from clinic import audit, clock, settings
from clinic.chart import teeth, versions
from clinic.chart.entry import Entry, details_text, teeth_text
from clinic.chart.kinds import Status
from clinic.chart.line import MOST_ENTRIES
from clinic.chart.mouth import Mouth
from clinic.chart.rules import About, Remark, judge
from clinic.chart.teeth import Dentition, Numbering
from clinic.chart.words import sentence
from clinic.errors import Conflict, DomainError
from clinic.extensions import db
from clinic.formatting import clock_time, when
from clinic.models import (
    Chart,
    ChartEntry,
    ChartVersion,
    Patient,
    Role,
    SignOff,
    SignOffStatus,
    User,
    Visit,
    VisitStatus,
)
from clinic.operations import gate_rules
from clinic.operations.locks import locked
from clinic.queries import chart as charts
from clinic.queries import scope
from clinic.text import one_line

REASON_LENGTH = 500
BY_SOMEBODY = (Status.IN_PROCESS, Status.COMPLETED)  # at a visit, with a performer


class NeedsReason(DomainError):
    """What is written is unusual. `remarks` say why; the same with a reason is accepted, and the reason kept."""

    def __init__(self, remarks: Sequence[Remark]) -> None:
        self.remarks = tuple(remarks)
        super().__init__(" ".join([*(remark.sentence for remark in remarks), "Write why, and it is accepted."]))


@dataclass(frozen=True)
class Desk:
    """A chart that is being written on: locked, with how it stands."""

    patient: Patient
    chart: Chart
    mouth: Mouth
    visit: Visit | None  # the one the patient is here for
    actor: User

    @property
    def visit_id(self) -> int | None:
        return self.visit.id if self.visit else None


def chart_stroke(
    patient: Patient,
    *,
    entries: Sequence[Entry],
    seen: int,
    reason: str = "",
    dentition: Dentition | str | None = None,
    actor: User,
) -> Chart:
    """Write entries as one stroke; a new one (id 0) with a thread goes on from what holds of it. Answers the chart.

    `seen`: the last stroke the person saw. Raises Conflict, with both texts, when one of the same teeth has changed since; DomainError
    when a rule refuses; NeedsReason when a rule asks and no reason is given. `dentition`: with which teeth the chart begins, until
    something is on it.
    """
    if not entries:
        raise DomainError("There is nothing in this to write on the chart.")
    if len(entries) > MOST_ENTRIES:
        raise DomainError(f"At most {MOST_ENTRIES} entries at once. Chart the rest in a second line.")
    threads = [entry.thread for entry in entries if entry.thread]
    if len(set(threads)) < len(threads):
        raise DomainError("Two parts of this change the same entry. Chart them one after the other.")
    desk = sit_down(patient, dentition=dentition, actor=actor)
    held = {entry.thread: entry for entry in desk.mouth.entries}
    _refuse_stale(desk, seen, [*entries, *(held[each.thread] for each in entries if each.thread in held)], mine=entries)
    told = line(reason)
    for each in entries:
        if each.thread and each.thread not in held:
            raise DomainError(f"What this goes on from is no longer on the chart: {_told(desk, each)}. Reload to see.")
    written = [(_made(desk, each, held.get(each.thread), told), held.get(each.thread)) for each in entries]
    _judge(desk, written, told)
    return _write(desk, written, act="chart.stroke", said="Charted")


def change_entry(
    patient: Patient,
    *,
    entry_id: int,
    seen: int,
    actor: User,
    status: Status | str | None = None,
    surfaces: str | None = None,
    details: dict[str, str] | None = None,
    dated: date | None = None,
    performer_id: int | None = None,
    reason: str = "",
) -> Chart:
    """Say of an entry that it goes on to another status, or correct what is said of it. What is not given stays."""
    desk = sit_down(patient, actor=actor)
    before = _held(desk, entry_id)
    _refuse_stale(desk, seen, [before], mine=[])
    to = Status(status) if status is not None else before.status
    after = before.changed(
        id=0,
        status=to,
        surfaces=teeth.canonical(surfaces) if surfaces is not None else before.surfaces,
        details=dict(details) if details is not None else before.details,
        dated=dated or (before.dated if to is before.status else None),
        performer_id=performer_id or (before.performer_id if to is before.status else None),
        reason="",
    )
    if versions.said(after) == versions.said(before):
        raise DomainError("Nothing was changed: it already says this.")
    told = line(reason)
    written = [(_made(desk, after, before, told), before)]
    _judge(desk, written, told)
    return _write(desk, written, act="chart.change", said="Changed on the chart of")


def enter_in_error(patient: Patient, *, entry_id: int, seen: int, reason: str, actor: User) -> Chart:
    """Say of an entry that it should never have been there. It stays in the history, with the reason."""
    told = needed(reason, "Write why this was an error; it stays in the history.")
    desk = sit_down(patient, actor=actor)
    before = _held(desk, entry_id)
    _refuse_stale(desk, seen, [before], mine=[])
    if before.status is Status.COMPLETED:
        _check_may_take_back(desk, [before], told)
    after = before.changed(id=0, status=Status.ENTERED_IN_ERROR, reason=told)
    return _write(desk, [(after, before)], act="chart.error", said="Entered in error on the chart of", reason=told)


def undo_stroke(patient: Patient, *, stroke: int, actor: User) -> Chart:
    """Take back the last stroke, by whoever made it, within the minutes of the setting: a further stroke that says what was before."""
    desk = sit_down(patient, actor=actor)
    taken = charts.rows_of(patient.id, ChartEntry.stroke == stroke)
    if not taken:
        raise NoResultFound
    if stroke != desk.chart.stroke:
        last = charts.rows_of(patient.id, ChartEntry.stroke == desk.chart.stroke)[-1]
        raise Conflict(
            f"{last.entered_by} wrote on this chart after it, at {_time(last)}: {_told(desk, last)}. "
            "Only the last stroke is undone; correct the entry instead."
        )
    minutes = settings.read("undo_minutes")
    if taken[0].entered_by_id != actor.id:
        raise DomainError(
            f"{taken[0].entered_by} wrote this. Only they undo it; you can correct it or enter it in error."
        )
    if taken[0].entered_at is None or clock.now() - taken[0].entered_at > timedelta(minutes=minutes):
        raise DomainError(f"This was written more than {minutes} minutes ago. Correct it or enter it in error instead.")
    _refuse_while_decided(desk, stroke)
    former = _rows_before(desk, taken)
    written = [
        (_again(former.get(each.id) or each.changed(status=Status.ENTERED_IN_ERROR), "Undone"), each) for each in taken
    ]
    return _write(desk, written, act="chart.undo", said="Undid on the chart of")


def restore_version(patient: Patient, *, number: int, seen: int, reason: str, actor: User) -> Chart:
    """Write anew what differs from a version, as one stroke: nothing is lost, all of it stays in the history."""
    told = needed(reason, "Write why you go back to this version.")
    desk = sit_down(patient, actor=actor)
    refuse_unseen(desk, seen)
    version = db.session.execute(
        select(ChartVersion).where(ChartVersion.patient_id == patient.id, ChartVersion.number == number)
    ).scalar_one()
    then = versions.mouth_from(versions.as_cut(version))
    held, wanted = ({entry.thread: entry for entry in mouth.entries} for mouth in (desk.mouth, then))
    last_rows = charts.last_of_threads(patient.id)
    lost = [
        entry
        for thread, entry in held.items()
        if thread not in wanted or versions.said(wanted[thread]) != versions.said(entry)
    ]
    _check_may_take_back(desk, [entry for entry in lost if entry.status is Status.COMPLETED], told)
    begun = [
        entry
        for thread, entry in wanted.items()
        if entry.status in (Status.IN_PROCESS, Status.COMPLETED)
        and (thread not in held or held[thread].status is not entry.status)
    ]
    if begun and actor.role is Role.STUDENT and settings.read("start_gate"):
        raise DomainError(
            "Going back would say again that something was begun or completed, past Approval to Start. A supervisor can do that."
        )
    back = f"Back to version {number}: {told}"[:REASON_LENGTH]
    written = [
        (_again(entry, back), last_rows[thread])
        for thread, entry in wanted.items()
        if thread not in held or versions.said(held[thread]) != versions.said(entry)
    ]
    written += [
        (_again(entry.changed(status=Status.ENTERED_IN_ERROR), back), entry)
        for thread, entry in held.items()
        if thread not in wanted
    ]
    if not written:
        raise DomainError(f"The chart stands as in version {number} already. There is nothing to go back to.")
    return _write(
        desk, written, act="chart.restore", said=f"Went back to version {number} of the chart of", reason=told
    )


# --- how a chart is written on ----------------------------------------------------------------------------------------


def lock_chart(patient: Patient, *, actor: User) -> Desk | None:
    """The chart as it stands, locked, for what decides about it; None when nothing was charted."""
    return _sit_down(patient, actor, None, begin=False)


def check_is_here(desk: Desk, entry: Entry) -> None:
    """Whether work may begin or be completed now: the patient is here."""
    if desk.visit is None:
        raise DomainError(
            f"{desk.patient.name} is not in the clinic. What is begun or completed here belongs to a visit: "
            "check the patient in first, or chart it as existing if it was done elsewhere."
        )
    if entry.dated is not None and not _day_of(desk.visit) <= entry.dated <= clock.today():
        raise DomainError("What is begun or completed here is dated on a day of this visit.")


def sit_down(patient: Patient, *, actor: User, dentition: Dentition | str | None = None) -> Desk:
    """Lock visit and chart, after seeing that the person is given the patient; begin the chart when there is none."""
    desk = _sit_down(patient, actor, dentition, begin=True)
    assert desk is not None
    return desk


def _sit_down(patient: Patient, actor: User, dentition: Dentition | str | None, *, begin: bool) -> Desk | None:
    found = db.session.execute(
        select(Visit.id, Chart.patient_id.label("chart"), Patient.archived_at)
        .select_from(Patient)
        .outerjoin(Visit, and_(Visit.patient_id == Patient.id, Visit.status == VisitStatus.ARRIVED))
        .outerjoin(Chart, Chart.patient_id == Patient.id)
        .where(Patient.id == patient.id, scope.is_given(actor, Patient.id))
        .order_by(Visit.id.desc())
        .limit(1)
    ).one()
    if found.archived_at is not None:
        raise DomainError(f"{patient.name}'s record is archived. Have it restored before you write on the chart.")
    if found.chart is None:
        if not begin:
            return None
        locked(Patient, patient.id)  # of two who begin at once, one waits here
    visit = locked(Visit, found.id, shared=True) if found.id else None
    chart = locked_chart(patient.id) or _begun(patient, dentition, actor)
    mouth = Mouth(
        charts.base_of(chart), tuple(charts.holding(patient.id, shared=True)), charts.catalogue(), chart.dentition
    ).checked()
    if visit is not None and visit.status is not VisitStatus.ARRIVED:
        visit = None
    desk = Desk(patient, chart, mouth, visit, actor)
    return _with_dentition(desk, dentition) if dentition is not None else desk


def locked_chart(patient_id: int) -> Chart | None:
    wanted = select(Chart).where(Chart.patient_id == patient_id).with_for_update()
    return db.session.execute(wanted.execution_options(populate_existing=True)).scalar_one_or_none()


def _begun(patient: Patient, dentition: Dentition | str | None, actor: User) -> Chart:
    usual, base = charts.preset(patient.birth_date, clock.today())
    if dentition is not None:
        usual = Dentition(dentition)
        base = _base(patient, usual)
    chart = Chart(
        patient_id=patient.id,
        dentition=usual,
        base=" ".join(base),
        stroke=0,
        begun_at=clock.now(),
        begun_by_id=actor.id,
    )
    db.session.add(chart)
    db.session.flush()
    return chart


def _with_dentition(desk: Desk, dentition: Dentition | str) -> Desk:
    """With which teeth the chart begins may be said anew while nothing is on it and no version was cut."""
    wanted = Dentition(dentition)
    if desk.chart.dentition is wanted:
        return desk
    if desk.mouth.entries or charts.last_version(desk.patient.id) is not None:
        raise Conflict(
            f"This chart began with {_teeth_words(desk.chart.dentition)} on {when(desk.chart.begun_at)}. "
            "Chart each tooth that is otherwise as missing, unerupted or erupted."
        )
    base = _base(desk.patient, wanted)
    desk.chart.dentition, desk.chart.base = wanted, " ".join(base)
    return Desk(desk.patient, desk.chart, Mouth(base, (), desk.mouth.kinds, wanted), desk.visit, desk.actor)


def _base(patient: Patient, dentition: Dentition) -> tuple[str, ...]:
    return teeth.present_at(dentition, teeth.years(patient.birth_date, clock.today()))


def _teeth_words(dentition: Dentition) -> str:
    return "no teeth" if dentition is Dentition.EDENTULOUS else f"{dentition} teeth"


def _made(desk: Desk, entry: Entry, before: Entry | None, reason: str) -> Entry:
    """A new entry as it will be written: with date, performer, visit and reason. Which status may follow which, and on which day, is
    for the rules."""
    status = entry.status
    if status is Status.ENTERED_IN_ERROR:
        raise DomainError("What is new cannot be an error. Open the entry that is wrong, and enter that in error.")
    is_new_status = before is None or before.status is not status
    if not is_new_status and status is Status.COMPLETED:
        assert before is not None
        _check_may_take_back(desk, [before], reason)
    performer_id = entry.performer_id
    if status in BY_SOMEBODY:
        performer_id = performer_id or (desk.actor.id if is_new_status else before.performer_id if before else None)
        if performer_id != desk.actor.id and (is_new_status or before is None or performer_id != before.performer_id):
            _check_performer(desk, performer_id)
    else:
        performer_id = None
    visit_id = desk.visit.id if desk.visit else None
    made = entry.changed(
        id=0,
        thread=before.thread if before else 0,
        surfaces=teeth.canonical(entry.surfaces),
        details={name: value.strip() for name, value in entry.details.items() if value.strip()},
        dated=entry.dated or (clock.today() if is_new_status or before is None else before.dated),
        performer_id=performer_id,
        visit_id=visit_id if is_new_status or before is None else before.visit_id,
        reason=reason,
    )
    if status in BY_SOMEBODY and (is_new_status or (before and made.dated != before.dated)):
        check_is_here(desk, made)
        if is_new_status:
            _check_started(desk, made, before)
    return made


def _check_started(desk: Desk, made: Entry, before: Entry | None) -> None:
    """Whether a supervisor has approved in this visit that this begins (operations/gate_rules.py)."""
    assert desk.visit is not None
    performer = db.session.get_one(User, made.performer_id)
    numbering = desk.actor.numbering or Numbering.FDI
    gate_rules.check_entry(
        desk.visit, made, before, people=(desk.actor, performer), numbering=numbering, kinds=desk.mouth.kinds
    )


def _check_performer(desk: Desk, performer_id: int | None) -> None:
    performer = db.session.get(User, performer_id) if performer_id else None
    given = (
        select(Patient.id).where(Patient.id == desk.patient.id, scope.is_given(performer, Patient.id))
        if performer is not None and performer.active and performer.role in (Role.STUDENT, Role.SUPERVISOR)
        else None
    )
    if given is None or db.session.execute(given).first() is None:
        raise DomainError(
            f"Whoever performed this must be a student or supervisor who has {desk.patient.name}. Choose another."
        )


def _check_may_take_back(desk: Desk, completed: Collection[Entry], reason: str) -> None:
    """What was completed and approved since is taken back or corrected by a supervisor only, after what waits was withdrawn."""
    if not completed:
        return
    signed = (
        select(SignOff.status, ChartVersion.number)
        .join(ChartVersion, ChartVersion.id == SignOff.chart_version_id)
        .where(
            SignOff.patient_id == desk.patient.id,
            SignOff.status.in_((SignOffStatus.PENDING, SignOffStatus.APPROVED)),
            ChartVersion.stroke >= _completed_since(desk, completed),
        )
        .order_by(ChartVersion.number.desc())
        .limit(2)
    )
    for status, number in db.session.execute(signed):
        if status is SignOffStatus.PENDING:
            raise DomainError(
                f"Version {number} waits for approval with this in it. Withdraw it first, or have it returned."
            )
        if desk.actor.role is not Role.SUPERVISOR:
            raise DomainError(f"This was approved in version {number}. A supervisor takes it back or corrects it.")
        needed(reason, "Write why what was approved is taken back or corrected.")


def _completed_since(desk: Desk, completed: Collection[Entry]) -> int:
    """The stroke since which the first of these is completed: a correction of what was approved lifts no approval."""
    threads = {entry.thread for entry in completed}
    since: dict[int, int] = {}
    for row in charts.rows_of(desk.patient.id, or_(ChartEntry.id.in_(threads), ChartEntry.first_id.in_(threads))):
        if row.status is Status.COMPLETED:
            since.setdefault(row.thread, row.stroke)
        else:
            since.pop(row.thread, None)
    return min(since.values())


def _refuse_while_decided(desk: Desk, stroke: int) -> None:
    signed = (
        select(ChartVersion.number)
        .join(SignOff, SignOff.chart_version_id == ChartVersion.id)
        .where(
            SignOff.patient_id == desk.patient.id,
            SignOff.status.in_((SignOffStatus.PENDING, SignOffStatus.APPROVED)),
            ChartVersion.stroke >= stroke,
        )
        .limit(1)
    )
    number = db.session.scalar(signed)
    if number is not None:
        raise DomainError(f"This was sent for approval in version {number}. Correct it or enter it in error instead.")


def _judge(desk: Desk, written: Sequence[tuple[Entry, Entry | None]], reason: str) -> None:
    """Ask the rules: raise what they refuse, and what they ask about unless there is a reason."""
    about = About(desk.patient.birth_date, clock.today(), desk.visit is not None)
    remarks = judge(desk.mouth, [entry for entry, _before in written], about, numbering=desk.actor.numbering)
    refused = [remark.sentence for remark in remarks if remark.severity == "refuse"]
    if refused:
        raise DomainError(" ".join(refused))
    if remarks and len(reason) < 3:
        raise NeedsReason(remarks)


def _rows_before(desk: Desk, taken: Iterable[Entry]) -> dict[int, Entry]:
    """What each of these rows superseded, by its id; nothing for the first of a thread."""
    ids = [entry.id for entry in taken]
    superseded = select(ChartEntry.id, ChartEntry.supersedes_id).where(ChartEntry.id.in_(ids))
    before = {row.supersedes_id: row.id for row in db.session.execute(superseded) if row.supersedes_id}
    return {before[entry.id]: entry for entry in charts.rows_of(desk.patient.id, ChartEntry.id.in_(before))}


def _again(entry: Entry, reason: str) -> Entry:
    """The same said once more, as a new row."""
    return entry.changed(id=0, reason=reason)


def _write(
    desk: Desk,
    written: Sequence[tuple[Entry, Entry | None]],
    *,
    act: str,
    said: str,
    reason: str | None = None,
) -> Chart:
    """Add the rows of one stroke. Each comes with what it supersedes; the database lets nothing be superseded twice."""
    chart, at = desk.chart, clock.now()
    chart.stroke += 1
    rows = [
        ChartEntry(
            patient_id=chart.patient_id,
            stroke=chart.stroke,
            first_id=before.thread if before else None,
            supersedes_id=before.id if before else None,
            kind=each.kind,
            status=each.status,
            teeth=teeth_text(each.teeth),
            surfaces=each.surfaces,
            jaw=each.jaw,
            details=details_text(each.details),
            dated=each.dated,
            performer_id=each.performer_id,
            visit_id=each.visit_id,
            reason=each.reason,
            entered_at=at,
            entered_by_id=desk.actor.id,
        )
        for each, before in written
    ]
    db.session.add_all(rows)
    db.session.flush()
    audit.record(
        act,
        f"{said} {desk.patient.code}: {'; '.join(_told(desk, each) for each, _before in written)}",
        actor=desk.actor,
        subject=f"chart:{chart.patient_id}",
        patient=chart.patient_id,
        after={"stroke": chart.stroke, "entries": [row.id for row in rows]},
        reason=reason or next((each.reason for each, _before in written if each.reason), None),
    )
    return chart


def _held(desk: Desk, entry_id: int) -> Entry:
    """An entry that holds. Raises NoResultFound for another patient's, Conflict for one that was superseded."""
    for entry in desk.mouth.entries:
        if entry.id == entry_id:
            return entry
    row = next(iter(charts.rows_of(desk.patient.id, ChartEntry.id == entry_id)), None)
    if row is None:
        raise NoResultFound
    last = charts.last_of_threads(desk.patient.id)[row.thread]
    raise _conflict(desk, [last], [row])


# --- who was faster ---------------------------------------------------------------------------------------------------


def _refuse_stale(desk: Desk, seen: int, touching: Sequence[Entry], *, mine: Sequence[Entry]) -> None:
    """Raise Conflict when something was written after what the person saw, on a tooth that they write on now."""
    if not _is_behind(desk, seen):
        return
    touched = {place for entry in touching for place in _places(entry)}
    theirs = [row for row in charts.rows_of(desk.patient.id, ChartEntry.stroke > seen) if touched & _places(row)]
    if theirs:
        raise _conflict(desk, theirs, mine)


def refuse_unseen(desk: Desk, seen: int) -> None:
    """Raise Conflict unless the person saw the whole chart as it is."""
    if _is_behind(desk, seen):
        raise _conflict(desk, charts.rows_of(desk.patient.id, ChartEntry.stroke > seen), [])


def _is_behind(desk: Desk, seen: int) -> bool:
    """Whether anything was written after what the person saw. Raises DomainError for a stroke that there never was."""
    if seen > desk.chart.stroke:
        raise DomainError("This page shows a chart that is not there. Reload it.")
    return seen < desk.chart.stroke


def _places(entry: Entry) -> set[str]:
    """What an entry touches: its teeth, and the jaw of which it is."""
    return {*entry.keys, *([entry.jaw] if entry.jaw else [])}


def _conflict(desk: Desk, theirs: Sequence[Entry], mine: Sequence[Entry]) -> Conflict:
    last = theirs[-1]
    told = f"{last.entered_by} changed this chart meanwhile, at {_time(last)}: " + "; ".join(
        f"{_told(desk, row)}" for row in theirs
    )
    yours = f" You wrote: {'; '.join(_told(desk, each) for each in mine)}." if mine else ""
    return Conflict(
        f"{told}.{yours} Nothing of yours was saved; look at the chart as it is now.",
        theirs=_by_tooth(desk, theirs),
        mine=_by_tooth(desk, mine),
    )


def _by_tooth(desk: Desk, entries: Iterable[Entry]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for entry in entries:
        for place in sorted(_places(entry)):
            found.setdefault(place, []).append(_told(desk, entry))
    return {place: "; ".join(sentences) for place, sentences in found.items()}


def _time(entry: Entry) -> str:
    assert entry.entered_at is not None
    return clock_time(entry.entered_at)


def _told(desk: Desk, entry: Entry) -> str:
    """An entry in words, for the trail and for whoever was slower."""
    return sentence(entry, numbering=desk.actor.numbering or Numbering.FDI, kinds=desk.mouth.kinds)


def _day_of(visit: Visit) -> date:
    return clock.local(visit.arrived_at or visit.starts_at).date()


def line(text: str) -> str:
    """A reason or remark as it is kept, on one line; raises DomainError when it is too long."""
    told = one_line(text)
    if len(told) > REASON_LENGTH:
        raise DomainError(f"At most {REASON_LENGTH} characters for a reason.")
    return told


def needed(text: str, ask: str) -> str:
    """A reason that must be given; raises DomainError with what is asked for."""
    told = line(text)
    if len(told) < 3:
        raise DomainError(ask)
    return told
