"""Who may do what: roles, permissions, and the one place where they are enforced.

A permission says what kind of act; the scoped query says on whom. `@requires` only marks a view; `enforce` runs before every
request and refuses every endpoint that declared nothing, so forgetting fails closed and decorator order cannot open a hole.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Flask, current_app, g, redirect, request, url_for
from flask.globals import request_ctx
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest

from clinic import audit, formatting, security, sessions, settings
from clinic.errors import NotAllowed
from clinic.extensions import db
from clinic.htmx import is_htmx
from clinic.models import AuthSession, BrokenGlass, Role, User
from clinic.once import UNSAFE
from clinic.queries import scope
from clinic.queries.glass import glasses_over

View = TypeVar("View", bound=Callable[..., Any])


class Permission(enum.Enum):
    """Each member's value is what it allows, in words; `docs/permissions.md` is generated from it."""

    USE_ACCOUNT = "see and change one's own account: password, PIN, second factor, sessions, drafts, notices"
    FIND_PATIENTS = "search and list the patients one may see, and open their overview"
    REGISTER_PATIENT = "register a new patient"
    EDIT_PATIENT = "change a patient's demographics"
    ARCHIVE_PATIENT = "archive and restore a patient"
    EDIT_ALERTS = "record and end a patient's alerts"
    SCHEDULE_VISIT = "schedule a visit"
    VIEW_SCHEDULE = "see the day's visits of a department"
    CHECK_IN = "check a patient in, and add a walk-in"
    VIEW_BOARD = "see the whole board of a department"
    VIEW_OWN_QUEUE = "see one's own patients in the queue"
    CALL_PATIENT = "call a waiting patient to a chair"
    MOVE_QUEUE = "move a patient to the next stage of care"
    ORDER_QUEUE = "set priority and place in line, with a reason"
    TRANSFER_QUEUE = "transfer a patient to another department's queue"
    CHECK_OUT = "finish a visit at checkout"
    CLOSE_DAY = "close the day: give each open patient an outcome"
    CALL_SUPERVISOR = "call a supervisor to the chair"
    ANSWER_CALLS = "answer, pass on and end students' calls"
    VIEW_WAITS = "see how long patients wait"
    VIEW_CHAIRS = "see which chairs are free, taken and out of service"
    MANAGE_CHAIRS = "take chairs out of service and back"
    MANAGE_DISPLAYS = "pair and revoke public displays"
    MANAGE_USERS = "create people, reset, change roles, deactivate"
    MANAGE_SETTINGS = "change the clinic's settings, departments and chairs"
    OPEN_PATIENT = "open the overview of a patient one may see"
    ASK_ASSIGNMENT = "ask that a clinician be assigned to a patient or removed"
    ASK_FOR_PATIENT = "ask for a patient for oneself"
    ASK_TRANSFER = "ask that a patient goes from one student to another, with a handover note"
    FOLLOW_REQUESTS = "see one's own requests and withdraw them"
    ASSIGN_STUDENTS = (
        "assign students to one's own patients, hand their patients over, end assignments; open cases and assign tasks"
    )
    APPROVE = "see what waits for one's approval, and approve or return it"
    VIEW_CHART = "see a patient's dental chart and its versions, and print them"
    CHART = "write on a patient's dental chart, cut versions, send them for approval"
    VIEW_DOCUMENTS = (
        "see a patient's documents; the front desk sees letters, consents and scans, not pictures of the mouth"
    )
    FILE_DOCUMENTS = (
        "add documents to a patient's record, say what they are, delete and restore them, ask that they are purged"
    )
    VIEW_HISTORY = "see what a patient says of their health: every filled form"
    TAKE_HISTORY = "fill a patient's forms, look them through with the patient, hand the patient a tablet"
    MANAGE_FORMS = (
        "change the forms of the history and of evaluations, the templates of notes and the clinic's own diagnoses"
    )
    VIEW_NOTES = "read a patient's signed notes, problems, plans of treatment and cases"
    WRITE_NOTES = (
        "write and sign notes, and addenda to them; note a patient's problems; plan treatment and witness its acceptance; "
        "work on the tasks of cases"
    )
    RECORD_MATERIALS = "see and record what material was used on a patient in a visit, and take a mistake back"
    PREPARE_GATE = "ask a supervisor for Approval to Start and to Dismiss, and assess oneself in a visit"
    DECIDE_GATE = "approve or return a start or a dismissal, and evaluate the student"
    VIEW_REQUIREMENTS = "see what one's year has to do and how far one is; supervisors: how far their students are"
    MANAGE_REQUIREMENTS = "say what students have to do; supervisors: those of their department"
    VIEW_GRADERS = "see how severe each grader of evaluations is, beside the others"
    MANAGE_CHART_KINDS = "make and retire the clinic's own kinds of chart entry"
    BREAK_GLASS = "open one patient's record without being given the patient, for a reason and an hour"
    JUDGE_GLASS = "judge whether a record was rightly opened by breaking the glass"
    VIEW_AUDIT = "see and verify the trail: who did what, who opened which record"
    EXPORT_AUDIT = "export the trail"
    VIEW_STATUS = "see how the system's parts are, and run its jobs"


