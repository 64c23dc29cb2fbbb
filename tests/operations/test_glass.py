"""Breaking the glass: who, whose record, for how long, who is told, and who judges it."""

import random
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import delete, func, select

from clinic import clock, settings
from clinic.errors import Conflict, DomainError
from clinic.models import (
    Assignment,
    AssignmentKind,
    AuditEvent,
    BrokenGlass,
    GlassReason,
    Judgement,
    Notice,
    Patient,
    Role,
    Setting,
    Sex,
    User,
)
from clinic.operations.glass import WrongPair, break_glass, close_glass, judge
from clinic.operations.people import change_person, deactivate, reactivate
from clinic.queries import glass as queries
from clinic.queries import scope
from clinic.queries.patients import patient_for
from tests.queries_counted import counted

NOON = datetime.now(UTC).replace(hour=6, minute=30, second=0, microsecond=0)  # in the clinic
WHY = "She fainted in the corridor"
NADIA = {"code": "P-2026-00004", "birth_date": date(1970, 1, 15)}
WU = {"code": "P-2026-00003", "birth_date": date(2015, 6, 20)}


@pytest.fixture(autouse=True)
def at_noon():
    with clock.frozen(NOON):
        yield


def broken(world, who="kamal", /, **changes):
    asked = NADIA | {"reason": GlassReason.EMERGENCY, "words": WHY} | changes
    return break_glass(**asked, actor=world.user(who))


def told(session, kind="glass.broken"):
    return set(session.scalars(select(Notice.user_id).where(Notice.kind == kind)))


def added_patient(world, session, number):
    patient = Patient(
        code=f"P-2025-{number:05d}",
        name="Somebody",
        sort_name="somebody",
        birth_date=date(1980, 1, 1),
        sex=Sex.UNKNOWN,
        created_at=NOON,
        created_by_id=world.people["ruwan"],
    )
    session.add(patient)
    session.flush()
    return patient


def looks(world, who, patient):
    """Whether a person sees a patient while looking; and while changing."""
    seen = []
    for looking in (True, False):
        mark = scope.only_looking.set(looking)
        try:
            seen.append(patient_for(world.user(who), world.patients[patient]) is not None)
        finally:
            scope.only_looking.reset(mark)
    return tuple(seen)


class TestBreaking:
    @pytest.mark.parametrize("who", ["kamal", "silva", "adel"])
    def test_it_shows_one_patient_to_one_person_and_lets_them_change_nothing(self, world, session, who):
        assert looks(world, who, "nadia") == (False, False)
        glass = broken(world, who)
        assert (glass.user_id, glass.patient_id) == (world.people[who], world.patients["nadia"])
        assert looks(world, who, "nadia") == (True, False)
        assert looks(world, who, "wu") == (False, False)
        assert looks(world, "leela", "nadia") == (False, False)

    def test_it_is_over_to_the_second(self, world, session):
        broken(world)
        end = NOON + timedelta(minutes=60)
        for at, seen in ((end - timedelta(seconds=1), True), (end, False), (end + timedelta(seconds=1), False)):
            with clock.frozen(at):
                assert looks(world, "kamal", "nadia") == (seen, False)
                assert bool(queries.glasses_over(world.user("kamal"))) is seen

    def test_the_setting_says_how_long(self, world, session):
        session.add(Setting(name="glass_minutes", value="15"))
        session.flush()
        settings.forget()
        assert broken(world).expires_at == NOON + timedelta(minutes=15)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"code": "P-2026-00003"},
            {"code": "P-2026-99999"},
            {"code": "00004"},
            {"code": "%"},
            {"code": ""},
            {"birth_date": date(1970, 1, 14)},
        ],
    )
    def test_a_wrong_pair_is_refused_with_one_sentence(self, world, session, wrong):
        with pytest.raises(WrongPair, match="do not belong together, or there is no such patient"):
            broken(world, **wrong)
        assert not session.scalar(select(func.count(BrokenGlass.id)))

    def test_the_code_may_be_typed_small_and_in_other_digits(self, world, session):
        assert broken(world, code=" p-2026-٠٠٠٠٤ ").patient_id == world.patients["nadia"]

    @pytest.mark.parametrize("words", ["", "   ", "help", " a  b  c  d "])
    def test_the_words_must_say_something(self, world, session, words):
        with pytest.raises(DomainError, match="at least 10 letters"):
            broken(world, words=words)

    @pytest.mark.parametrize(("who", "pair"), [("omar", WU), ("sato", WU), ("ruwan", NADIA)])
    def test_whoever_has_the_patient_need_not(self, world, session, who, pair):
        with pytest.raises(DomainError, match="need not"):
            broken(world, who, **pair)

    def test_what_is_open_is_not_opened_twice(self, world, session):
        first = broken(world)
        assert broken(world, words="Another good reason").id == first.id
        assert first.words == WHY
        assert session.scalar(select(func.count(BrokenGlass.id))) == 1
        with clock.frozen(NOON + timedelta(hours=2)):
            assert broken(world).id != first.id

    def test_the_trail_says_who_whose_and_why(self, world, session):
        broken(world)
        event = session.scalars(select(AuditEvent).where(AuditEvent.act == "glass.break")).one()
        assert (event.actor_id, event.patient_id, event.reason) == (
            world.people["kamal"],
            world.patients["nadia"],
            WHY,
        )
        assert "emergency" in event.sentence

    def test_a_patient_given_meanwhile_is_not_seen_through_the_glass(self, world, session):
        broken(world)
        session.add(
            Assignment(
                patient_id=world.patients["nadia"],
                user_id=world.people["kamal"],
                kind=AssignmentKind.PRIMARY,
                starts_at=NOON,
                created_by_id=world.people["silva"],
            )
        )
        session.flush()
        assert queries.glasses_over(world.user("kamal")) == {}
        assert looks(world, "kamal", "nadia") == (True, True)


