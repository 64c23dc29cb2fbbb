"""Problems of a patient: noted once, shown by what is the patient's, ended with a reason, never changed."""

import pytest
from sqlalchemy import func, select

from clinic.diagnoses import SHIPPED, Diagnosis, meant
from clinic.errors import Conflict, DomainError, NotAllowed
from clinic.extensions import db
from clinic.models import AuditEvent, ChartEntry, Evidence, Problem, ProblemStatus
from clinic.operations.problems import (
    add_diagnosis,
    end_problem,
    note_problem,
    reopen_problem,
    retire_diagnosis,
    show_problem,
)
from clinic.queries.problems import diagnoses, problem_for, problems_of
from tests.charted import F, entry, stroke
from tests.filed import PDF, file_document


def acts(begin):
    return list(
        db.session.scalars(select(AuditEvent.act).where(AuditEvent.act.startswith(begin)).order_by(AuditEvent.id))
    )


PULPITIS = next(each for each in SHIPPED if each.code == "K04.0")


@pytest.fixture
def noted(world, session):
    """`noted(teeth=...)`: a problem of Fernando, by Kamal."""

    def note(**how):
        how = {"diagnosis": PULPITIS, "teeth": ("36",), "actor": world.user("kamal")} | how
        return note_problem(world.patient("fernando"), **how)

    return note


def test_a_problem_is_noted_with_its_code_and_teeth_in_order(world, noted):
    problem = noted(teeth=("36", "16"))
    assert (problem.system, problem.code, problem.words, problem.teeth) == ("ICD-10", "K04.0", "Pulpitis", "16 36")
    assert problem.status is ProblemStatus.ACTIVE
    own = noted(diagnosis=None, said="  Grinds \n at night ", teeth=())
    assert (own.system, own.code, own.words, own.teeth) == ("", "", "Grinds at night", "")
    assert [each.words for each in problems_of(world.user("kamal"), problem.patient_id)] == [
        "Grinds at night",
        "Pulpitis",
    ]
    assert acts("problem.") == ["problem.note", "problem.note"]


def test_what_is_noted_already_is_not_noted_again(noted):
    noted()
    with pytest.raises(Conflict, match="K04.0 Pulpitis, 36 is noted already, by Kamal Dias on"):
        noted()
    with pytest.raises(Conflict):
        noted(diagnosis=None, said="pulpitis")
    noted(teeth=("37",))  # of another tooth it is another problem
    noted(diagnosis=None, said="Pain", teeth=("36",))


@pytest.mark.parametrize(("how", "sentence"), [
    ({"diagnosis": None, "said": " \n "}, "Say what the problem is"),
    ({"diagnosis": None, "said": "x" * 201}, "at most 200 letters"),
    ({"teeth": ("99",)}, "each by its number"),
    ({"teeth": ("36",) * 33}, "At most 32 teeth"),
    ({"documents": (10**9,)}, "not there any more"),
    ({"entries": (10**9,)}, "not there any more"),
])  # fmt: skip
def test_what_cannot_be_a_problem_is_refused_and_leaves_nothing(noted, how, sentence):
    with pytest.raises(DomainError, match=sentence), db.session.begin_nested():
        noted(**how)
    assert db.session.scalar(select(func.count()).select_from(Problem)) == 0


def test_it_is_shown_by_documents_and_the_chart_of_the_same_patient_alone(world, session, noted):
    stroke(world, (entry("caries", "36", F, "O"),))
    charted = db.session.scalar(select(ChartEntry.id))
    picture = file_document(world)
    problem = noted(documents=[picture.id], entries=[charted])
    show_problem(problem.id, documents=[picture.id, picture.id], entries=[charted], actor=world.user("silva"))
    shown = db.session.execute(select(Evidence.document_id, Evidence.entry_id).order_by(Evidence.id)).all()
    assert [tuple(row) for row in shown] == [(picture.id, None), (None, charted)]
    other = file_document(world, "wu", "omar", body=PDF, name="letter.pdf")
    with pytest.raises(DomainError, match="not there any more"), db.session.begin_nested():
        show_problem(problem.id, documents=[other.id], entries=[], actor=world.user("kamal"))


def test_it_ends_with_a_reason_and_comes_back(world, noted):
    problem = noted()
    kamal = world.user("kamal")
    with pytest.raises(DomainError, match="Write why"):
        end_problem(problem.id, status=ProblemStatus.RESOLVED, version=problem.version, reason=" ", actor=kamal)
    with pytest.raises(DomainError, match="resolved, or was noted in error"):
        end_problem(problem.id, status=ProblemStatus.ACTIVE, version=problem.version, reason="So", actor=kamal)
    seen = problem.version
    end_problem(problem.id, status=ProblemStatus.RESOLVED, version=seen, reason="Treated", actor=kamal)
    with pytest.raises(Conflict, match="Kamal Dias resolved it on .* “Treated”"):
        end_problem(problem.id, status=ProblemStatus.RESOLVED, version=seen, reason="Done", actor=world.user("silva"))
    with pytest.raises(Conflict):
        show_problem(problem.id, documents=[], entries=[], actor=kamal)
    noted()  # it may come again
    reopen_problem(problem.id, version=problem.version, actor=kamal)
    assert (problem.status, problem.ended_at, problem.end_reason) == (ProblemStatus.ACTIVE, None, "")


