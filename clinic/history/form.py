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
from functools import cache, lru_cache
from pathlib import Path
from typing import Any
from unicodedata import category

from clinic.canonical import canonical
from clinic.text import fold, one_line

Answer = str | list[str]
MEDICAL = "medical"  # the one that is looked through before treatment starts
SHIPPED = (MEDICAL, "orthodontic")
CODE = re.compile(r"[a-z][a-z0-9_]{0,39}")
LONGEST = {"text": 300, "long": 4000}  # characters
MOST_SECTIONS, MOST_ITEMS, MOST_OPTIONS, MOST_STEPS = 40, 200, 60, 20
ITEM_KEYS = "code label kind options required none least most ends unit hint supervisors_only shown_when alert"
# As alerts have them (models/patient.py).
WATCH_KINDS = ("allergy", "condition", "medicine", "handling")
SEVERITIES = ("1-critical", "2-warning", "3-note")
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
    """`in_use`: whether it is still offered for filling."""

    code: str
    title: str
    sections: tuple[Section, ...]
    in_use: bool = True

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


class NoForm(ValueError):
    """A body is no form: says what is wrong with it and where."""


@cache
def shipped(code: str) -> str:
    """The body of a form that comes with Chairside, in canonical JSON."""
    return canonical(json.loads((Path(__file__).parent / f"{code}.json").read_text("utf-8")))


@lru_cache(maxsize=200)
def form_from(body: str) -> Form:
    """The form of a body. Raises NoForm."""
    try:
        plain = json.loads(body)
    except json.JSONDecodeError as error:
        raise NoForm(
            f"Line {error.lineno} cannot be read as JSON, at letter {error.colno}. Check commas, quotes and brackets there."
        ) from None
    except RecursionError:
        raise NoForm("This is nested too deeply to be a form.") from None
    except ValueError:
        raise NoForm("A number in it is too long to be read. Shorten it.") from None
    form = _form(_object(plain, "The form", "code title in_use sections"))
    _check(form)
    return form


def _form(plain: Mapping[str, Any]) -> Form:
    sections = _list(plain, "sections", "The form", most=MOST_SECTIONS)
    read = tuple(_section(each, f"Section {number}") for number, each in enumerate(sections, 1))
    in_use = _switch(plain, "in_use", "The form", default=True)
    return Form(_text(plain, "code", "The form", 40), _text(plain, "title", "The form", 120), read, in_use)


def _section(plain: Any, where: str) -> Section:
    plain = _object(plain, where, "title items")
    title = _text(plain, "title", where, 120)
    items = _list(plain, "items", f"The section “{title}”", most=MOST_ITEMS)
    return Section(title, tuple(_item(each, f"Question {n} of “{title}”") for n, each in enumerate(items, 1)))


def _item(plain: Any, where: str) -> Item:
    plain = _object(plain, where, ITEM_KEYS)
    label = _text(plain, "label", where, 300)
    where = f"“{label}”"
    kind = _text(plain, "kind", where, 20)
    if kind not in set(ItemKind):
        raise NoForm(f"{where} is of the kind “{kind}”. There are: {', '.join(ItemKind)}.")
    least, most = (_whole(plain, name, where, usual) for name, usual in (("least", 0), ("most", 10)))
    if least >= most:
        raise NoForm(f"{where}: “least” must be less than “most”.")
    options = _list(plain, "options", where, most=MOST_OPTIONS) if "options" in plain else []
    return Item(
        code=_text(plain, "code", where, 40),
        label=label,
        kind=ItemKind(kind),
        options=tuple(_option(each, where) for each in options),
        required=_switch(plain, "required", where),
        none=_text(plain, "none", where, 120, needed=False),
        least=least,
        most=most,
        ends=_pair(plain, "ends", where) or ("", ""),
        unit=_text(plain, "unit", where, 20, needed=False),
        hint=_text(plain, "hint", where, 200, needed=False),
        supervisors_only=_switch(plain, "supervisors_only", where),
        shown_when=_pair(plain, "shown_when", where),
        watch=_watch(plain, where),
    )


def _option(plain: Any, where: str) -> Option:
    if isinstance(plain, str):
        plain = {"value": plain}
    plain = _object(plain, f"An answer of {where}", "value alert")
    value = _text(plain, "value", f"An answer of {where}", 120)
    return Option(value, _watch(plain, f"The answer “{value}” of {where}"))


