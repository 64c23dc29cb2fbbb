"""The lifecycle of a patient in the queue, written down apart from clinic/acts.py, which must agree with it."""

from clinic.models import Stage

# Any other move is refused with a sentence. CALLED -> WAITING is a no-show put back in line.
# TRANSFERRED closes the entry here and opens a WAITING one in the other department.
STAGE_MOVES: dict[Stage, frozenset[Stage]] = {
    Stage.WAITING: frozenset({Stage.CALLED, Stage.LEFT, Stage.TRANSFERRED}),
    Stage.CALLED: frozenset({Stage.IN_CHAIR, Stage.WAITING, Stage.LEFT, Stage.TRANSFERRED}),
    Stage.IN_CHAIR: frozenset({Stage.IN_TREATMENT, Stage.LEFT, Stage.TRANSFERRED}),
    Stage.IN_TREATMENT: frozenset({Stage.AWAITING_SUPERVISOR, Stage.AWAITING_DISMISSAL}),
    Stage.AWAITING_SUPERVISOR: frozenset({Stage.IN_TREATMENT}),
    Stage.AWAITING_DISMISSAL: frozenset({Stage.CHECKOUT, Stage.IN_TREATMENT}),
    Stage.CHECKOUT: frozenset({Stage.DONE}),
    Stage.DONE: frozenset(),
    Stage.LEFT: frozenset(),
    Stage.TRANSFERRED: frozenset(),
}
