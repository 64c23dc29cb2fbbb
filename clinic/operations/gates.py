"""The two gates of a visit: a student lays before a supervisor what is to start, or what the visit changed; the supervisor decides.

Locks, in one order: the open entry of the queue, the visit, the chart, the gate. An approval is bound to digests of what was shown
(queries/gates.py), so that whatever is changed later is known. Nobody approves what they prepared, wrote, performed or filed.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import selectinload
from sqlalchemy.orm.attributes import flag_modified

from clinic import audit, clock, live, passwords, settings
from clinic.canonical import canonical, digest
from clinic.chart import teeth
from clinic.chart.entry import Entry, teeth_text
from clinic.chart.words import sentence
from clinic.errors import Conflict, DomainError, NotAllowed
from clinic.extensions import db
from clinic.formatting import day as day_words
from clinic.formatting import number_of, when
from clinic.models import (
    CallReason,
    Gate,
    GateItem,
    GateKind,
    GateStatus,
    Note,
    NoteStatus,
    Patient,
    QueueEntry,
    Role,
    Stage,
    SupervisorCall,
    ToothMatch,
    User,
    Visit,
    VisitStatus,
)
from clinic.operations import calls, queue, throttle
from clinic.operations.approvals import note_opened
from clinic.operations.chart import line, locked_chart, needed
from clinic.operations.deciding import check_decides, is_given_to, tell_author
from clinic.operations.gate_rules import KIND_WORDS, check_self_assessed
from clinic.operations.locks import locked
from clinic.operations.notes import approve_note, return_note
from clinic.operations.notices import tell
from clinic.operations.nudges import nudge_visit
from clinic.queries import chart as charts
from clinic.queries import gates as found
from clinic.queries import unapproved
from clinic.queries.history import reviewed_on
from clinic.queries.right_tooth import Sources, plain_documents, sources_of
from clinic.text import ascii_digits

IDENTIFIERS = {
    "name": "full name",
    "birth_date": "date of birth",
    "code": "record number",
    "phone": "phone or address",
}
LEAST_IDENTIFIERS = 2
START_STAGES = (Stage.IN_CHAIR, Stage.IN_TREATMENT, Stage.AWAITING_SUPERVISOR)
DISMISS_STAGES = (Stage.IN_TREATMENT, Stage.AWAITING_SUPERVISOR, Stage.AWAITING_DISMISSAL, Stage.CHECKOUT)
IN_WORDS = {
    GateStatus.APPROVED: "approved",
    GateStatus.RETURNED: "returned",
    GateStatus.WITHDRAWN: "withdrew",
}


@dataclass(frozen=True)
class Readiness:
    """What a student has made sure of before a start. `alerts`: those seen, by id; `threads`: what is to be done, of the chart, or else
    `done` says it; `site`: the teeth were looked at; `radiographs`: documents that were looked at, or else `no_radiograph` says why none
    is needed; `consents`: documents that name the teeth."""

    identity: Collection[str] = ()
    alerts: Collection[int] = ()
    threads: Collection[int] = ()
    done: str = ""
    site: bool = False
    radiographs: Collection[int] = ()
    no_radiograph: str = ""
    consents: Collection[int] = ()


@dataclass(frozen=True)
class Teeth:
    """What a supervisor entered by themselves: by item, as typed. Where the sources do not agree, a second person and why."""

    entered: Mapping[int, str] = field(default_factory=dict)
    second_id: int | None = None
    reason: str = ""


# --- preparing --------------------------------------------------------------------------------------------------------


def prepare_start(visit: Visit, ready: Readiness, *, words: str = "", actor: User) -> Gate:
    """Ask for Approval to Start. Raises DomainError, saying what is missing; Conflict when something of it has changed meanwhile."""
    told = line(words)
    patient, visit, entry = _sit_down(visit, actor)
    if entry is None or entry.stage not in START_STAGES:
        raise DomainError(f"{patient.name} is not in a chair. Seat the patient first; identity is matched in person.")
    for person in {actor, db.session.get_one(User, visit.student_id) if visit.student_id else actor}:
        check_not_blocked(person, actor=actor)
    identity = [name for name in IDENTIFIERS if name in ready.identity]
    if len(identity) < LEAST_IDENTIFIERS:
        raise DomainError("Match the patient by two identifiers at least, e.g. full name and date of birth.")
    reviewed = reviewed_on(patient.id, clock.today())
    if reviewed is None:
        raise DomainError(
            f"The history of {patient.name} was not looked through today. Look it through with the patient, then prepare the start."
        )
    _check_alerts(patient, ready.alerts)
    items = _planned(patient, ready.threads)
    done = line(ready.done)
    if not items and len(done) < 3:
        raise DomainError("Choose what is to be done today from the plan, or write what is done, e.g. examination.")
    if items and not ready.site:
        raise DomainError("Look at the tooth or site in the mouth, and confirm that it is the one planned.")
    shown = {
        "format": 1,
        "kind": GateKind.START,
        "patient": _about(patient),
        "visit": _about_visit(visit),
        "prepared_by": actor.name,
        "identity": identity,
        "history": {"by": reviewed.reviewed_by.name, "at": reviewed.at.isoformat()},
        "alerts": _alerts_of(patient),
        "items": [_plain(entry) for entry in items],
        "done": done,
        "site": bool(ready.site),
        "radiographs": _pictures(patient, ready.radiographs),
        "no_radiograph": _no_radiograph(ready),
        "consents": _pictures(patient, ready.consents),
    }
    pieces = [(f"entry:{entry.thread}", found.plan_digest(entry), _told(entry)) for entry in items]
    return _laid_before(GateKind.START, patient, visit, shown, pieces, told, actor=actor)


def prepare_dismissal(visit: Visit, *, words: str = "", seen: str, actor: User) -> Gate:
    """Ask for Approval to Dismiss: the visit as a difference. `seen`: the digest of what the person was shown.

    What a supervisor approved of this visit before, and is the same, stays approved. Also of a visit that has ended without it.
    """
    told = line(words)
    patient, visit, entry = _sit_down(visit, actor, also_ended=True)
    if visit.status is VisitStatus.ARRIVED and (entry is None or entry.stage not in DISMISS_STAGES):
        raise DomainError(f"{patient.name} is not in treatment. There is nothing to dismiss yet.")
    check_self_assessed(visit, actor)
    locked_chart(patient.id)
    standing = found.standing_of(visit)
    if standing.sha256 != seen:
        raise Conflict("This visit has changed since you looked. Look at what it changed as it is now, then send it.")
    if standing.is_approved:
        raise DomainError("Nothing has changed since this visit was approved. There is nothing to send.")
    if len(told) < 3 and not any(piece.is_students for piece in standing.pieces):
        raise DomainError("Nothing was recorded in this visit. Write what was done, e.g. examination, nothing found.")
    gate = _lay_dismissal(patient, visit, standing, told, actor=actor)
    if entry is not None and entry.stage is Stage.IN_TREATMENT:
        queue.move(entry.id, to=Stage.AWAITING_DISMISSAL, version=entry.version, actor=actor)
    return gate


def withdraw_gate(gate_id: int, *, version: int, actor: User) -> Gate:
    """Whoever prepared it takes it back."""
    gate, *_rest = _locked(gate_id, version)
    if gate.prepared_by_id != actor.id:
        raise NotAllowed("Only whoever prepared this can withdraw it. A supervisor can return it with a reason.")
    _decide(gate, GateStatus.WITHDRAWN, "", actor=actor)
    return gate


def check_not_blocked(student: User, *, actor: User) -> None:
    """Raise DomainError while work of a student is unapproved for longer than the clinic allows and nobody gave them more time."""
    days = settings.read("block_days")
    if student.role is not Role.STUDENT or not days or unapproved.extension_of(student.id) is not None:
        return
    old = unapproved.number_older(student.id, days)
    if old:
        whose = "your work" if student is actor else f"{student.name}'s work"
        raise DomainError(
            f"{number_of(old, 'piece')} of {whose} {'is' if old == 1 else 'are'} unapproved for more than {days} days, so nothing new is "
            "started. Have it approved, or ask a supervisor of your department for more time."
        )


# --- deciding ---------------------------------------------------------------------------------------------------------


def approve_start(
    gate_id: int,
    *,
    version: int,
    actor: User,
    reason: str = "",
    entered: Teeth | None = None,
    session_of: User | None = None,
) -> Gate:
    """Approve exactly what was shown, as long as it still holds. Of what cannot be undone the supervisor enters the tooth themselves.

    `session_of`: in whose session, when it is not the approver's own. The patient goes on to treatment by itself.
    """
    gate, visit, entry = _locked(gate_id, version)
    check_may_decide(gate, actor)
    _check_kind(gate, GateKind.START)
    shown = found.shown_of(gate)
    _check_start_holds(gate, shown, visit)
    _match_teeth(gate, entered or Teeth(), actor, page_of=session_of or actor)
    for item in gate.items:
        item.status = GateStatus.APPROVED
    _decide(gate, GateStatus.APPROVED, line(reason), actor=actor, session_of=session_of)
    if entry is not None:
        _go_on(entry, CallReason.START_CHECK, {Stage.IN_CHAIR: Stage.IN_TREATMENT}, actor=actor)
    return gate


def approve_dismissal(
    gate_id: int, *, version: int, actor: User, reason: str = "", session_of: User | None = None
) -> Gate:
    """Approve all that is not decided yet. When some of it was returned, the rest is approved and the whole goes back.

    Raises Conflict when the visit has changed since it was prepared. The patient goes on to checkout by itself.
    """
    gate, visit, entry = _locked(gate_id, version)
    standing = found.standing_of(visit)
    check_may_decide(gate, actor, standing.pieces)
    _check_kind(gate, GateKind.DISMISS)
    _check_same(gate, standing)
    opened = found.opened_items(actor, gate)
    for item in gate.items:
        if item.status is GateStatus.PENDING:
            item.status, item.opened_at = GateStatus.APPROVED, opened.get(item.id)
    db.session.flush()
    for item in gate.items:
        _decide_note(item, actor)
    _finish(gate, entry, line(reason), actor=actor, session_of=session_of)
    return gate


def open_item(gate_id: int, item_id: int, *, actor: User) -> None:
    """The supervisor opens one thing of a dismissal by itself: told each time, kept once. It changes nothing of the dismissal."""
    gate = db.session.get_one(Gate, gate_id)
    check_decides(actor, department_id=gate.department_id, patient_id=gate.patient_id)
    item = db.session.get(GateItem, item_id)
    if item is None or item.gate_id != gate.id:
        raise DomainError("This is not part of what was prepared. Reload the page.")
    note_opened(found.item_key(item.id), 1, item.words, patient_id=gate.patient_id, actor=actor)


def approve_item(gate_id: int, item_id: int, *, version: int, actor: User) -> Gate:
    """Approve one thing that a visit changed, looked at by itself. With the last of them the whole is decided."""
    gate, visit, entry = _locked(gate_id, version)
    standing = found.standing_of(visit)
    check_may_decide(gate, actor, standing.pieces)
    _check_kind(gate, GateKind.DISMISS)
    _check_same(gate, standing)
    _decide_item(gate, item_id, GateStatus.APPROVED, "", actor=actor)
    if all(item.status is not GateStatus.PENDING for item in gate.items):
        _finish(gate, entry, "", actor=actor, session_of=None)
    return gate


def return_item(gate_id: int, item_id: int, *, version: int, reason: str, actor: User) -> Gate:
    """Return one thing that a visit changed, with a reason. With the last of them the whole is decided."""
    gate, _visit, entry = _locked(gate_id, version)
    check_may_decide(gate, actor)
    _check_kind(gate, GateKind.DISMISS)
    told = needed(reason, "Write why you return it; whoever prepared it reads that.")
    _decide_item(gate, item_id, GateStatus.RETURNED, told, actor=actor)
    if all(item.status is not GateStatus.PENDING for item in gate.items):
        _finish(gate, entry, "", actor=actor, session_of=None)
    return gate


def return_gate(gate_id: int, *, version: int, reason: str, actor: User) -> Gate:
    """Give the whole back with a reason. What was approved by itself before stays approved as long as it is the same."""
    gate, *_rest = _locked(gate_id, version)
    check_may_decide(gate, actor)
    told = needed(reason, "Write why you return it; whoever prepared it reads that.")
    _decide(gate, GateStatus.RETURNED, told, actor=actor)
    return gate


def approve_changes(gate_id: int, *, version: int, actor: User, reason: str = "") -> Gate:
    """Approve what was changed after a dismissal was approved: a further dismissal of the visit, with what it changed as it is now.

    `version`: `version_of` what the supervisor was shown. Raises Conflict when it is other by now.
    """
    return _answer_changes(gate_id, version, GateStatus.APPROVED, line(reason), actor=actor)


def return_changes(gate_id: int, *, version: int, actor: User, reason: str) -> Gate:
    """Give back what was changed after a dismissal was approved, with a reason."""
    told = needed(reason, "Write why you return it; whoever changed it reads that.")
    return _answer_changes(gate_id, version, GateStatus.RETURNED, told, actor=actor)


def check_may_decide(gate: Gate, actor: User, pieces: Collection[found.Piece] | None = None) -> None:
    """Raise, with the sentence that says who can, when this person does not decide this. `pieces`: as `why_own` takes them."""
    check_decides(actor, department_id=gate.department_id, patient_id=gate.patient_id)
    if why := why_own(gate, actor, pieces):
        raise DomainError(why)


def why_own(gate: Gate, person: User, pieces: Collection[found.Piece] | None = None) -> str:
    """Why it is the person's own work, as a sentence; empty when it is not. `pieces`: what the visit changed, where that is known."""
    if gate.prepared_by_id == person.id:
        return "You prepared this yourself. Another supervisor of the department decides."
    if gate.kind is GateKind.DISMISS:
        if pieces is None:
            pieces = found.pieces_of(db.session.get_one(Visit, gate.visit_id))
        if any(piece.is_students and person.id in piece.people for piece in pieces):
            return "You performed or wrote a part of this yourself. Another supervisor of the department decides."
    return ""


