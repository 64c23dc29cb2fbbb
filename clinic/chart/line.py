"""The typed line: `36 mod car4`, `14-16 br 14a 15p 16a pfm plan`, `11 rct done`. Reads it into entries, and says what it read.

A line is one or more entries with `;` between them. In each, words stand in any order: teeth, a kind, surfaces, what is said of it, a
status. A word is read as the kind's own first (an option, a role, a canal), then as teeth, surfaces, a status. Nothing is guessed in
silence: what was converted, proposed or continued is a remark.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from functools import cached_property

from clinic.chart import teeth, words
from clinic.chart.entry import Entry
from clinic.chart.kinds import BUILT_IN, SHORT, STATUS_TYPED, Field, Kind, Scope, Status
from clinic.chart.mouth import Mouth
from clinic.chart.rules import GOES, MANY, THERE, may_follow, needs_tooth
from clinic.chart.teeth import Numbering

LONGEST = 500  # characters of a line
MOST_ENTRIES = 64  # of a line
MOST_SUGGESTIONS = 4  # of a line; looking for the nearest word is what takes time

STATUS_WORDS = {word: status for status, typed in STATUS_TYPED.items() for word in typed}
QUADRANT_WORDS = {f"q{n}": str(n) for n in range(1, 9)}
AREAS = (*teeth.JAWS, "all", *QUADRANT_WORDS)
CANCEL = "cancel"  # of a tooth that goes: its plans become options
SHED = "shed"  # a primary tooth goes and its successor is there
WORDS_OF_LINE = ("cancel", "note", "on", "date", "status", "find", "undo")  # of the line itself, or kept for it
SURFACE_LETTERS = frozenset("modblifp")
SAME_PLACE = {"i": "o", "f": "b", "p": "l"}  # a surface's letter on some teeth, to the stored one
# Words that others use, to ours.
OTHERWISE = {
    "v": "b",
    "mob": "mobility",
    "imp": "impacted",
    "filled": "fill",
    "extracted": "x",
    "pontic": "br",
}

_WORD = re.compile(r'[^\s;"]*"[^"]*"?|;|[^\s;"]+')
_NUMBERS = {
    Numbering.FDI: "[0-9]{1,4}|s[1-9][0-9]?",
    Numbering.UNIVERSAL: "[0-9]{1,4}|s[1-9][0-9]?",
    Numbering.PALMER: "[ul][rl][0-9a-e]|s[1-9][0-9]?",
}
_PARTS = {
    numbering: re.compile(rf"(?P<first>{one})(?:-(?P<last>{one}))?(?P<role>:?[a-z]+)?")
    for numbering, one in _NUMBERS.items()
}
_LETTER_PART = re.compile(r"(?P<first>[a-t])(?:-(?P<last>[a-t]))?(?P<role>:[a-z]+)?")  # primary teeth in Universal
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True)
class Token:
    """A word of the line: where it begins, what it means, or what is wrong with it and which word was perhaps meant."""

    text: str
    start: int
    meaning: str = ""
    problem: str = ""
    suggestion: str = ""


@dataclass(frozen=True)
class Reading:
    """What a line says. `meaning`: a sentence an entry; `remarks`: what was converted, proposed or continued."""

    entries: tuple[Entry, ...]
    tokens: tuple[Token, ...]
    remarks: tuple[str, ...] = ()
    meaning: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        return bool(self.entries) and not self.problems

    @property
    def problems(self) -> tuple[Token, ...]:
        return tuple(token for token in self.tokens if token.problem)


def read(text: str, mouth: Mouth, *, numbering: Numbering | str = Numbering.FDI, today: date) -> Reading:
    """What a typed line says of a mouth. Never raises; what it cannot read is a token with a problem."""
    if len(text) > LONGEST:
        return Reading((), (Token(text[:20], 0, problem=f"A line holds at most {LONGEST} characters."),))
    line = _Line(mouth, Numbering(numbering), today)
    clause: list[_Word] = []
    for match in _WORD.finditer(text):
        if match.group() == ";":
            line.take(clause)
            clause = []
        else:
            clause.append(_Word(match.group(), match.start()))
    line.take(clause)
    meaning = tuple(words.sentence(entry, numbering=numbering, kinds=mouth.kinds) for entry in line.entries)
    remarks = tuple(dict.fromkeys([*line.conversions, *line.remarks]))
    return Reading(tuple(line.entries), tuple(line.tokens), remarks, meaning)


@dataclass
class _Word:
    text: str
    start: int
    meaning: str = ""
    problem: str = ""
    suggestion: str = ""

    @cached_property
    def low(self) -> str:
        return self.text.lower()

    @property
    def is_read(self) -> bool:
        return bool(self.meaning or self.problem)


@dataclass
class _Line:
    """What has been read so far. `mouth` is the one after the entries before this one."""

    mouth: Mouth
    numbering: Numbering
    today: date
    entries: list[Entry] = field(default_factory=list)
    tokens: list[Token] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    teeth_before: list[tuple[str, str]] = field(default_factory=list)
    converted: dict[tuple[str, str], list[str]] = field(default_factory=dict)  # letter typed, letter meant, to teeth
    suggestions: int = 0

    @property
    def conversions(self) -> Iterator[str]:
        """`11 and 12 have no occlusal surface (O): incisal (I) is meant.`"""
        for (typed, letter), keys in self.converted.items():
            verb = "has" if len(keys) == 1 else "have"
            yield (
                f"{self.shown(keys)} {verb} no {teeth.NAMES[typed]} surface ({typed}): {teeth.NAMES[letter]} ({letter}) is meant."
            )

    @cached_property
    def vocabulary(self) -> dict[str, tuple[str, Mapping[str, str]]]:
        """Every word for a kind: its code, and what it says besides."""
        return vocabulary(self.mouth.kinds)

    def take(self, clause: list[_Word]) -> None:
        if not clause:
            return
        entries = _Clause(self, clause).entries()
        if len(self.entries) + len(entries) > MOST_ENTRIES:
            clause[0].problem = f"A line makes at most {MOST_ENTRIES} entries: break it in two."
            entries = []
        self.tokens += [Token(each.text, each.start, each.meaning, each.problem, each.suggestion) for each in clause]
        self.entries += entries
        if entries:
            self.mouth = self.mouth.with_entries(entries, without=[each.thread for each in entries if each.thread])

    def shown(self, keys: Iterable[str]) -> str:
        return words.teeth_listed(list(keys), self.numbering)


def vocabulary(kinds: Mapping[str, Kind]) -> dict[str, tuple[str, Mapping[str, str]]]:
    """Every word one may type for a kind, to its code and what the word says besides."""
    found: dict[str, tuple[str, Mapping[str, str]]] = {
        word: (kind.code, {}) for kind in kinds.values() for word in kind.words
    }
    found |= {word: said for word, said in SHORT.items() if said[0] in kinds}
    found[SHED] = ("exfoliated", {})
    return found


def word_problem(word: str, kinds: Mapping[str, Kind]) -> str:
    """Why a word cannot be typed for a further kind beside these; empty when it can. It must mean nothing else anywhere in a line."""
    if not re.fullmatch("[a-z][a-z0-9]{1,19}", word):
        return "A word is of 2 to 20 letters a to z, small, with digits after them if you like."
    if (taken := vocabulary(kinds).get(word)) is not None:
        return f"{word} is typed for {kinds[taken[0]].name} already. Choose another."
    if is_surfaces(word):
        return f"{word} reads as surfaces of a tooth. Choose another."
    for kind in kinds.values():
        if word in option_words(kind):
            return f"{word} says something of {kind.name} already. Choose another."
    if word in STATUS_WORDS or word in AREAS or word.upper() in teeth.CANALS or word in WORDS_OF_LINE:
        return f"{word} means something else in a line already. Choose another."
    if any(parts.fullmatch(word) for parts in _PARTS.values()):
        return f"{word} reads as a tooth. Choose another."
    return ""


def option_words(kind: Kind) -> dict[str, tuple[str, str]]:
    """What one may type of a kind's fields: a word to the field's name and what is stored."""
    found: dict[str, tuple[str, str]] = {}
    for one in kind.fields:
        for stored, said in one.options.items():
            found.setdefault(stored.lower(), (one.name, stored))
            if " " not in said:
                found.setdefault(said.lower(), (one.name, stored))
    for word, (_code, details) in SHORT.items():  # `comp` says composite of a filling or an inlay
        for name, stored in details.items():
            if not any(ch.isdigit() for ch in word) and any(
                one.name == name and stored in one.options for one in kind.fields
            ):
                found.setdefault(word, (name, stored))
    return found


def is_surfaces(word: str) -> bool:
    """Whether a typed word can be surfaces: their letters, no place twice."""
    places = [SAME_PLACE.get(letter, letter) for letter in word]
    return bool(word) and SURFACE_LETTERS.issuperset(word) and len(set(places)) == len(places)


class _Clause:
    """One entry's words, and what they were read as."""

    def __init__(self, line: _Line, found: list[_Word]) -> None:
        self.line, self.words = line, found
        self.mouth = line.mouth
        self.teeth: list[tuple[str, str]] = []  # key and role, if one was typed
        self.area_keys: list[str] = []  # of `upper`, `q1`, `all`
        self.jaw = ""
        self.said_surfaces = ""  # as typed, small
        self.details: dict[str, str] = {}
        self.canals: dict[str, str] = {}
        self.extent = ""
        self.status: Status | None = None
        self.dated: date | None = None
        self.note = ""
        self.cancels = False
        self.kind: Kind | None = None
        self.kind_at = -1
        self.options: dict[str, tuple[str, str]] = {}

    # --- reading words ------------------------------------------------------------------------------------------------

    def entries(self) -> list[Entry]:
        self.read_teeth(self.words[0], is_head=True)
        self.find_kind()
        for at, word in enumerate(self.words):
            if not word.is_read:
                self.read_word(at, word)
        if any(word.problem for word in self.words):
            return []
        return self.made()

    def find_kind(self) -> None:
        """The kind's word: the first, or the one of which the others say something (`composite inlay`)."""
        known = self.line.vocabulary
        at = [n for n, word in enumerate(self.words) if not word.is_read and word.low in known and not self._is_note(n)]
        if not at:
            at = [n for n, word in enumerate(self.words) if not word.is_read and word.low in known]
        if not at:
            return
        chosen = at[0]
        for n in at:
            options = option_words(self.mouth.kinds[known[self.words[n].low][0]])
            if all(self.words[other].low in options for other in at if other != n):
                chosen = n
                break
        word = self.words[chosen]
        code, details = known[word.low]
        kind = self.mouth.kinds[code]
        if kind.retired:
            word.problem = f"{kind.name} is no longer used here."
            return
        self.kind, self.kind_at = kind, chosen
        self.details |= details
        self.options = option_words(kind)
        word.meaning = words.kind_name(kind)
        if details:
            word.meaning = ", ".join(
                [word.meaning, *(f"{_label(kind, name)} {value}" for name, value in details.items())]
            )

    def _is_note(self, at: int) -> bool:
        """Whether it is the `note` that adds a note to another entry: `36 mod car4 note "deep"`."""
        return self.words[at].low == "note" and at + 1 < len(self.words) and self.words[at + 1].text.startswith('"')

    def read_word(self, at: int, word: _Word) -> None:
        if self._is_note(at):
            word.meaning = "a note"
        elif word.low == CANCEL and self.kind is not None and self.kind.code in GOES:
            self.cancels, word.meaning = True, "what is planned on it becomes an option"
        elif '"' in word.text:
            self.read_quoted(word)
        elif "=" in word.text:
            self.read_field(word)
        elif _DATE.fullmatch(word.low):
            self.read_date(word, word.low)
        elif not (
            self.read_canal(at, word)
            or self.read_option(at, word)
            or self.read_teeth(word)
            or self.read_surfaces(word)
            or self.read_status(word)
        ):
            self.unknown(word)

    def read_quoted(self, word: _Word) -> None:
        name, _, said = word.text.partition('"')
        said = " ".join(said.rstrip('"').split())
        name = name.rstrip("=").lower()
        free = next((one.name for one in self.kind.fields if not one.options), None) if self.kind else None
        if not said:
            word.problem = "There is nothing between the quotes."
        elif name and self.kind and name in {one.name for one in self.kind.fields}:
            self.set_option(word, name, said)
        elif name not in ("", "note"):
            word.problem = f"There is no {name} to say in quotes."
        elif free:
            self.set_field(word, free, said)
        elif self.note:
            word.problem = "There is a note already."
        else:
            self.note = said
            word.meaning = f"note “{said}”"

    def read_field(self, word: _Word) -> None:
        name, _, value = word.low.partition("=")
        if name in ("on", "date"):
            self.read_date(word, value)
        elif name == "status" and value in STATUS_WORDS:
            self.set_status(word, STATUS_WORDS[value])
        elif self.kind is None:
            word.problem = "Say the kind before what is said of it."
        elif name not in {one.name for one in self.kind.fields}:
            known = listed_or([one.name for one in self.kind.fields])
            word.problem = f"{self.kind.name} has no {name}." + (f" It has {known}." if known else "")
        else:
            self.set_option(word, name, word.text.partition("=")[2])

    def set_option(self, word: _Word, name: str, said: str) -> None:
        """A field by its name: one of its options, if it has any, else what was said."""
        kind = self.kind
        assert kind is not None  # noqa: S101 - a field is read only of a kind
        options, low = kind.field(name).options, said.lower()
        stored = next((each for each, words in options.items() if low in (each.lower(), words.lower())), None)
        if options and stored is None:
            word.problem = f"{_label(kind, name)} is {listed_or(list(options))}."
            word.suggestion = next(iter(get_close_matches(low, [each.lower() for each in options], 1)), "")
            word.suggestion = word.suggestion and f"{name}={word.suggestion}"
        else:
            self.set_field(word, name, stored or said)

    def set_field(self, word: _Word, name: str, value: str) -> None:
        kind = self.kind
        assert kind is not None  # noqa: S101 - a field is read only of a kind
        if name == "canals":
            self.extent = value
            word.meaning = kind.field(name).options[value]
            return
        if self.details.get(name, value) != value:
            word.problem = f"{_label(kind, name)} is said twice."
            return
        self.details[name] = value
        options = kind.field(name).options
        word.meaning = f"{_label(kind, name)} {options.get(value, value)}"

    def read_date(self, word: _Word, said: str) -> None:
        try:
            self.dated = date.fromisoformat(said)
        except ValueError:
            word.problem = f"{said} is no day: write year-month-day, like {self.line.today.isoformat()}."
        else:
            word.meaning = f"on {self.dated.isoformat()}"

    def read_canal(self, at: int, word: _Word) -> bool:
        """`mb full`: a canal, and then how far."""
        if self.kind is None or not any(one.name == "canals" for one in self.kind.fields):
            return False
        canal, extents = word.low.upper(), self.kind.field("canals").options
        after = self.words[at + 1] if at + 1 < len(self.words) else None
        if canal not in teeth.CANALS or after is None or after.low not in extents:
            return False
        self.canals[canal] = after.low
        word.meaning, after.meaning = f"canal {canal}", extents[after.low]
        return True

    def read_option(self, at: int, word: _Word) -> bool:
        """An option of the kind; a number only after the kind's word, since before it stands for a tooth."""
        if self.kind is None or (word.low[0] in "0123456789" and at < self.kind_at):
            return False
        if (found := self.options.get(word.low)) is None:
            return False
        self.set_field(word, *found)
        return True

    def read_surfaces(self, word: _Word) -> bool:
        if self.kind is not None and self.kind.scope is not Scope.SURFACES:
            return False
        if not is_surfaces(word.low):
            return False
        if word.low in STATUS_WORDS and self.kind is not None and not self.has_letters(word.low):
            word.problem = "This may mean surfaces or a status."
            word.suggestion = STATUS_TYPED[STATUS_WORDS[word.low]][0]
            return True
        self.said_surfaces += "".join(letter for letter in word.low if letter not in self.said_surfaces)
        key = next((key for key, _role in self.teeth), None)
        word.meaning = (
            teeth.surface_names(key, _stored(word.low))
            if key
            else "-".join(teeth.NAMES[each.upper()] for each in word.low)
        )
        return True

    def has_letters(self, letters: str) -> bool:
        """Whether these are the first surfaces said, and just what the teeth said so far call theirs: `ip` on 11, though not on 36."""
        places = [SAME_PLACE.get(letter, letter).upper() for letter in letters]
        own = [teeth.letter(key, place) for key, _role in self.teeth for place in places]
        return bool(own) and not self.said_surfaces and set(own) == set(letters.upper())

    def read_status(self, word: _Word) -> bool:
        if (status := STATUS_WORDS.get(word.low)) is None:
            return False
        self.set_status(word, status)
        return True

    def set_status(self, word: _Word, status: Status) -> None:
        if self.status not in (None, status):
            word.problem = "The status is said twice."
        elif self.kind is not None and status not in self.kind.statuses:
            allowed = listed_or([each.words for each in self.kind.statuses])
            word.problem = f"{self.kind.name} cannot be {status.words}: it is {allowed}."
        else:
            self.status = status
            word.meaning = status.words

    def unknown(self, word: _Word) -> None:
        if word.low in self.line.vocabulary:
            word.problem = "One kind to an entry: begin the next with ;"
            return
        if self.kind is not None and is_surfaces(word.low):
            word.problem = f"{self.kind.name} is of a whole tooth, without surfaces."
            return
        word.problem = "This word is not known."
        if word.low in OTHERWISE:
            word.suggestion = OTHERWISE[word.low]
        elif (glued := re.fullmatch(r"([0-9]{2})([modblifp]+)", word.low)) and teeth.is_tooth(glued[1]):
            word.suggestion = " ".join(glued.groups())
        elif self.line.suggestions < MOST_SUGGESTIONS and len(word.low) <= 20:
            self.line.suggestions += 1
            known = [*self.options, *self.line.vocabulary, *STATUS_WORDS, *AREAS]
            word.suggestion = next(iter(get_close_matches(word.low, known, 1, 0.55)), "")

    # --- teeth --------------------------------------------------------------------------------------------------------

    def read_teeth(self, word: _Word, *, is_head: bool = False) -> bool:
        """Reads a word as teeth, if it looks like any. Letters (primary teeth in Universal) only at the head of an entry."""
        if word.low in AREAS:
            self.read_area(word)
            return True
        letters = is_head and self.line.numbering is Numbering.UNIVERSAL
        found: list[tuple[str, str]] = []
        for part in filter(None, word.low.split(",")):
            match = _PARTS[self.line.numbering].fullmatch(part) or (letters and _LETTER_PART.fullmatch(part)) or None
            if match is None:
                return False
            keys, problem = self.keys_of(match["first"], match["last"])
            role, role_problem = self.role_of((match["role"] or "").lstrip(":"))
            if role_problem and teeth.is_tooth(part[:2]) and is_surfaces(part[2:]) and not is_head:
                return False
            if problem or role_problem:
                if is_head and role_problem and not problem:
                    return False  # the kind is not known yet: it is read again
                word.problem = problem or role_problem
                return True
            found += [(key, role) for key in keys]
        if not found:
            return False
        for key, role in found:
            self.add_tooth(key, role)
        word.meaning = self._teeth_meaning(found)
        return True

    def _teeth_meaning(self, found: list[tuple[str, str]]) -> str:
        keys = [key for key, _role in found]
        role = found[0][1]
        return f"{'tooth' if len(keys) == 1 else 'teeth'} {self.line.shown(keys)}" + (f" {role}" if role else "")

    def add_tooth(self, key: str, role: str) -> None:
        for at, (known, its) in enumerate(self.teeth):
            if known == key:
                self.teeth[at] = key, role or its
                return
        self.teeth.append((key, role))

    def keys_of(self, first: str, last: str | None) -> tuple[tuple[str, ...], str]:
        """The teeth of `14` or `14-16`, or what is wrong with it."""
        ends = []
        for each in filter(None, (first, last)):
            key = teeth.read(each, self.line.numbering)
            if key is None:
                return (), f"{each} is no tooth in {NUMBERING_NAMES[self.line.numbering]}."
            if teeth.is_extra(key) and key not in self.mouth.extras:
                return (), f"This chart has no supernumerary tooth {key}."
            ends.append(key)
        if len(ends) == 1:
            return (ends[0],), ""
        try:
            return teeth.between(*ends), ""
        except ValueError:
            return (), f"{self.line.shown(ends)} do not stand in one arch."

    def role_of(self, typed: str) -> tuple[str, str]:
        """The role of `a` in `14a`, or what is wrong with it."""
        if not typed:
            return "", ""
        roles = self.kind.roles if self.kind else ()
        role = next((each for each in roles if typed in (each, each[0])), None)
        if role is None:
            what = self.kind.name if self.kind else "this"
            known = listed_or([f"{each[0]} ({each})" for each in roles])
            return "", f"A tooth of {what} has no role {typed}." + (f" It is {known}." if known else "")
        return role, ""

    def read_area(self, word: _Word) -> None:
        """`upper`, `q1`, `all`: the teeth that are there; of a denture only the jaw."""
        if word.low in teeth.JAWS:
            self.jaw = word.low if not self.jaw else self.jaw
        keys = self.area(word.low)
        word.meaning = {"all": "all teeth there"}.get(word.low) or (
            f"{word.low} jaw" if word.low in teeth.JAWS else f"teeth {self.line.shown(keys)}"
        )
        if not keys and word.low not in teeth.JAWS:
            word.problem = "There is no tooth there."
        self.area_keys += keys

    def area(self, name: str) -> list[str]:
        if name in QUADRANT_WORDS and int(name[1]) > 4:
            return [
                key
                for key in teeth.PRIMARY
                if key[0] == name[1] and key in self.mouth.keys and not self.mouth.presence(key).is_gone
            ]
        places = {"upper": teeth.UPPER, "lower": teeth.LOWER}.get(name, teeth.PERMANENT)
        found = [self.mouth.occupant(place) for place in places if name[0] != "q" or place[0] == name[1]]
        return [key for key in found if not self.mouth.presence(key).is_gone]

    # --- making entries -----------------------------------------------------------------------------------------------

    def made(self) -> list[Entry]:
        word = self.words[max(self.kind_at, 0)]
        kind = self.kind
        if kind is None:
            word = next((each for each in self.words if each.low in OTHERWISE), word)
            word.problem = "Say what it is, like car or comp."
            word.suggestion = OTHERWISE.get(word.low, "")
            return []
        if kind.scope is not Scope.ARCH:
            for key in self.area_keys:
                self.add_tooth(key, "")
        if not self.teeth and not self.jaw and self.line.teeth_before:
            self.teeth = list(self.line.teeth_before)
        self.line.teeth_before = [(key, "") for key, _role in self.teeth]
        if kind.code == "supernumerary":
            entries = self.extra_tooth(word, kind)
        elif kind.scope is Scope.ARCH:
            entries = self.of_arch(word, kind)
        elif not self.teeth:
            word.problem = "Say on which tooth."
            return []
        elif kind.scope is Scope.SPAN:
            entries = self.of_span(kind)
        else:
            entries = [entry for key, _role in self.teeth for entry in self.of_tooth(word, kind, key)]
        if word.problem:
            return []
        missing = [
            one for one in kind.fields if one.required and any(not each.details.get(one.name) for each in entries)
        ]
        if missing:
            word.problem = f"{kind.name}: say {' and '.join(map(_asks, missing))}."
            return []
        if self.cancels:
            goes = self.noted(entries)
            plans = {each.id: each for key in goes for each in self.mouth.on(key) if self.is_cancelled(each, key)}
            option = {"status": Status.OPTION, "dated": self.dated or self.line.today}
            entries += [self.continuing(each.changed(**option), each) for each in plans.values()]
        if self.note:
            note = self.mouth.kinds["note"]
            entries += [self.entry(note, ((key, ""),), details={"note": self.note}) for key in self.noted(entries)]
        return entries

    def is_cancelled(self, plan: Entry, key: str) -> bool:
        return plan.status is Status.PLANNED and bool(plan.thread) and needs_tooth(plan, key)

    def noted(self, entries: list[Entry]) -> list[str]:
        return list(dict.fromkeys(key for entry in entries for key in entry.keys[:1]))

    def entry(self, kind: Kind, on: tuple[tuple[str, str], ...], **rest: object) -> Entry:
        status = self.status if self.status in kind.statuses else kind.usual_status
        entry = Entry(
            kind.code, status or kind.usual_status, on, details=dict(self.details), dated=self.dated or self.line.today
        )
        return entry.changed(**rest)

    def of_tooth(self, word: _Word, kind: Kind, key: str) -> list[Entry]:
        surfaces = self.stored_surfaces(key)
        entry = self.entry(kind, ((key, ""),), surfaces=surfaces)
        if self.canals or self.extent:
            entry = entry.changed(details={**entry.details, "canals": self.canals_text(key)})
        before = self.continued(kind, entry)
        if len(before) > 1:
            word.problem = (
                f"{self.line.shown([key])} has {len(before)} of this ahead: say which, by surfaces or material."
            )
            return []
        if before:
            return [self.with_canals(self.continuing(entry, before[0]))]
        if kind.scope is Scope.SURFACES and not surfaces:
            if not kind.usual_surfaces and not kind.may_be_whole:
                word.problem = f"{kind.name}: say on which surface of {self.line.shown([key])}."
                return []
            entry = entry.changed(surfaces=kind.usual_surfaces)
        entry = self.with_canals(entry)
        return [entry, *self.successor(key, entry)]

    def successor(self, key: str, entry: Entry) -> list[Entry]:
        """Of `54 shed`: that 14 has erupted."""
        if self.words[self.kind_at].low != SHED or not teeth.is_tooth(key) or not teeth.tooth(key).is_primary:
            return []
        return [entry.changed(kind="erupted", teeth=((teeth.tooth(key).place, ""),))]

    def stored_surfaces(self, key: str) -> str:
        """The surfaces as stored; a letter that the tooth calls otherwise is remembered for a remark."""
        stored = _stored(self.said_surfaces)
        for typed in self.said_surfaces.upper():
            place = SAME_PLACE.get(typed.lower(), typed.lower()).upper()
            if (letter := teeth.letter(key, place)) != typed:
                self.line.converted.setdefault((typed, letter), []).append(key)
        return stored

    def with_canals(self, entry: Entry) -> Entry:
        """Of a root canal treatment that is done: where no canal was said, every one of them, to the apex."""
        if entry.kind != "root_canal" or entry.status not in THERE or "canals" in entry.details:
            return entry
        self.line.remarks.append("Every canal is taken as filled to the apex: say the canals if not, like mb half.")
        canals = " ".join(f"{canal}:full" for canal in teeth.usual_canals(entry.tooth))
        return entry.changed(details={**entry.details, "canals": canals})

    def canals_text(self, key: str) -> str:
        said = dict.fromkeys(teeth.usual_canals(key), self.extent) if self.extent else {}
        return " ".join(f"{canal}:{extent}" for canal, extent in (said | self.canals).items())

    def continued(self, kind: Kind, entry: Entry) -> list[Entry]:
        """What holds of these teeth that this entry carries on: planned work that goes ahead, or a finding said anew."""
        found = []
        for before in self.mouth.on(entry.keys[0], kind.code) if entry.teeth else ():
            if not before.thread or not set(entry.keys) <= set(before.keys):
                continue
            if entry.surfaces and set(entry.surfaces) != set(before.surfaces):
                continue
            if entry.status is Status.FINDING:
                said_anew = kind.scope is Scope.WHOLE and kind.code not in MANY and kind.fields
                if said_anew and dict(before.details) | dict(entry.details) != dict(before.details):
                    found.append(before)
            elif goes_on(before, entry):
                found.append(before)
        alike = [before for before in found if agrees(before, entry)]
        return alike or found

    def continuing(self, entry: Entry, before: Entry) -> Entry:
        said = words.sentence(before, numbering=self.line.numbering, kinds=self.mouth.kinds)
        self.line.remarks.append(f"Goes on with {said}.")
        return before.changed(
            id=0,
            status=entry.status,
            dated=entry.dated,
            details=dict(before.details) | dict(entry.details),
            stroke=0,
            reason="",
            performer_id=None,
            performer="",
            visit_id=None,
            entered_by_id=0,
            entered_by="",
            entered_at=None,
        )

    def of_span(self, kind: Kind) -> list[Entry]:
        entry = self.entry(kind, tuple(self.teeth))
        if before := self.continued(kind, entry):
            return [self.continuing(entry, before[-1])]
        if len(self.teeth) == 1:
            self.words[self.kind_at].problem = f"{kind.name}: say all its teeth."
            return []
        proposed = [key for key, role in self.teeth if not role]
        on = tuple((key, role or self.proposed(kind, key)) for key, role in self.teeth)
        on = tuple((key, dict(on)[key]) for key in teeth.in_order([key for key, _role in on]))
        if proposed and len(kind.roles) > 1:
            self.line.remarks.append(
                "Proposed: " + ", ".join(f"{self.line.shown([key])} {dict(on)[key]}" for key in proposed) + "."
            )
        return [entry.changed(teeth=on)]

    def proposed(self, kind: Kind, key: str) -> str:
        """The usual role: of a tooth that is not there, or is to go, the role of a gap."""
        if len(kind.roles) == 1:
            return kind.roles[0]
        goes = self.mouth.presence(key).is_gone or any(each.kind == "extraction" for each in self.mouth.ahead(key))
        gap = {"bridge": "pontic", "space_maintainer": "gap", "denture": "replaced"}.get(kind.code, kind.roles[0])
        there = {"bridge": "abutment", "space_maintainer": "band", "denture": "clasp"}.get(kind.code, kind.roles[0])
        return gap if goes else there

    def of_arch(self, word: _Word, kind: Kind) -> list[Entry]:
        jaws = {words.jaw_of(key) for key, _role in self.teeth}
        jaw = self.jaw or (jaws.pop() if len(jaws) == 1 else "")
        if not jaw:
            word.problem = f"{kind.name}: say upper or lower."
            return []
        entry = self.entry(kind, tuple(self.teeth), jaw=jaw)
        for before in self.mouth.entries:
            is_same = before.kind == kind.code and before.jaw == jaw and before.thread
            if is_same and goes_on(before, entry):
                return [self.continuing(entry, before)]
        if not self.teeth and entry.details.get("extent") == "partial":
            arch = teeth.UPPER if jaw == "upper" else teeth.LOWER
            gone = [key for key in arch if self.mouth.presence(key).is_gone and key[1] != "8"]
            self.teeth = [(key, "replaced") for key in gone]
            if gone:
                self.line.remarks.append(f"Proposed: it replaces {self.line.shown(gone)}.")
            else:
                word.problem = f"{kind.name}: say which teeth it replaces."
                return []
        on = {key: role or self.proposed(kind, key) for key, role in self.teeth}
        return [entry.changed(teeth=tuple((key, on[key]) for key in teeth.in_order(list(on))))]

    def extra_tooth(self, word: _Word, kind: Kind) -> list[Entry]:
        beside = [key for key, _role in self.teeth]
        if len(beside) not in (1, 2):
            word.problem = "Say beside which tooth it stands, or between which two, like 11-21."
            return []
        taken = [int(key[1:]) for key in self.mouth.keys if teeth.is_extra(key)]
        key = f"S{max(taken, default=0) + 1}"
        return [self.entry(kind, ((key, ""), *((each, "beside") for each in teeth.in_order(beside))))]


