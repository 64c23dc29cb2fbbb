"""`kill -9` of the whole application while people work the queue: no move is ever half done."""

import random
import threading
import time
from datetime import timedelta
from http.client import HTTPException

import pytest
from sqlalchemy import func, select

from clinic import clock
from clinic.extensions import db
from clinic.models import (
    AuditEvent,
    Change,
    Counter,
    OnceKey,
    Patient,
    QueueEntry,
    Sex,
    Stage,
    Visit,
    VisitStatus,
)
from clinic.operations import chain
from clinic.text import sort_key
from tests.campaigns.browserless import RemotePerson
from tests.forms import forms_of
from tests.servers import Server
from tests.soak import daily_seed, share

pytestmark = [pytest.mark.server, pytest.mark.soak, pytest.mark.timeout(3600)]

PATIENTS = 40


def expect_patients(server: Server) -> None:
    """Forty more patients with a visit now, so that there is always something to move."""
    world = server.world
    with server.inside():
        at = clock.now().replace(minute=0, second=0, microsecond=0)
        for number in range(PATIENTS):
            name = f"Kay Number{number:02d}"
            patient = Patient(
                code=f"K-{number:05d}",
                name=name,
                sort_name=sort_key(name),
                birth_date=(at - timedelta(days=9000 + number)).date(),
                sex=Sex.OTHER,
                created_at=at,
                created_by_id=world.people["ruwan"],
            )
            db.session.add(patient)
            db.session.flush()
            db.session.add(
                Visit(
                    patient_id=patient.id,
                    department_id=world.departments["restorative"],
                    starts_at=at,
                    status=VisitStatus.SCHEDULED,
                    created_at=at,
                    created_by_id=world.people["ruwan"],
                )
            )
        db.session.commit()
        db.session.remove()


def work(visitor: RemotePerson, page: str, dice: random.Random, stop: threading.Event, done: list[int]) -> None:
    """Press a random button of the board again and again; a broken line is what we are here for."""
    while not stop.is_set():
        try:
            forms = [
                form
                for form in forms_of(visitor.get(page).text)
                if form.method == "post" and "/sign-out" not in form.action
            ]
            forms = [form for form in forms if form.action.startswith(("/queue", "/visits"))]
            if not forms:
                time.sleep(0.02)
                continue
            form = dice.choice(forms)
            done.append(visitor.post(form.action, form.fields).status)
        except (OSError, HTTPException):
            time.sleep(0.02)


def half_done(server: Server) -> list[str]:
    """Everything in the database that no finished act leaves behind."""
    faults = []
    with server.inside():
        entries = db.session.scalars(select(QueueEntry).order_by(QueueEntry.id)).all()
        by_id = {entry.id: entry for entry in entries}
        opened: dict[int, list[QueueEntry]] = {}
        for entry in entries:
            if entry.ended_at is None and entry.voided_at is None:
                opened.setdefault(entry.visit_id, []).append(entry)
            if entry.previous_id and entry.voided_at is None and by_id[entry.previous_id].ended_at != entry.started_at:
                faults.append(f"entry {entry.id} does not begin where {entry.previous_id} ends")
        for visit in db.session.scalars(select(Visit)):
            here = len(opened.get(visit.id, []))
            if here != (visit.status is VisitStatus.ARRIVED):
                faults.append(f"visit {visit.id} is {visit.status} with {here} open entries")
        seqs = list(db.session.scalars(select(Change.seq).order_by(Change.seq)))
        if seqs != list(range(1, len(seqs) + 1)) or db.session.get_one(Counter, "live").value != len(seqs):
            faults.append("the live sequence has gaps")
        unanswered = db.session.scalar(select(func.count()).select_from(OnceKey).where(OnceKey.status.is_(None)))
        if unanswered:
            faults.append(f"{unanswered} acts are stored without their answer")
        told = db.session.scalar(
            select(func.count()).select_from(AuditEvent).where(AuditEvent.act.regexp_match("^(queue|visit)\\."))
        )
        moved = sum(entry.stage is not Stage.TRANSFERRED for entry in entries)
        if told < moved:
            faults.append(f"{moved} moves and only {told} audit events")
        verdict = chain.verify()
        if verdict.found:
            faults.append(verdict.sentence)
        db.session.remove()
    return faults


def test_killed_under_load_no_move_is_half_done(server):
    kills, seed = share(50, 4), daily_seed()
    dice = random.Random(seed)
    expect_patients(server)
    page = f"/queue?department={server.world.departments['restorative']}"
    visitors = [RemotePerson(server, name) for name in ("ruwan", "rita", "nimal", "ruwan", "rita", "nimal")]
    done: list[int] = []
    for number in range(kills):
        stop = threading.Event()
        threads = [
            threading.Thread(target=work, args=(visitor, page, random.Random(seed + number * 10 + place), stop, done))
            for place, visitor in enumerate(visitors)
        ]
        for thread in threads:
            thread.start()
        before, patience = len(done), time.monotonic() + 30
        while len(done) < before + 6 and time.monotonic() < patience:
            time.sleep(0.01)
        time.sleep(dice.uniform(0, 0.3))
        server.kill()
        stop.set()
        for thread in threads:
            thread.join()
        assert half_done(server) == [], f"after kill {number + 1}, seed {seed}"
        server.start()
    acted = sum(status in (204, 303) for status in done)
    assert acted > kills, "too little happened to prove anything"
    assert not [status for status in done if status >= 500 and status != 503]
    print(f"seed {seed}: {kills} kills, {acted} acts answered, 0 half done, the trail whole")
