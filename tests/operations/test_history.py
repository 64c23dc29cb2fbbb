"""Filling a history, looking it through, handing a tablet over, and changing the forms."""

import hashlib
import json
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from clinic import clock, settings
from clinic.errors import Conflict, DomainError
from clinic.history.form import form_from, shipped
from clinic.models import Alert, AlertKind, AuditEvent, Filling, HistoryForm, Kiosk, Notice, Severity, VisitStatus
from clinic.operations.alerts import add_alert, end_alert
from clinic.operations.history import (
    ON_A_TABLET,
    NotAnswered,
    fill_by_patient,
    fill_history,
    hand_over,
    publish_form,
    review_history,
    take_back,
)
from clinic.queries.history import filling_for, form_of, kiosk_with, reviewed_on, tablets_out, told, unsaid_alerts
from tests.histories import ORTHODONTIC, answered, said_in

HOSTILE = {
    "script": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "nul": "before\0after",
    "backwards": "abc\u202efed\u2066",
    "template": "{{ 7*7 }}{% raw %}",
    "sql": "'; DROP TABLE filling; --",
}


@pytest.fixture
def fernando(world, session):
    return world.patient("fernando")


@pytest.fixture
def fill(world, session):
    """Fill a patient's form, as kamal unless said otherwise."""

    def do(patient="fernando", by="kamal", code="medical", seen=0, raw=None, **changes):
        return fill_history(
            world.patient(patient),
            code=code,
            number=form_of(code).number,
            raw=raw if raw is not None else answered(**changes),
            seen=seen,
            actor=world.user(by),
        )

    return do


def banner(session, patient):
    rows = select(Alert.label).where(Alert.patient_id == patient.id, Alert.ended_at.is_(None)).order_by(Alert.id)
    return list(session.scalars(rows))


class TestFilling:
    def test_it_is_kept_as_the_next_number_with_who_when_and_its_digest(self, fill, fernando, session, world):
        world.visit("fernando").status = VisitStatus.ARRIVED
        first = fill()
        second = fill(seen=1, doctor="yes", doctor_for="Blood pressure, Dr Rao")
        assert (first.number, second.number) == (1, 2)
        assert second.visit_id == world.visits["fernando"]
        assert second.filled_by_id == world.people["kamal"]
        assert said_in(second)["doctor_for"] == "Blood pressure, Dr Rao"
        form = session.get_one(HistoryForm, second.form_id)
        assert form.sha256 == hashlib.sha256(form.body.encode()).hexdigest()
        assert second.sha256 == hashlib.sha256((form.sha256 + second.answers).encode()).hexdigest()
        acts = session.scalars(select(AuditEvent.act).where(AuditEvent.patient_id == fernando.id)).all()
        assert acts.count("history.fill") == 2

    def test_a_former_filling_stays_as_it_was(self, fill, session):
        first = fill()
        as_it_was = first.answers, first.sha256, first.at
        fill(seen=1, complaint="Something else")
        session.expire_all()
        assert (first.answers, first.sha256, first.at) == as_it_was

    def test_whoever_fills_it_has_looked_it_through(self, fill, fernando, world):
        fill()
        assert reviewed_on(fernando.id, clock.today()).reviewed_by_id == world.people["kamal"]

    def test_what_is_missing_is_said_by_question_and_nothing_is_kept(self, fill, session):
        with pytest.raises(NotAnswered) as refusal:
            fill(complaint="", conditions=[], emergency_phone="   ")
        assert set(refusal.value.wrong) == {"complaint", "conditions", "emergency_phone"}
        assert session.scalar(select(func.count()).select_from(Filling)) == 0

    @pytest.mark.parametrize(
        ("changes", "wrong"),
        [
            ({"smoking": "a pipe"}, "smoking"),
            ({"conditions": ["none of these", "asthma"]}, "conditions"),
            ({"conditions": ["asthma", "made up"]}, "conditions"),
            ({"pain": "11"}, "pain"),
            ({"complaint": "x" * 10_000}, "complaint"),
            ({"emergency_name": "x" * 301}, "emergency_name"),
            ({"allergic": "no", "allergies": ["latex"]}, "allergies"),
            ({"doctor_for": "Dr Rao"}, "doctor_for"),
        ],
    )
    def test_what_is_no_answer_is_refused_in_its_place(self, fill, changes, wrong):
        with pytest.raises(NotAnswered) as refusal:
            fill(**changes)
        assert list(refusal.value.wrong) == [wrong]
        assert refusal.value.wrong[wrong].endswith(".")

    @pytest.mark.parametrize(
        ("overjet", "is_kept"),
        [("6", True), ("-2,5", True), ("26", False), ("6.55", False), ("six", False), ("1e1", False), ("٦", False)],
    )
    def test_a_number_is_one_within_its_bounds(self, fill, overjet, is_kept):
        raw = ORTHODONTIC | {"overjet": [overjet]}
        if is_kept:
            assert said_in(fill(code="orthodontic", raw=raw))["overjet"] == overjet
        else:
            with pytest.raises(NotAnswered):
                fill(code="orthodontic", raw=raw)

    @pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
    def test_a_hostile_text_is_text(self, fill, fernando, session, text):
        filling = fill(complaint=text, medicines=text)
        kept = said_in(filling)["complaint"]
        assert "\0" not in kept
        assert kept == "".join(char for char in text if char != "\0").strip()
        session.expire_all()
        assert said_in(filling)["complaint"] == kept
        assert all("\0" not in label for label in banner(session, fernando))

    def test_half_a_letter_is_none(self, fill):
        assert said_in(fill(complaint="\ud800 lone", medicines="\ud800 lone"))["complaint"] == "lone"

    def test_somebody_faster_is_named_and_nothing_is_kept(self, fill, session):
        fill(by="silva")
        with pytest.raises(Conflict, match=r"Dr Sunil Silva filled this form on .*, after you opened it"):
            fill(seen=0)
        assert session.scalar(select(func.count()).select_from(Filling)) == 1

    def test_a_form_that_was_changed_meanwhile_is_not_filled_as_it_was(self, fill, fernando, world):
        plain = json.loads(shipped("medical"))
        plain["title"] = "Another title"
        publish_form(code="medical", body=json.dumps(plain), seen=1, actor=world.user("adel"))
        with pytest.raises(Conflict, match="The form itself was changed"):
            fill_history(fernando, code="medical", number=1, raw=answered(), seen=0, actor=world.user("kamal"))

    def test_archived_patients_are_left_alone(self, world, session):
        archie, silva = world.patient("archie"), world.user("silva")
        refused = pytest.raises(DomainError, match="is archived")
        with refused:
            fill_history(archie, code="medical", number=1, raw=answered(), seen=0, actor=silva)
        with refused:
            hand_over(archie, code="medical", actor=silva)

    def test_an_unknown_form_is_refused(self, fernando, world):
        with pytest.raises(DomainError, match="not in use"):
            hand_over(fernando, code="nonsense", actor=world.user("kamal"))