P = Permission
_PATIENT_CARE = frozenset({P.USE_ACCOUNT, P.FIND_PATIENTS, P.OPEN_PATIENT, P.EDIT_ALERTS, P.CALL_PATIENT, P.MOVE_QUEUE})

ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.RECEPTIONIST: _PATIENT_CARE
    | {
        P.REGISTER_PATIENT,
        P.EDIT_PATIENT,
        P.ARCHIVE_PATIENT,
        P.SCHEDULE_VISIT,
        P.VIEW_SCHEDULE,
        P.CHECK_IN,
        P.VIEW_BOARD,
        P.ORDER_QUEUE,
        P.TRANSFER_QUEUE,
        P.CHECK_OUT,
        P.CLOSE_DAY,
        P.VIEW_CHAIRS,
        P.VIEW_WAITS,
        P.ASK_ASSIGNMENT,
        P.FOLLOW_REQUESTS,
        P.VIEW_DOCUMENTS,
        P.FILE_DOCUMENTS,
    },
    Role.STUDENT: _PATIENT_CARE
    | {
        P.VIEW_OWN_QUEUE,
        P.CALL_SUPERVISOR,
        P.ASK_FOR_PATIENT,
        P.ASK_TRANSFER,
        P.FOLLOW_REQUESTS,
        P.BREAK_GLASS,
        P.VIEW_HISTORY,
        P.TAKE_HISTORY,
        P.VIEW_NOTES,
        P.WRITE_NOTES,
        P.RECORD_MATERIALS,
        P.PREPARE_GATE,
        P.VIEW_REQUIREMENTS,
        P.VIEW_CHART,
        P.CHART,
        P.VIEW_DOCUMENTS,
        P.FILE_DOCUMENTS,
    },
    Role.SUPERVISOR: _PATIENT_CARE
    | {
        P.VIEW_OWN_QUEUE,
        P.VIEW_BOARD,
        P.VIEW_SCHEDULE,
        P.ORDER_QUEUE,
        P.TRANSFER_QUEUE,
        P.ANSWER_CALLS,
        P.VIEW_CHAIRS,
        P.VIEW_WAITS,
        P.ASK_TRANSFER,
        P.FOLLOW_REQUESTS,
        P.ASSIGN_STUDENTS,
        P.APPROVE,
        P.VIEW_HISTORY,
        P.TAKE_HISTORY,
        P.VIEW_NOTES,
        P.WRITE_NOTES,
        P.RECORD_MATERIALS,
        P.PREPARE_GATE,
        P.DECIDE_GATE,
        P.VIEW_REQUIREMENTS,
        P.MANAGE_REQUIREMENTS,
        P.VIEW_CHART,
        P.CHART,
        P.VIEW_DOCUMENTS,
        P.FILE_DOCUMENTS,
        P.VIEW_GRADERS,
        P.BREAK_GLASS,
        P.JUDGE_GLASS,
    },
    Role.NURSE: _PATIENT_CARE
    | {
        P.VIEW_BOARD,
        P.VIEW_SCHEDULE,
        P.CHECK_IN,
        P.ORDER_QUEUE,
        P.TRANSFER_QUEUE,
        P.CHECK_OUT,
        P.CLOSE_DAY,
        P.RECORD_MATERIALS,
        P.VIEW_CHAIRS,
        P.MANAGE_CHAIRS,
        P.VIEW_WAITS,
    },
    Role.ADMIN: frozenset(
        {
            P.USE_ACCOUNT,
            P.MANAGE_USERS,
            P.MANAGE_SETTINGS,
            P.MANAGE_DISPLAYS,
            P.VIEW_CHAIRS,
            P.MANAGE_CHAIRS,
            P.VIEW_WAITS,
            P.OPEN_PATIENT,
            P.VIEW_HISTORY,
            P.VIEW_NOTES,
            P.MANAGE_FORMS,
            P.MANAGE_REQUIREMENTS,
            P.VIEW_GRADERS,
            P.VIEW_CHART,
            P.VIEW_DOCUMENTS,
            P.MANAGE_CHART_KINDS,
            P.BREAK_GLASS,
            P.JUDGE_GLASS,
            P.VIEW_AUDIT,
            P.EXPORT_AUDIT,
            P.VIEW_STATUS,
        }
    ),
}


