"""Asking that somebody gets or gives up a patient, and deciding it. Each request is decided once, in one transaction with its effect.

A clinician who is named decides about themself; about a student, any supervisor of the student's department; nobody about what they
asked for. Locks: the patient, then the request, then people.
"""

import re
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Select, func, insert, or_, select
from sqlalchemy.exc import IntegrityError

from clinic import audit, clock, live, settings
from clinic.errors import Conflict, DomainError, NotAllowed
from clinic.extensions import db
from clinic.formatting import when
from clinic.models import AssignmentKind, Patient, Request, RequestKind, RequestStatus, Role, User
from clinic.operations import assignments
from clinic.operations import handover as handing_over
from clinic.operations.assignments import held_by, same_running, short
from clinic.operations.handover import KINDS, STAYS, Choice, Destination, Hands, Item, Kind
from clinic.operations.locks import locked
from clinic.operations.notices import tell
from clinic.queries.assignments import answers_for
from clinic.text import ascii_digits

REASON_LENGTH = 500
NEED_LENGTH = 200
MOST_ASKED = 20  # patients whom a student asks for at once: who tries codes would bury what others ask
IN_WORDS = {
    RequestStatus.APPROVED: "approved",
    RequestStatus.RETURNED: "returned",
    RequestStatus.WITHDRAWN: "withdrew",
}


def ask_assignment(
    *,
    kind: RequestKind,
    patient_id: int,
    clinician_id: int,
    assignment_kind: AssignmentKind,
    reason: str,
    actor: User,
) -> Request:
    """Reception asks that a clinician or student gets a patient (ASSIGN) or gives them up (REMOVE)."""
    if kind not in (RequestKind.ASSIGN, RequestKind.REMOVE):
        raise DomainError("Choose whether to assign or to remove somebody.")
    patient = locked(Patient, patient_id)
    person = locked(User, clinician_id, shared=True)  # who leaves meanwhile would leave the request to nobody
    assignments.check_sees(patient, actor)
    running = same_running(patient.id, person, assignment_kind)
    if kind is RequestKind.ASSIGN:
        assignments.check_can_have(patient, person)
        if running is not None:
            raise DomainError(f"{person.name} already has {patient.name} as {assignment_kind.value}.")
    if kind is RequestKind.REMOVE and running is None:
        raise DomainError(f"{person.name} does not have {patient.name} as {assignment_kind.value}.")
    return _ask(
        kind=kind,
        patient_id=patient.id,
        code=patient.code,
        clinician_id=person.id,
        assignment_kind=assignment_kind,
        reason=short(reason, "Write why you ask.", REASON_LENGTH),
        open_key=f"{patient.code}:{person.id}:{kind}",
        about=person,
        actor=actor,
    )


def ask_for_patient(*, code: str, assignment_kind: AssignmentKind, need: str, actor: User) -> Request:
    """A student asks for a patient by the code they were told. Whether there is such a patient changes nothing in the answer.

    Raises DomainError for what is no code, for a patient the student has already, and Conflict when they have asked already.
    """
    if actor.role is not Role.STUDENT:
        raise NotAllowed("Students ask for patients. Supervisors assign them.")
    code = code_of(code)
    need = short(need, "Write what you need the patient for: the treatment and the requirement it serves.", NEED_LENGTH)
    patient = db.session.execute(select(Patient).where(Patient.code == code)).scalar_one_or_none()
    # Asked also of a patient who is not there: that no question is asked would tell.
    if same_running(patient.id if patient else 0, actor, assignment_kind) is not None:
        raise DomainError(f"You already have {code} as {assignment_kind.value}.")
    _check_not_too_many(actor)
    return _ask(
        kind=RequestKind.ASK,
        patient_id=patient.id if patient else None,
        code=code,
        clinician_id=actor.id,
        assignment_kind=assignment_kind,
        need=need,
        open_key=f"{code}:{actor.id}:{RequestKind.ASK}",
        about=actor,
        actor=actor,
    )


