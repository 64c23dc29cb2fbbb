"""Many people write at once, twice, or on a broken line: nothing is lost, nothing is doubled. Over HTTP, two workers, MariaDB."""

import random
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from clinic.extensions import db
from clinic.models import AuditEvent, Patient
from tests.campaigns.browserless import RemotePerson
from tests.soak import daily_seed, share

pytestmark = [pytest.mark.server, pytest.mark.soak, pytest.mark.timeout(1800)]


def ten_patients(visitor: RemotePerson) -> list[int]:
    """Register ten patients through the front door; answers their ids."""
    for number in range(10):
        fields = visitor.form("/patients/new", "/patients") | {
            "name": f"Edith Number{number}",
            "birth_date": f"{number + 1} Mar 1984",
            "sex": "female",
            "phone": f"077 000 00{number:02d}",
        }
        assert visitor.post("/patients", fields).status == 303
    with visitor.server.inside():
        ids = list(
            db.session.scalars(select(Patient.id).where(Patient.name.like("Edith Number%")).order_by(Patient.id))
        )
        db.session.remove()
    return ids


def test_edits_of_the_same_patients_lose_nothing(server):
    """2,000 edits of 10 patients by 20 people: what was acknowledged is stored, and every loser gets both texts."""
    edits, seed = share(2000, 160), daily_seed()
    visitors = [RemotePerson(server, ("ruwan", "rita")[number % 2]) for number in range(20)]
    patients = ten_patients(visitors[0])
    with server.inside():
        before = dict(db.session.execute(select(Patient.id, Patient.version).where(Patient.id.in_(patients))).all())
        db.session.remove()
    acknowledged: list[tuple[int, str]] = []
    lost_texts: list[str] = []
    others: list[int] = []
    lock = threading.Lock()

    def work(visitor: RemotePerson, dice: random.Random, count: int) -> None:
        for _ in range(count):
            patient = dice.choice(patients)
            page = f"/patients/{patient}/edit"
            mine = f"{secrets.token_hex(6)} Temple Road"
            answer = visitor.post(page, visitor.form(page, page) | {"address": mine})
            with lock:
                if answer.status == 303:
                    acknowledged.append((patient, mine))
                elif answer.status == 409:
                    lost_texts.append("" if mine in answer.text else mine)
                else:
                    others.append(answer.status)

    with ThreadPoolExecutor(len(visitors)) as pool:
        for number, visitor in enumerate(visitors):
            pool.submit(work, visitor, random.Random(seed * 1000 + number), edits // len(visitors))
    assert others == []
    assert [text for text in lost_texts if text] == [], "a refused person did not get their text back"
    assert len(acknowledged) + len(lost_texts) == edits // len(visitors) * len(visitors)
    with server.inside():
        for patient in patients:
            row = db.session.get_one(Patient, patient)
            saved = [text for saved_id, text in acknowledged if saved_id == patient]
            assert row.version - before[patient] == len(saved)
            assert not saved or row.address in saved
            changes = db.session.scalars(
                select(AuditEvent.after).where(AuditEvent.patient_id == patient, AuditEvent.act == "patient.change")
            ).all()
            assert sorted(text for text in saved if any(text in (after or "") for after in changes)) == sorted(saved)
        db.session.remove()
    print(f"seed {seed}: {len(acknowledged)} edits stored, {len(lost_texts)} refused with both texts, 0 lost")


def test_a_form_fired_twice_at_once_or_again_after_a_cut_has_one_effect(server):
    """Registering, the same form: twice at once, five times in line, and after the line was cut at every moment."""
    visitor = RemotePerson(server, "ruwan")
    rounds = share(60, 6)
    names = []
    for number in range(rounds):
        name = f"Once Only{secrets.token_hex(4)}"
        names.append(name)
        fields = visitor.form("/patients/new", "/patients") | {
            "name": name,
            "birth_date": "1 Jan 1990",
            "sex": "male",
            "csrf_token": visitor.csrf_token,
        }
        moment = number % 6
        if moment == 0:
            with ThreadPoolExecutor(2) as pool:
                answers = list(pool.map(lambda _, fields=fields: visitor.post("/patients", fields), range(2)))
        else:
            if moment > 1:
                cut = {2: 40, 3: 300, 4: -1, 5: None}[moment]
                visitor.post_and_hang_up("/patients", fields, after=cut)
            answers = [visitor.post("/patients", fields) for _ in range(5)]
        assert {answer.status for answer in answers} == {303}
        assert len({answer.headers["Location"] for answer in answers}) == 1
    with server.inside():
        counts = dict(
            db.session.execute(
                select(Patient.name, func.count()).where(Patient.name.in_(names)).group_by(Patient.name)
            ).all()
        )
        db.session.remove()
    assert counts == dict.fromkeys(names, 1)
    print(f"{rounds} forms sent twice to six times: {rounds} effects")