@dataclass(frozen=True)
class Access:
    """What a view declared. `permission` None means public.

    `background`: polling and streams, which do not count as a person's activity. `while_locked`: reachable from the lock page.
    `needs_key`: an unsafe request must carry a `once` key (switched off where the act is harmless to repeat by itself).
    `typed`: asked at each keystroke (see trail.py).
    `ticketed`: the address proves that the form was ours, for its body may be large and is not to be read before (security.ticket).
    `changes`: whether a broken glass is not enough; None: by the method, and by whether the same address is posted to.
    `guard`: public, but guarded by a check of its own (a display's token), named here for the generated matrix.
    """

    permission: Permission | None
    background: bool = False
    while_locked: bool = False
    needs_key: bool = True
    guard: str = ""
    typed: bool = False
    ticketed: bool = False
    changes: bool | None = None


def requires(permission: Permission, **options: Any) -> Callable[[View], View]:
    """Declare what a view needs."""

    def mark(view: View) -> View:
        view.access = Access(permission, **options)  # type: ignore[attr-defined]
        return view

    return mark


def public(*, guard: str = "", background: bool = True, needs_key: bool = False) -> Callable[[View], View]:
    """Declare that a view needs no sign-in."""

    def mark(view: View) -> View:
        view.access = Access(None, background=background, while_locked=True, needs_key=needs_key, guard=guard)  # type: ignore[attr-defined]
        return view

    return mark


def may(user: User, permission: Permission) -> bool:
    return permission in ROLE_PERMISSIONS[user.role]


def access_of(endpoint: str) -> Access | None:
    return getattr(current_app.view_functions[endpoint], "access", None)


def owner() -> str:
    """Whose forms these are: the session's, or before sign-in the browser's."""
    session = g.get("auth_session")
    return f"session:{session.id}" if session else f"visitor:{g.csrf_owner[:60]}"


def init_app(app: Flask) -> None:
    setattr(app.view_functions["static"], "access", Access(None, background=True, while_locked=True))  # noqa: B010
    app.before_request(enforce)
    app.teardown_request(_forget_request)


def _forget_request(_error: BaseException | None) -> None:
    """What a thread does after a request is nobody's look: it must not go on through a broken glass."""
    scope.only_looking.set(False)
    g.pop("glasses", None)
    audit.origin.set(audit.Origin())


def enforce() -> ResponseReturnValue | None:
    """Refuse what is not declared, not signed in, locked, not permitted, or not from our own page. In that order."""
    audit.origin.set(audit.Origin(request.remote_addr or "", (request.user_agent.string or "")[:255]))
    scope.only_looking.set(request.method not in UNSAFE)
    if request.endpoint == "static":
        return None
    session = sessions.current()
    device = security.device_token()
    g.csrf_owner = session.token_hash if session else security.digest(device) if device else ""
    if request.endpoint is None:
        return None  # Flask answers 404 or 405
    access = access_of(request.endpoint)
    if access is None:
        raise NotAllowed("This page has not declared who may use it. Tell an administrator.")
    if access.permission is not None:
        refusal = _refusal(access, session)
        if refusal is not None:
            return refusal
    if request.method in UNSAFE:
        _check_form_origin(session, access)
    if session and access.permission is not None:
        _refuse_through_glass(session, access)
    if session and not access.background and access.permission is not None:
        sessions.touch(session)
    return None


