"""What the two gates of a visit allow, asked by the queue and by the chart; and that a gate ends with what it is about.

Who treats is a student: what a supervisor does with their own hands needs nobody's approval. Each rule is a setting of the clinic.
"""

from collections.abc import Collection

from sqlalchemy import select

from clinic import audit, clock, live, settings
from clinic.chart.entry import Entry, teeth_of, teeth_text
from clinic.chart.teeth import Numbering
from clinic.chart.words import sentence, teeth_listed
from clinic.errors import DomainError
from clinic.extensions import db
from clinic.models import Department, Gate, GateKind, GateStatus, Patient, Role, User, Visit
from clinic.queries import gates
from clinic.queries.evaluations import is_self_assessed

KIND_WORDS = {GateKind.START: "Approval to Start", GateKind.DISMISS: "Approval to Dismiss"}

SETTINGS = {GateKind.START: "start_gate", GateKind.DISMISS: "dismiss_gate"}
WORDS = {GateKind.START: "start", GateKind.DISMISS: "dismissal"}


def check_may_begin(visit: Visit) -> None:
    """Treatment of a student's visit begins after a supervisor has approved its start for this student, today and in this department."""
    if visit.student_id is None or not settings.read("start_gate") or gates.started_in(visit) is not None:
        return
    raise DomainError(f"Nobody has approved the start of this visit. Prepare it on the visit's page; {_who(visit)}.")


def check_may_leave(visit: Visit) -> None:
    """A student's patient goes to checkout after a supervisor has approved what the visit changed, as it is now."""
    if not settings.read("dismiss_gate"):
        return
    standing = gates.standing_of(visit)
    if not _is_students(visit, standing):
        return
    if standing.approved is None:
        raise DomainError(
            f"Nobody has approved what this visit changed. Prepare the dismissal on the visit's page; {_who(visit)}."
        )
    if not standing.is_approved:
        by = db.session.get_one(User, standing.approved.decided_by_id)
        raise DomainError(
            f"Something was changed after {by.name} approved this visit. Prepare the dismissal anew; {_who(visit)}."
        )


def check_self_assessed(visit: Visit, actor: User) -> None:
    """Where the clinic wants it, a student asks for a dismissal once the visit's student has assessed themselves. A supervisor may."""
    if actor.role is not Role.STUDENT or visit.student_id is None or not settings.read("self_assessment"):
        return
    if not is_self_assessed(visit):
        who = "Assess yourself" if visit.student_id == actor.id else "The visit's student assesses themselves"
        raise DomainError(f"{who} first, on the visit's page: the supervisor evaluates after that.")


def _is_students(visit: Visit, standing: gates.Standing) -> bool:
    """Whether a student treats or has treated in it, whoever the visit says it is with."""
    return visit.student_id is not None or any(piece.is_students for piece in standing.pieces)


def missing_of(visit: Visit) -> str:
    """Which approvals a visit that ends has not, in words; empty when it has all that the clinic asks for."""
    missing = []
    start = gates.marks_of([visit.id]).get(visit.id, {}).get(GateKind.START)
    if visit.student_id and settings.read("start_gate") and start is not GateStatus.APPROVED:
        missing.append("start")
    standing = gates.standing_of(visit)
    if settings.read("dismiss_gate") and _is_students(visit, standing) and not standing.is_approved:
        missing.append("dismissal")
    return f"without approval of {' and '.join(missing)}" if missing else ""


def missing_by_visit(visits: Collection[Visit]) -> dict[int, str]:
    """The same of several visits in one query, by whether they were approved, not whether something was changed since."""
    marks = gates.marks_of([visit.id for visit in visits])
    wanted = [kind for kind, name in SETTINGS.items() if settings.read(name)]
    found = {}
    for visit in visits:
        held = marks.get(visit.id, {})
        missing = [WORDS[kind] for kind in wanted if held.get(kind) is not GateStatus.APPROVED]
        found[visit.id] = f"without approval of {' and '.join(missing)}" if missing and visit.student_id else ""
    return found


def check_entry(
    visit: Visit,
    entry: Entry,
    before: Entry | None,
    *,
    people: Collection[User],
    numbering: Numbering | str,
    kinds: object,
) -> None:
    """What a student begins or completes is among what a supervisor approved them to start in this visit, and is the same.

    What was not planned may be charted once a start is approved, unless it cannot be undone on a wrong tooth.
    """
    students = {person.id: person.name for person in people if person.role is Role.STUDENT}
    if not settings.read("start_gate") or not students:
        return
    told = sentence(entry, numbering=numbering, kinds=kinds)  # type: ignore[arg-type]
    started = gates.started_in(visit, by=students)
    if started is None:
        raise DomainError(
            f"“{told}” cannot begin: no start is approved in this visit for {' and '.join(students.values())}. Prepare it on the visit's "
            f"page; {_who(visit)}."
        )
    if before is None:
        if entry.kind in gates.GUARDED:
            raise DomainError(f"“{told}”: plan it on the chart first, then prepare a start with it; {_who(visit)}.")
        return
    approved = started.items.get(before.thread)
    if approved is None:
        raise DomainError(
            f"“{told}” is not among what was approved to start today. Prepare a start with it; {_who(visit)}."
        )
    if approved != (entry.kind, teeth_text(entry.teeth), entry.jaw):
        keys = [key for key, _role in teeth_of(approved[1])]
        place = teeth_listed(keys, numbering) or f"the {approved[2]} jaw"
        raise DomainError(
            f"“{told}” is not what was approved: that was on {place}. Prepare a start anew; {_who(visit)}."
        )


def end_pending(visit_id: int, kinds: Collection[GateKind], *, reason: str, actor: User) -> None:
    """What waits for a supervisor is withdrawn, as what it is about is over. The entry of the queue is locked by the caller."""
    pending = (
        select(Gate)
        .where(Gate.open_key.in_([f"{visit_id}:{kind}" for kind in kinds]))
        .order_by(Gate.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    for gate in db.session.execute(pending).scalars():
        gate.status, gate.open_key = GateStatus.WITHDRAWN, None
        gate.decided_at, gate.reason = clock.now(), reason
        patient = db.session.get_one(Patient, gate.patient_id)
        audit.record(
            "gate.withdraw",
            f"{KIND_WORDS[gate.kind]} of {patient.code} ended by itself: {reason}",
            actor=actor,
            subject=gate,
            patient=gate.patient_id,
            before={"status": GateStatus.PENDING},
            after={"status": GateStatus.WITHDRAWN},
        )
        live.nudge(f"approvals:{gate.department_id}")
    db.session.flush()


def _who(visit: Visit) -> str:
    return f"a supervisor of {db.session.get_one(Department, visit.department_id).name} approves it"