def _watch(plain: Mapping[str, Any], where: str) -> Watch | None:
    alert = plain.get("alert")
    if alert is None:
        return None
    texts = isinstance(alert, list) and all(isinstance(each, str) for each in alert)
    if not texts or not 2 <= len(alert) <= 3 or alert[0] not in WATCH_KINDS or alert[1] not in SEVERITIES:
        raise NoForm(
            f"{where}: “alert” is a kind ({', '.join(WATCH_KINDS)}), a severity ({', '.join(SEVERITIES)}) and perhaps its words."
        )
    return Watch(alert[0], alert[1], one_line(_whole_letters(alert[2]))[:120] if len(alert) > 2 else "")


def _object(plain: Any, where: str, keys: str) -> Mapping[str, Any]:
    if not isinstance(plain, dict):
        raise NoForm(f"{where} must be an object: names and values in braces.")
    if unknown := sorted(set(plain) - set(keys.split())):
        raise NoForm(f"{where} has “{unknown[0]}”, which is not known. Known are: {', '.join(keys.split())}.")
    return plain


def _text(plain: Mapping[str, Any], name: str, where: str, longest: int, *, needed: bool = True) -> str:
    text = plain.get(name, "")
    if not isinstance(text, str) or (needed and not one_line(_whole_letters(text))):
        raise NoForm(f"{where} needs a “{name}”: words in quotes.")
    if len(text) > longest:
        raise NoForm(f"{where}: “{name}” has at most {longest} letters.")
    return one_line(_whole_letters(text))


def _list(plain: Mapping[str, Any], name: str, where: str, *, most: int) -> list[Any]:
    found = plain.get(name)
    if not isinstance(found, list) or not 0 < len(found) <= most:
        raise NoForm(f"{where} needs “{name}”: a list of 1 to {most}.")
    return found


def _pair(plain: Mapping[str, Any], name: str, where: str) -> tuple[str, str] | None:
    found = plain.get(name)
    if found is None:
        return None
    if not isinstance(found, list) or len(found) != 2 or not all(isinstance(each, str) for each in found):
        raise NoForm(f"{where}: “{name}” is a list of two texts.")
    return found[0], found[1]


def _whole(plain: Mapping[str, Any], name: str, where: str, usual: int) -> int:
    found = plain.get(name, usual)
    if not isinstance(found, int) or isinstance(found, bool) or abs(found) > 999:
        raise NoForm(f"{where}: “{name}” is a whole number up to 999.")
    return found


def _switch(plain: Mapping[str, Any], name: str, where: str, *, default: bool = False) -> bool:
    found = plain.get(name, default)
    if not isinstance(found, bool):
        raise NoForm(f"{where}: “{name}” is true or false.")
    return found


def _check(form: Form) -> None:
    """What the parts of a form ask of one another."""
    seen: dict[str, Item] = {}
    if not CODE.fullmatch(form.code):
        raise NoForm("The form's “code” is small letters, digits and “_”, beginning with a letter.")
    if len(list(form.items)) > MOST_ITEMS:
        raise NoForm(f"A form asks at most {MOST_ITEMS} questions.")
    for item in form.items:
        _check_item(item, seen)
        seen[item.code] = item


def _check_item(item: Item, seen: Mapping[str, Item]) -> None:
    where = f"“{item.label}”"
    if not CODE.fullmatch(item.code):
        raise NoForm(f"{where}: its “code” is small letters, digits and “_”, beginning with a letter.")
    if item.code in seen:
        raise NoForm(f"{where} has the code “{item.code}”, which “{seen[item.code].label}” has already.")
    chosen = item.kind in (ItemKind.CHOICE, ItemKind.SEVERAL)
    if chosen != bool(item.options) or (chosen and len(item.options) < 2):
        raise NoForm(f"{where}: “options” are for choice and several, at least two.")
    if item.none and item.kind is not ItemKind.SEVERAL:
        raise NoForm(f"{where}: “none” is for several.")
    if item.kind is ItemKind.SCALE and item.most - item.least > MOST_STEPS:
        raise NoForm(f"{where}: a scale has at most {MOST_STEPS} steps.")
    if len(set(item.values)) != len(item.values):
        raise NoForm(f"{where} offers an answer twice.")
    if item.shown_when:
        code, wanted = item.shown_when
        if code not in seen or wanted not in seen[code].values:
            raise NoForm(f"{where}: “shown_when” names a question before it and one of its answers.")
        if seen[code].supervisors_only and not item.supervisors_only:
            raise NoForm(f"{where} cannot hang on “{seen[code].label}”, which only supervisors answer.")


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
            if item.code in former and not _why_not(item, _texts(former[item.code])):
                answers[item.code] = former[item.code]
            continue
        said = [text for each in raw.get(item.code, ()) if (text := tidy(item, each))]
        sentence = _why_not(item, said) if said else ""
        if not form.is_asked(item, answers):
            sentence = _not_asked(form, item) if said else ""
        elif not said and item.required:
            sentence = "Choose an answer." if item.values else "Write an answer."
        if sentence:
            wrong[item.code] = sentence
        elif said:
            answers[item.code] = list(dict.fromkeys(said)) if item.kind is ItemKind.SEVERAL else said[0]
    return answers, wrong