AHEAD = (Status.OPTION, Status.PLANNED, Status.IN_PROCESS, Status.REFERRED)
NUMBERING_NAMES = {Numbering.FDI: "FDI", Numbering.UNIVERSAL: "Universal", Numbering.PALMER: "Palmer"}


def goes_on(before: Entry, entry: Entry) -> bool:
    """Whether an entry is a further step of another. Planned work may be done otherwise than planned; an option is one of several, and
    only that one is accepted."""
    if before.status is entry.status or before.status not in AHEAD or not may_follow(before.status, entry.status):
        return False
    return before.status in (Status.PLANNED, Status.IN_PROCESS) or agrees(before, entry)


def agrees(before: Entry, entry: Entry) -> bool:
    """Whether what is said of the one was said of the other too."""
    return all(before.details.get(name, value) == value for name, value in entry.details.items())


def listed_or(said: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(said[:-1]), *said[-1:]]))


def _stored(typed: str) -> str:
    return teeth.canonical("".join(SAME_PLACE.get(letter, letter) for letter in typed.lower()).upper())


def _label(kind: Kind, name: str) -> str:
    label = kind.field(name).label
    return label if label.isupper() else label[:1].lower() + label[1:]


def _asks(one: Field) -> str:
    label, options = one.label, one.options
    return (
        f"the {label.lower()} ({listed_or(list(options))})" if options else f'the {label.lower()} in quotes, like "…"'
    )