class TestWhoIsTold:
    def test_supervisors_of_the_person_and_of_the_patient(self, world, session):
        broken(world, "kamal", **WU)
        assert told(session) == {world.people["silva"], world.people["sato"]}

    def test_never_who_did_it(self, world, session):
        broken(world, "silva", **WU)
        assert told(session) == {world.people["sato"]}

    def test_administrators_when_no_supervisor_is_concerned(self, world, session):
        broken(world, "silva")
        assert told(session) == {world.people["adel"]}

    def test_who_looks_after_the_patient_themselves(self, world, session):
        session.add(
            Assignment(
                patient_id=world.patients["nadia"],
                user_id=world.people["sato"],
                kind=AssignmentKind.OVERSIGHT,
                starts_at=NOON,
                created_by_id=world.people["silva"],
            )
        )
        session.flush()
        broken(world, "adel")
        assert told(session) == {world.people["sato"]}

    def test_everyone_who_is_told_may_judge(self, world, session):
        """60 glasses by people of each role over patients of all kinds: each is told to somebody, and waits on their lists."""
        chance = random.Random(1)
        people = {name: world.people[name] for name in ("kamal", "leela", "omar", "silva", "sato", "adel")}
        count = 0
        for number in range(60):
            who = chance.choice(sorted(people))
            kinds = chance.sample(sorted(people), 2)
            patient = added_patient(world, session, number)
            for carer in kinds:
                session.add(
                    Assignment(
                        patient_id=patient.id,
                        user_id=people[carer],
                        kind=AssignmentKind.OVERSIGHT,
                        starts_at=NOON - timedelta(days=2),
                        ends_at=NOON - timedelta(days=1) if carer == who or chance.random() < 0.5 else None,
                        created_by_id=world.people["silva"],
                    )
                )
            session.flush()
            if session.scalar(select(scope.is_given(world.user(who), Patient.id)).where(Patient.id == patient.id)):
                continue
            session.execute(delete(Notice))
            glass = broken(world, who, code=patient.code, birth_date=patient.birth_date)
            count += 1
            concerned = told(session)
            assert concerned or who == "adel"  # the only administrator, and no supervisor is concerned
            for user_id in concerned:
                assert queries.glass_to_judge(session.get_one(User, user_id), glass.id)
                assert user_id != glass.user_id
        assert count >= 40

    def test_nobody_who_no_longer_works_here(self, world, session):
        world.user("silva").active = False
        session.flush()
        broken(world, "kamal")
        assert told(session) == {world.people["adel"]}

    def test_the_notice_names_no_more_of_the_patient_than_the_code(self, world, session):
        broken(world)
        notice = session.scalars(select(Notice)).one()
        assert "P-2026-00004" in notice.sentence
        assert WHY in notice.sentence
        assert world.patient("nadia").name not in notice.sentence

    def test_as_many_queries_for_many_colleagues(self, world, session):
        """Each is told by an insert of their own; who they are is asked once."""
        kamal = world.user("kamal")
        with counted() as few:
            broken(world)
        for number in range(30):
            person = world.user("silva")
            session.add(
                type(person)(
                    email=f"s{number}@clinic.test",
                    name="Dr Many",
                    role=Role.SUPERVISOR,
                    department_id=person.department_id,
                    password_hash="!",
                    created_at=NOON,
                )
            )
        session.flush()
        with counted() as many:
            break_glass(
                code="P-2026-00003", birth_date=WU["birth_date"], reason=GlassReason.COVER, words=WHY, actor=kamal
            )
        reads = [sum(sent.startswith("SELECT") for sent in all_sent) for all_sent in (few, many)]
        assert reads[0] == reads[1]
        assert len(told(session)) == 32


