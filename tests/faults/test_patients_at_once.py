"""Many people at one patient or one series of codes, each with a session of their own, through the whole application on MariaDB."""

import html
import json
import re
from collections import Counter as Tally
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from clinic import create_app
from clinic import settings as clinic_settings
from clinic.extensions import db
from clinic.models import AuditEvent, Patient
from tests.conftest import fresh_mariadb, make_config
from tests.person import Person
from tests.world import build_world


@pytest.fixture
def busy(worker):
    """An application on a database of its own."""
    app = create_app(make_config(fresh_mariadb("patients"), pool_size=24))
    with app.app_context():
        db.create_all()
        clinic_settings.forget()
        world = build_world()
    yield app, world
    with app.app_context():
        db.engine.dispose()


def test_fifty_registrations_at_once_get_fifty_codes_without_a_gap(busy):
    app, world = busy
    desks = [Person(app, world.people[name]) for name in ("ruwan", "rita") * 25]  # a test client serves one thread

    def register(number):  # no name is the beginning of another: that would ask whether it is the same person
        fields = {"name": f"Patient {number:02d}", "birth_date": "2/3/1984", "sex": "male", "phone": ""}
        return desks[number].post("/patients", fields).status_code

    with ThreadPoolExecutor(16) as pool:
        statuses = Tally(pool.map(register, range(50)))
    assert statuses == {303: 50}
    with app.app_context():
        codes = db.session.execute(select(Patient.code).order_by(Patient.code)).scalars().all()
    assert [int(code[-5:]) for code in codes] == list(range(1, 56))


def test_the_same_person_registered_at_many_desks_at_once_is_there_once(busy):
    app, world = busy
    desks = [Person(app, world.people[name]) for name in ("ruwan", "rita") * 4]
    fields = {"name": "Sunil Weerasinghe", "birth_date": "2/3/1984", "sex": "male", "phone": ""}
    with ThreadPoolExecutor(8) as pool:
        statuses = Tally(pool.map(lambda desk: desk.post("/patients", fields).status_code, desks))
    assert statuses == {303: 1, 422: 7}


def test_of_twenty_people_changing_one_patient_each_is_stored_or_sees_both_texts(busy):
    app, world = busy
    perera = world.patients["perera"]
    url = f"/patients/{perera}/edit"
    people = [Person(app, world.people[name]) for name in ("ruwan", "rita") * 10]

    def change_until_saved(place):
        saved, lost = 0, 0
        person, version, was = people[place], None, None
        for turn in range(5):
            page = person.get(url).text
            version = re.search(r'name="version"[^>]*value="(\d+)"', page)[1]
            was = json.loads(html.unescape(re.search(r'name="was"[^>]*value="([^"]*)"', page)[1]))
            mine = f"House {place}.{turn}"
            form, once = was | {"version": version, "was": json.dumps(was), "address": mine}, f"house-{place}-{turn}"
            answer = person.post(url, form, once=once)
            while answer.status_code == 503:  # too busy, nothing saved: the person sends the same form again
                answer = person.post(url, form, once=once)
            if answer.status_code == 303:
                saved += 1
            else:
                assert answer.status_code == 409, answer.status_code
                assert mine in answer.text
                assert "while you were changing it too" in answer.text
                lost += 1
        return saved, lost

    with ThreadPoolExecutor(20) as pool:
        ends = list(pool.map(change_until_saved, range(20)))
    saved, lost = (sum(column) for column in zip(*ends, strict=True))
    assert saved + lost == 100
    with app.app_context():
        events = db.session.execute(
            select(AuditEvent.before, AuditEvent.after)
            .where(AuditEvent.act == "patient.change")
            .order_by(AuditEvent.id)
        ).all()
        patient = db.session.get_one(Patient, perera)
    assert len(events) == saved == patient.version - 1
    texts = [(json.loads(before)["address"], json.loads(after)["address"]) for before, after in events]
    assert all(earlier[1] == later[0] for earlier, later in zip(texts, texts[1:], strict=False))
    assert patient.address == texts[-1][1]