class TestWhatOnlySupervisorsAnswer:
    def test_what_a_student_sends_for_it_is_not_kept(self, fill, session, fernando):
        filling = fill(asa="III", precautions="Do not recline")
        assert not {"asa", "precautions"} & set(said_in(filling))
        assert "Do not recline" not in banner(session, fernando)

    def test_what_a_supervisor_said_stays_when_a_student_fills_the_form_again(self, fill, session, fernando, world):
        fill(by="silva", asa="II", precautions="Sit upright")
        filling = fill(seen=1, asa="I", precautions="")
        assert said_in(filling)["asa"] == "II"
        assert said_in(filling)["precautions"] == "Sit upright"

    def test_an_alert_that_somebody_ended_does_not_come_back_with_it(self, fill, session, fernando, world):
        fill(by="silva", precautions="Sit upright")
        alert = session.scalars(select(Alert).where(Alert.label == "Sit upright")).one()
        end_alert(fernando, alert_id=alert.id, reason="Was for one visit", actor=world.user("silva"))
        fill(seen=1)
        assert "Sit upright" not in banner(session, fernando)

    def test_nor_does_the_patient_answer_it_on_a_tablet(self, fill, fernando, world, session):
        fill(by="silva", asa="II")
        kiosk, _token = hand_over(fernando, code="medical", actor=world.user("kamal"))
        filling = fill_by_patient(kiosk.id, raw=answered(asa="I"))
        assert said_in(filling)["asa"] == "II"


