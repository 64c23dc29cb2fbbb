"""A form of the history: sections of items, what an answer may be, what it says in words, and what of it is to be watched out for.

A form is data (a JSON body, kept by number in the database), so that the clinic changes its own and every former filling stays
readable with the form it was filled on. Answers are text, or a list of texts for `several`; what was not asked, or not answered, is
not there.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

Answer = str | list[str]
MEDICAL = "medical"  # the one that is looked through before treatment starts
SHIPPED = (MEDICAL, "orthodontic")
CODE = re.compile(r"[a-z][a-z0-9_]{0,39}")
LONGEST = {"text": 300, "long": 4000}  # characters
MOST_ITEMS = 200
YES_NO = ("yes", "no")


class ItemKind(StrEnum):
    TEXT = "text"
    LONG = "long"
    YES_NO = "yes_no"
    CHOICE = "choice"
    SEVERAL = "several"
    NUMBER = "number"
    DATE = "date"
    SCALE = "scale"


@dataclass(frozen=True)
class Watch:
    """What an answer puts into the banner. `label`: instead of the answer's own words."""

    kind: str
    severity: str
    label: str = ""


@dataclass(frozen=True)
class Option:
    value: str
    watch: Watch | None = None


@dataclass(frozen=True)
class Item:
    """One question. `none`: of `several`, the answer that excludes all others. `least`, `most`: of a number or scale.

    `shown_when`: an item before it and the answer upon which this one is asked.
    """

    code: str
    label: str
    kind: ItemKind
    options: tuple[Option, ...] = ()
    required: bool = False
    none: str = ""
    least: int = 0
    most: int = 10
    ends: tuple[str, str] = ("", "")
    unit: str = ""
    hint: str = ""
    supervisors_only: bool = False
    shown_when: tuple[str, str] | None = None
    watch: Watch | None = None

    @property
    def values(self) -> tuple[str, ...]:
        """What may be chosen."""
        if self.kind is ItemKind.YES_NO:
            return YES_NO
        if self.kind is ItemKind.SCALE:
            return tuple(str(each) for each in range(self.least, self.most + 1))
        return tuple(option.value for option in self.options) + ((self.none,) if self.none else ())


@dataclass(frozen=True)
class Section:
    title: str
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Form:
    code: str
    title: str
    sections: tuple[Section, ...]

    @property
    def items(self) -> Iterator[Item]:
        return (item for section in self.sections for item in section.items)

    def is_asked(self, item: Item, answers: Mapping[str, Answer]) -> bool:
        """Whether the answers so far lead to this question."""
        if item.shown_when is None:
            return True
        code, wanted = item.shown_when
        answer = answers.get(code, "")
        return wanted in answer if isinstance(answer, list) else wanted == answer


# --- a form from its body ---------------------------------------------------------------------------------------------


@cache
def shipped(code: str) -> str:
    """The body of a form that comes with Chairside, in canonical JSON."""
    return canonical(json.loads((Path(__file__).parent / f"{code}.json").read_text("utf-8")))


def canonical(data: Any) -> str:
    """The one way to write a body or answers, so that a digest of it means something."""
    return json.dumps(data, ensure_ascii=True, sort_keys=True, separators=(",", ":"))


