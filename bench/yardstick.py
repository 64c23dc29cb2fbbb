"""Y, the yardstick: what the same stack costs with nothing in it. Bare Flask, SQLAlchemy and Jinja on the same data.

No sign-in, no CSRF, no audit. Started by `python -m bench` beside Chairside, under the same server settings.
"""

import os

from flask import Flask, render_template_string, request
from sqlalchemy import create_engine, func, select

from clinic.models import Patient

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