class TestBanner:
    def test_what_is_to_be_watched_out_for_comes_into_it_once(self, fill, session, fernando):
        changes = {"allergic": "yes", "allergies": ["penicillin", "latex"], "conditions": ["asthma"]}
        fill(**changes, blood_thinners="yes", medicines="Warfarin 3 mg")
        assert banner(session, fernando) == ["Penicillin", "Asthma", "Latex", "Warfarin 3 mg", "Takes blood thinners"]
        fill(seen=1, **changes, blood_thinners="yes", medicines="Warfarin 3 mg")
        assert len(banner(session, fernando)) == 5

    def test_somebody_who_takes_nothing_has_no_alert_that_says_so(self, fill, session, fernando):
        fill(medicines="None.", conditions=["none of these"])
        assert banner(session, fernando) == ["Penicillin"]

    def test_a_long_answer_is_cut_there_and_whole_behind_it(self, fill, session, fernando):
        fill(medicines="Tablets " * 40)
        alert = session.scalars(select(Alert).order_by(Alert.id.desc()).limit(1)).one()
        assert len(alert.label) <= 120
        assert alert.detail == ("Tablets " * 40).strip()

    def test_what_a_newer_filling_does_not_say_any_more_stands_and_is_asked_about(self, fill, session, fernando, world):
        kamal = world.user("kamal")
        add_alert(fernando, kind=AlertKind.HANDLING, severity=Severity.NOTE, label="Wheelchair", actor=kamal)
        fill(allergic="yes", allergies=["penicillin", "latex"])
        fill(seen=1, allergic="yes", allergies=["penicillin"])
        fill(seen=2, allergic="yes", allergies=["penicillin"])
        newest = told(filling_for(kamal, fernando.id, "medical"))
        session.refresh(fernando, ["alerts"])
        asked = unsaid_alerts(fernando, newest)
        assert [alert.label for alert in asked] == ["Latex"]
        assert set(banner(session, fernando)) == {"Penicillin", "Latex", "Wheelchair"}
        end_alert(fernando, alert_id=asked[0].id, reason="Tested", actor=kamal)
        session.refresh(fernando, ["alerts"])
        assert unsaid_alerts(fernando, newest) == []


class TestReview:
    def test_it_is_dated_and_said_once_however_often(self, fill, fernando, world, session):
        fill(by="silva")
        kamal = world.user("kamal")
        first = review_history(fernando, code="medical", number=1, actor=kamal)
        assert review_history(fernando, code="medical", number=1, actor=kamal).id == first.id
        assert first.day == clock.today()
        acts = session.scalars(select(AuditEvent.act).where(AuditEvent.act == "history.review")).all()
        assert len(acts) == 1

    def test_only_the_newest_filling_is_looked_through(self, fill, fernando, world):
        fill()
        fill(seen=1)
        with pytest.raises(Conflict, match="filled anew"):
            review_history(fernando, code="medical", number=1, actor=world.user("silva"))


class TestTablet:
    def out(self, fernando, world):
        return hand_over(fernando, code="medical", actor=world.user("kamal"))

    def test_the_patient_fills_it_once_and_whoever_handed_it_over_is_told(self, fernando, world, session):
        kiosk, token = self.out(fernando, world)
        assert kiosk_with(token).id == kiosk.id
        filling = fill_by_patient(kiosk.id, raw=answered(allergic="yes", allergies=["latex"]))
        assert (filling.filled_by_id, filling.kiosk_id) == (None, kiosk.id)
        assert kiosk_with(token) is None
        with pytest.raises(Conflict, match="give the tablet back"):
            fill_by_patient(kiosk.id, raw=answered())
        alert = session.scalars(select(Alert).where(Alert.label == "Latex")).one()
        assert (alert.detail, alert.created_by_id) == (ON_A_TABLET, world.people["kamal"])
        notice = session.scalars(select(Notice).where(Notice.user_id == world.people["kamal"])).one()
        assert notice.url == f"/patients/{fernando.id}/history/medical"

    def test_nobody_has_looked_that_through_yet(self, fill, fernando, world):
        fill()
        kiosk, _token = self.out(fernando, world)
        assert reviewed_on(fernando.id, clock.today()) is not None
        fill_by_patient(kiosk.id, raw=answered())
        assert reviewed_on(fernando.id, clock.today()) is None

    def test_a_mistake_leaves_it_open(self, fernando, world, session):
        kiosk, token = self.out(fernando, world)
        with pytest.raises(NotAnswered):
            fill_by_patient(kiosk.id, raw={})
        assert kiosk_with(token) is not None

    def test_it_opens_nothing_after_its_time(self, fernando, world, session, monkeypatch):
        monkeypatch.setattr(
            settings, "read", lambda name, read=settings.read: 7 if name == "kiosk_minutes" else read(name)
        )
        kiosk, token = self.out(fernando, world)
        assert kiosk.expires_at - kiosk.handed_at == timedelta(minutes=7)
        kiosk.expires_at = clock.now() - timedelta(seconds=1)
        session.flush()
        assert kiosk_with(token) is None
        assert tablets_out(world.user("kamal"), fernando.id) == []
        with pytest.raises(Conflict):
            fill_by_patient(kiosk.id, raw=answered())

    def test_taken_back_it_opens_nothing_more(self, fernando, world, session):
        kiosk, token = self.out(fernando, world)
        assert [out.id for out in tablets_out(world.user("silva"), fernando.id)] == [kiosk.id]
        for _twice in range(2):
            take_back(fernando, kiosk_id=kiosk.id, actor=world.user("silva"))
        assert kiosk_with(token) is None
        with pytest.raises(Conflict):
            fill_by_patient(kiosk.id, raw=answered())
        acts = session.scalars(select(AuditEvent.act).where(AuditEvent.act == "history.take_back")).all()
        assert len(acts) == 1

    def test_another_patients_tablet_is_left_alone(self, fernando, world, session):
        kiosk, token = self.out(fernando, world)
        take_back(world.patient("perera"), kiosk_id=kiosk.id, actor=world.user("silva"))
        assert kiosk_with(token) is not None

    def test_one_is_out_for_a_form_at_a_time(self, fernando, world, session):
        _kiosk, former = self.out(fernando, world)
        hand_over(fernando, code="orthodontic", actor=world.user("kamal"))
        _kiosk, newer = self.out(fernando, world)
        assert kiosk_with(former) is None
        assert kiosk_with(newer) is not None
        assert len(tablets_out(world.user("kamal"), fernando.id)) == 2

    def test_of_the_token_only_its_digest_is_kept(self, fernando, world, session):
        _kiosk, token = self.out(fernando, world)
        assert token not in session.scalars(select(Kiosk.token_hash)).all()
        told_of = session.scalars(select(AuditEvent.sentence)).all()
        assert not any(token in sentence for sentence in told_of)

    def test_a_record_archived_meanwhile_takes_nothing(self, fernando, world, session):
        kiosk, _token = self.out(fernando, world)
        fernando.archived_at = clock.now()
        session.flush()
        with pytest.raises(Conflict):
            fill_by_patient(kiosk.id, raw=answered())


