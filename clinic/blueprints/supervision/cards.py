"""What a card of one's own queue says and offers."""

from collections.abc import Mapping
from dataclasses import dataclass

from clinic import settings
from clinic.acts import PLAIN_MOVES, Act
from clinic.blueprints.queue.board import STAGE_TONES, STAGE_WORDS
from clinic.models import CallReason, GateKind, GateStatus, Role, Stage, User
from clinic.operations.calls import CALL_STAGES
from clinic.operations.gate_rules import SETTINGS
from clinic.queries.calls import Standing, calls_made, standings_for
from clinic.queries.gates import marks_of
from clinic.queries.queue import my_queue_for
from clinic.queries.queue_rows import ExpectedRow, Row

# In service first, then called, waiting, and on the way out.
IN_SERVICE = (Stage.AWAITING_SUPERVISOR, Stage.IN_TREATMENT, Stage.IN_CHAIR, Stage.AWAITING_DISMISSAL)
ORDER = {stage: place for place, stage in enumerate((*IN_SERVICE, Stage.CALLED, Stage.WAITING, Stage.CHECKOUT))}
# Whose approval a patient in this stage goes on by, and by which setting.
GATES = {
    Stage.IN_CHAIR: GateKind.START,
    Stage.IN_TREATMENT: GateKind.DISMISS,
    Stage.AWAITING_DISMISSAL: GateKind.DISMISS,
}
REASON_ICONS = {
    CallReason.EMERGENCY: "alert-triangle",
    CallReason.START_CHECK: "player-play",
    CallReason.STEP_CHECK: "checklist",
    CallReason.HELP: "help",
    CallReason.SIGN_OFF: "signature",
}


@dataclass(frozen=True)
class MyCard:
    """One of the viewer's patients in the queue, with what they may do next."""

    row: Row
    tone: str
    word: str
    primary: Act | None
    others: tuple[Act, ...]
    standing: Standing | None  # of the open call
    reasons: tuple[CallReason, ...]  # for which a supervisor can be called now
    calls: int  # made so far in this visit
    gate: GateKind | None  # of which a supervisor's approval is asked for next
    gate_status: GateStatus | None  # how that stands, when it was prepared


def my_cards(viewer: User) -> tuple[list[MyCard], list[ExpectedRow]]:
    """The viewer's patients in the queue, in service first, and those expected later today."""
    mine = my_queue_for(viewer)
    rows = mine.in_service + mine.waiting
    visits = [row.visit_id for row in rows]
    standings = standings_for(viewer, visits)
    made = calls_made(visits)
    # Sorting keeps the line's own order among those who wait.
    rows.sort(key=lambda row: ORDER[row.stage])
    marks = marks_of(visits)
    return [
        _card(viewer, row, standings.get(row.visit_id), made.get(row.visit_id, 0), marks.get(row.visit_id, {}))
        for row in rows
    ], mine.expected


def _card(
    viewer: User, row: Row, standing: Standing | None, calls: int, marks: Mapping[GateKind, GateStatus]
) -> MyCard:
    primary = row.primary
    gate = GATES.get(row.stage)
    gate = gate if gate and row.student and settings.read(SETTINGS[gate]) else None
    if gate and primary in (Act.START_TREATMENT, Act.ASK_DISMISSAL) and marks.get(gate) is not GateStatus.APPROVED:
        primary = None  # the approval takes the patient on
    if standing is not None and primary is Act.GO_ON:
        primary = None  # the end of the call brings the patient back to treatment
    others = tuple(act for act in row.others if act in PLAIN_MOVES and act is not Act.AWAIT_SUPERVISOR)
    reasons: tuple[CallReason, ...] = ()
    if viewer.role is Role.STUDENT:
        reasons = tuple(reason for reason in CallReason if _may_call(reason, row, standing))
    return MyCard(
        row, STAGE_TONES[row.stage], STAGE_WORDS[row.stage].capitalize(), primary, others, standing, reasons, calls,
        gate, marks.get(gate) if gate else None,
    )  # fmt: skip


def _may_call(reason: CallReason, row: Row, standing: Standing | None) -> bool:
    if row.stage not in CALL_STAGES[reason]:
        return False
    if standing is None:
        return True
    return reason is CallReason.EMERGENCY and standing.call.reason is not CallReason.EMERGENCY