@cache
def form_from(body: str) -> Form:
    """The form of a body. Raises ValueError with a sentence when it is none."""
    try:
        plain = json.loads(body)
        form = Form(
            plain["code"],
            plain["title"],
            tuple(Section(each["title"], tuple(_item(item) for item in each["items"])) for each in plain["sections"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"A form needs a code, a title and sections of items; this is missing: {error}.") from None
    _check(form)
    return form


def _item(plain: Mapping[str, Any]) -> Item:
    rest = {name: plain[name] for name in plain.keys() - {"options", "alert", "kind", "ends", "shown_when"}}
    asked = plain.get("shown_when")
    return Item(
        **rest,
        kind=ItemKind(plain["kind"]),
        options=tuple(_option(each) for each in plain.get("options", ())),
        ends=tuple(plain.get("ends", ("", ""))),
        shown_when=(asked[0], asked[1]) if asked else None,
        watch=Watch(*plain["alert"]) if plain.get("alert") else None,
    )


def _option(plain: str | Mapping[str, Any]) -> Option:
    if isinstance(plain, str):
        return Option(plain)
    return Option(plain["value"], Watch(*plain["alert"]) if plain.get("alert") else None)


def _check(form: Form) -> None:
    items = list(form.items)
    seen: dict[str, Item] = {}
    if not 0 < len(items) <= MOST_ITEMS:
        raise ValueError(f"A form asks between 1 and {MOST_ITEMS} questions.")
    for item in items:
        if not CODE.fullmatch(item.code) or item.code in seen:
            raise ValueError(f"“{item.code}” is no code of a question, or is there twice.")
        if item.kind in (ItemKind.CHOICE, ItemKind.SEVERAL) and len(item.options) < 2:
            raise ValueError(f"“{item.label}” needs at least two answers to choose from.")
        if len(set(item.values)) != len(item.values):
            raise ValueError(f"“{item.label}” offers an answer twice.")
        if item.shown_when:
            asked, wanted = item.shown_when
            if asked not in seen or wanted not in seen[asked].values:
                raise ValueError(f"“{item.label}” hangs on an answer that no question before it has.")
        seen[item.code] = item


# --- answers ----------------------------------------------------------------------------------------------------------


def read_answers(
    form: Form, raw: Mapping[str, Sequence[str]], *, for_supervisor: bool, former: Mapping[str, Answer]
) -> tuple[dict[str, Answer], dict[str, str]]:
    """What was answered, and what is wrong by question, as a sentence each.

    `raw`: the texts sent for each question. What only supervisors answer stays as it was (`former`) when somebody else fills the form.
    """
    answers: dict[str, Answer] = {}
    wrong: dict[str, str] = {}
    for item in form.items:
        if item.supervisors_only and not for_supervisor:
            if item.code in former:
                answers[item.code] = former[item.code]
            continue
        if not form.is_asked(item, answers):
            continue
        said = [text.strip() for text in raw.get(item.code, ()) if text.strip()]
        if not said:
            if item.required:
                wrong[item.code] = "Choose an answer." if item.values else "Write an answer."
            continue
        if sentence := _why_not(item, said):
            wrong[item.code] = sentence
        answers[item.code] = list(dict.fromkeys(said)) if item.kind is ItemKind.SEVERAL else said[0]
    return answers, wrong


def _why_not(item: Item, said: list[str]) -> str:
    """Why this is no answer to the question; empty when it is one."""
    if item.values and item.kind is not ItemKind.NUMBER:
        if any(each not in item.values for each in said):
            return "Choose one of the answers."
        if item.none in said and len(said) > 1:
            return f"Either “{item.none}”, or the others."
    if item.kind is ItemKind.NUMBER:
        return _no_number(item, said[0])
    if item.kind is ItemKind.DATE:
        try:
            date.fromisoformat(said[0])
        except ValueError:
            return "Write the date as year-month-day."
    longest = LONGEST.get(item.kind)
    if longest and len(said[0]) > longest:
        return f"Write at most {longest} characters."
    return ""


def _no_number(item: Item, said: str) -> str:
    if not re.fullmatch(r"-?\d{1,3}([.,]\d)?", said):
        return "Write a number, at most one digit after the point."
    if not item.least <= float(said.replace(",", ".")) <= item.most:
        return f"Write a number between {item.least} and {item.most}."
    return ""


def told(item: Item, answer: Answer | None) -> str:
    """An answer in words; a dash for none."""
    if not answer:
        return "–"
    if isinstance(answer, list):
        return ", ".join(answer)
    if item.kind is ItemKind.NUMBER and item.unit:
        return f"{answer} {item.unit}"
    if item.kind is ItemKind.SCALE:
        return f"{answer} of {item.most}"
    return answer


@dataclass(frozen=True)
class Watched:
    """Something for the banner: `kind` and `severity` as alerts have them."""

    kind: str
    severity: str
    label: str
    detail: str = ""


def watched(form: Form, answers: Mapping[str, Answer]) -> list[Watched]:
    """What of these answers is to be watched out for, in the order of the form."""
    return [found for item in form.items for found in _watched(item, answers.get(item.code))]


def _watched(item: Item, answer: Answer | None) -> Iterator[Watched]:
    if not answer:
        return
    said = answer if isinstance(answer, list) else [answer]
    for option in item.options:
        if option.watch and option.value in said:
            yield _for_banner(option.watch, option.value)
    if item.watch and (item.kind is not ItemKind.YES_NO or answer == "yes"):
        yield _for_banner(item.watch, told(item, answer) if item.kind is not ItemKind.YES_NO else item.label)


def _for_banner(watch: Watch, words: str) -> Watched:
    """A long answer is cut for the banner, and whole in the detail."""
    label = watch.label or words
    short = label if len(label) <= 120 else f"{label[:117].rstrip()} …"
    return Watched(watch.kind, watch.severity, short[:1].upper() + short[1:], label if short != label else "")


@dataclass(frozen=True)
class Difference:
    """One question whose answer is another now."""

    section: str
    label: str
    before: str
    after: str


def differences(
    before: tuple[Form, Mapping[str, Answer]], after: tuple[Form, Mapping[str, Answer]]
) -> list[Difference]:
    """What changed from one filling to another, in the order of the newer form; then what that does not ask any more."""
    found: list[Difference] = []
    former = {item.code: (section.title, item) for section in before[0].sections for item in section.items}
    for section in after[0].sections:
        for item in section.items:
            _title, old = former.pop(item.code, ("", item))
            said = told(old, before[1].get(item.code)), told(item, after[1].get(item.code))
            if said[0] != said[1]:
                found.append(Difference(section.title, item.label, *said))
    gone = ((title, item, told(item, before[1].get(item.code))) for title, item in former.values())
    return found + [Difference(title, item.label, words, "–") for title, item, words in gone if words != "–"]