class TestClosing:
    def test_it_is_over_at_once(self, world, session):
        glass = close_glass(broken(world), actor=world.user("kamal"))
        assert glass.closed_at == NOON
        assert looks(world, "kamal", "nadia") == (False, False)

    def test_twice_is_once(self, world, session):
        glass = close_glass(broken(world), actor=world.user("kamal"))
        with clock.frozen(NOON + timedelta(minutes=5)):
            assert close_glass(glass, actor=world.user("kamal")).closed_at == NOON
        assert session.scalar(select(func.count(AuditEvent.id)).where(AuditEvent.act == "glass.close")) == 1

    def test_what_has_expired_stays_expired(self, world, session):
        glass = broken(world)
        with clock.frozen(NOON + timedelta(hours=1)):
            assert close_glass(glass, actor=world.user("kamal")).closed_at is None

    def test_it_is_over_with_the_role(self, world, session):
        """Who comes back within the hour, or in another role, has given up what they opened."""
        adel, omar = world.user("adel"), world.user("omar")
        glasses = [broken(world), broken(world, "omar")]
        deactivate(world.people["kamal"], actor=adel)
        reactivate(world.people["kamal"], actor=adel)
        place = {"name": omar.name, "email": omar.email, "department_id": omar.department_id, "year": None}
        change_person(omar.id, version=omar.version, role=Role.SUPERVISOR, actor=adel, **place)
        assert [glass.closed_at for glass in glasses] == [NOON, NOON]
        assert looks(world, "kamal", "nadia") == looks(world, "omar", "nadia") == (False, False)
        told = select(AuditEvent.actor_id).where(AuditEvent.act == "glass.close")
        assert session.scalars(told).all() == [adel.id, adel.id]

    def test_by_nobody_else(self, world, session):
        with pytest.raises(DomainError, match="Only who broke"):
            close_glass(broken(world), actor=world.user("silva"))


class TestJudging:
    def judged(self, world, glass, who="silva", /, **changes):
        said = {"version": glass.version, "judgement": Judgement.JUSTIFIED, "words": "She was first there"} | changes
        return judge(glass.id, **said, actor=world.user(who))

    def test_justified_leaves_it_open_and_tells_who_opened_it(self, world, session):
        glass = self.judged(world, broken(world))
        assert (glass.judged_by_id, glass.judged_at, glass.closed_at) == (world.people["silva"], NOON, None)
        assert told(session, "glass.judged") == {world.people["kamal"]}
        assert looks(world, "kamal", "nadia") == (True, False)
        event = session.scalars(select(AuditEvent).where(AuditEvent.act == "glass.judge")).one()
        assert event.reason == "She was first there"

    def test_not_justified_closes_it_at_once(self, world, session):
        glass = self.judged(world, broken(world), judgement=Judgement.NOT_JUSTIFIED)
        assert glass.closed_at == NOON
        assert looks(world, "kamal", "nadia") == (False, False)

    def test_nobody_judges_their_own(self, world, session):
        with pytest.raises(DomainError, match="Nobody judges their own"):
            self.judged(world, broken(world, "silva"))

    def test_a_judgement_needs_words(self, world, session):
        with pytest.raises(DomainError, match="in a few words"):
            self.judged(world, broken(world), words="  ")

    def test_the_second_judge_reads_the_first(self, world, session):
        glass = broken(world)
        seen = glass.version
        self.judged(world, glass)
        with pytest.raises(Conflict) as conflict:
            self.judged(world, glass, "adel", version=seen, words="I think not")
        assert "Dr Sunil Silva judged this justified at 12:00" in conflict.value.sentence
        assert (conflict.value.theirs, conflict.value.mine) == (
            {"words": "She was first there"},
            {"words": "I think not"},
        )

    def test_what_was_closed_meanwhile_is_looked_at_again(self, world, session):
        glass = broken(world)
        seen = glass.version
        close_glass(glass, actor=world.user("kamal"))
        with pytest.raises(Conflict, match="Kamal Dias closed this record at 12:00"):
            self.judged(world, glass, version=seen)
