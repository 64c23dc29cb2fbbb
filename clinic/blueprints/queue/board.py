"""How the board looks, and one rendered body of it for all viewers with equal rights."""

import re
import secrets
from datetime import datetime
from typing import Any, NamedTuple

from flask import render_template
from markupsafe import Markup

from clinic import acts, assets, clock, live, security, settings
from clinic.access import ROLE_PERMISSIONS
from clinic.acts import Act
from clinic.models import Department, Role, Stage, User
from clinic.queries.coverage import coverage_now
from clinic.queries.queue import LANE_TITLES, LANES, Board, Lane, board_for, own_moves
from clinic.queries.queue_rows import Row

# Which acts there are, by stage and role, is in clinic/acts.py; here is how they look. Those in ASKS have a form of their own.
ICONS = {
    Act.CALL: "speakerphone",
    Act.CALL_AGAIN: "speakerphone",
    Act.PUT_BACK: "walk",
    Act.SEAT: "armchair",
    Act.START_TREATMENT: "dental",
    Act.AWAIT_SUPERVISOR: "bell-ringing",
    Act.GO_ON: "dental",
    Act.ASK_DISMISSAL: "hourglass-high",
    Act.BACK_TO_TREATMENT: "dental",
    Act.DISMISS: "cash",
    Act.FINISH: "circle-check",
    Act.CHANGE_CHAIR: "armchair",
    Act.SET_PRIORITY: "flag",
    Act.SET_PLACE: "pin",
    Act.TRANSFER: "arrows-exchange",
    Act.LEAVE: "door-exit",
}
ASKS = frozenset({Act.CALL, Act.CHANGE_CHAIR, Act.SET_PRIORITY, Act.SET_PLACE, Act.TRANSFER, Act.LEAVE})
# The last part of an act's address; plain moves share one.
SEGMENTS = (
    {act: act.value.replace("_", "-") for act in Act}
    | dict.fromkeys((act for act in acts.PLAIN_MOVES if act is not Act.FINISH), "move")
    | {Act.SET_PRIORITY: "priority", Act.SET_PLACE: "place", Act.CHANGE_CHAIR: "chair"}
)
# Short enough for a badge; sentences say `operations.queue.IN_WORDS`.
STAGE_WORDS = {
    Stage.WAITING: "waiting",
    Stage.CALLED: "called",
    Stage.IN_CHAIR: "in the chair",
    Stage.IN_TREATMENT: "in treatment",
    Stage.AWAITING_SUPERVISOR: "needs supervisor",
    Stage.AWAITING_DISMISSAL: "to be dismissed",
    Stage.CHECKOUT: "at checkout",
}
STAGE_TONES = {
    Stage.WAITING: "waiting",
    Stage.CALLED: "called",
    Stage.IN_CHAIR: "in-care",
    Stage.IN_TREATMENT: "in-care",
    Stage.AWAITING_SUPERVISOR: "needs-supervisor",
    Stage.AWAITING_DISMISSAL: "needs-supervisor",
    Stage.CHECKOUT: "done",
}
LANE_ICONS = {
    "waiting": "clock",
    "called": "speakerphone",
    "in_chair": "armchair",
    "awaiting_supervisor": "stethoscope",
    "checkout": "cash",
}
LANE_EMPTY = {
    "waiting": "Patients appear here when they are checked in.",
    "called": "Called patients stay here until they sit.",
    "in_chair": "Nobody is in a chair.",
    "awaiting_supervisor": "Nobody waits for a supervisor.",
    "checkout": "Nobody waits to leave.",
}
ALERT_ICONS = {"allergy": "alert-hexagon", "condition": "heartbeat", "medicine": "pill", "handling": "hand-stop"}
# Short enough to stand over a narrow lane.
LANE_WORDS = LANE_TITLES | {"in_chair": "In chair", "awaiting_supervisor": "Needs supervisor"}
TABS = {"expected": "Expected"} | LANE_WORDS | {"done": "Done"}

# Marks in a rendered body, filled in or cut out for each viewer. Random, so that no stored text can contain one.
CSRF_MARK, UNDO_BEGINS, UNDO_ENDS = (secrets.token_hex(8) for _ in range(3))
UNDO = re.compile(f"{UNDO_BEGINS}(\\d+)\\|(.*?){UNDO_ENDS}", re.DOTALL)
LOOKS: dict[str, Any] = {
    "csrf": CSRF_MARK,
    "undo_begins": UNDO_BEGINS,
    "undo_ends": UNDO_ENDS,
    "icons": ICONS,
    "asks": ASKS,
    "segments": SEGMENTS,
    "leave": Act.LEAVE,
    "words_of": STAGE_WORDS,
    "tones": STAGE_TONES,
    "titles": LANE_WORDS,
    "lane_icons": LANE_ICONS,
    "lane_empty": LANE_EMPTY,
    "alert_icons": ALERT_ICONS,
}
MOST_BODIES = 200
_bodies: dict[tuple[int, str], tuple[str, str]] = {}


class Group(NamedTuple):
    """The cards of one stage inside a lane, and since when the longest of them is in it."""

    stage: Stage
    rows: list[Row]
    since: datetime


def seen_now(department: Department) -> str:
    """Names what the board shows at this moment: the newest change of its topic, and the minute, for waits and thresholds."""
    return f"{live.newest([f'queue:{department.id}'])}.{int(clock.now().timestamp()) // 60}"


def body_for(viewer: User, department: Department, seen: str) -> Markup | None:
    """The board's HTML; None when the viewer may not see this department's.

    Rendered once per change and minute for all viewers with equal rights, who then get their own token, and the undo of what
    they may undo.
    """
    key = (department.id, str(viewer.role) if viewer.role is not Role.SUPERVISOR else f"user:{viewer.id}")
    held = _bodies.get(key)
    if held is None or held[0] != seen:
        board = board_for(viewer, department.id)
        if board is None:
            return None
        if len(_bodies) >= MOST_BODIES:
            _bodies.clear()
        held = _bodies[key] = seen, draw(board, viewer, seen)
    undoable = own_moves(viewer, department.id)

    def undo(found: re.Match[str]) -> str:
        return found[2] if int(found[1]) in undoable else ""

    return Markup(UNDO.sub(undo, held[1]).replace(CSRF_MARK, security.csrf_token()))  # noqa: S704 - our own template


def forget_bodies() -> None:
    """Drop the rendered boards held in this process (between tests, whose changes are rolled back)."""
    _bodies.clear()


def draw(board: Board, viewer: User, seen: str) -> str:
    """The board's HTML with the marks in it; about 9 ms of processor time for sixty patients."""
    return render_template(
        "queue/_board.html",
        board=board,
        lanes=[(lane, _groups(lane)) for lane in board.lanes],
        coverage=coverage_now([board.department.id])[board.department.id],
        longest=min((row.arrived_at for row in board.rows), default=None),
        thresholds=settings.read("stage_thresholds"),
        undo_seconds=settings.read("undo_minutes") * 60,
        seen=seen,
        can={permission.name for permission in ROLE_PERMISSIONS[viewer.role]},
        sprite=assets.asset("vendor/icons.svg"),
        **LOOKS,
    )


def _groups(lane: Lane) -> list[Group]:
    """The lane's rows by stage. Those who wait stand in the order of the line, everyone else by who is stuck longest."""
    groups = []
    for stage in LANES[lane.key]:
        rows = [row for row in lane.rows if row.stage is stage]
        if stage is not Stage.WAITING:
            rows.sort(key=lambda row: (row.stage_since, row.entry_id))
        if rows:
            groups.append(Group(stage, rows, min(row.stage_since for row in rows)))
    return groups