def test_an_error_is_said_by_its_author_or_a_supervisor_and_stays(world, session, noted):
    by_silva = noted(actor=world.user("silva"))
    how = {"status": ProblemStatus.IN_ERROR, "reason": "Of another patient"}
    with pytest.raises(NotAllowed, match="Only whoever noted"):
        end_problem(by_silva.id, version=by_silva.version, actor=world.user("kamal"), **how)
    end_problem(by_silva.id, version=by_silva.version, actor=world.user("silva"), **how)
    with pytest.raises(Conflict, match="said that it was an error"):
        reopen_problem(by_silva.id, version=by_silva.version, actor=world.user("silva"))
    assert problem_for(world.user("kamal"), by_silva.patient_id, by_silva.id) is by_silva


@pytest.mark.parametrize("name", ["omar", "sato", "ruwan", "nimal", "adel"])
def test_who_is_not_given_the_patient_or_is_no_clinician_writes_nothing(world, noted, name):
    with pytest.raises(NotAllowed):
        noted(actor=world.user(name))
    problem = noted()
    if name not in ("ruwan", "nimal"):
        assert problems_of(world.user(name), problem.patient_id) == []
        assert problem_for(world.user(name), problem.patient_id, problem.id) is None
    with pytest.raises(NotAllowed):
        show_problem(problem.id, documents=[], entries=[], actor=world.user(name))


def test_of_an_archived_patient_nothing_is_noted(world, session, noted):
    problem = noted()
    world.patient("fernando").archived_at = problem.noted_at
    session.flush()
    with pytest.raises(DomainError, match="is archived"):
        noted(teeth=())
    with pytest.raises(DomainError, match="is archived"):
        end_problem(
            problem.id, status=ProblemStatus.RESOLVED, version=problem.version, reason="Done", actor=world.user("kamal")
        )


class TestDiagnoses:
    @pytest.mark.parametrize("typed", ["K04.0 Pulpitis", "k04.0", "PULPITIS"])
    def test_it_is_meant_by_code_name_or_both(self, typed):
        assert meant(typed, SHIPPED) == PULPITIS
        assert meant(f"{typed} of the lower molar", SHIPPED) is None

    def test_each_that_comes_with_chairside_is_there_once(self):
        assert len({each.code for each in SHIPPED}) == len({each.name for each in SHIPPED}) == len(SHIPPED) > 50

    def test_the_clinic_adds_its_own_which_is_offered_until_it_is_retired(self, world, session):
        adel = world.user("adel")
        row = add_diagnosis(system="own", code="P-17", name="Cracked  cusp", actor=adel)
        assert diagnoses()[0] == Diagnosis("P-17", "Cracked cusp", "own")
        seen = row.version
        retire_diagnosis(row.id, version=seen, is_retired=True, actor=adel)
        assert diagnoses()[0] == SHIPPED[0]
        with pytest.raises(Conflict, match="It is retired now"):
            retire_diagnosis(row.id, version=seen, is_retired=False, actor=adel)
        retire_diagnosis(row.id, version=row.version, is_retired=False, actor=adel)
        retire_diagnosis(row.id, version=row.version, is_retired=False, actor=adel)
        assert diagnoses()[0].code == "P-17"
        assert acts("diagnosis.") == ["diagnosis.add", "diagnosis.retire", "diagnosis.bring_back"]

    @pytest.mark.parametrize(("told", "sentence"), [
        ({"code": "<b>"}, "A code has at most"),
        ({"code": ""}, "A code has at most"),
        ({"name": ""}, "a name"),
        ({"system": "x" * 21}, "at most 20 letters"),
        ({"code": "K04.0", "system": "ICD-10"}, "comes with Chairside"),
    ])  # fmt: skip
    def test_what_is_no_diagnosis_is_refused(self, world, session, told, sentence):
        with pytest.raises(DomainError, match=sentence):
            add_diagnosis(**{"system": "own", "code": "P-1", "name": "Name"} | told, actor=world.user("adel"))

    def test_a_code_is_there_once(self, world, session):
        told = {"system": "own", "code": "P-17", "actor": world.user("adel")}
        add_diagnosis(name="One", **told)
        session.commit()
        with pytest.raises(Conflict, match="P-17 of own is there already"):
            add_diagnosis(name="Another", **told)
        session.rollback()
