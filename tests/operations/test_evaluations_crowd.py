"""Several people at one evaluation: one marks, the others are told, and a form is in its table once."""

import pytest
from sqlalchemy import func, select, text

from clinic.errors import Conflict, DomainError
from clinic.extensions import db
from clinic.models import Evaluation, EvaluationForm, Mark, Marking, User, Visit
from clinic.operations.evaluations import (
    assess_self,
    correct_evaluation,
    evaluate,
    publish_evaluation_form,
    retire_evaluation_form,
)
from clinic.queries.evaluations import forms_in_use
from tests.crowd import ISOLATIONS, gather
from tests.evaluated import ON, SESSIONAL, assessed, evaluated, marks, over

PEOPLE = 8
pytestmark = pytest.mark.soak


@pytest.fixture
def engine_name():
    return "mariadb"


@pytest.fixture(scope="module")
def gathered():
    with gather("chairside_evaluation_crowd", ISOLATIONS[0], people=PEOPLE) as crowd:  # the application's own
        yield crowd


@pytest.fixture
def crowd(gathered):
    """The crowd, with Fernando's visit over and no evaluation."""
    with gathered.app.app_context():
        with db.engine.begin() as connection:
            connection.execute(text("SET FOREIGN_KEY_CHECKS=0"))
            for table in ("mark", "marking", "evaluation", "evaluation_form"):
                connection.execute(text(f"TRUNCATE {table}"))
            connection.execute(text("SET FOREIGN_KEY_CHECKS=1"))
        over(gathered.world)
        db.session.commit()
        db.session.remove()
    return gathered


def act(crowd, operation, name, step, version, **more):
    def do():
        how = {"marks": marks(step), "comment": f"Of {step}", "version": version, **more}
        visit = db.session.get_one(Visit, crowd.world.visits["fernando"])
        return operation(visit, **how, actor=db.session.get_one(User, crowd.world.people[name])).number

    return do


def count(crowd, model):
    with crowd.app.app_context():
        return db.session.scalar(select(func.count()).select_from(model))


def test_one_of_several_supervisors_marks(crowd):
    several = [act(crowd, evaluate, "silva", number % 5 + 1, 0, **ON) for number in range(PEOPLE)]
    answers = crowd.at_once(several, PEOPLE)
    assert answers.count(1) == 1
    told = [answer for answer in answers if answer != 1]
    assert all(isinstance(answer, Conflict) and "marked this on" in answer.sentence for answer in told), told
    assert count(crowd, Evaluation) == count(crowd, EvaluationForm) == count(crowd, Marking) == 1
    assert count(crowd, Mark) == len(SESSIONAL.criteria)


def test_the_student_and_the_supervisor_at_once_leave_no_self_assessment_after_the_marks(crowd):
    both = [act(crowd, assess_self, "kamal", 4, 0, **ON), act(crowd, evaluate, "silva", 3, 0, **ON)]
    answers = crowd.at_once(both, 2)
    assert sum(isinstance(answer, DomainError) for answer in answers) == 1, answers
    assert count(crowd, Evaluation) == count(crowd, Marking) == 1


def test_one_correction_of_several_is_kept(crowd):
    with crowd.app.app_context():
        assessed(crowd.world)
        version = evaluated(crowd.world, step=1).version
        db.session.commit()
    several = [
        act(crowd, correct_evaluation, "silva", number % 4 + 2, version, reason="Mixed up") for number in range(PEOPLE)
    ]
    answers = crowd.at_once(several, PEOPLE)
    assert answers.count(2) == 1
    assert all(isinstance(answer, Conflict) for answer in answers if answer != 2), answers
    assert count(crowd, Marking) == 3


@pytest.mark.parametrize("_again", range(5))
def test_of_administrators_who_each_retire_another_form_one_is_refused(crowd, _again):
    codes = ["sessional", "surgery", "periodontics"]
    with crowd.app.app_context():
        adel = db.session.get_one(User, crowd.world.people["adel"])
        for code in codes[1:]:
            said = {"title": code.title(), "steps": "a\nb\nc\nd\ne", "criteria": "Asepsis"}
            publish_evaluation_form(code=None, **said, seen=0, actor=adel)
        db.session.commit()

    def retire(code):
        def do():
            actor = db.session.get_one(User, crowd.world.people["adel"])
            return retire_evaluation_form(code, version=0, is_retired=True, actor=actor).code

        return do

    answers = crowd.at_once([retire(code) for code in codes], len(codes))
    refused = [each for each in answers if isinstance(each, DomainError)]
    assert [each.sentence for each in refused] == ["This is the only form in use. Publish another one first."], answers
    with crowd.app.app_context():
        assert len(forms_in_use()) == 1