def _texts(answer: Answer) -> list[str]:
    return answer if isinstance(answer, list) else [answer]


def tidy(item: Item, typed: str) -> str:
    """As it is kept: no control characters, and one line where there is one."""
    typed = _whole_letters(typed)
    if item.kind is not ItemKind.LONG:
        return one_line(typed)
    lines = typed.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join("".join(char for char in line if category(char) != "Cc").rstrip() for line in lines).strip()


def _whole_letters(text: str) -> str:
    """Without halves of surrogate pairs, which JSON can hold and no database."""
    return "".join(char for char in text if category(char) != "Cs")


def _not_asked(form: Form, item: Item) -> str:
    """An answer that hangs on another one is never dropped unsaid: one of the two is a mistake, and it may be an allergy."""
    assert item.shown_when is not None
    code, wanted = item.shown_when
    asked = next(each for each in form.items if each.code == code)
    return f"This is only for “{wanted}” at “{asked.label}”. Correct one of the two."


def _why_not(item: Item, said: list[str]) -> str:
    """Why this is no answer to the question; empty when it is one."""
    if item.values:
        if any(each not in item.values for each in said):
            return "Choose one of the answers."
        if item.none in said and len(set(said)) > 1:
            return f"Either “{item.none}”, or the others."
    if item.kind is ItemKind.NUMBER:
        return _no_number(item, said[0])
    if item.kind is ItemKind.DATE:
        return _no_day(said[0])
    longest = LONGEST.get(item.kind)
    if longest and len(said[0]) > longest:
        return f"Write at most {longest} letters; these are {len(said[0])}."
    return ""


def _no_number(item: Item, said: str) -> str:
    if not re.fullmatch(r"[-−]?[0-9]{1,3}([.,][0-9])?", said):
        return "Write a number, with at most one digit after the point."
    if not item.least <= float(said.replace(",", ".").replace("−", "-")) <= item.most:
        return f"Write a number between {item.least} and {item.most}."
    return ""


def _no_day(said: str) -> str:
    try:
        year = date.fromisoformat(said).year if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", said) else 0
    except ValueError:
        year = 0
    return "" if 1880 <= year <= 2200 else "Write the day as year-month-day, like 2026-03-02."


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
    if item.kind is ItemKind.DATE:
        return f"{date.fromisoformat(answer):%-d %b %Y}"
    return answer


# What is written into a field of its own by whoever has nothing to say there.
NOTHING = frozenset({"", "no", "none", "nil", "nothing", "not any", "n/a", "na", "no medicines", "none of these"})


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


def is_watched(item: Item, answer: Answer) -> bool:
    """Whether an answer is to be watched out for."""
    return any(True for _found in _watched(item, answer))


def _watched(item: Item, answer: Answer | None) -> Iterator[Watched]:
    if not answer:
        return
    said = _texts(answer)
    for option in item.options:
        if option.watch and option.value in said:
            yield _for_banner(option.watch, option.value)
    if item.watch is None:
        return
    if item.kind is ItemKind.YES_NO:
        if answer == "yes":
            yield _for_banner(item.watch, item.label)
    elif fold(said[0]).strip(" .-") not in NOTHING:
        yield _for_banner(item.watch, told(item, answer))


def _for_banner(watch: Watch, words: str) -> Watched:
    """A long answer is cut for the banner, and whole in the detail."""
    label = watch.label or one_line(words)
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