def how_it_stands(gate: Gate) -> str:
    """Who did what to it, and when."""
    prepared_by = db.session.get_one(User, gate.prepared_by_id)
    word = KIND_WORDS[gate.kind]
    if gate.status is GateStatus.PENDING:
        return f"{prepared_by.name} asked for {word} on {when(gate.prepared_at)}; it is not decided yet."
    assert gate.decided_at is not None
    at = when(gate.decided_at)
    if gate.status is GateStatus.WITHDRAWN:
        return f"{prepared_by.name}'s {word} was withdrawn on {at}{': ' + gate.reason if gate.reason else ''}."
    by = db.session.get_one(User, gate.decided_by_id)
    where = ""
    if gate.session_of_id:
        where = f" at the terminal of {db.session.get_one(User, gate.session_of_id).name}"
    return f"{by.name} {IN_WORDS[gate.status]} this on {at}{where}."


# --- a supervisor's PIN in another's session --------------------------------------------------------------------------


def count_pin(supervisor_id: int, *, actor: User) -> None:
    """Count a try of a supervisor's PIN in somebody else's session; commit before judging it. Raises TooManyTries."""
    throttle.count(_pin_bucket(supervisor_id, actor))


def prove_pin(gate: Gate, supervisor_id: int, pin: str, *, actor: User) -> User | None:
    """The supervisor, if the PIN is theirs. Hashes: about 50 ms. A wrong one is told to them and to the trail; commit that."""
    supervisor = db.session.get(User, supervisor_id)
    usable = supervisor is not None and supervisor.active and supervisor.role is Role.SUPERVISOR
    if passwords.matches(supervisor.pin_hash if supervisor and usable else None, ascii_digits(pin).strip()):
        assert supervisor is not None
        throttle.forgive(_pin_bucket(supervisor_id, actor))
        return supervisor
    said = f"A wrong PIN was given at the terminal of {actor.name}"
    audit.record("gate.wrong_pin", said, actor=actor, subject=gate, patient=gate.patient_id)
    if supervisor is not None and usable:
        key = f"gate-pin-{supervisor.id}-{actor.id}-{clock.today().isoformat()}"
        tell(
            supervisor.id,
            f"{said} in your name. If it was not you, tell an administrator.",
            kind="gate.wrong_pin",
            once=key,
        )
    return None


