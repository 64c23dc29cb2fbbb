"""The first page of each role: where its work is."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from clinic.access import Permission, requires
from clinic.models import Role
from clinic.queries.glass import count_to_judge
from clinic.queries.house import house_for

bp = Blueprint("home", __name__)
WORK = {
    Role.RECEPTIONIST: "queue.index",
    Role.NURSE: "queue.index",
    Role.STUDENT: "supervision.my_queue",
    Role.SUPERVISOR: "supervision.index",
}


@bp.get("/")
@requires(Permission.USE_ACCOUNT)
def index() -> ResponseReturnValue:
    """To the page where the person works; for those who run the house, its pages and numbers."""
    work = WORK.get(current_user.role)
    if work:
        return redirect(url_for(work, said=request.args.get("said")), 303)
    numbers = {"house": house_for(current_user), "to_judge": count_to_judge(current_user)}
    return render_template("home/index.html", person=current_user, **numbers)