# What `?` shows: a heading, and lines of what one types with what it means.
GRAMMAR: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "Teeth",
        (
            ("36", "one tooth, in your numbering"),
            ("16,26", "several"),
            ("14-16", "from one to another along the arch"),
            ("q1   upper   lower   all", "the teeth there of a quadrant (q5 to q8: primary), a jaw, the mouth"),
            ("S1", "a supernumerary tooth of this chart"),
        ),
    ),
    (
        "Surfaces",
        (
            ("m o d b l", "mesial, occlusal, distal, buccal, lingual, in any order: mod"),
            ("i f p", "incisal, facial, palatal, where the tooth calls them so"),
        ),
    ),
    (
        "Status",
        tuple((typed[0], status.words) for status, typed in STATUS_TYPED.items()),
    ),
    (
        "What is said of it",
        (
            ("36 mod car4", "an option by its word: ICDAS 4"),
            ("36 apical size=m", "or by the field's name"),
            ("36 rct mb full ml half", "canals, each with how far it is filled"),
            ("14-16 br 14a 15p 16a", "roles: a abutment, p pontic, w wing; b band, g gap; r replaced, c clasp"),
            ('36 o car3 note "sensitive"', "a note on the tooth besides"),
            ("36 x ex 2024-05-01", "the day since when it is so"),
        ),
    ),
    (
        "Several at once",
        (
            ("36 mod car4; 37 o s", "entries with ; between them"),
            ("36 o car5; rct plan", "the same teeth again"),
            ("54 shed", "54 has exfoliated and 14 has erupted"),
            ("extra mesiodens 11-21", "a supernumerary tooth between 11 and 21"),
            ("11 rct done", "goes on with what was planned"),
            ("36 x plan cancel", "what was planned on a tooth that goes becomes an option"),
        ),
    ),
)


def grammar_of(kinds: Mapping[str, Kind] = BUILT_IN) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """What `?` shows, with the words for every kind, by group."""
    short: dict[str, list[str]] = {}
    for word, (code, _details) in SHORT.items():
        short.setdefault(code, []).append(word)
    groups: dict[str, list[tuple[str, str]]] = {}
    for kind in kinds.values():
        if not kind.retired:
            typed = "   ".join([*kind.words, *short.get(kind.code, ())])
            groups.setdefault(str(kind.group), []).append((typed, kind.name))
    return GRAMMAR + tuple((group, tuple(lines)) for group, lines in groups.items())
