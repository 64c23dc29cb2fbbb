"""Two at once at the door: a code, a link and a remembered device work once; guesses all count; an administrator remains."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from clinic import clock
from clinic.errors import DomainError
from clinic.extensions import db
from clinic.models import AuthSession, RememberToken, Role, User
from clinic.operations import account, people, second_factor, sign_in, throttle
from clinic.security import unseal
from tests.crowd import ISOLATIONS, gather
from tests.visitor import code_now

pytestmark = pytest.mark.soak


@pytest.fixture(params=ISOLATIONS)
def crowd(request):
    with gather("chairside_door_crowd", request.param) as crowd:
        yield crowd


@pytest.fixture
def engine_name():
    return "mariadb"


def committed(crowd, act):
    with crowd.app.app_context():
        answer = act()
        db.session.commit()
        return answer


def worked(answers):
    return [answer for answer in answers if answer and not isinstance(answer, DomainError)]


def test_one_code_opens_once(crowd):
    world = crowd.world

    def enrol():
        silva = world.user("silva")
        second_factor.begin_enrolment(actor=silva)
        secret = unseal(silva.totp_secret, second_factor.PURPOSE)
        return secret, second_factor.confirm_enrolment(code_now(secret, steps=-1), actor=silva)

    secret, recovery = committed(crowd, enrol)
    for code in (code_now(secret), recovery[0]):
        answers = crowd.at_once([lambda code=code: second_factor.judge_code(world.user("silva"), code)] * 20)
        assert len(worked(answers)) == 1


def test_one_link_sets_one_password(crowd):
    committed(crowd, lambda: account.make_link(email="ruwan@clinic.test", token="t" * 43))
    answers = crowd.at_once([lambda n=n: account.use_link("t" * 43, new_hash=f"hash {n}") or n for n in range(1, 21)])
    winner = worked(answers)
    assert len(winner) == 1
    assert committed(crowd, lambda: crowd.world.user("ruwan").password_hash) == f"hash {winner[0]}"


def test_one_remembered_device_opens_at_most_once_and_then_its_family_ends(crowd):
    _family, token = committed(crowd, lambda: sign_in.remember(crowd.world.user("ruwan")))

    def come_back():
        found = sign_in.recognise(token)
        if found:
            sign_in.start_session(found[0], method="remembered", device=None, family=found[1])
        return found

    answers = crowd.at_once([come_back] * 10)
    assert len(worked(answers)) == 1
    open_tokens = select(func.count(RememberToken.id)).where(RememberToken.revoked_at.is_(None))
    open_sessions = select(func.count(AuthSession.id)).where(AuthSession.ended_at.is_(None))
    assert committed(crowd, lambda: (db.session.scalar(open_tokens), db.session.scalar(open_sessions))) == (0, 0)


def test_guesses_at_once_all_count(crowd):
    name = throttle.bucket("account", "ruwan@clinic.test")
    committed(crowd, lambda: throttle.count(name))
    answers = crowd.at_once([lambda: throttle.count(name) or "judged"] * 60)
    assert len(worked(answers)) == throttle.KINDS["account"][0] - 1


def test_two_administrators_cannot_remove_each_other(crowd):
    def second_admin():
        db.session.add(
            User(name="Bea Admin", email="bea@clinic.test", role=Role.ADMIN, password_hash="x", created_at=clock.now())
        )
        db.session.flush()
        return db.session.scalar(select(User.id).where(User.email == "bea@clinic.test"))

    adel, bea = crowd.world.people["adel"], committed(crowd, second_admin)
    remove = [
        lambda who=who, by=by: people.deactivate(who, actor=db.session.get_one(User, by)).id
        for who, by in ((adel, bea), (bea, adel))
    ]
    crowd.at_once(remove, people=2)
    left = select(func.count(User.id)).where(User.role == Role.ADMIN, User.active)
    assert committed(crowd, lambda: db.session.scalar(left)) == 1


def test_a_link_made_long_ago_is_spent(crowd):
    committed(crowd, lambda: account.make_link(email="ruwan@clinic.test", token="t" * 43))
    with clock.frozen(clock.now() + timedelta(minutes=31)):
        answers = crowd.at_once([lambda: account.use_link("t" * 43, new_hash="x") or 1] * 2)
    assert not worked(answers)
