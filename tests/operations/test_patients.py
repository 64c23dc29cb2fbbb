"""Registering, changing, archiving, alerts."""

from datetime import date

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import select

from clinic.errors import Conflict, DomainError
from clinic.models import (
    Alert,
    AlertKind,
    AuditEvent,
    Change,
    Patient,
    PatientToken,
    QueueEntry,
    Severity,
    Sex,
    Stage,
    VisitStatus,
)
from clinic.operations.alerts import add_alert, end_alert
from clinic.operations.patients import (
    archive_patient,
    change_patient,
    register_patient,
    restore_patient,
    tokens_of,
    written_of,
)
from clinic.queries.patients import search_patients
from clinic.text import begins_here, words

SUNIL = {"name": "Sunil Weerasinghe", "birth_date": date(1984, 3, 2), "sex": Sex.MALE, "phone": "077 000 1122"}


def test_codes_go_on_by_one_and_a_refusal_gives_its_number_back(world, session):
    ruwan = world.user("ruwan")
    assert register_patient(fields=SUNIL, actor=ruwan).code.endswith("-00006")
    session.commit()
    with pytest.raises(DomainError, match="is already here as P-"), session.begin_nested():
        register_patient(fields=SUNIL, actor=ruwan)
    assert register_patient(fields=SUNIL, despite_duplicate=True, actor=ruwan).code.endswith("-00007")


def test_a_change_of_name_changes_what_one_is_found_by(world, session):
    perera, ruwan = world.patient("perera"), world.user("ruwan")
    change_patient(perera, version=1, was={}, fields={"name": "Ana Gomes", "phone": "070 999 8877"}, actor=ruwan)
    assert search_patients(ruwan, "perera") == []
    assert search_patients(ruwan, "gomes") == search_patients(ruwan, "8877") == [perera]
    assert perera.sort_name == "ana gomes"


def test_saving_without_a_change_writes_nothing(world, session):
    perera, ruwan = world.patient("perera"), world.user("ruwan")
    fields = {"name": perera.name, "birth_date": perera.birth_date, "sex": perera.sex}
    assert change_patient(perera, version=1, was={}, fields=fields, actor=ruwan) == []
    assert perera.version == 1
    assert session.execute(select(AuditEvent).where(AuditEvent.act == "patient.change")).first() is None


def test_a_stale_change_of_the_same_field_holds_both_texts(world, session):
    perera = world.patient("perera")
    was = written_of(perera)
    change_patient(perera, version=1, was=was, fields={"address": "Hers"}, actor=world.user("rita"))
    with pytest.raises(Conflict, match="Rita Gomes changed the address of Ana Perera") as refusal:
        change_patient(
            perera, version=1, was=was, fields={"address": "His", "phone": "1234567"}, actor=world.user("ruwan")
        )
    assert (refusal.value.theirs, refusal.value.mine) == ({"address": "Hers"}, {"address": "His"})
    assert perera.phone == "071 555 0199"


def test_the_same_stale_change_again_is_no_conflict(world, session):
    perera = world.patient("perera")
    was = written_of(perera)
    for name in ("rita", "ruwan"):
        change_patient(perera, version=1, was=was, fields={"address": "12 Temple Road"}, actor=world.user(name))
    assert (perera.address, perera.version) == ("12 Temple Road", 2)


def test_emptying_a_field_that_somebody_filled_meanwhile_is_asked_about(world, session):
    perera = world.patient("perera")
    was = written_of(perera)
    change_patient(perera, version=1, was=was, fields={"phone": "070 111 2222"}, actor=world.user("rita"))
    with pytest.raises(Conflict):
        change_patient(perera, version=1, was=was, fields={"phone": ""}, actor=world.user("ruwan"))


def test_nobody_is_archived_while_in_the_queue_or_expected(world, session):
    ruwan, perera, nadia = world.user("ruwan"), world.patient("perera"), world.patient("nadia")
    with pytest.raises(DomainError, match="has a visit on"):
        archive_patient(perera, version=1, reason="Moved", actor=ruwan)
    visit = world.visit("perera")
    visit.status, visit.patient_id = VisitStatus.COMPLETED, nadia.id
    session.add(
        QueueEntry(
            visit_id=visit.id,
            patient_id=nadia.id,
            department_id=visit.department_id,
            stage=Stage.WAITING,
            started_at=visit.starts_at,
            queued_at=visit.starts_at,
            moved_by_id=ruwan.id,
        )
    )
    session.flush()
    with pytest.raises(DomainError, match="is in the queue"):
        archive_patient(nadia, version=1, reason="Moved", actor=ruwan)
    archive_patient(perera, version=1, reason="Moved", actor=ruwan)
    assert perera.archive_reason == "Moved"
    restore_patient(perera, version=2, reason="Back", actor=ruwan)
    assert perera.archived_at is None


