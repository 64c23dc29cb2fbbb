"""What the students of a demo clinic have to do this term, and dismissals of what they did in it, most of them approved."""

import random
from datetime import date, timedelta

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from clinic import clock, demo_gates
from clinic.chart.kinds import Status
from clinic.extensions import db
from clinic.models import (
    ChartEntry,
    Department,
    GateKind,
    Patient,
    Requirement,
    Role,
    ToothClass,
    User,
    Visit,
    VisitStatus,
)

TERM = (timedelta(days=120), timedelta(days=60))  # begun before today, due after
YEARS = (3, 4, 5)
DISMISSED = 60  # visits of the term, the newest
SHARE = 0.8  # of them that are approved
ASKED = (
    ("Fillings", "restoration", 6, None, 0, ToothClass.ANY, None),
    ("Well made fillings", "restoration", 2, None, 0, ToothClass.ANY, 3),
    ("Molar fillings of two surfaces", "restoration", 2, 1, 2, ToothClass.MOLAR, None),
    ("Sealants", "sealant", 4, 2, 0, ToothClass.ANY, None),
    ("Crowns and bridges", "bridge crown", 2, None, 0, ToothClass.ANY, None),
    ("Treatment of primary teeth", "pulpotomy restoration", 2, 1, 0, ToothClass.PRIMARY, None),
)


def make(seed: int, today: date) -> None:
    """Ask for a few things of each year, and approve what was done of it. Flushes."""
    dice = random.Random(f"{seed}-requirements")
    admin = db.session.scalars(select(User.id).where(User.role == Role.ADMIN).order_by(User.id).limit(1)).one()
    begins, due = today - TERM[0], today + TERM[1]
    for department in db.session.scalars(select(Department).order_by(Department.id).limit(100)):
        for year in YEARS:
            for name, kinds, wanted, cap, surfaces, tooth_class, mark in ASKED:
                db.session.add(
                    Requirement(
                        department_id=department.id,
                        year=year,
                        name=name,
                        kinds=kinds,
                        wanted=wanted + year - YEARS[0] if wanted > 2 else wanted,
                        cap=cap,
                        least_surfaces=surfaces,
                        tooth_class=tooth_class,
                        least_mark=mark,
                        begins=begins,
                        due=due,
                        created_at=clock.start_of(begins),
                        created_by_id=admin,
                    )
                )
    for visit in _visits(begins):
        if dice.random() < SHARE and visit.completed_at is not None:
            demo_gates.approved(visit, GateKind.DISMISS, visit.completed_at)
    db.session.flush()


def _visits(begins: date) -> list[Visit]:
    """Visits of the term in which a student completed something, the newest first."""
    completed = select(ChartEntry.visit_id).where(ChartEntry.status == Status.COMPLETED, ChartEntry.dated >= begins)
    found = (
        select(Visit)
        .where(
            Visit.id.in_(completed),
            Visit.status == VisitStatus.COMPLETED,
            Visit.completed_at < clock.start_of(clock.today()),  # today's are told by where the patient is
            Visit.student_id.is_not(None),
        )
        .options(joinedload(Visit.student), joinedload(Visit.patient).selectinload(Patient.alerts))
        .order_by(Visit.completed_at.desc(), Visit.id)
        .limit(DISMISSED)
    )
    return list(db.session.execute(found).scalars())