class TestForms:
    def publish(self, world, code="medical", seen=1, **changes):
        plain = json.loads(shipped("medical")) | {"code": code} | changes
        return publish_form(code=code, body=json.dumps(plain), seen=seen, actor=world.user("adel"))

    def test_a_changed_form_is_the_next_number_and_former_fillings_keep_theirs(self, fill, world, session, fernando):
        former = fill()
        made = self.publish(world, title="History, shorter")
        assert (made.number, made.title, made.published_by_id) == (2, "History, shorter", world.people["adel"])
        assert fill(seen=1).form_id == made.id
        session.expire_all()
        assert session.get_one(HistoryForm, former.form_id).title == "Medical and dental history"

    def test_published_unchanged_nothing_happens(self, world, session):
        assert self.publish(world).number == 1
        assert session.scalars(select(AuditEvent).where(AuditEvent.act == "history.publish")).all() == []

    def test_somebody_faster_is_named(self, world, session):
        self.publish(world, title="One")
        with pytest.raises(Conflict, match="Adel Rahman published number 2"):
            self.publish(world, title="Two")

    def test_a_new_form_has_a_code_of_its_own(self, world, session, fill):
        plain = json.loads(shipped("medical")) | {"code": "implants", "title": "Before an implant"}
        made = publish_form(code=None, body=json.dumps(plain), seen=0, actor=world.user("adel"))
        assert (made.code, made.number) == ("implants", 1)
        assert fill(code="implants").number == 1
        with pytest.raises(Conflict, match="a form with this code already"):
            self.publish(world, code="implants", seen=0, title="Another")

    def test_a_form_that_is_not_in_use_any_more_is_not_filled(self, world, fill):
        self.publish(world, code="implants", seen=0)
        self.publish(world, code="implants", seen=1, in_use=False)
        with pytest.raises(DomainError, match="not in use"):
            fill(code="implants")

    def test_the_medical_history_stays_in_use_and_every_form_its_code(self, world, session):
        with pytest.raises(DomainError, match="stays in use"):
            self.publish(world, in_use=False)
        with pytest.raises(DomainError, match="It stays “medical”"):
            publish_form(code="medical", body=shipped("orthodontic"), seen=1, actor=world.user("adel"))

    def test_what_is_no_form_is_refused_with_a_sentence(self, world, session):
        with pytest.raises(DomainError, match="Line 1 cannot be read as JSON"):
            publish_form(code="medical", body="{", seen=1, actor=world.user("adel"))


def test_the_words_of_alerts_in_forms_are_those_of_alerts():
    from clinic.history.form import SEVERITIES, WATCH_KINDS

    assert tuple(AlertKind) == WATCH_KINDS
    assert tuple(Severity) == SEVERITIES
    assert form_from(shipped("medical")).in_use
