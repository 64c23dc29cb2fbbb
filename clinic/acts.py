"""What can be done with a patient in the queue: from which stage, to which stage, and by whom.

One table for the operations, which refuse, and for the board, which offers. Names are the clinic's words on the buttons.
"""

import enum

from clinic.models import CHAIR_STAGES, Role, Stage


class Act(enum.StrEnum):
    CALL = "call"
    CALL_AGAIN = "call_again"
    PUT_BACK = "put_back"
    SEAT = "seat"
    START_TREATMENT = "start_treatment"
    AWAIT_SUPERVISOR = "await_supervisor"
    GO_ON = "go_on"
    ASK_DISMISSAL = "ask_dismissal"
    BACK_TO_TREATMENT = "back_to_treatment"
    DISMISS = "dismiss"
    FINISH = "finish"
    CHANGE_CHAIR = "change_chair"
    SET_PRIORITY = "set_priority"
    SET_PLACE = "set_place"
    TRANSFER = "transfer"
    LEAVE = "leave"

    @property
    def label(self) -> str:
        """The words on its button."""
        return LABELS[self]

    @property
    def to(self) -> Stage | None:
        """The stage it leads to; None when the patient stays in the stage."""
        return TO.get(self)


LABELS = {
    Act.CALL: "Call",
    Act.CALL_AGAIN: "Call again",
    Act.PUT_BACK: "Did not come: back in line",
    Act.SEAT: "In the chair",
    Act.START_TREATMENT: "Start treatment",
    Act.AWAIT_SUPERVISOR: "Wait for supervisor",
    Act.GO_ON: "Go on with treatment",
    Act.ASK_DISMISSAL: "Ask for dismissal",
    Act.BACK_TO_TREATMENT: "Back to treatment",
    Act.DISMISS: "To checkout",
    Act.FINISH: "Finish visit",
    Act.CHANGE_CHAIR: "Change chair",
    Act.SET_PRIORITY: "Set priority",
    Act.SET_PLACE: "Set place in line",
    Act.TRANSFER: "Transfer to another department",
    Act.LEAVE: "Left without being seen",
}

FROM: dict[Act, frozenset[Stage]] = {
    Act.CALL: frozenset({Stage.WAITING}),
    Act.CALL_AGAIN: frozenset({Stage.CALLED}),
    Act.PUT_BACK: frozenset({Stage.CALLED}),
    Act.SEAT: frozenset({Stage.CALLED}),
    Act.START_TREATMENT: frozenset({Stage.IN_CHAIR}),
    Act.AWAIT_SUPERVISOR: frozenset({Stage.IN_TREATMENT}),
    Act.GO_ON: frozenset({Stage.AWAITING_SUPERVISOR}),
    Act.ASK_DISMISSAL: frozenset({Stage.IN_TREATMENT}),
    Act.BACK_TO_TREATMENT: frozenset({Stage.AWAITING_DISMISSAL}),
    Act.DISMISS: frozenset({Stage.AWAITING_DISMISSAL}),
    Act.FINISH: frozenset({Stage.CHECKOUT}),
    Act.CHANGE_CHAIR: CHAIR_STAGES,
    Act.SET_PRIORITY: frozenset({Stage.WAITING}),
    Act.SET_PLACE: frozenset({Stage.WAITING}),
    Act.TRANSFER: frozenset({Stage.WAITING, Stage.CALLED, Stage.IN_CHAIR}),
    Act.LEAVE: frozenset({Stage.WAITING, Stage.CALLED, Stage.IN_CHAIR}),
}
TO: dict[Act, Stage] = {
    Act.CALL: Stage.CALLED,
    Act.PUT_BACK: Stage.WAITING,
    Act.SEAT: Stage.IN_CHAIR,
    Act.START_TREATMENT: Stage.IN_TREATMENT,
    Act.AWAIT_SUPERVISOR: Stage.AWAITING_SUPERVISOR,
    Act.GO_ON: Stage.IN_TREATMENT,
    Act.ASK_DISMISSAL: Stage.AWAITING_DISMISSAL,
    Act.BACK_TO_TREATMENT: Stage.IN_TREATMENT,
    Act.DISMISS: Stage.CHECKOUT,
    Act.FINISH: Stage.DONE,
    Act.TRANSFER: Stage.TRANSFERRED,
    Act.LEAVE: Stage.LEFT,
}
# The acts that need nothing but the stage to go to: `operations.queue.move`.
PLAIN_MOVES = (
    Act.SEAT,
    Act.START_TREATMENT,
    Act.AWAIT_SUPERVISOR,
    Act.GO_ON,
    Act.ASK_DISMISSAL,
    Act.BACK_TO_TREATMENT,
    Act.DISMISS,
    Act.FINISH,
)
_CARE = frozenset({Role.RECEPTIONIST, Role.STUDENT, Role.SUPERVISOR, Role.NURSE})
_NOT_STUDENTS = _CARE - {Role.STUDENT}
BY: dict[Act, frozenset[Role]] = dict.fromkeys(Act, _CARE) | {
    Act.DISMISS: _NOT_STUDENTS,
    Act.SET_PRIORITY: _NOT_STUDENTS,
    Act.SET_PLACE: _NOT_STUDENTS,
    Act.TRANSFER: _NOT_STUDENTS,
    Act.FINISH: frozenset({Role.RECEPTIONIST, Role.NURSE}),
}
UNDOES_FOR_OTHERS = Role.NURSE
# The next step that is offered first. A student's "wait for supervisor" stands before "ready to be dismissed" in the menu.
PRIMARY = {
    Stage.WAITING: Act.CALL,
    Stage.CALLED: Act.SEAT,
    Stage.IN_CHAIR: Act.START_TREATMENT,
    Stage.IN_TREATMENT: Act.ASK_DISMISSAL,
    Stage.AWAITING_SUPERVISOR: Act.GO_ON,
    Stage.AWAITING_DISMISSAL: Act.DISMISS,
    Stage.CHECKOUT: Act.FINISH,
}


def plain_move(stage: Stage, to: Stage) -> Act | None:
    """The act that `move` performs between two stages; None when there is none."""
    return next((act for act in PLAIN_MOVES if stage in FROM[act] and TO[act] is to), None)


def offered(role: Role, stage: Stage) -> tuple[Act | None, tuple[Act, ...]]:
    """The primary act and the others that this role may do with an entry in this stage."""
    acts = [act for act in Act if stage in FROM[act] and role in BY[act]]
    first = PRIMARY.get(stage)
    return (first if first in acts else None), tuple(act for act in acts if act is not first)


class Outcome(enum.StrEnum):
    """What closing the day says of a patient who is still in the queue."""

    DONE = Stage.DONE.value
    LEFT = Stage.LEFT.value  # only before treatment began
    DID_NOT_FINISH = "did_not_finish"  # was being treated; the visit ends, the work goes on another day
    CARRY_OVER = "carry_over"  # stays in the queue, on purpose and by name

    @property
    def label(self) -> str:
        return OUTCOME_LABELS[self]


OUTCOME_LABELS = {
    Outcome.DONE: "Finished",
    Outcome.LEFT: "Left without being seen",
    Outcome.DID_NOT_FINISH: "Did not finish today",
    Outcome.CARRY_OVER: "Stays in the queue",
}


def outcomes_for(stage: Stage) -> tuple[Outcome, ...]:
    """The outcomes that closing the day allows for a patient in this stage."""
    if stage in FROM[Act.LEAVE]:
        return (Outcome.LEFT, Outcome.CARRY_OVER)
    return (Outcome.DONE, Outcome.DID_NOT_FINISH, Outcome.CARRY_OVER)