def ask_transfer(
    *,
    patient_id: int,
    from_id: int,
    to_id: int,
    handover: str,
    destinations: Mapping[str, Destination],
    actor: User,
) -> Request:
    """A student, or a supervisor of theirs, asks that a patient goes to another student; a supervisor of the receiver decides.

    Everything that hangs on the giver's assignment needs a destination, and the note is kept with the request.
    """
    patient = locked(Patient, patient_id)
    people = {number: locked(User, number, shared=True) for number in sorted({from_id, to_id})}
    giver, receiver = people[from_id], people[to_id]
    if actor.id != giver.id and not answers_for(actor, giver):
        raise NotAllowed(f"{giver.name} or a supervisor of theirs asks for this.")
    assignments.check_can_have(patient, receiver)
    if receiver.role is not Role.STUDENT or giver.role is not Role.STUDENT or giver.id == receiver.id:
        raise DomainError("A transfer goes from one student to another. Choose another student.")
    held = held_by(giver, patient)
    if not held:
        raise DomainError(f"{giver.name} does not have this patient. There is nothing to hand over.")
    note = handing_over.note_of(handover)
    items = handing_over.items_of([patient.id], giver)[patient.id]
    handing_over.check_destinations(items, destinations)
    return _ask(
        kind=RequestKind.TRANSFER,
        patient_id=patient.id,
        code=patient.code,
        clinician_id=receiver.id,
        from_id=giver.id,
        assignment_kind=held[0].kind,
        handover=note,
        destinations=handing_over.written(items, destinations),
        open_key=f"{patient.code}:{giver.id}:{RequestKind.TRANSFER}",
        about=receiver,
        actor=actor,
    )


def approve_request(request_id: int, *, version: int, actor: User, reason: str = "") -> Request:
    """Do what was asked. Everything is judged again as it is now: the people, the patient, the load, what hangs on it.

    `reason` lets a supervisor go beyond the student's load limit.
    """
    request, patient = _locked_request(request_id, version)
    check_may_decide(request, actor)
    if patient is None:
        raise DomainError(f"There is no patient with the code {request.code}. Return the request and say so.")
    person = _person_now(request)
    if request.kind is RequestKind.REMOVE:
        running = same_running(patient.id, person, request.assignment_kind)
        if running is None:
            raise DomainError(f"{person.name} does not have {patient.name} any more. Return the request.")
        assignments.end(running, patient, person, reason=request.reason[: assignments.REASON_LENGTH], actor=actor)
    elif request.kind is RequestKind.TRANSFER:
        assert request.from_id is not None
        giver = locked(User, request.from_id)
        hands = Hands(patient, giver, person, actor)
        destinations = handing_over.read(request.destinations)
        handing_over.carry_out(hands, destinations, reason=f"Transferred to {person.name}", beyond=reason)
    else:
        assignments.give(patient, person, request.assignment_kind, actor=actor, beyond=reason)
    _decide(request, RequestStatus.APPROVED, reason.strip() or None, actor=actor)
    if request.kind is RequestKind.REMOVE:
        assignments.tell_of_unowned([patient.id], person, department_id=person.department_id, actor=actor)
    _tell_of_approval(request, patient, person, actor)
    return request


def return_request(request_id: int, *, version: int, reason: str, actor: User) -> Request:
    """Give a request back with a reason, which whoever asked is told."""
    request, _patient = _locked_request(request_id, version)
    check_may_decide(request, actor)
    reason = short(reason, "Write why you return it; whoever asked reads that.", REASON_LENGTH)
    _decide(request, RequestStatus.RETURNED, reason, actor=actor)
    _tell_requester(request, "request.returned", f"{actor.name} returned your request for {request.code}: {reason}")
    return request


def withdraw_request(request_id: int, *, version: int, actor: User) -> Request:
    """Whoever asked takes their request back."""
    request, _patient = _locked_request(request_id, version)
    if request.asked_by_id != actor.id:
        raise NotAllowed("Only whoever asked can withdraw a request. You can return it with a reason.")
    _decide(request, RequestStatus.WITHDRAWN, None, actor=actor)
    return request


