"""Forms as data: what is one, what an answer says, and what differs between two fillings."""

import json

import pytest

from clinic.history.form import (
    SHIPPED,
    NoForm,
    canonical,
    differences,
    form_from,
    read_answers,
    shipped,
    told,
    watched,
)

ITEM = {"code": "one", "label": "One", "kind": "text"}
CHOICE = {"code": "pick", "label": "Pick", "kind": "choice", "options": ["a", "b"]}


def body(*items, **changes):
    return json.dumps(
        {"code": "ours", "title": "Ours", "sections": [{"title": "Part", "items": list(items) or [ITEM]}]} | changes
    )


def said(form, **raw):
    answers, wrong = read_answers(form, {code: [each] for code, each in raw.items()}, for_supervisor=True, former={})
    assert not wrong
    return answers


@pytest.mark.parametrize("code", SHIPPED)
def test_what_comes_with_chairside_is_a_form_and_canonical(code):
    assert form_from(shipped(code)).code == code
    assert canonical(json.loads(shipped(code))) == shipped(code)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ("", "Line 1"),
        ("{\n\n]", "Line 3"),
        ("null", "must be an object"),
        (body(code=""), "needs a “code”"),
        (body(code="Two words"), "small letters"),
        (body(title=7), "needs a “title”"),
        (body(title="x" * 121), "at most 120 letters"),
        (body(sections=[]), "needs “sections”"),
        (body(sections=[{"title": "Part", "items": []}]), "needs “items”"),
        (body(colour="red"), "“colour”, which is not known"),
        (body(in_use="no"), "true or false"),
        (body(ITEM, ITEM), "has already"),
        (body(ITEM | {"kind": "picture"}), "of the kind “picture”"),
        (body(ITEM | {"size": 3}), "“size”, which is not known"),
        (body(ITEM | {"required": 1}), "true or false"),
        (body(ITEM | {"options": ["a", "b"]}), "“options” are for"),
        (body(CHOICE | {"options": ["a"]}), "at least two"),
        (body(CHOICE | {"options": ["a", "a"]}), "an answer twice"),
        (body(CHOICE | {"options": ["a", {"value": "b", "alert": ["allergy", "worst"]}]}), "“alert” is a kind"),
        (body(CHOICE | {"none": "neither"}), "“none” is for several"),
        (body(ITEM | {"kind": "number", "least": 5, "most": 5}), "must be less"),
        (body(ITEM | {"kind": "scale", "least": 0, "most": 100}), "at most 20 steps"),
        (body(ITEM | {"shown_when": ["later", "yes"]}), "“shown_when” names"),
        (body(CHOICE, ITEM | {"shown_when": ["pick", "c"]}), "“shown_when” names"),
        (body(CHOICE | {"supervisors_only": True}, ITEM | {"shown_when": ["pick", "a"]}), "only supervisors answer"),
        (body(*[ITEM | {"code": f"q{n}"} for n in range(201)]), "a list of 1 to 200"),
    ],
)
def test_what_is_no_form_is_refused_with_a_sentence(wrong, sentence):
    with pytest.raises(NoForm) as refusal:
        form_from(wrong)
    assert sentence in str(refusal.value)
    assert str(refusal.value).endswith(".")


def test_answers_are_told_in_words():
    items = [
        {"code": "mm", "label": "Overjet", "kind": "number", "unit": "mm", "least": -9, "most": 20},
        {"code": "scale", "label": "Pain", "kind": "scale", "least": 0, "most": 10},
        {"code": "day", "label": "Since", "kind": "date"},
        {"code": "more", "label": "More", "kind": "several", "options": ["a", "b"]},
    ]
    form = form_from(body(*items))
    raw = {"mm": ["6"], "scale": ["3"], "day": ["2026-03-02"], "more": ["a", "b", "a"]}
    answers, wrong = read_answers(form, raw, for_supervisor=True, former={})
    assert not wrong
    assert [told(item, answers[item.code]) for item in form.items] == ["6 mm", "3 of 10", "2 Mar 2026", "a, b"]
    assert told(next(form.items), None) == "–"


def test_lines_stay_and_what_is_no_letter_goes():
    form = form_from(body(ITEM | {"kind": "long"}))
    assert said(form, one="first\r\n\x00second \x1b[0m")["one"] == "first\nsecond [0m"


def test_a_former_answer_that_is_none_any_more_is_not_carried_over():
    form = form_from(body(CHOICE | {"supervisors_only": True}))
    for kept, expected in (("a", {"pick": "a"}), ("gone", {}), (["a", "b"], {"pick": ["a", "b"]})):
        answers, wrong = read_answers(form, {"pick": ["b"]}, for_supervisor=False, former={"pick": kept})
        assert (answers, wrong) == (expected, {})


def test_only_what_says_something_is_watched_out_for():
    form = form_from(body(ITEM | {"alert": ["medicine", "3-note"]}))
    for words in ("None", "none.", "NIL", "-", "no", "n/a"):
        assert watched(form, {"one": words}) == []
    found = watched(form, {"one": "warfarin\n3 mg"})
    assert [(each.kind, each.severity, each.label) for each in found] == [("medicine", "3-note", "Warfarin 3 mg")]


def test_what_differs_between_two_fillings_of_two_numbers():
    older = form_from(body(ITEM, CHOICE))
    newer = form_from(body(CHOICE, {"code": "new", "label": "New", "kind": "text"}))
    found = differences((older, {"one": "x", "pick": "a"}), (newer, {"pick": "b", "new": "y"}))
    assert [(each.label, each.before, each.after) for each in found] == [
        ("Pick", "a", "b"),
        ("New", "–", "y"),
        ("One", "x", "–"),
    ]
    assert differences((older, {"one": "x"}), (older, {"one": "x"})) == []
