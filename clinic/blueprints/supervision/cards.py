"""What a card of one's own queue says and offers."""

from dataclasses import dataclass

from clinic.acts import PLAIN_MOVES, Act
from clinic.blueprints.queue.board import STAGE_TONES, STAGE_WORDS
from clinic.models import CallReason, Role, Stage, User
from clinic.operations.calls import CALL_STAGES
from clinic.queries.calls import Standing, calls_made, standings_for
from clinic.queries.queue import my_queue_for
from clinic.queries.queue_rows import ExpectedRow, Row

# In service first, then called, waiting, and on the way out.
IN_SERVICE = (Stage.AWAITING_SUPERVISOR, Stage.IN_TREATMENT, Stage.IN_CHAIR, Stage.AWAITING_DISMISSAL)
ORDER = {stage: place for place, stage in enumerate((*IN_SERVICE, Stage.CALLED, Stage.WAITING, Stage.CHECKOUT))}
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


def my_cards(viewer: User) -> tuple[list[MyCard], list[ExpectedRow]]:
    """The viewer's patients in the queue, in service first, and those expected later today."""
    mine = my_queue_for(viewer)
    rows = mine.in_service + mine.waiting
    visits = [row.visit_id for row in rows]
    standings = standings_for(viewer, visits)
    made = calls_made(visits)
    # Sorting keeps the line's own order among those who wait.
    rows.sort(key=lambda row: ORDER[row.stage])
    return [_card(viewer, row, standings.get(row.visit_id), made.get(row.visit_id, 0)) for row in rows], mine.expected


def _card(viewer: User, row: Row, standing: Standing | None, calls: int) -> MyCard:
    primary = row.primary
    if standing is not None and primary is Act.GO_ON:
        primary = None  # the end of the call brings the patient back to treatment
    others = tuple(act for act in row.others if act in PLAIN_MOVES and act is not Act.AWAIT_SUPERVISOR)
    reasons: tuple[CallReason, ...] = ()
    if viewer.role is Role.STUDENT:
        reasons = tuple(reason for reason in CallReason if _may_call(reason, row, standing))
    return MyCard(
        row, STAGE_TONES[row.stage], STAGE_WORDS[row.stage].capitalize(), primary, others, standing, reasons, calls
    )


def _may_call(reason: CallReason, row: Row, standing: Standing | None) -> bool:
    if row.stage not in CALL_STAGES[reason]:
        return False
    if standing is None:
        return True
    return reason is CallReason.EMERGENCY and standing.call.reason is not CallReason.EMERGENCY
