"""Sending a version of a chart to the supervisors of a department, and deciding it. An approval is bound to the version's SHA-256.

Locks: the chart, then the sign-off. Nobody approves what they sent, wrote or performed.
"""

from typing import Any, cast

from sqlalchemy import insert, or_, select
from sqlalchemy.exc import IntegrityError

from clinic import audit, clock, live
from clinic.chart import versions
from clinic.errors import Conflict, DomainError, NotAllowed
from clinic.extensions import db
from clinic.formatting import when
from clinic.models import (
    ChartEntry,
    ChartVersion,
    Patient,
    SignOff,
    SignOffStatus,
    User,
)
from clinic.operations.chart import Desk, line, lock_chart, locked_chart, needed, refuse_unseen
from clinic.operations.chart_versions import cut_for_sending
from clinic.operations.deciding import check_decides, tell_author
from clinic.operations.locks import locked
from clinic.queries import chart as charts

IN_WORDS = {
    SignOffStatus.APPROVED: "approved",
    SignOffStatus.RETURNED: "returned",
    SignOffStatus.WITHDRAWN: "withdrew",
}
ACTS = {
    SignOffStatus.APPROVED: "chart.approve",
    SignOffStatus.RETURNED: "chart.return",
    SignOffStatus.WITHDRAWN: "chart.withdraw",
}


def send_chart(patient: Patient, *, words: str, seen: int, actor: User) -> SignOff:
    """Send the chart as the person sees it to the supervisors of their department, as a version.

    Raises Conflict when it has changed since, or when something of this patient waits already.
    """
    told = line(words)
    if actor.department_id is None:
        raise DomainError("You have no department whose supervisors could approve this. Ask an administrator.")
    desk = lock_chart(patient, actor=actor)
    if desk is None:
        raise DomainError("Nothing is charted yet. There is nothing to send.")
    refuse_unseen(desk, seen)
    _refuse_again(_standing(patient.id))
    version = _version_to_send(desk)
    try:
        made = db.session.execute(
            insert(SignOff).values(
                patient_id=patient.id,
                chart_version_id=version.id,
                sha256=version.sha256,
                words=told,
                department_id=actor.department_id,
                asked_by_id=actor.id,
                asked_at=clock.now(),
                status=SignOffStatus.PENDING,
                open_key=patient.id,
                reason="",
                version=1,
            )
        )
    except IntegrityError:
        _refuse_again(_standing(patient.id))
        raise
    sign_off = db.session.get_one(SignOff, cast("Any", made).inserted_primary_key[0])
    audit.record(
        "chart.send",
        f"Sent version {version.number} of the chart of {patient.code} for approval",
        actor=actor,
        subject=sign_off,
        patient=patient.id,
        after={"number": version.number, "sha256": version.sha256},
        reason=told or None,
    )
    live.nudge(f"approvals:{actor.department_id}")
    return sign_off


def approve_chart(sign_off_id: int, *, version: int, actor: User, reason: str = "") -> SignOff:
    """Approve exactly the version that was shown. Everything is judged again as it is now, and the bytes are read anew."""
    sign_off, cut = _locked(sign_off_id, version)
    check_may_decide(sign_off, cut, actor)
    if versions.digest(cut.before_sha256, cut.body) != sign_off.sha256 or cut.sha256 != sign_off.sha256:
        raise DomainError("This version does not read as it was sent. Nothing was approved; tell an administrator.")
    _decide(sign_off, cut, SignOffStatus.APPROVED, line(reason), actor=actor)
    return sign_off


def return_chart(sign_off_id: int, *, version: int, reason: str, actor: User) -> SignOff:
    """Give it back with a reason, which whoever sent it is told."""
    sign_off, cut = _locked(sign_off_id, version)
    check_may_decide(sign_off, cut, actor)
    told = needed(reason, "Write why you return it; whoever sent it reads that.")
    _decide(sign_off, cut, SignOffStatus.RETURNED, told, actor=actor)
    return sign_off


def withdraw_chart(sign_off_id: int, *, version: int, actor: User, reason: str = "") -> SignOff:
    """Whoever sent it takes it back."""
    sign_off, cut = _locked(sign_off_id, version)
    if sign_off.asked_by_id != actor.id:
        raise NotAllowed("Only whoever sent this can withdraw it. A supervisor can return it with a reason.")
    _decide(sign_off, cut, SignOffStatus.WITHDRAWN, line(reason), actor=actor)
    return sign_off


def check_may_decide(sign_off: SignOff, cut: ChartVersion, actor: User) -> None:
    """Raise, with the sentence that says who can, when this person does not decide this."""
    check_decides(actor, department_id=sign_off.department_id, patient_id=sign_off.patient_id)
    if why := why_own(sign_off, cut, actor):
        raise DomainError(why)


def why_own(sign_off: SignOff, cut: ChartVersion, person: User) -> str:
    """Why it is the person's own work, as a sentence; empty when it is not."""
    if person.id in (sign_off.asked_by_id, cut.author_id):
        return "You sent or wrote this yourself. Another supervisor of the department decides."
    before = charts.approved_before(sign_off.patient_id, cut.number)
    theirs = select(ChartEntry.id).where(
        ChartEntry.patient_id == sign_off.patient_id,
        ChartEntry.stroke > (before.stroke if before else 0),
        ChartEntry.stroke <= cut.stroke,
        or_(ChartEntry.performer_id == person.id, ChartEntry.entered_by_id == person.id),
    )
    if db.session.execute(theirs.limit(1)).first() is not None:
        return "You performed or charted a part of this yourself. Another supervisor of the department decides."
    return ""