def _pin_bucket(supervisor_id: int, actor: User) -> str:
    return throttle.bucket("pin", (actor.id, supervisor_id))


# --- what is shown ----------------------------------------------------------------------------------------------------


def _check_alerts(patient: Patient, seen: Collection[int]) -> None:
    unseen = [alert.label for alert in patient.active_alerts if alert.id not in set(seen)]
    if unseen:
        raise DomainError(f"Look at each alert, and say so: {', '.join(unseen)}.")


def _planned(patient: Patient, threads: Collection[int]) -> list[Entry]:
    if not threads:
        return []
    locked_chart(patient.id)
    held = {entry.thread: entry for entry in found.startable(charts.mouth_of(patient.id))}
    if any(thread not in held for thread in threads):
        raise Conflict("Something that you chose is no longer planned on the chart. Choose from the plan as it is now.")
    return [entry for thread, entry in held.items() if thread in set(threads)]


def _pictures(patient: Patient, chosen: Collection[int]) -> list[dict[str, Any]]:
    radiographs, consents = found.pictures_and_consents(patient.id)
    known = {document.id: document for document in (*radiographs, *consents)}
    if any(number not in known for number in chosen):
        raise Conflict(
            "A document that you chose is no longer there. Choose from those of the patient as they are now."
        )
    return plain_documents([known[number] for number in sorted(set(chosen))])