def expire_requests(now: datetime, *, limit: int = 200) -> int:
    """End the requests that nobody decided in time; answers how many, at most `limit`. For the job, which repeats it until 0.

    A request that is being decided at this moment is left alone.
    """
    due = db.session.scalars(
        select(Request)
        .where(Request.status == RequestStatus.PENDING, Request.expires_at <= now)
        .order_by(Request.expires_at, Request.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).all()
    for request in due:
        _decide(request, RequestStatus.EXPIRED, None, actor=None)
        sentence = f"Nobody decided your request for {request.code} in time. Ask again if it is still needed."
        _tell_requester(request, "request.expired", sentence)
    return len(due)


def hold_requests_of(person_id: int) -> None:
    """Lock the open requests that a person asked, decides or is named in; after patients, before people."""
    db.session.scalars(_open_about(person_id).with_for_update().execution_options(populate_existing=True)).all()


def close_requests_of(person: User, *, reason: str, actor: User) -> int:
    """Nobody can decide these any more: return what concerns a person who leaves, withdraw what they asked; answers how many."""
    found = db.session.scalars(_open_about(person.id).with_for_update().execution_options(populate_existing=True)).all()
    for request in found:
        if request.asked_by_id == person.id:
            _decide(request, RequestStatus.WITHDRAWN, reason, actor=actor)
            continue
        _decide(request, RequestStatus.RETURNED, reason, actor=actor)
        sentence = f"Your request for {request.code} was returned: {person.name}: {reason}"
        _tell_requester(request, "request.returned", sentence)
    return len(found)


def withdraw_transfers_of(patient: Patient, giver: User, *, reason: str, actor: User) -> None:
    """The patient changed hands by another way: what was asked about that is closed, and whoever asked is told."""
    pending = _open_about(giver.id).where(Request.patient_id == patient.id, Request.kind == RequestKind.TRANSFER)
    for request in db.session.scalars(pending).all():
        if request.from_id == giver.id:
            _decide(request, RequestStatus.RETURNED, reason, actor=actor)
            _tell_requester(request, "request.returned", f"{actor.name} closed your request: {reason}.")


def code_of(text: str) -> str:
    """A patient's code as it is kept, from how people type it; raises DomainError when it is none."""
    found = re.fullmatch(r"(?:P-?)?(\d{4})-(\d{1,6})", ascii_digits(text).strip().upper())
    if not found:
        raise DomainError("A patient's code looks like P-2026-00412. Ask at the desk if you do not know it.")
    return f"P-{found[1]}-{int(found[2]):05d}"


def check_may_decide(request: Request, actor: User) -> None:
    """Raise, with the sentence that says who can, when this person does not decide this request."""
    if not decides(request, actor):
        raise NotAllowed(
            "This request is not yours to decide. The named clinician, or a supervisor of the student, does."
        )
    if request.asked_by_id == actor.id:
        raise DomainError("You asked for this yourself. Another supervisor of the department decides.")


def decides(request: Request, actor: User) -> bool:
    """Whether it is this person, by their place, who decides."""
    if actor.role is not Role.SUPERVISOR or not actor.active:
        return False
    if request.decider_id is not None:
        return request.decider_id == actor.id
    return request.department_id is not None and request.department_id == actor.department_id


def how_it_stands(request: Request) -> str:
    """Who did what to a request, and when."""
    if request.status is RequestStatus.PENDING:
        asked_by = db.session.get_one(User, request.asked_by_id)
        return f"{asked_by.name} asked for this on {when(request.asked_at)}."
    assert request.decided_at is not None
    if request.status is RequestStatus.EXPIRED:
        return f"This request expired on {when(request.decided_at)}."
    by = db.session.get(User, request.decided_by_id) if request.decided_by_id else None
    return f"{by.name if by else 'Somebody'} {IN_WORDS[request.status]} this request on {when(request.decided_at)}."


def _ask(*, about: User, actor: User, **values: Any) -> Request:
    """Store a request that names who decides. Raises Conflict, saying who asked and when, when the same is asked already."""
    at, key = clock.now(), values["open_key"]
    values |= {
        "status": RequestStatus.PENDING,
        "asked_by_id": actor.id,
        "asked_at": at,
        "expires_at": at + timedelta(days=settings.read("request_days")),
        "department_id": about.department_id if about.role is Role.STUDENT else None,
        "decider_id": None if about.role is Role.STUDENT else about.id,
        "version": 1,
    }
    _refuse_again(db.session.scalars(select(Request).where(Request.open_key == key)).one_or_none(), actor)
    # Not by the unit of work, and in no savepoint: after a deadlock there would be none to go back to.
    try:
        made = db.session.execute(insert(Request).values(**values))
    except IntegrityError:
        # A locking read sees what has committed since this transaction began.
        standing = select(Request).where(Request.open_key == key).with_for_update(read=True)
        _refuse_again(db.session.scalars(standing).one_or_none(), actor)
        raise
    request = db.session.get_one(Request, cast("Any", made).inserted_primary_key[0])
    audit.record(
        "request.ask",
        f"Asked: {_summary(request, about)}",
        actor=actor,
        subject=request,
        patient=request.patient_id,
        reason=request.reason or request.need or None,
    )
    nudge_deciders(request)
    return request


def _check_not_too_many(student: User) -> None:
    open_ones = select(func.count(Request.id)).where(
        Request.asked_by_id == student.id, Request.kind == RequestKind.ASK, Request.status == RequestStatus.PENDING
    )
    if (db.session.scalar(open_ones) or 0) >= MOST_ASKED:
        raise DomainError(f"{MOST_ASKED} requests of yours wait already. Withdraw one, or wait until some are decided.")


def _refuse_again(standing: Request | None, actor: User) -> None:
    if standing is not None:
        asked_by = db.session.get_one(User, standing.asked_by_id)
        who = "You" if asked_by.id == actor.id else asked_by.name
        raise Conflict(f"{who} asked for this on {when(standing.asked_at)}; it is not decided yet.")


def _summary(request: Request, about: User) -> str:
    """What is asked for, without the patient's name."""
    kind = request.assignment_kind.value
    if request.kind is RequestKind.REMOVE:
        return f"take {request.code} from {about.name}, {kind}"
    if request.kind is RequestKind.TRANSFER:
        giver = db.session.get_one(User, request.from_id)
        return f"transfer {request.code} from {giver.name} to {about.name}"
    return f"give {request.code} to {about.name} as {kind}"


def _locked_request(request_id: int, version: int) -> tuple[Request, Patient | None]:
    """The request and its patient, locked in the one order. Raises Conflict when it is decided, expired or changed."""
    patient_id = db.session.execute(select(Request.patient_id).where(Request.id == request_id)).scalar_one()
    patient = locked(Patient, patient_id) if patient_id is not None else None
    request = locked(Request, request_id)
    if request.status is not RequestStatus.PENDING or request.version != version:
        raise Conflict(how_it_stands(request))
    if request.expires_at <= clock.now():
        raise Conflict(f"This request expired on {when(request.expires_at)}. Whoever asked can ask again.")
    return request, patient


def _person_now(request: Request) -> User:
    """The person named in a request, locked; for a transfer in the order of ids with the giver. Raises DomainError when they moved on."""
    for number in sorted(filter(None, (request.clinician_id, request.from_id))):
        locked(User, number)
    person = db.session.get_one(User, request.clinician_id)
    if request.department_id is not None and person.department_id != request.department_id:
        raise DomainError(
            f"{person.name} has moved to another department since this was asked. Return it; it can be asked again there."
        )
    return person


def _decide(request: Request, status: RequestStatus, reason: str | None, *, actor: User | None) -> None:
    request.status, request.open_key = status, None
    request.decided_at, request.decided_by_id = clock.now(), actor.id if actor else None
    request.decision_reason = reason
    db.session.flush()
    person = db.session.get_one(User, request.clinician_id)
    audit.record(
        f"request.{DECISIONS[status]}",
        f"{DECISIONS[status].capitalize()}: {_summary(request, person)}",
        actor=actor,
        subject=request,
        patient=request.patient_id,
        before={"status": RequestStatus.PENDING},
        after={"status": status},
        reason=reason,
    )
    live.nudge(f"person:{request.asked_by_id}")
    nudge_deciders(request)


DECISIONS = {
    RequestStatus.APPROVED: "approve",
    RequestStatus.RETURNED: "return",
    RequestStatus.WITHDRAWN: "withdraw",
    RequestStatus.EXPIRED: "expire",
}


def nudge_deciders(request: Request) -> None:
    """What waits for approval has changed for whoever decides this request."""
    if request.department_id is not None:
        live.nudge(f"approvals:{request.department_id}")
    if request.decider_id is not None:
        live.nudge(f"person:{request.decider_id}")


def _tell_of_approval(request: Request, patient: Patient, person: User, actor: User) -> None:
    done = {
        RequestKind.ASSIGN: f"{person.name} has {patient.name}, {patient.code}, as {request.assignment_kind.value} now",
        RequestKind.ASK: f"{patient.name}, {patient.code}, is yours now as {request.assignment_kind.value}",
        RequestKind.REMOVE: f"{person.name} no longer has {patient.code} as {request.assignment_kind.value}",
        RequestKind.TRANSFER: f"{patient.code} went to {person.name}",
    }[request.kind]
    gone = request.from_id if request.kind is RequestKind.TRANSFER else None
    patient_id = patient.id if request.asked_by_id != gone else None
    _tell_requester(request, "request.approved", f"{actor.name} approved your request: {done}.", patient_id=patient_id)
    received = request.kind in (RequestKind.ASSIGN, RequestKind.TRANSFER)
    if received and person.id not in (actor.id, request.asked_by_id):
        note = " Read the handover note." if request.kind is RequestKind.TRANSFER else ""
        sentence = f"{patient.name}, {patient.code}, is yours now as {request.assignment_kind.value}.{note}"
        tell(person.id, sentence, kind="request.given", url=f"/patients/{patient.id}", patient_id=patient.id)
    lost = gone if gone is not None else person.id if request.kind is RequestKind.REMOVE else None
    if lost is not None and lost not in (actor.id, request.asked_by_id):
        tell(lost, f"{patient.code} is no longer yours; {actor.name} approved that.", kind="request.taken")


def _tell_requester(request: Request, kind: str, sentence: str, *, patient_id: int | None = None) -> None:
    """Without the patient's id until they have the patient: whoever asks by code must not learn that there is one."""
    url = f"/patients/{patient_id}" if patient_id else "/requests"
    tell(request.asked_by_id, sentence, kind=kind, url=url, patient_id=patient_id, once=f"{kind}:{request.id}")


def _open_about(person_id: int) -> Select[Request]:
    return (
        select(Request)
        .where(
            Request.status == RequestStatus.PENDING,
            or_(
                Request.clinician_id == person_id,
                Request.from_id == person_id,
                Request.decider_id == person_id,
                Request.asked_by_id == person_id,
            ),
        )
        .order_by(Request.id)
    )


# --- what the giver of a patient has asked for hangs on the hand-over -------------------------------------------------

WITHDRAW = Choice("withdraw", "Is withdrawn")


def _asked_by(patient_ids: Collection[int], giver: User) -> dict[int, list[Item]]:
    found: dict[int, list[Item]] = {}
    rows = db.session.scalars(
        select(Request)
        .where(
            Request.patient_id.in_(patient_ids),
            Request.asked_by_id == giver.id,
            Request.status == RequestStatus.PENDING,
            Request.kind == RequestKind.ASK,
        )
        .order_by(Request.id)
        .limit(500)
    )
    for request in rows:
        sentence = f"{giver.name} asked for this patient as {request.assignment_kind.value} on {when(request.asked_at)}"
        assert request.patient_id is not None
        item = Item(f"request:{request.id}", sentence, (WITHDRAW, STAYS))
        found.setdefault(request.patient_id, []).append(item)
    return found


def _settle(request_id: int, destination: Destination, hands: Hands) -> None:
    request = locked(Request, request_id)
    if destination.to == WITHDRAW.to and request.status is RequestStatus.PENDING:
        why = f"{request.code} was handed over to {hands.receiver.name}"
        _decide(request, RequestStatus.WITHDRAWN, why, actor=hands.actor)


KINDS["request"] = Kind(_asked_by, _settle, lambda ids, receiver: dict.fromkeys(ids, WITHDRAW.to))