def how_it_stands(sign_off: SignOff) -> str:
    """Who did what to it, and when."""
    if sign_off.status is SignOffStatus.PENDING:
        asked_by = db.session.get_one(User, sign_off.asked_by_id)
        return f"{asked_by.name} sent a version of this chart for approval on {when(sign_off.asked_at)}; it is not decided yet."
    assert sign_off.decided_at is not None
    by = db.session.get_one(User, sign_off.decided_by_id)
    return f"{by.name} {IN_WORDS[sign_off.status]} this on {when(sign_off.decided_at)}."


def follow(sign_off: SignOff, person: User, *, actor: User) -> None:
    """Somebody else takes care of what waits: they are told of the outcome and can withdraw it. Patient locked by the caller."""
    locked_chart(sign_off.patient_id)
    sign_off = locked(SignOff, sign_off.id)
    if sign_off.status is not SignOffStatus.PENDING:
        return
    former = db.session.get_one(User, sign_off.asked_by_id)
    sign_off.asked_by_id = person.id
    db.session.flush()
    audit.record(
        "chart.follow",
        f"What {former.name} sent for approval is taken care of by {person.name} now",
        actor=actor,
        subject=sign_off,
        patient=sign_off.patient_id,
        before={"asked_by": former.id},
        after={"asked_by": person.id},
    )
    live.nudge(f"approvals:{sign_off.department_id}")


def take_back(sign_off: SignOff, *, reason: str, actor: User) -> None:
    """What waits is withdrawn for whoever sent it, who no longer has the patient. Patient locked by the caller."""
    locked_chart(sign_off.patient_id)
    sign_off = locked(SignOff, sign_off.id)
    if sign_off.status is SignOffStatus.PENDING:
        cut = db.session.get_one(ChartVersion, sign_off.chart_version_id)
        _decide(sign_off, cut, SignOffStatus.WITHDRAWN, reason, actor=actor)


def _locked(sign_off_id: int, version: int) -> tuple[SignOff, ChartVersion]:
    """The sign-off, locked after its chart, and its version. Raises Conflict when it is decided or changed."""
    patient_id = db.session.execute(select(SignOff.patient_id).where(SignOff.id == sign_off_id)).scalar_one()
    locked_chart(patient_id)
    sign_off = locked(SignOff, sign_off_id)
    if sign_off.status is not SignOffStatus.PENDING or sign_off.version != version:
        raise Conflict(how_it_stands(sign_off))
    cut = db.session.get_one(ChartVersion, sign_off.chart_version_id, populate_existing=True)
    return sign_off, cut


def _version_to_send(desk: Desk) -> ChartVersion:
    """The last version when it holds all of the chart and nobody has sent it; else a new one."""
    last = charts.last_version(desk.patient.id)
    if last is not None and last.stroke == desk.chart.stroke:
        sent = db.session.execute(select(SignOff).where(SignOff.chart_version_id == last.id)).scalar_one_or_none()
        if sent is None:
            return last
        if sent.status is SignOffStatus.APPROVED:
            raise DomainError(f"Nothing has changed since version {last.number} was approved.")
    return cut_for_sending(desk)


def _standing(patient_id: int) -> SignOff | None:
    open_one = select(SignOff).where(SignOff.open_key == patient_id).with_for_update(read=True)
    return db.session.execute(open_one).scalar_one_or_none()


def _refuse_again(standing: SignOff | None) -> None:
    if standing is not None:
        raise Conflict(f"{how_it_stands(standing)} Withdraw that first, or wait until it is decided.")


def _decide(sign_off: SignOff, cut: ChartVersion, status: SignOffStatus, reason: str, *, actor: User) -> None:
    patient = db.session.get_one(Patient, sign_off.patient_id)
    sign_off.status, sign_off.open_key = status, None
    sign_off.decided_by_id, sign_off.decided_at, sign_off.reason = actor.id, clock.now(), reason
    db.session.flush()
    audit.record(
        ACTS[status],
        f"{IN_WORDS[status].capitalize()} version {cut.number} of the chart of {patient.code}",
        actor=actor,
        subject=sign_off,
        patient=patient.id,
        before={"status": SignOffStatus.PENDING},
        after={"status": status, "number": cut.number, "sha256": cut.sha256},
        reason=reason or None,
    )
    live.nudge(f"approvals:{sign_off.department_id}")
    if actor.id != sign_off.asked_by_id:
        _tell_asker(sign_off, cut, patient, actor)


def _tell_asker(sign_off: SignOff, cut: ChartVersion, patient: Patient, actor: User) -> None:
    said = f"{actor.name} {IN_WORDS[sign_off.status]} version {cut.number} of the chart of {patient.code}"
    tell_author(
        sign_off.asked_by_id,
        f"{said}: {sign_off.reason}" if sign_off.reason else f"{said}.",
        otherwise=f"{actor.name} {IN_WORDS[sign_off.status]} a chart that you sent.",
        kind=f"chart.{IN_WORDS[sign_off.status]}",
        url=f"/patients/{patient.id}/chart",
        patient_id=patient.id,
    )
