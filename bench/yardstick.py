"""Y, the yardstick: what the same stack costs with nothing in it. Bare Flask, SQLAlchemy and Jinja on the same data.

No sign-in, no CSRF, no audit. Started by `python -m bench` beside Chairside, under the same server settings.
"""

import os
from datetime import UTC, date, datetime

from flask import Flask, render_template_string, request
from sqlalchemy import create_engine, func, insert, select, update

from clinic.models import Chart, ChartEntry, Patient

engine = create_engine(os.environ["DATABASE_URL"], pool_size=8, max_overflow=8, pool_pre_ping=True)
app = Flask(__name__)

ROWS = """<!doctype html><html><head><title>Patients</title></head><body><h1>Patients</h1><p>{{ count }}</p><table>
{% for p in rows %}<tr><td><a href="/patients/{{ p.id }}">{{ p.name }}</a></td><td>{{ p.code }}</td><td>{{ p.birth_date }}</td>
<td>{{ p.sex }}</td><td>{{ p.phone }}</td></tr>
{% endfor %}</table></body></html>"""
COLUMNS = (Patient.id, Patient.name, Patient.code, Patient.birth_date, Patient.sex, Patient.phone)


@app.get("/list")
def listing() -> str:
    """The first 50 of all patients, with their count."""
    with engine.connect() as connection:
        count = connection.execute(select(func.count()).select_from(Patient)).scalar_one()
        rows = connection.execute(select(*COLUMNS).order_by(Patient.sort_name, Patient.id).limit(50)).all()
    return render_template_string(ROWS, count=count, rows=rows)


@app.get("/search")
def search() -> str:
    """Twenty patients by a prefix of the indexed name."""
    prefix = request.args.get("q", "")
    with engine.connect() as connection:
        rows = connection.execute(
            select(*COLUMNS)
            .where(Patient.sort_name.like(prefix + "%"))
            .order_by(Patient.sort_name, Patient.id)
            .limit(20)
        ).all()
    return render_template_string(ROWS, count=len(rows), rows=rows)


@app.get("/hello")
def hello() -> str:
    return "hello"


CHART = """<!doctype html><html><head><title>Chart</title></head><body><h1>Chart</h1><svg viewBox="0 0 800 200">
{% for t in range(32) %}<g id="t{{ t }}" transform="translate({{ t % 16 * 50 }} {{ t // 16 * 100 }})">
{% for z in "MODBL" %}<path class="zone" data-zone="{{ z }}" d="M0 0L40 0L40 40L0 40Z"/>{% endfor %}</g>
{% endfor %}</svg><table>{% for e in rows %}<tr><td>{{ e.teeth }}</td><td>{{ e.kind }}</td><td>{{ e.surfaces }}</td><td>{{ e.status }}</td>
<td>{{ e.dated }}</td></tr>
{% endfor %}</table></body></html>"""


@app.get("/chart")
def chart() -> str:
    """32 teeth of five zones, and a table of a patient's entries."""
    wanted = select(
        ChartEntry.teeth, ChartEntry.kind, ChartEntry.surfaces, ChartEntry.status, ChartEntry.dated, ChartEntry.id
    )
    with engine.connect() as connection:
        rows = connection.execute(
            wanted.where(ChartEntry.patient_id == request.args.get("patient", type=int)).order_by(ChartEntry.id)
        ).all()
    return render_template_string(CHART, rows=rows)


@app.post("/stroke")
def stroke() -> str:
    """One update, one insert, one commit."""
    patient = request.args.get("patient", type=int)
    with engine.begin() as connection:
        connection.execute(update(Chart).where(Chart.patient_id == patient).values(stroke=Chart.stroke + 1))
        connection.execute(
            insert(ChartEntry).values(
                patient_id=patient, stroke=1, kind="note", status="finding", teeth="37", surfaces="", jaw="",
                details="{}", dated=date(2026, 1, 1), reason="", entered_at=datetime.now(UTC), entered_by_id=1,
            )
        )  # fmt: skip
    return "written"