def _check_form_origin(session: AuthSession | None, access: Access) -> None:
    try:
        security.check_form_origin(by_ticket=access.ticketed)
    except BadRequest:
        if session:
            audit.record(
                "access.refused", f"Was refused: {request.path} did not come from our own page", actor=session.user
            )
            db.session.commit()
        raise


def _refusal(access: Access, session: AuthSession | None) -> ResponseReturnValue | None:
    if session is None:
        return _send_to(url_for("auth.sign_in", next=_wanted()), 401)
    if not access.while_locked and sessions.is_locked(session):
        return _send_to(url_for("auth.locked", next=_wanted()), 401)
    assert access.permission is not None
    if not may(session.user, access.permission):
        _tell_denial(session.user)
        raise NotAllowed("Ask an administrator if you need this for your work.")
    if session.user.must_change_password and request.endpoint not in CHANGE_PASSWORD_ENDPOINTS:
        return _send_to(url_for("account.password"), 401)
    if must_enrol(session.user) and request.endpoint not in ENROL_ENDPOINTS:
        return _send_to(url_for("account.second_factor"), 401)
    return None


def _refuse_through_glass(session: AuthSession, access: Access) -> None:
    """Say why nothing changes, where a 404 would only puzzle, and do not show forms that would be refused.

    The scope holds it in any case: a glass grants no change.
    """
    patient_id = (request.view_args or {}).get("patient_id")
    if not patient_id or not may(session.user, Permission.BREAK_GLASS):
        return
    adapter = request_ctx.url_adapter
    changes = request.method in UNSAFE or access.changes
    if changes is None:
        changes = adapter is not None and adapter.test(request.path, "POST")  # it shows the form
    if changes and patient_id in open_glasses():
        _tell_denial(session.user)
        raise NotAllowed(
            "You opened this record by breaking the glass: it can be read, not changed. Ask to be assigned to the patient."
        )


def open_glasses() -> dict[int, BrokenGlass]:
    """The glasses through which alone whoever is signed in sees patients, by patient; asked for once in a request."""
    if "glasses" not in g:
        g.glasses = glasses_over(g.auth_session.user)
    found: dict[int, BrokenGlass] = g.glasses
    return found


def _tell_denial(user: User) -> None:
    what = f"{formatting.view(request.endpoint or '')} ({request.method} {request.path[:150]})"
    audit.record(
        "access.denied", f"Was refused: {what}", actor=user, patient=(request.view_args or {}).get("patient_id")
    )
    db.session.commit()


def must_enrol(user: User) -> bool:
    """Whether the person's role asks for a second factor that they have not set up yet."""
    return user.totp_confirmed_at is None and user.role in settings.read("totp_roles")


def is_held(user: User) -> bool:
    """Whether every page sends the person to choose a password or to set up a second factor first."""
    return user.must_change_password or must_enrol(user)


LOCK_ENDPOINTS = frozenset(
    {"auth.sign_out", "auth.lock", "auth.locked", "auth.unlock", "auth.unlock_by_password", "auth.active"}
)
CHANGE_PASSWORD_ENDPOINTS = LOCK_ENDPOINTS | {"account.password", "account.change_password"}
ENROL_ENDPOINTS = CHANGE_PASSWORD_ENDPOINTS | {
    "account.second_factor",
    "account.begin_second_factor",
    "account.confirm_second_factor",
}


def _send_to(url: str, status: int) -> ResponseReturnValue:
    """A page for a person, an instruction for htmx (which must not swap a sign-in form into a table row)."""
    if is_htmx():
        return "", status, {"HX-Redirect": url}
    return redirect(url, 303)


def _wanted() -> str | None:
    """Where to come back to after signing in: only a page one can GET."""
    if request.method == "GET" and not is_htmx():
        return request.full_path.rstrip("?")
    current_url = request.headers.get("HX-Current-URL", "")
    return "/" + current_url.split("/", 3)[3] if current_url.count("/") >= 3 else None
