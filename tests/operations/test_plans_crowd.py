"""Many people at one plan: one acceptance, one decision, numbers without gaps, whatever the isolation."""

import pytest
from sqlalchemy import func, select, text

from clinic.errors import Conflict, DomainError, Unavailable
from clinic.extensions import db
from clinic.models import Acceptance, ChartEntry, Estimate, Plan, PlanStatus, User
from clinic.operations import plans
from tests.crowd import ISOLATIONS, gather
from tests.planned import approved, estimate_of, item_said, options_of, plan_of, sent

pytestmark = pytest.mark.soak
# The trail too: it tells who wrote on a plan, and their numbers begin anew.
TABLES = ("acceptance", "estimate", "plan_item", "plan_option", "plan", "chart", "chart_entry", "audit_event")


@pytest.fixture
def engine_name():
    return "mariadb"


@pytest.fixture(scope="module", params=ISOLATIONS)
def gathered(request):
    with gather("chairside_plans_crowd", request.param, people=12) as crowd:
        yield crowd


@pytest.fixture
def crowd(gathered):
    """The crowd, with no plan and no chart."""
    with gathered.app.app_context(), db.engine.begin() as connection:
        connection.execute(text("SET FOREIGN_KEY_CHECKS=0"))
        for table in TABLES:
            connection.execute(text(f"TRUNCATE {table}"))
        connection.execute(text("DELETE FROM counter WHERE name LIKE 'estimate:%'"))
        connection.execute(text("SET FOREIGN_KEY_CHECKS=1"))
    return gathered


def made(crowd, how, **more):
    """A plan so far: its id, version, the digest of its estimate, and its options."""
    with crowd.app.app_context():
        plan = how(crowd.world, **more)
        db.session.commit()
        estimate = None if how is plan_of else estimate_of(plan)
        return plan.id, plan.version, estimate.sha256 if estimate else "", [each.id for each in options_of(plan)]


def person(crowd, name) -> User:
    return db.session.get_one(User, crowd.world.people[name])


def went(answers):
    """How many got through; everybody else was told why."""
    assert all(isinstance(each, DomainError | int) for each in answers), answers
    return sum(isinstance(each, int) for each in answers)


def test_two_who_accept_at_once_and_one_wins(crowd):
    plan, _version, seen, options = made(crowd, approved)

    def accept(by, option):
        told = {"seen": seen, "signed_by": "N F", "signature": "", "on_paper": True}
        return lambda: plans.accept_plan(plan, option_id=option, actor=person(crowd, by), **told).id

    answers = crowd.at_once([accept(("kamal", "silva")[n % 2], options[n % 2]) for n in range(12)], people=12)
    assert went(answers) == 1
    assert all(isinstance(each, int | Conflict | Unavailable) for each in answers)
    with crowd.app.app_context():
        row = db.session.execute(select(Acceptance)).scalar_one()
        kinds = set(db.session.scalars(select(ChartEntry.kind)))
        assert kinds == ({"root_canal", "crown"} if row.option_id == options[0] else {"extraction"})
        assert db.session.get_one(Plan, plan).status is PlanStatus.ACCEPTED


def test_two_plans_accepted_at_once_leave_one_in_force(crowd):
    both = [made(crowd, approved, name=name) for name in ("One", "Two")]

    def accept(plan, seen, option):
        told = {"seen": seen, "signed_by": "N F", "signature": "", "on_paper": True}
        return lambda: plans.accept_plan(plan, option_id=option, actor=person(crowd, "kamal"), **told).id

    answers = crowd.at_once([accept(plan, seen, options[0]) for plan, _version, seen, options in both] * 3, people=6)
    assert went(answers) == 2
    with crowd.app.app_context():
        assert sorted(db.session.scalars(select(Plan.status))) == [PlanStatus.ACCEPTED, PlanStatus.SUPERSEDED]
        assert db.session.scalar(select(func.count()).select_from(ChartEntry)) == 2  # the same work is planned once


def test_approved_returned_and_taken_back_at_once_is_decided_once(crowd):
    plan, version, _seen, _options = made(crowd, sent)
    acts = [
        lambda: plans.approve_plan(plan, version=version, actor=person(crowd, "silva")).id,
        lambda: plans.return_plan(plan, version=version, reason="Why?", actor=person(crowd, "silva")).id,
        lambda: plans.reopen_plan(plan, version=version, actor=person(crowd, "kamal")).id,
    ]
    assert went(crowd.at_once(acts * 3, people=9)) == 1
    with crowd.app.app_context():
        assert db.session.execute(select(Estimate.decision)).scalar_one() is not None


def test_sent_at_once_while_written_on_there_is_one_estimate_of_what_stands(crowd):
    plan, version, _seen, options = made(crowd, plan_of)
    acts = [lambda: plans.send_plan(plan, version=version, actor=person(crowd, "kamal")).id] * 4
    acts += [lambda: plans.add_items(options[0], item=item_said(), actor=person(crowd, "silva"))[0].id] * 4
    crowd.at_once(acts, people=8)
    with crowd.app.app_context():
        found = db.session.scalars(select(Estimate)).all()
        assert len(found) <= 1
        for estimate in found:  # what is in it is what the plan holds: nobody wrote after it
            held = [[item.id for item in option.items] for option in estimate.sent.options]
            row = db.session.execute(
                text("SELECT COUNT(*) FROM plan_item JOIN plan_option ON plan_option.id = option_id")
            ).scalar()
            assert sum(map(len, held)) == row


def test_numbers_of_estimates_have_no_gaps(crowd):
    drafts = [made(crowd, plan_of, name=f"Plan {n}") for n in range(8)]
    acts = [
        lambda plan=plan, version=version: plans.send_plan(plan, version=version, actor=person(crowd, "kamal")).id
        for plan, version, _seen, _options in drafts
    ]
    count = went(crowd.at_once(acts, people=8))  # whoever is told that many changed the same thing tries again
    assert count > 0
    with crowd.app.app_context():
        codes = sorted(db.session.scalars(select(Estimate.code)))
        assert [code[-5:] for code in codes] == [f"{n:05d}" for n in range(1, count + 1)]
