"""What every template may use without being handed it."""

from functools import lru_cache
from typing import Any, NamedTuple

from flask import Flask, g, request, url_for
from flask_login import current_user
from jinja2 import Environment, pass_environment
from markupsafe import Markup

from clinic import access, assets, clock, once, security, settings
from clinic.approvals.inbox import number_waiting
from clinic.chart import teeth
from clinic.chart.drawing import ToothDrawn, drawing_of
from clinic.chart.key import key_of
from clinic.chart.mouth import Mouth
from clinic.chart.teeth import Numbering
from clinic.chart.words import table_of
from clinic.models import BrokenGlass, Patient
from clinic.queries.cases import overdue_tasks
from clinic.queries.notes import Unfinished, unfinished_notes
from clinic.queries.notices import unread_notices


class Place(NamedTuple):
    """A link of the main navigation: word, endpoint, the permission of those whom it is shown, icon."""

    word: str
    endpoint: str
    permission: str
    icon: str


PLACES = (
    Place("Supervision", "supervision.index", "ANSWER_CALLS", "bell-ringing"),
    Place("Approvals", "approvals.index", "APPROVE", "checklist"),
    Place("Queue", "queue.index", "VIEW_BOARD", "list-details"),
    Place("My queue", "supervision.my_queue", "VIEW_OWN_QUEUE", "stethoscope"),
    Place("Patients", "patients.index", "FIND_PATIENTS", "users"),
    Place("Students", "assignments.index", "ASSIGN_STUDENTS", "user-plus"),
    Place("Requests", "requests.index", "ASK_ASSIGNMENT", "checklist"),
    Place("Requests", "requests.index", "ASK_FOR_PATIENT", "checklist"),
    Place("Schedule", "visits.schedule", "VIEW_SCHEDULE", "calendar"),
    Place("Chairs", "chairs.index", "VIEW_CHAIRS", "armchair"),
    Place("Waits", "waits.index", "VIEW_WAITS", "chart-bar"),
    Place("Broken glass", "glass.review", "JUDGE_GLASS", "eye-exclamation"),
    Place("People", "people.index", "MANAGE_USERS", "id"),
    Place("Note templates", "note_templates.index", "MANAGE_FORMS", "edit"),
    Place("Trail", "audit.index", "VIEW_AUDIT", "list-search"),
    Place("Displays", "displays.index", "MANAGE_DISPLAYS", "device-tv"),
    Place("Status", "status.index", "VIEW_STATUS", "heartbeat"),
    Place("Settings", "settings.index", "MANAGE_SETTINGS", "settings"),
)
ACCOUNT_PLACES = (
    Place("Today", "home.index", "USE_ACCOUNT", "home"),
    Place("Notices", "notices.index", "USE_ACCOUNT", "bell"),
    Place("Cases", "cases.mine", "WRITE_NOTES", "checklist"),
    Place("Unapproved work", "gates.ageing", "PREPARE_GATE", "hourglass-high"),
    Place("Requirements", "requirements.index", "VIEW_REQUIREMENTS", "chart-bar"),
    Place("Evaluations", "evaluations.index", "PREPARE_GATE", "list-details"),
    Place("Graders", "graders.index", "VIEW_GRADERS", "chart-bar"),
    Place("Break the glass", "glass.index", "BREAK_GLASS", "eye-exclamation"),
    Place("Sessions", "account.sessions", "USE_ACCOUNT", "history"),
    Place("Password", "account.password", "USE_ACCOUNT", "lock"),
    Place("PIN", "account.pin", "USE_ACCOUNT", "keyboard"),
    Place("Second factor", "account.second_factor", "USE_ACCOUNT", "id"),
)


def init_app(app: Flask) -> None:
    app.jinja_env.globals.update(
        csrf_token=security.csrf_token,
        once_key=once.new_key,
        may=_may,
        is_held=lambda: access.is_held(current_user),
        setting=settings.read,
        now=clock.now,
        today=clock.today,
        asset=assets.asset,
        inlined=assets.inlined,
        toast=toast,
        key_of=key_of,
        tooth_svg=tooth_svg,
        chart_svg=chart_svg,
        chart_table=chart_table,
        navigation=navigation,
        number_waiting=lambda: number_waiting(current_user),
        unread_notices=lambda: unread_notices(current_user),
        glass_over=glass_over,
        may_chart=may_chart,
        may_file=may_file,
        may_write_notes=may_write_notes,
        unfinished_notes=unfinished,
        overdue_tasks=lambda: overdue_tasks(current_user),
        teeth_of=teeth_of,
        ticket=security.ticket,
        draft_key=lambda: security.draft_key(current_user.id),
        account_places=ACCOUNT_PLACES[1:],
    )


