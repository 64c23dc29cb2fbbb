"""How the system is, for those who look after it, and running its jobs by hand."""

from flask import Blueprint, abort, current_app, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from clinic import status, timer
from clinic.access import Permission, requires
from clinic.htmx import go_to, place
from clinic.operations.documents import DAMAGE
from clinic.operations.jobs import JOBS, ask_for
from clinic.queries.stored import quarantined

bp = Blueprint("status", __name__, url_prefix="/status")


@bp.get("")
@requires(Permission.VIEW_STATUS)
def index() -> ResponseReturnValue:
    """Every part and every job, with its state and a sentence, and how much is stored."""
    parts, jobs, stored = status.parts(), status.job_states(), status.stored(current_user)
    return render_template("status/index.html", parts=parts, jobs=jobs, stored=stored)


@bp.get("/quarantine")
@requires(Permission.VIEW_STATUS)
def quarantine() -> ResponseReturnValue:
    """The documents that wait in quarantine, by number and reason: of what is in them and whose they are nothing is said."""
    return render_template("status/quarantine.html", page=quarantined(damage=DAMAGE, **place()))


@bp.post("/jobs/<string:job>/run")
@requires(Permission.VIEW_STATUS)
def run(job: str) -> ResponseReturnValue:
    """Run a job now, whether it is due or not."""
    declared = JOBS.get(job) or abort(404)
    ask_for(job, actor=current_user)
    answer = go_to(url_for("status.index"), say=f"{declared.title}: started; look again in a moment")
    timer.run_soon(current_app._get_current_object(), job)  # type: ignore[attr-defined]
    return answer