def _no_radiograph(ready: Readiness) -> str:
    if ready.radiographs:
        return ""
    return needed(ready.no_radiograph, "Choose the radiograph that you looked at, or write why none is needed.")


def _about(patient: Patient) -> dict[str, str]:
    return {
        "name": patient.name,
        "code": patient.code,
        "birth_date": patient.birth_date.isoformat(),
        "sex": str(patient.sex),
    }


def _about_visit(visit: Visit) -> dict[str, Any]:
    return {"id": visit.id, "day": clock.local(visit.starts_at).date().isoformat(), "reason": visit.reason}


def _alerts_of(patient: Patient) -> list[list[Any]]:
    return [[alert.id, str(alert.kind), str(alert.severity), alert.label] for alert in patient.active_alerts]


def _plain(entry: Entry) -> dict[str, Any]:
    return {
        "thread": entry.thread,
        "kind": entry.kind,
        "teeth": teeth_text(entry.teeth),
        "jaw": entry.jaw,
        "words": _told(entry),
        "status": str(entry.status),
    }


def _told(entry: Entry) -> str:
    return sentence(entry, numbering=found.NUMBERING, kinds=charts.catalogue())[: found.WORDS_LENGTH]


# --- locks and checks -------------------------------------------------------------------------------------------------


def _sit_down(visit: Visit, actor: User, *, also_ended: bool = False) -> tuple[Patient, Visit, QueueEntry | None]:
    """The patient with alerts, the visit and its open entry, locked; the person must be given the patient."""
    entry = _open_entry(visit.id)
    visit = locked(Visit, visit.id)
    patient = db.session.execute(
        select(Patient)
        .where(Patient.id == visit.patient_id)
        .options(selectinload(Patient.alerts))
        .execution_options(populate_existing=True)
    ).scalar_one()
    if actor.role not in (Role.STUDENT, Role.SUPERVISOR):
        raise NotAllowed("A student or a supervisor prepares this.")
    if not is_given_to(actor, patient.id):
        raise NotAllowed("You are not given this patient.")
    _refuse_archived(patient.id)
    ended = also_ended and visit.status is VisitStatus.COMPLETED
    if visit.status is not VisitStatus.ARRIVED and not ended:
        raise DomainError(f"{patient.name} is not here for this visit. Check the patient in first.")
    return patient, visit, entry