@pass_environment
@lru_cache(maxsize=1024)  # of some 6 to 12 kB each, with what they were drawn from
def tooth_svg(environment: Environment, tooth: ToothDrawn, prefix: str) -> Markup:
    """A tooth of a chart; kept, as after a stroke, and from one mouth to the next, most teeth look the same."""
    drawn: Markup = environment.get_template("chart/_svg.html").module.tooth(tooth, prefix)  # type: ignore[attr-defined]
    return drawn


@pass_environment
@lru_cache(maxsize=64)  # of some 110 kB each
def chart_svg(environment: Environment, mouth: Mouth, legend: str, numbering: Numbering) -> Markup:
    """The picture of a mouth; kept, as between two strokes it is looked at by several people, several times."""
    drawing = drawing_of(mouth, legend=legend, numbering=numbering)
    return Markup(environment.get_template("chart/_chart.svg.jinja").render(drawing=drawing))  # noqa: S704 - a template's


@pass_environment
@lru_cache(maxsize=64)  # of some 25 kB each
def chart_table(environment: Environment, mouth: Mouth, numbering: Numbering, patient_id: int) -> Markup:
    """The mouth as a table, kept as its picture is."""
    rows = table_of(mouth, numbering)
    return Markup(environment.get_template("chart/_table.html").render(rows=rows, patient_id=patient_id))  # noqa: S704 - a template's


def toast() -> tuple[str, str | None] | None:
    """What the last act of this person said, once it has sent them here."""
    key = request.args.get("said", "")
    return once.said(access.owner(), key) if key and g.get("auth_session") else None


def navigation() -> list[tuple[Place, str, bool]]:
    """The viewer's places: each with its address and whether it is where they are."""
    places = [(place, url_for(place.endpoint)) for place in PLACES if _may(place.permission)]
    here = max(
        (url for _, url in places if f"{request.path}/".startswith(f"{url.rstrip('/')}/")), key=len, default=None
    )
    return [(place, url, url == here) for place, url in places]


def pages_named(text: str) -> list[tuple[Place, str]]:
    """The viewer's places whose name has a word that begins with the text; all of them for no text."""
    wanted = text.casefold()
    return [
        (place, url_for(place.endpoint))
        for place in (*PLACES, *ACCOUNT_PLACES)
        if _may(place.permission)
        and any(part.startswith(wanted) for part in (place.word.casefold(), *place.word.casefold().split()))
    ]


def glass_over(patient: Patient) -> BrokenGlass | None:
    """The broken glass through which alone the viewer sees this patient; then nothing on the page may change anything."""
    if not _may("BREAK_GLASS"):
        return None
    return access.open_glasses().get(patient.id)


def may_chart(patient: Patient) -> bool:
    """Whether the page offers to write on this patient's chart; the operations judge it again."""
    return bool(_may("CHART")) and glass_over(patient) is None and patient.archived_at is None


def may_file(patient: Patient) -> bool:
    """Whether the page offers to add to this patient's documents; the operations judge it again."""
    return bool(_may("FILE_DOCUMENTS")) and glass_over(patient) is None and patient.archived_at is None


def may_write_notes(patient: Patient) -> bool:
    """Whether the page offers to write notes of this patient; the operations judge it again."""
    return bool(_may("WRITE_NOTES")) and glass_over(patient) is None and patient.archived_at is None


def unfinished() -> list[Unfinished]:
    """The notes that the viewer has begun and not signed."""
    return unfinished_notes(current_user) if _may("WRITE_NOTES") else []


def teeth_of(document: Any) -> str:
    """The teeth of a document, a note or a signing in the viewer's numbering: `36, 37`; empty when it is of none in particular."""
    return ", ".join(teeth.shown(key, current_user.numbering) for key in _teeth(document).split())


def _teeth(of: Any) -> str:
    return str(of["teeth"] if isinstance(of, dict) else of.teeth)


def _may(permission: str) -> Any:
    """Whether the viewer has a permission, by its name."""
    return current_user.is_authenticated and access.may(current_user, access.Permission[permission])
