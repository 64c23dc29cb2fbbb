"""A form on which a student's work is evaluated: criteria, and a scale of five steps with a word for each.

A form is data (a JSON body, kept by number in the database), so that a clinic has its own and every mark stays readable with a copy of
the form it was given on. A criterion keeps its code as long as its words stay; with other words it is another criterion.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from clinic.canonical import canonical
from clinic.text import one_line

SHIPPED = ("sessional",)
STEPS = 5
NOT_SEEN = "not-seen"  # as a form sends it
FIELD = "mark-"  # before the code of a criterion, so that no criterion is taken for a field of ours
MOST_CRITERIA = 20
LONGEST_LABEL, LONGEST_HINT, LONGEST_STEP, LONGEST_TITLE = 80, 160, 40, 120
LONGEST_CODE = 40
NO_CODE = "new"  # of a form: its page would be that of a further form

# A step by the code of its criterion; None: not seen today.
Marks = Mapping[str, int | None]


class NoForm(ValueError):
    """What was written is no form: says what is wrong with it."""


@dataclass(frozen=True)
class Criterion:
    code: str
    label: str
    hint: str = ""


@dataclass(frozen=True)
class Form:
    """`steps`: the words of the scale, the lowest first."""

    code: str
    title: str
    steps: tuple[str, ...]
    criteria: tuple[Criterion, ...]

    def word(self, step: int | None) -> str:
        """A step in words; `not seen` for none."""
        return self.steps[step - 1] if step else "not seen"

    @property
    def body(self) -> str:
        """Canonical JSON of it."""
        return canonical(
            {
                "code": self.code,
                "title": self.title,
                "steps": list(self.steps),
                "criteria": [{"code": each.code, "label": each.label, "hint": each.hint} for each in self.criteria],
            }
        )


@cache
def shipped(code: str) -> str:
    """The body of a form that comes with Chairside, in canonical JSON."""
    return canonical(json.loads((Path(__file__).parent / f"{code}.json").read_text("utf-8")))


@lru_cache(maxsize=200)
def form_from(body: str) -> Form:
    """The form of a body that `Form.body` wrote."""
    plain = json.loads(body)
    criteria = tuple(Criterion(each["code"], each["label"], each["hint"]) for each in plain["criteria"])
    return Form(plain["code"], plain["title"], tuple(plain["steps"]), criteria)


def written(title: str, steps: str, criteria: str, *, code: str | None = None, ever: Sequence[Form] = ()) -> Form:
    """The form that somebody wrote: a step a line, a criterion a line (what it means after a colon). Raises NoForm.

    `code`: of the form that is changed, None for a new one; `ever`: every number of every form, oldest first. A criterion with words that
    were there before keeps their code, that of its own form first; with other words it gets a code that nothing ever had, since marks
    are compared by it over all numbers and forms.
    """
    title = one_line(title)
    if not 0 < len(title) <= LONGEST_TITLE:
        raise NoForm(f"Give the form a title of at most {LONGEST_TITLE} letters.")
    words = [word for line in steps.splitlines() if (word := one_line(line))]
    if len(words) != STEPS or len({word.casefold() for word in words}) != STEPS:
        raise NoForm(f"The scale has {STEPS} steps, each with its own words on a line, the lowest first.")
    if too_long := [word for word in words if len(word) > LONGEST_STEP]:
        raise NoForm(f"“{too_long[0][:40]}…” is longer than {LONGEST_STEP} letters.")
    own_last = sorted(ever, key=lambda form: form.code == code)
    read = _criteria(
        criteria,
        {each.label.casefold(): each.code for form in own_last for each in form.criteria},
        {each.code for form in ever for each in form.criteria},
    )
    return Form(code or _free(code_of(title), {NO_CODE, *(form.code for form in ever)}), title, tuple(words), read)


def _criteria(text: str, known: Mapping[str, str], taken: set[str]) -> tuple[Criterion, ...]:
    lines = [line for each in text.splitlines() if (line := one_line(each))]
    if not 0 < len(lines) <= MOST_CRITERIA:
        raise NoForm(f"A form has 1 to {MOST_CRITERIA} criteria, each on a line.")
    read: list[Criterion] = []
    for line in lines:
        label, _, hint = (part.strip() for part in line.partition(":"))
        if not 0 < len(label) <= LONGEST_LABEL or len(hint) > LONGEST_HINT:
            raise NoForm(
                f"“{line[:40]}”: a criterion has at most {LONGEST_LABEL} letters, and {LONGEST_HINT} after the colon."
            )
        if any(label.casefold() == each.label.casefold() for each in read):
            raise NoForm(f"“{label}” is there twice.")
        code = known.get(label.casefold())
        if code is None or code in {each.code for each in read}:
            code = _free(code_of(label), taken)
        taken.add(code)
        read.append(Criterion(code, label, hint))
    return tuple(read)


def code_of(words: str) -> str:
    """Small letters, digits and `_`; `own` for words that have none of them."""
    return re.sub(r"[^a-z0-9]+", "_", words.casefold()).strip("_")[: LONGEST_CODE - 4].strip("_") or "own"


def _free(code: str, taken: Iterable[str]) -> str:
    number, found = 1, code
    while found in taken:
        number += 1
        found = f"{code}_{number}"
    return found


def read_marks(form: Form, sent: Mapping[str, str]) -> tuple[dict[str, int | None], dict[str, str]]:
    """The marks of a form that was sent, and what is wrong by criterion, as a sentence each."""
    marks: dict[str, int | None] = {}
    wrong: dict[str, str] = {}
    steps = {str(step): step for step in range(1, STEPS + 1)}
    for criterion in form.criteria:
        said = sent.get(f"{FIELD}{criterion.code}", "")
        if said == NOT_SEEN:
            marks[criterion.code] = None
        elif said in steps:
            marks[criterion.code] = steps[said]
        else:
            wrong[criterion.code] = "Choose a step, or “not seen”."
    return marks, wrong


def why_no_marks(form: Form, marks: Marks) -> str:
    """Why these are no marks of the form, as a sentence; empty when they are."""
    if set(marks) != {each.code for each in form.criteria}:
        return "Mark every criterion of the form, or say that it was not seen."
    if any(step is not None and not 1 <= step <= STEPS for step in marks.values()):
        return f"The scale has the steps 1 to {STEPS}."
    if all(step is None for step in marks.values()):
        return "Nothing was seen: mark at least one criterion."
    return ""


def labels_of(forms: Sequence[Form]) -> dict[str, str]:
    """The words of every criterion of these forms by code; where two differ, those of the last."""
    return {each.code: each.label for form in forms for each in form.criteria}