def _refuse_archived(patient_id: int) -> None:
    """Of an archived patient nothing is prepared and nothing decided."""
    patient = db.session.get_one(Patient, patient_id)
    if patient.archived_at is not None:
        raise DomainError(f"{patient.name}'s record is archived. Have it restored first.")


def _open_entry(visit_id: int) -> QueueEntry | None:
    open_one = select(QueueEntry).where(QueueEntry.visit_id == visit_id, QueueEntry.ended_at.is_(None))
    return db.session.execute(open_one.with_for_update().execution_options(populate_existing=True)).scalar_one_or_none()


def _locked(gate_id: int, version: int) -> tuple[Gate, Visit, QueueEntry | None]:
    """The gate with its items, locked after entry, visit and chart. Raises Conflict when it is decided or changed."""
    visit_id, patient_id = db.session.execute(select(Gate.visit_id, Gate.patient_id).where(Gate.id == gate_id)).one()
    entry, visit = _open_entry(visit_id), locked(Visit, visit_id)
    _refuse_archived(patient_id)
    locked_chart(patient_id)
    gate = db.session.execute(
        select(Gate)
        .where(Gate.id == gate_id)
        .options(selectinload(Gate.items))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one()
    if gate.status is not GateStatus.PENDING or gate.version != version:
        raise Conflict(how_it_stands(gate))
    return gate, visit, entry


def _check_kind(gate: Gate, kind: GateKind) -> None:
    if gate.kind is not kind:
        raise DomainError(f"This is {KIND_WORDS[gate.kind]}, not {KIND_WORDS[kind]}.")


def _check_start_holds(gate: Gate, shown: Mapping[str, Any], visit: Visit) -> None:
    """What was made sure of still holds: the plan, the alerts, and that it is the same day."""
    patient = db.session.execute(
        select(Patient)
        .where(Patient.id == gate.patient_id)
        .options(selectinload(Patient.alerts))
        .execution_options(populate_existing=True)
    ).scalar_one()
    if clock.local(gate.prepared_at).date() != clock.today():
        raise Conflict(
            f"This was prepared on {day_words(gate.prepared_at)}. Return it; a start is approved on its day."
        )
    if visit.status is not VisitStatus.ARRIVED or visit.department_id != gate.department_id:
        raise Conflict("The patient is no longer here for this. Return it.")
    if visit.student_id not in (None, gate.student_id, gate.prepared_by_id):
        treats = db.session.get_one(User, visit.student_id).name
        raise Conflict(f"{treats} treats {patient.name} by now. Return it; {treats} prepares a start of their own.")
    if _alerts_of(patient) != shown["alerts"]:
        raise Conflict(
            f"The alerts of {patient.name} have changed since this was prepared. Return it to be prepared anew."
        )
    now = {f"entry:{entry.thread}": found.plan_digest(entry) for entry in charts.mouth_of(gate.patient_id).entries}
    for item in gate.items:
        if now.get(item.subject) != item.sha256:
            raise Conflict(
                f"The plan has changed since this was prepared: {item.words}. Return it to be prepared anew."
            )


def _check_same(gate: Gate, standing: found.Standing) -> None:
    now = {piece.subject: piece for piece in standing.pieces if piece.is_students}
    then = {item.subject: item for item in gate.items}
    changed = [
        piece.words for subject, piece in now.items() if subject not in then or then[subject].sha256 != piece.sha256
    ]
    changed += [item.words for subject, item in then.items() if subject not in now]
    if not any(item.status is GateStatus.RETURNED for item in gate.items):
        _refuse_returned(standing)
    if changed:
        raise Conflict(
            f"The visit has changed since this was prepared: {'; '.join(changed)[:300]}. Return it; it is prepared anew."
        )


def _refuse_returned(standing: found.Standing) -> None:
    """A note that a supervisor gave back is not approved with the rest."""
    for piece in standing.pieces:
        if piece.is_students and piece.stands is NoteStatus.RETURNED:
            raise Conflict(f"A note in it was returned to its author, who signs it anew first: {piece.words[:120]}")


def _match_teeth(gate: Gate, entered: Teeth, actor: User, *, page_of: User) -> None:
    """Hold what the supervisor entered against the plan, and the sources against it; keep what came of it.

    `page_of`: on whose page, which asks for the numbers of that person.
    """
    sources = sources_of(gate)
    for item in gate.items:
        if (of_item := sources.get(item.subject)) is None:
            continue
        typed = entered.entered.get(item.id, "").replace(",", " ").split()
        if not typed:
            raise DomainError(
                f"Enter the tooth yourself, from your own view: {item.words.partition(':')[2].strip() or item.words}."
            )
        keys = [teeth.read(word, page_of.numbering or found.NUMBERING) for word in typed]
        if sorted(key or "" for key in keys) != sorted(of_item.plan):
            raise DomainError(
                f"“{' '.join(typed)[:40]}” is not the tooth of the plan. Nothing was approved: look again, in the mouth and on the "
                "picture, and return this if the plan is wrong."
            )
        if not of_item.agree:
            _check_second(gate, entered, of_item, actor)
        db.session.add(
            ToothMatch(
                gate_item_id=item.id,
                entered=" ".join(of_item.plan),
                found=canonical(of_item.plain()),
                agrees=of_item.agree,
                reason="" if of_item.agree else line(entered.reason),
                second_id=None if of_item.agree else entered.second_id,
                entered_by_id=actor.id,
                entered_at=clock.now(),
            )
        )


def _check_second(gate: Gate, entered: Teeth, sources: Sources, actor: User) -> None:
    second = db.session.get(User, entered.second_id) if entered.second_id else None
    if second is None or len(line(entered.reason)) < 3:
        raise DomainError(
            f"The sources do not agree: {'; '.join(sources.doubts)}. Name a second clinician who has looked with you, and write why it is "
            "right. If this page does not ask for them, reload it."
        )
    if second.id in (actor.id, gate.prepared_by_id) or not second.active:
        raise DomainError("The second person is another clinician: neither you nor whoever prepared this.")
    if second.role not in (Role.SUPERVISOR, Role.STUDENT):
        raise DomainError("The second person is a supervisor or a student.")
    patient = db.session.get_one(Patient, gate.patient_id)
    said = f"{actor.name} named you as the second person who confirmed the tooth of {patient.code}. If you did not look, tell them now."
    tell(second.id, said, kind="gate.second")


# --- changes ----------------------------------------------------------------------------------------------------------


def _lay_dismissal(
    patient: Patient, visit: Visit, standing: found.Standing, words: str, *, actor: User, laid_by: User | None = None
) -> Gate:
    """A dismissal with what the visit changed, as it is now. What was approved of it before, and is the same, stays approved."""
    shown = {
        "format": 1,
        "kind": GateKind.DISMISS,
        "patient": _about(patient),
        "visit": _about_visit(visit),
        "prepared_by": actor.name,
        "pieces": [
            [piece.subject, piece.sha256, piece.words, piece.by, piece.is_students] for piece in standing.pieces
        ],
    }
    theirs = [piece for piece in standing.pieces if piece.is_students]
    by_itself = {(each.subject, each.sha256): clock.now() for each in theirs if each.is_approved}
    before = found.approved_before(visit.id) | by_itself
    pieces = [(piece.subject, piece.sha256, piece.words) for piece in theirs]
    return _laid_before(
        GateKind.DISMISS, patient, visit, shown, pieces, words, approved=before, actor=actor, laid_by=laid_by
    )


def _laid_before(
    kind: GateKind,
    patient: Patient,
    visit: Visit,
    shown: Mapping[str, Any],
    pieces: Collection[tuple[str, str, str]],
    words: str,
    *,
    approved: Mapping[tuple[str, str], datetime | None] | None = None,
    actor: User,
    laid_by: User | None = None,
) -> Gate:
    """The gate as it waits, with its items; those in `approved` are so already, opened by themselves when that says. Raises Conflict when
    one of the kind waits.

    `laid_by`: who did this in truth, when it is in the name of somebody else.
    """
    _refuse_again(visit, kind)
    body = canonical(shown)
    number = db.session.scalar(select(func.max(Gate.number)).where(Gate.visit_id == visit.id, Gate.kind == kind))
    try:
        made = db.session.execute(
            insert(Gate).values(
                patient_id=patient.id,
                visit_id=visit.id,
                kind=kind,
                number=(number or 0) + 1,
                shown=body,
                sha256=digest(body),
                words=words,
                department_id=visit.department_id,
                prepared_by_id=actor.id,
                student_id=_whose(visit, actor),
                prepared_at=clock.now(),
                status=GateStatus.PENDING,
                open_key=f"{visit.id}:{kind}",
                reason="",
                version=1,
            )
        )
    except IntegrityError:
        _refuse_again(visit, kind)
        raise
    gate = db.session.get_one(Gate, cast("Any", made).inserted_primary_key[0])
    known = approved or {}
    db.session.add_all(
        GateItem(
            gate_id=gate.id,
            subject=subject,
            sha256=sha256,
            words=said,
            status=GateStatus.APPROVED if (subject, sha256) in known else GateStatus.PENDING,
            opened_at=known.get((subject, sha256)),
        )
        for subject, sha256, said in pieces
    )
    db.session.flush()
    audit.record(
        "gate.lay_changes" if laid_by else "gate.prepare",
        f"{'Took up what was changed after' if laid_by else 'Asked for'} {KIND_WORDS[kind]} of {patient.code}",
        actor=laid_by or actor,
        subject=gate,
        patient=patient.id,
        after={"number": gate.number, "sha256": gate.sha256, "items": len(pieces)},
        reason=words or None,
    )
    _nudge(gate)
    return gate


def _whose(visit: Visit, actor: User) -> int | None:
    """The student whose work it is: of the visit, or who lays it before a supervisor; None when none has a part in it."""
    return visit.student_id or (actor.id if actor.role is Role.STUDENT else None)


def _refuse_again(visit: Visit, kind: GateKind) -> None:
    standing = db.session.execute(
        select(Gate).where(Gate.open_key == f"{visit.id}:{kind}").with_for_update(read=True)
    ).scalar_one_or_none()
    if standing is not None:
        raise Conflict(f"{how_it_stands(standing)} Withdraw that first, or wait until it is decided.")


def _decide_item(gate: Gate, item_id: int, status: GateStatus, reason: str, *, actor: User) -> None:
    item = next((each for each in gate.items if each.id == item_id), None)
    if item is None:
        raise DomainError("This is not part of what was prepared. Reload the page.")
    before = item.status
    item.status, item.reason, item.opened_at = status, reason, clock.now()
    _decide_note(item, actor)
    flag_modified(gate, "status")  # a page that showed it otherwise is old now
    db.session.flush()
    audit.record(
        f"gate.{'approve' if status is GateStatus.APPROVED else 'return'}_item",
        f"{IN_WORDS[status].capitalize()}: {item.words}",
        actor=actor,
        subject=gate,
        patient=gate.patient_id,
        before={"status": before},
        after={"status": status, "item": item.subject, "sha256": item.sha256},
        reason=reason or None,
    )
    _nudge(gate)


def _decide_note(item: GateItem, actor: User) -> None:
    """A note in it that waits for a supervisor of the actor's department is decided with it."""
    subject, _, number = item.subject.partition(":")
    if subject != "note" or item.status is GateStatus.PENDING:
        return
    note = db.session.get_one(Note, int(number), populate_existing=True)
    if note.status is not NoteStatus.SIGNED or note.department_id != actor.department_id or note.author_id == actor.id:
        return
    if item.status is GateStatus.APPROVED:
        approve_note(note.id, version=note.version, actor=actor)
    else:
        return_note(note.id, version=note.version, reason=item.reason, actor=actor)


def _finish(gate: Gate, entry: QueueEntry | None, reason: str, *, actor: User, session_of: User | None) -> None:
    """All items are decided: the whole is approved, or goes back when some were returned."""
    returned = [item for item in gate.items if item.status is GateStatus.RETURNED]
    if returned:
        why = reason or "; ".join(item.reason for item in returned)
        _decide(gate, GateStatus.RETURNED, why[:500], actor=actor, session_of=session_of)
        return
    counted = {"items": len(gate.approved), "not_opened": gate.unopened}
    _decide(gate, GateStatus.APPROVED, reason, actor=actor, session_of=session_of, counted=counted)
    if entry is not None:
        _go_on(entry, CallReason.SIGN_OFF, {Stage.AWAITING_DISMISSAL: Stage.CHECKOUT}, actor=actor)


def _decide(
    gate: Gate,
    status: GateStatus,
    reason: str,
    *,
    actor: User,
    session_of: User | None = None,
    counted: Mapping[str, int] | None = None,
) -> None:
    patient = db.session.get_one(Patient, gate.patient_id)
    gate.status, gate.open_key = status, None
    gate.decided_at, gate.reason = clock.now(), reason
    gate.decided_by_id = actor.id if status is not GateStatus.WITHDRAWN else None
    gate.session_of_id = session_of.id if session_of else None
    db.session.flush()
    where = f", at the terminal of {session_of.name}" if session_of else ""
    audit.record(
        {GateStatus.APPROVED: "gate.approve", GateStatus.RETURNED: "gate.return"}.get(status, "gate.withdraw"),
        f"{IN_WORDS[status].capitalize()} {KIND_WORDS[gate.kind]} of {patient.code}{where}",
        actor=actor,
        subject=gate,
        patient=patient.id,
        before={"status": GateStatus.PENDING},
        after={"status": status, "sha256": gate.sha256, **(counted or {})}
        | ({"session_of": session_of.id} if session_of else {}),
        reason=reason or None,
    )
    _nudge(gate)
    if actor.id != gate.prepared_by_id:
        _tell_preparer(gate, patient, actor)


def _answer_changes(gate_id: int, version: int, status: GateStatus, reason: str, *, actor: User) -> Gate:
    """A further dismissal, decided at once, of what was changed after one was approved; in the name of whoever changed it last."""
    visit_id, patient_id = db.session.execute(select(Gate.visit_id, Gate.patient_id).where(Gate.id == gate_id)).one()
    _open_entry(visit_id)
    visit = locked(Visit, visit_id)
    _refuse_archived(patient_id)
    locked_chart(patient_id)
    former = locked(Gate, gate_id)
    standing = found.standing_of(visit)
    if standing.last is None or standing.last.id != former.id or former.status is not GateStatus.APPROVED:
        raise Conflict(how_it_stands(standing.last or former))
    if version_of(standing) != version:
        raise Conflict("The visit has changed again since you looked. Look at it as it is now.")
    check_may_decide(former, actor)
    _check_not_theirs(standing, actor)
    if status is GateStatus.APPROVED:
        _refuse_returned(standing)
    patient = db.session.get_one(Patient, patient_id)
    by = _who_changed(standing, former)
    gate = _lay_dismissal(patient, visit, standing, "Changed after approval", actor=by, laid_by=actor)
    for item in db.session.execute(select(GateItem).where(GateItem.gate_id == gate.id)).scalars():
        if item.status is GateStatus.PENDING:
            item.status = status
            item.reason = reason if status is GateStatus.RETURNED else ""
            _decide_note(item, actor)
    _decide(gate, status, reason, actor=actor)
    return gate


def _check_not_theirs(standing: found.Standing, actor: User) -> None:
    """Whoever struck, deleted or said anew what was approved does not approve that themselves."""
    subjects = {*(item.subject for item in standing.gone), *(piece.subject for piece in standing.missing)}
    if any(actor.id in found.changers_of(subject) for subject in subjects):
        raise DomainError("You changed a part of this yourself. Another supervisor of the department decides.")


def version_of(standing: found.Standing) -> int:
    """A number for what a visit changed, as it is now: what a page has shown is told by it."""
    return int(standing.sha256[:7], 16) + 1


def _who_changed(standing: found.Standing, former: Gate) -> User:
    people = {person for piece in standing.missing for person in piece.people}
    students = select(User).where(User.id.in_(people or {former.prepared_by_id}), User.role == Role.STUDENT)
    student = db.session.execute(students.order_by(User.id).limit(1)).scalar_one_or_none()
    return student or db.session.get_one(User, former.prepared_by_id)


def _go_on(entry: QueueEntry, answers: CallReason, steps: Mapping[Stage, Stage], *, actor: User) -> None:
    """The card moves by itself where that is the plain next step, and the call for exactly this ends."""
    called = db.session.execute(
        select(SupervisorCall.reason).where(SupervisorCall.open_visit_id == entry.visit_id)
    ).scalar_one_or_none()
    if called is answers:
        calls.end_calls_of(entry.visit_id, actor=actor)
        if entry.stage is Stage.AWAITING_SUPERVISOR:
            entry = queue.move(entry.id, to=Stage.IN_TREATMENT, version=entry.version, actor=actor)
    if entry.stage in steps:
        queue.move(entry.id, to=steps[entry.stage], version=entry.version, actor=actor)


def _nudge(gate: Gate) -> None:
    live.nudge(f"approvals:{gate.department_id}")
    live.nudge(f"queue:{gate.department_id}")
    nudge_visit(db.session.get_one(Visit, gate.visit_id))


def _tell_preparer(gate: Gate, patient: Patient, actor: User) -> None:
    said = f"{actor.name} {IN_WORDS[gate.status]} {KIND_WORDS[gate.kind]} of {patient.code}"
    tell_author(
        gate.prepared_by_id,
        f"{said}: {gate.reason}" if gate.reason else f"{said}.",
        otherwise=f"{actor.name} {IN_WORDS[gate.status]} {KIND_WORDS[gate.kind]} of a patient of yours.",
        kind=f"gate.{IN_WORDS[gate.status]}",
        url=f"/visits/{gate.visit_id}",
        patient_id=patient.id,
    )
