"""Forms of evaluations as data: written a line a criterion, read back, and the marks that fit them."""

import pytest

from clinic.evaluation.form import (
    FIELD,
    NOT_SEEN,
    SHIPPED,
    Criterion,
    Form,
    NoForm,
    form_from,
    read_marks,
    shipped,
    why_no_marks,
    written,
)

STEPS = "no\nhardly\npartly\nmostly\nwholly"
SESSIONAL = form_from(shipped("sessional"))


@pytest.mark.parametrize("code", SHIPPED)
def test_what_comes_with_chairside_is_a_form_and_its_body_is_canonical(code):
    form = form_from(shipped(code))
    assert form.code == code
    assert form.body == shipped(code)
    assert len(form.steps) == 5


def test_a_form_is_written_a_line_a_criterion():
    form = written("Our  own", STEPS, "Technique: how it was done\n\nTime: on time\nTéchnique two")
    assert (form.code, form.title) == ("our_own", "Our own")
    assert [(each.code, each.label, each.hint) for each in form.criteria] == [
        ("technique", "Technique", "how it was done"),
        ("time", "Time", "on time"),
        ("t_chnique_two", "Téchnique two", ""),
    ]
    assert form_from(form.body) == form
    assert form.word(None) == "not seen"
    assert form.word(5) == "wholly"


def test_a_criterion_keeps_its_code_with_its_words_and_loses_it_with_others():
    changed = written("Sessional", STEPS, "Technique: hands\nKnowledge", code="sessional", ever=[SESSIONAL])
    assert changed.code == "sessional"
    assert [each.code for each in changed.criteria] == ["technique", "knowledge_2"]


@pytest.mark.parametrize(("title", "steps", "criteria", "said"), [
    ("", STEPS, "A", "title"),
    ("x" * 200, STEPS, "A", "title"),
    ("A", "one\ntwo", "A", "5 steps"),
    ("A", "a\na\nb\nc\nd", "A", "5 steps"),
    ("A", STEPS.replace("no", "n" * 60), "A", "longer than 40"),
    ("A", STEPS, " \n", "1 to 20"),
    ("A", STEPS, "\n".join(f"C{n}" for n in range(21)), "1 to 20"),
    ("A", STEPS, "Same\nsame", "twice"),
    ("A", STEPS, ": nothing before", "a criterion has"),
    ("A", STEPS, "x" * 200, "a criterion has"),
])  # fmt: skip
def test_what_is_no_form_says_why(title, steps, criteria, said):
    with pytest.raises(NoForm, match=said):
        written(title, steps, criteria)


def test_a_code_is_never_given_to_other_words_whatever_numbers_lie_between():
    numbers = [SESSIONAL]
    for criteria in ("Knowledge\nදැනුම", "කුසලතා", "Preparation and knowledge\nකාලය\nදැනුම"):
        numbers.append(written("Sessional", STEPS, criteria, code="sessional", ever=numbers))
    codes = [{each.label: each.code for each in form.criteria} for form in numbers[1:]]
    assert codes == [
        {"Knowledge": "knowledge_2", "දැනුම": "own"},
        {"කුසලතා": "own_2"},
        {"Preparation and knowledge": "knowledge", "කාලය": "own_3", "දැනුම": "own"},
    ]


def test_marks_of_two_forms_are_of_one_criterion_only_with_the_same_words():
    other = written("Surgery", STEPS, "Technique\nKnowledge\nදැනුම", ever=[SESSIONAL])
    assert [each.code for each in other.criteria] == ["technique", "knowledge_2", "own"]
    third = written("Third", STEPS, "කුසලතා\nknowledge", ever=[SESSIONAL, other])
    assert [each.code for each in third.criteria] == ["own_2", "knowledge_2"]


def test_words_that_once_shared_a_code_do_not_share_it_in_one_form():
    both = [
        Form("one", "One", SESSIONAL.steps, (Criterion("own", "දැනුම"),)),
        Form("two", "Two", SESSIONAL.steps, (Criterion("own", "කුසලතා"),)),
    ]
    form = written("One", STEPS, "දැනුම\nකුසලතා", code="one", ever=both)
    assert [each.code for each in form.criteria] == ["own", "own_2"]


def test_a_new_form_has_a_code_that_none_has_and_no_page_of_ours():
    first = written("ආකෘතිය", STEPS, "A")
    assert [form.code for form in (first, written("New", STEPS, "A"))] == ["own", "new_2"]
    assert written("පෝරමය", STEPS, "A", ever=[first]).code == "own_2"


def test_words_in_any_script_make_codes_that_differ():
    form = written("ආකෘතිය", STEPS, "දැනුම\nකුසලතා")
    assert form.code == "own"
    assert [each.code for each in form.criteria] == ["own", "own_2"]


def test_marks_are_read_and_what_is_missing_is_said():
    sent = {f"{FIELD}{each.code}": "3" for each in SESSIONAL.criteria} | {
        f"{FIELD}technique": NOT_SEEN,
        f"{FIELD}knowledge": "9",
    }
    marks, wrong = read_marks(SESSIONAL, sent)
    assert marks["technique"] is None
    assert marks["professionalism"] == 3
    assert set(wrong) == {"knowledge"}
    assert why_no_marks(SESSIONAL, marks)
    assert not why_no_marks(SESSIONAL, marks | {"knowledge": 1})
    assert why_no_marks(SESSIONAL, marks | {"knowledge": 6})
    assert why_no_marks(SESSIONAL, marks | {"knowledge": 1, "other": 1})
    assert why_no_marks(SESSIONAL, dict.fromkeys((each.code for each in SESSIONAL.criteria), None))