def test_an_alert_reaches_the_boards_that_show_the_patient(world, session):
    fernando, silva, visit = world.patient("fernando"), world.user("silva"), world.visit("fernando")
    session.add(
        QueueEntry(
            visit_id=visit.id,
            patient_id=fernando.id,
            department_id=visit.department_id,
            stage=Stage.WAITING,
            started_at=visit.starts_at,
            queued_at=visit.starts_at,
            moved_by_id=silva.id,
        )
    )
    session.flush()
    latex = add_alert(fernando, kind=AlertKind.ALLERGY, severity=Severity.CRITICAL, label="Latex", actor=silva)
    session.commit()
    told = [f"queue:{visit.department_id}", f"person:{visit.student_id}"]
    assert session.execute(select(Change.topic).order_by(Change.seq)).scalars().all() == told
    with pytest.raises(DomainError, match="already among the alerts"):
        add_alert(fernando, kind=AlertKind.ALLERGY, severity=Severity.NOTE, label="latex", actor=silva)
    assert end_alert(world.patient("perera"), alert_id=latex.id, reason="No", actor=silva) is None
    ended = end_alert(fernando, alert_id=latex.id, reason="Tested", actor=silva)
    assert (ended.end_reason, ended.ended_by_id) == ("Tested", silva.id)
    assert session.execute(select(Alert).where(Alert.ended_at.is_(None))).scalars().one().label == "Penicillin"


# What a patient is found by

LETTERS = st.characters(categories=("L", "M"), max_codepoint=0x2FFFF) | st.sampled_from(
    "ණියුकिनीنَقสมชาย吴美玲각김ǅßﬁ’' -."
)
NAMES = st.text(LETTERS, min_size=1, max_size=24).filter(words)


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(name=NAMES, cut=st.integers(1, 12), which=st.integers(0, 9))
@example(name="김민준", cut=1, which=0)
@example(name="O’Brien-Smith", cut=5, which=1)
@example(name="ක්‍රිෂාන්ත සිල්වා", cut=3, which=0)
@example(name="สมชาย ใจดี", cut=2, which=1)
@example(name="A𝘼", cut=1, which=0)
def test_everyone_is_found_by_the_beginning_of_each_word_of_their_name(world, session, name, cut, which):
    ruwan = world.user("ruwan")
    with session.begin_nested() as act:
        patient = register_patient(fields=SUNIL | {"name": name}, despite_duplicate=True, actor=ruwan)
        of_name = words(name)
        word = of_name[which % len(of_name)]
        beginning = word[:cut]
        while len(beginning) < len(word) and not begins_here(word[len(beginning)]):
            beginning = word[: len(beginning) + 1]
        assert patient in search_patients(ruwan, beginning, limit=50), beginning
        assert patient in search_patients(ruwan, name, limit=50)
        assert patient in search_patients(ruwan, " ".join(reversed(of_name)), limit=50)
        act.rollback()


def test_the_tokens_of_a_patient():
    patient = Patient(code="P-2026-00412", name="Ana María O'Brien", birth_date=date(1984, 3, 2), phone="071-5550")
    assert tokens_of(patient) == {
        "ana", "maria", "obrien", "brien", "o", "=ana maria obrien", "=obrien ana maria",
        "2026-00412", "00412", "412", "0715550", "715550", "15550", "5550", "1984-03-02",
    }  # fmt: skip


def test_the_longest_name_has_tokens_that_fit(world, session):
    patient = register_patient(
        fields=SUNIL | {"name": "吴" * 200, "phone": "1234567890" * 4}, actor=world.user("ruwan")
    )
    tokens = session.execute(select(PatientToken.token).where(PatientToken.patient_id == patient.id)).scalars().all()
    assert max(len(token) for token in tokens) == 120
    assert len(tokens) < 80
