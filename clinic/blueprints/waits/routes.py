"""How long patients wait."""

from itertools import groupby

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from clinic.access import Permission, requires
from clinic.blueprints.waits.chart import Chart, chart_of
from clinic.blueprints.waits.forms import WaitsForm, this_week
from clinic.queries.coverage import coverage_now
from clinic.queries.places import own_departments
from clinic.queries.waits import Waits, waits

bp = Blueprint("waits", __name__)


@bp.get("/waits")
@requires(Permission.VIEW_WAITS)
def index() -> ResponseReturnValue:
    """Waits by stage, and of one stage by hour, of the days chosen."""
    departments = own_departments(current_user)
    form = WaitsForm(request.args, **this_week()).offer(departments)
    now = coverage_now([row.id for row in departments])
    covered = [(row, now[row.id]) for row in departments]
    if request.args and not form.validate():
        return render_template("waits/index.html", form=form, days=[], hours=[], charts=[], covered=covered), 422
    found = waits(current_user, form.department.data or None, form.begin.data, form.end.data)
    days = [row for row in found if row.hour is None]
    hours = [row for row in found if row.hour is not None and row.stage == form.stage.data]
    return render_template(
        "waits/index.html", form=form, days=days, hours=hours, charts=_charts(hours), covered=covered
    )


def _charts(hours: list[Waits]) -> list[Chart]:
    """One chart a department."""
    return [chart_of(name, list(rows)) for name, rows in groupby(hours, key=lambda row: row.department)]
