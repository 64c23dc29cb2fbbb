"""A form and its answers as pages show them: to be read, and to be filled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from werkzeug.datastructures import MultiDict

from clinic.history.form import Answer, Form, Item, is_watched, told

FIELD = "q-"  # before the code of a question, so that no question is taken for a field of ours


@dataclass(frozen=True)
class Read:
    """An answer to be read."""

    item: Item
    words: str
    watched: bool


@dataclass(frozen=True)
class Part:
    """A section to be read: what was answered, and the questions that were not."""

    title: str
    read: list[Read]
    unanswered: list[str]


@dataclass(frozen=True)
class Question:
    """A question to be answered. `theirs`: what somebody else has answered meanwhile, in words, where it is another answer."""

    item: Item
    typed: list[str]
    wrong: str
    theirs: str
    may_answer: bool
    upon: str  # upon which question and answer it hangs, as a hint
    is_first_wrong: bool

    @property
    def id(self) -> str:
        return f"{FIELD}{self.item.code}"

    @property
    def first(self) -> str:
        return self.typed[0] if self.typed else ""


def read_parts(form: Form, answers: Mapping[str, Answer]) -> list[Part]:
    """What a filling says, section by section; what was not asked is left out."""
    return [
        Part(
            section.title,
            [
                Read(item, told(item, answers[item.code]), is_watched(item, answers[item.code]))
                for item in section.items
                if item.code in answers
            ],
            [item.label for item in section.items if item.code not in answers and form.is_asked(item, answers)],
        )
        for section in form.sections
    ]


def typed_of(fields: MultiDict[str, str], form: Form) -> dict[str, list[str]]:
    """What was sent for each question."""
    return {item.code: fields.getlist(f"{FIELD}{item.code}") for item in form.items}


def as_typed(answers: Mapping[str, Answer]) -> dict[str, list[str]]:
    """Former answers as a form sends them."""
    return {code: said if isinstance(said, list) else [said] for code, said in answers.items()}


def questions_of(
    form: Form,
    typed: Mapping[str, Sequence[str]],
    *,
    for_supervisor: bool,
    kept: Mapping[str, Answer] | None = None,
    wrong: Mapping[str, str] | None = None,
    theirs: Mapping[str, Answer] | None = None,
    to_patient: bool = False,
) -> list[tuple[str, list[Question]]]:
    """The sections of a form with their questions as they are filled so far. `kept`: what only supervisors answer, as it stands.

    `to_patient`: without what only supervisors answer; a section that has nothing else is left out.
    """
    wrong, kept = wrong or {}, kept or {}
    labels = {item.code: item.label for item in form.items}
    first = next((item.code for item in form.items if item.code in wrong), None)
    sections = []
    for section in form.sections:
        questions = []
        for item in section.items:
            if to_patient and item.supervisors_only:
                continue
            may_answer = for_supervisor or not item.supervisors_only
            said = list(typed.get(item.code, ())) if may_answer else as_typed(kept).get(item.code, [])
            questions.append(
                Question(
                    item=item,
                    typed=said,
                    wrong=wrong.get(item.code, ""),
                    theirs=_theirs(item, said, theirs) if may_answer else "",
                    may_answer=may_answer,
                    upon=f"Only if “{labels[item.shown_when[0]]}”: {item.shown_when[1]}" if item.shown_when else "",
                    is_first_wrong=item.code == first,
                )
            )
        if questions:
            sections.append((section.title, questions))
    return sections


def _theirs(item: Item, typed: list[str], theirs: Mapping[str, Answer] | None) -> str:
    if theirs is None:
        return ""
    said = theirs.get(item.code)
    mine = [text.strip() for text in typed if text.strip()]
    same = set(as_typed(theirs).get(item.code, [])) == set(mine)
    return "" if same else told(item, said)
