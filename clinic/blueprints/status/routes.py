"""How the system is, for those who look after it, and running its jobs by hand."""

from flask import Blueprint, abort, current_app, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from clinic import status, timer
from clinic.access import Permission, requires
from clinic.htmx import go_to
from clinic.operations.jobs import JOBS, ask_for

bp = Blueprint("status", __name__, url_prefix="/status")


@bp.get("")
@requires(Permission.VIEW_STATUS)
def index() -> ResponseReturnValue:
    """Every part and every job, with its state and a sentence."""
    return render_template("status/index.html", parts=status.parts(), jobs=status.job_states())


@bp.post("/jobs/<string:job>/run")
@requires(Permission.VIEW_STATUS)
def run(job: str) -> ResponseReturnValue:
    """Run a job now, whether it is due or not."""
    declared = JOBS.get(job) or abort(404)
    ask_for(job, actor=current_user)
    answer = go_to(url_for("status.index"), say=f"{declared.title}: started; look again in a moment")
    timer.run_soon(current_app._get_current_object(), job)  # type: ignore[attr-defined]
    return answer
