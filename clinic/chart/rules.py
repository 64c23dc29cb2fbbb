"""What may be charted: rules with two severities, and which status may follow which. Pure, and linear in the entries.

`refuse`: impossible; the sentence says what has to be otherwise. `ask`: unusual; holds with a reason, which is kept with the entry.
A rule sees one new entry beside everything else of the mouth, the rest of the same line among it (`15 x plan; 14-16 br plan`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from itertools import pairwise
from typing import Literal

from clinic.chart import teeth, words
from clinic.chart.entry import Entry
from clinic.chart.form import flaw
from clinic.chart.kinds import Group, Kind, Presence, Scope, Status
from clinic.chart.mouth import Mouth
from clinic.chart.teeth import Numbering

ADULT = 18  # years; a primary tooth still there is asked about
FILLINGS = ("restoration", "inlay", "onlay")
CROWNS = ("crown", "implant_crown")
ON_IMPLANT = ("implant_abutment", "implant_crown")
MANY = ("note",)  # of which a tooth may have several alike
GOES = ("extraction", "missing", "exfoliated")
STAYS_WITHOUT_TOOTH = ("missing", "implant", *ON_IMPLANT, "root_fragment", "erupted", "note", "supernumerary")
WORN_BY_IMPLANT = ("mobility", "recession", "fracture", "extraction", *STAYS_WITHOUT_TOOTH)
HOLDS_ON = ("abutment", "wing", "clasp", "band")  # roles that need their tooth
GAPS = ("pontic", "replaced", "gap")  # roles of a place without a tooth
UNDER_WAY = (Status.PLANNED, Status.IN_PROCESS)
THERE = (Status.COMPLETED, Status.EXISTING)


@dataclass(frozen=True)
class About:
    """What rules have to know besides the mouth. `is_in_clinic`: the patient's visit is under way."""

    birth_date: date | None
    today: date
    is_in_clinic: bool


@dataclass(frozen=True)
class Remark:
    """What speaks against an entry. `threads`: of an extraction, the plans that it makes pointless."""

    severity: Literal["refuse", "ask"]
    rule: str
    sentence: str
    threads: tuple[int, ...] = ()


# --- which status may follow which ------------------------------------------------------------------------------------

FOLLOW: Mapping[Status, tuple[Status, ...]] = {
    Status.FINDING: (Status.FINDING,),
    Status.OPTION: (Status.OPTION, Status.PLANNED, Status.REFERRED),
    Status.PLANNED: (
        Status.PLANNED, Status.OPTION, Status.IN_PROCESS, Status.COMPLETED, Status.EXISTING, Status.REFERRED,
    ),
    Status.IN_PROCESS: (Status.IN_PROCESS, Status.COMPLETED, Status.EXISTING, Status.REFERRED),
    Status.COMPLETED: (Status.COMPLETED,),
    Status.EXISTING: (Status.EXISTING,),
    Status.REFERRED: (Status.REFERRED, Status.PLANNED, Status.EXISTING),
    Status.ENTERED_IN_ERROR: (),
}  # fmt: skip
NEXT_STEP = {
    Status.FINDING: "A finding stays a finding: chart the treatment as an entry of its own.",
    Status.OPTION: "An option is accepted as planned first.",
    Status.PLANNED: "Planned work is started, completed, put back to an option or referred.",
    Status.IN_PROCESS: "Work under way is completed, or referred; if it was never begun, enter it in error.",
    Status.COMPLETED: "Completed work is not rolled back: a supervisor withdraws its sign-offs, then it is entered in error.",
    Status.EXISTING: "What was done elsewhere stays so: if it is wrong, enter it in error.",
    Status.REFERRED: "Referred work is planned here again, or charted as done elsewhere.",
    Status.ENTERED_IN_ERROR: "What was entered in error stays so: chart it anew.",
}


def may_follow(before: Status, after: Status) -> bool:
    """Whether an entry of one status may be superseded by one of another; everything that holds may turn out an error."""
    if after is Status.ENTERED_IN_ERROR:
        return before is not Status.ENTERED_IN_ERROR
    return after in FOLLOW[before]


def why_not_follow(before: Status, after: Status) -> str:
    """The sentence of a step that `may_follow` refuses: what it is, and what may be done instead."""
    return f"From {before.words} it cannot become {after.words}. {NEXT_STEP[before]}"


# --- judging ----------------------------------------------------------------------------------------------------------


def judge(
    mouth: Mouth, new: Sequence[Entry], about: About, *, numbering: Numbering | str = Numbering.FDI
) -> list[Remark]:
    """What speaks against further entries of a mouth, the most serious first; each remark once."""
    known = [entry for entry in new if entry.kind in mouth.kinds]
    after = mouth.with_entries(
        [entry for entry in known if entry.status is not Status.ENTERED_IN_ERROR],
        without=[entry.thread for entry in known if entry.thread],
    )
    holding = {entry.thread: entry for entry in mouth.entries if entry.thread}
    found: dict[tuple[str, str], Remark] = {}
    for entry in new:
        case = Case(entry, mouth.kinds.get(entry.kind), holding.get(entry.thread), mouth, after, about, numbering)
        rules = ERROR if entry.status is Status.ENTERED_IN_ERROR else FORM
        remarks = list(case.judged_by(rules))
        if not remarks and rules is FORM:
            remarks = list(case.judged_by(RULES))
        for remark in remarks:
            found.setdefault((remark.rule, remark.sentence), remark)
    return sorted(found.values(), key=lambda remark: remark.severity == "ask")


@dataclass
class Case:
    """One new entry, and the mouth around it. `before`: what it supersedes; `after`: the mouth with the whole line."""

    entry: Entry
    known_kind: Kind | None
    before: Entry | None
    mouth: Mouth
    after: Mouth
    about: About
    numbering: Numbering | str
    threads: list[int] = field(default_factory=list)

    def judged_by(self, rules: "Sequence[Rule]") -> Iterator[Remark]:
        for rule in rules:
            for sentence in rule.look(self):
                threads, self.threads = tuple(self.threads), []
                yield Remark(rule.severity, rule.name, sentence, threads)

    @property
    def kind(self) -> Kind:
        assert self.known_kind is not None  # noqa: S101 - the rules of form come first, and this is the first of them
        return self.known_kind

    @property
    def name(self) -> str:
        return self.kind.name

    @property
    def dated(self) -> date:
        return self.entry.dated or self.about.today

    @property
    def is_new_step(self) -> bool:
        """Whether it is first said now that it has this status."""
        return self.before is None or self.before.status is not self.entry.status

    @cached_property
    def is_of_object(self) -> bool:
        return self.kind.scope in (Scope.SPAN, Scope.ARCH) and self.kind.code != "supernumerary"

    def shown(self, *keys: str) -> str:
        return words.teeth_listed(keys, self.numbering)

    def others(self, key: str, *kinds: str) -> list[Entry]:
        """Everything else on a tooth, of these kinds if any are named."""
        return [each for each in self.after.on(key) if each is not self.entry and (not kinds or each.kind in kinds)]

    def presence(self, key: str, on: date | None = None) -> Presence:
        """How a tooth is there when this entry is left out; on a day, if asked."""
        found = self.after.began(key)
        for each in self.others(key):
            presence = self.after.kinds[each.kind].presence
            if presence is None or not each.status.is_there or each.role(key):
                continue
            if on is None or each.dated is None or each.dated <= on:
                found = presence
        return found

    def goes(self, key: str) -> bool:
        """Whether its extraction is planned or under way."""
        return any(each.status in UNDER_WAY for each in self.others(key, "extraction"))

    def with_role(self, *roles: str) -> list[str]:
        return [key for key, role in self.entry.teeth if role in roles]

    def covered(self, key: str) -> set[str]:
        """The surfaces on which something was put that can leak: fillings, sealants, veneers, crowns."""
        found: set[str] = set()
        for each in self.others(key):
            if not each.status.is_there:
                continue
            if each.kind in (*FILLINGS, "sealant"):
                found |= set(each.surfaces)
            elif each.kind == "veneer":
                found.add("B")
            elif self.is_crown(each, key):
                found |= set(teeth.SURFACES)
        return found

    def is_crown(self, other: Entry, key: str) -> bool:
        return other.kind in CROWNS or (other.kind == "bridge" and other.role(key) == "abutment")

    def age(self) -> float | None:
        """In years, on the day of the entry."""
        return teeth.years(self.about.birth_date, self.dated) if self.about.birth_date else None

    def letters(self, key: str, surfaces: str) -> str:
        return teeth.surface_names(key, surfaces)


@dataclass(frozen=True)
class Rule:
    severity: Literal["refuse", "ask"]
    name: str
    look: Callable[[Case], Iterator[str]]


FORM: list[Rule] = []  # of the entry by itself; the others rely on them
RULES: list[Rule] = []  # of the entry in its mouth
ERROR: list[Rule] = []  # of taking one back


def _into(
    rules: list[Rule], severity: Literal["refuse", "ask"]
) -> Callable[..., Callable[..., Callable[..., Iterator[str]]]]:
    def named(name: str) -> Callable[..., Callable[..., Iterator[str]]]:
        def kept(look: Callable[[Case], Iterator[str]]) -> Callable[[Case], Iterator[str]]:
            rules.append(Rule(severity, name, look))
            return look

        return kept

    return named


form, refuse, ask, error = _into(FORM, "refuse"), _into(RULES, "refuse"), _into(RULES, "ask"), _into(ERROR, "refuse")


# --- of the entry by itself -------------------------------------------------------------------------------------------


@form("form")
def _form(case: Case) -> Iterator[str]:
    """Kind, status, teeth, roles, surfaces, and what is said of it, as the kind asks for (form.py)."""
    if wrong := flaw(case.entry, case.after, case.numbering):
        known = [key for key in case.entry.keys if teeth.is_tooth(key) or key in case.after.extras]
        yield f"{case.shown(*known)}: {wrong}" if known else wrong


@form("thread")
def _thread(case: Case) -> Iterator[str]:
    if case.entry.thread and case.before is None:
        yield f"The entry on {case.shown(*case.entry.keys)} that this changes no longer holds: look at the chart again."
    elif case.before is not None and case.before.kind != case.entry.kind:
        yield "An entry stays what it is: enter it in error, and chart the other one."


@form("status-order")
def _status_order(case: Case) -> Iterator[str]:
    if case.before is not None and not may_follow(case.before.status, case.entry.status):
        yield f"{_said(case)}: {_small(why_not_follow(case.before.status, case.entry.status))}"


@error("error-reason")
def _error_reason(case: Case) -> Iterator[str]:
    if not case.entry.reason.strip():
        yield "Say why it was entered in error."


@error("error-of-what")
def _error_of_what(case: Case) -> Iterator[str]:
    if case.before is None:
        yield "What is entered in error has to hold: look at the chart again."


def _said(case: Case) -> str:
    """What it is and where, to begin a sentence."""
    entry, kind = case.entry, case.kind
    place = words.where(entry, kind, case.numbering) if kind.scope is Scope.ARCH else case.shown(*entry.keys)
    return f"{place}, {words.what(entry, kind)}"


def _small(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


# --- is the tooth there -----------------------------------------------------------------------------------------------


@refuse("tooth-gone")
def _tooth_gone(case: Case) -> Iterator[str]:
    """Nothing on a tooth that is not there. What was done before it went may be charted with its day."""
    if (
        case.is_of_object
        or case.kind.code in STAYS_WITHOUT_TOOTH
        or case.kind.own_id
        and case.kind.scope is Scope.WHOLE
    ):
        return
    on = case.dated if case.entry.status in THERE and case.kind.presence is None else None
    key = case.entry.tooth
    presence = case.presence(key, on)
    if presence.is_gone:
        yield (
            f"{case.shown(key)} is {presence}: {case.name.lower()} needs the tooth. If it is there, chart it as erupted first, or "
            "enter what says it is gone in error."
        )


@refuse("implant-no-tooth")
def _implant_no_tooth(case: Case) -> Iterator[str]:
    """An implant has no decay, no canals and no natural crown."""
    if case.is_of_object or case.kind.code in WORN_BY_IMPLANT or case.kind.own_id and case.kind.scope is Scope.WHOLE:
        return
    key = case.entry.tooth
    if case.presence(key) is Presence.IMPLANT:
        instead = " Chart a crown on implant (icrown) instead." if case.kind.code == "crown" else ""
        yield f"{case.shown(key)} is an implant: {case.name.lower()} is of a tooth.{instead} If it is none, enter the implant in error."


def _works_on_crown(case: Case) -> bool:
    kind = case.kind
    return not case.is_of_object and (kind.scope is Scope.SURFACES or kind.group in (Group.RESTORE, Group.ROOT))


@refuse("tooth-unerupted")
def _tooth_unerupted(case: Case) -> Iterator[str]:
    if _works_on_crown(case) and case.presence(case.entry.tooth) is Presence.UNERUPTED:
        yield f"{case.shown(case.entry.tooth)} has not erupted: chart it as erupted first (eru), then {case.name.lower()}."


@ask("tooth-impacted")
def _tooth_impacted(case: Case) -> Iterator[str]:
    if _works_on_crown(case) and case.presence(case.entry.tooth) is Presence.IMPACTED:
        yield f"{case.shown(case.entry.tooth)} is impacted, and {case.name.lower()} needs a crown one can reach."


@refuse("root-only")
def _root_only(case: Case) -> Iterator[str]:
    needs_crown = not case.is_of_object and (case.kind.scope is Scope.SURFACES or case.kind.code == "veneer")
    if needs_crown and case.presence(case.entry.tooth) is Presence.ROOT:
        yield f"Of {case.shown(case.entry.tooth)} only a root is left: there is no surface for {case.name.lower()}."


@refuse("primary-only")
def _primary_only(case: Case) -> Iterator[str]:
    key = case.entry.keys[0] if case.entry.teeth else ""
    if case.kind.primary_only and not (teeth.is_tooth(key) and teeth.tooth(key).is_primary):
        yield f"{case.name} is of primary teeth only, and {case.shown(key)} is none."


@ask("erupts-again")
def _erupts_again(case: Case) -> Iterator[str]:
    if case.kind.code not in ("erupted", "partially_erupted", "root_fragment"):
        return
    key = case.entry.tooth
    if case.others(key) and (presence := case.presence(key)).is_gone:
        yield f"{case.shown(key)} was charted as {presence}."


@refuse("not-in-bone")
def _not_in_bone(case: Case) -> Iterator[str]:
    """What was taken out, has fallen out or was replaced is not unerupted."""
    if case.kind.code not in ("unerupted", "impacted"):
        return
    presence = case.presence(case.entry.tooth)
    if presence in (Presence.EXTRACTED, Presence.EXFOLIATED, Presence.IMPLANT):
        yield f"{case.shown(case.entry.tooth)} is {presence}: it cannot be {case.name.lower()}. Enter what is wrong in error."


@ask("impacted-erupted")
def _impacted_erupted(case: Case) -> Iterator[str]:
    """Only what has not erupted is impacted: fillings and the like say it has."""
    if case.kind.code not in ("unerupted", "impacted"):
        return
    key = case.entry.tooth
    for each in case.others(key):
        kind = case.after.kinds[each.kind]
        if each.status.is_there and (each.kind in ("erupted", *CROWNS) or kind.scope is Scope.SURFACES):
            yield f"{case.shown(key)} was charted as in the mouth, with {words.what(each, kind)}."
            return


@ask("early-eruption")
def _early_eruption(case: Case) -> Iterator[str]:
    key = case.entry.keys[0] if case.entry.teeth else ""
    age = case.age()
    if age is None or case.kind.code not in ("erupted", "partially_erupted") or teeth.is_extra(key):
        return
    usual = teeth.erupts_at(key)
    if not teeth.tooth(key).is_primary and age < usual - teeth.EARLY:
        yield f"{case.shown(key)} usually erupts at about {usual:g} years; the patient is {int(age)}."


@ask("place-taken")
def _place_taken(case: Case) -> Iterator[str]:
    """A position holds one erupted tooth."""
    key = case.entry.keys[0] if case.entry.teeth else ""
    if case.kind.code not in ("erupted", "partially_erupted") or not teeth.is_tooth(key):
        return
    one = teeth.tooth(key)
    other = one.predecessor or one.successor
    charted = other and (other in case.after.base or case.others(other))
    if other and charted and case.presence(other).has_crown:
        primary = key if one.is_primary else other
        yield f"{case.shown(other)} is there too. If {case.shown(primary)} has gone, chart that: {case.shown(primary)} shed."


@ask("primary-late")
def _primary_late(case: Case) -> Iterator[str]:
    """Asked once of a tooth: with its first entry."""
    age = case.age()
    if age is None or age < ADULT or case.kind.code in GOES:
        return
    for key in case.entry.keys:
        is_primary = teeth.is_tooth(key) and teeth.tooth(key).is_primary
        if is_primary and not case.mouth.on(key) and not case.presence(key).is_gone:
            yield f"{case.shown(key)} is a primary tooth, and the patient is {int(age)} years old."


# --- what goes with what ----------------------------------------------------------------------------------------------


def _state(status: Status) -> str:
    """Entries of one state may repeat each other; a planned filling beside an existing one does not."""
    if status in UNDER_WAY:
        return "ahead"
    return "there" if status in THERE else str(status)


def _alike(case: Case) -> Iterator[tuple[str, Entry, str]]:
    """What says the same of a tooth: the tooth, the entry, and the surfaces both are on."""
    entry, kind = case.entry, case.kind
    if kind.code in MANY or kind.code == "supernumerary":
        return
    family = FILLINGS if kind.code in FILLINGS else (kind.code,)
    for key in entry.keys[:1] if kind.code == "denture" else entry.keys:
        for other in case.others(key, *family):
            if _state(other.status) != _state(entry.status):
                continue
            shared = "".join(each for each in entry.surfaces if each in other.surfaces)
            if shared or not (entry.surfaces and other.surfaces):
                yield key, other, shared


@refuse("duplicate")
def _duplicate(case: Case) -> Iterator[str]:
    entry = case.entry
    for key, other, shared in _alike(case):
        same = (
            other.kind == entry.kind
            and (other.surfaces == entry.surfaces or _state(entry.status) != "there" and shared == entry.surfaces)
            and dict(other.details) == dict(entry.details)
            and (not case.is_of_object or set(other.keys) == set(entry.keys))
        )
        lasting = _state(entry.status) == "there" and case.kind.presence is None
        if same and not (lasting and (other.status is not entry.status or other.dated != entry.dated)):
            place = f"{case.shown(key)}, {case.letters(key, shared)}," if shared else case.shown(key)
            yield f"{place} already has this: {_told(case, other)}. Change that entry instead."
            return


@ask("overlap")
def _overlap(case: Case) -> Iterator[str]:
    """Something of its kind on the same zone. Completing what was planned is expected to replace what was there."""
    if case.before is not None:
        return
    for key, other, shared in _alike(case):
        place = f"{case.shown(key)}, {case.letters(key, shared)}," if shared else case.shown(key)
        yield f"{place} already has {_told(case, other)}."
        return


def _told(case: Case, other: Entry) -> str:
    return words.sentence(other, numbering=case.numbering, kinds=case.after.kinds, with_tooth=False)


@refuse("sealant-on-filling")
def _sealant_on_filling(case: Case) -> Iterator[str]:
    if case.kind.code != "sealant":
        return
    key = case.entry.tooth
    for each in case.others(key, *FILLINGS, *CROWNS, "bridge"):
        zones = teeth.SURFACES if case.is_crown(each, key) else each.surfaces
        shared = "".join(one for one in case.entry.surfaces if one in zones)
        if shared and each.status.is_there:
            what = words.what(each, case.after.kinds[each.kind])
            yield f"{case.shown(key)}, {case.letters(key, shared)}, has a {what}: a sealant needs a sound surface. Leave that surface out."


@refuse("recurrent-without-filling")
def _recurrent(case: Case) -> Iterator[str]:
    if case.kind.code != "caries_recurrent":
        return
    key = case.entry.tooth
    bare = "".join(each for each in case.entry.surfaces if each not in case.covered(key))
    if bare:
        yield (
            f"{case.shown(key)}, {case.letters(key, bare)}, has no filling there for caries to be at: chart the filling first "
            "(existing), or chart caries (car)."
        )


@ask("under-crown")
def _under_crown(case: Case) -> Iterator[str]:
    """A crown covers every surface."""
    if case.kind.code not in ("caries", "caries_arrested", "veneer", *FILLINGS):
        return
    key = case.entry.tooth
    if any(each.status.is_there and case.is_crown(each, key) for each in case.others(key)):
        yield f"{case.shown(key)} has a crown, which covers its surfaces."


@refuse("inlay-biting")
def _inlay_biting(case: Case) -> Iterator[str]:
    if case.kind.code in ("inlay", "onlay") and "O" not in case.entry.surfaces:
        key = case.entry.tooth
        yield f"{case.name} on {case.shown(key)} has to include the {teeth.surface_name(key, 'O')} surface: add it, or chart a filling."


@ask("onlay-cusp")
def _onlay_cusp(case: Case) -> Iterator[str]:
    if case.kind.code == "onlay" and not set("BL") & set(case.entry.surfaces):
        key = case.entry.tooth
        sides = f"{teeth.surface_name(key, 'B')} or {teeth.surface_name(key, 'L')}"
        yield f"Onlay on {case.shown(key)} usually covers a cusp, on the {sides} side; without one it is an inlay."


@refuse("crown-to-replace")
def _crown_to_replace(case: Case) -> Iterator[str]:
    if case.kind.code != "crown_replace":
        return
    key = case.entry.tooth
    if not any(each.status.is_there and case.is_crown(each, key) for each in case.others(key)):
        yield f"{case.shown(key)} has no crown to replace: chart the crown as existing first (crown ex)."


@ask("post-without-root-canal")
def _post(case: Case) -> Iterator[str]:
    if case.kind.code != "post":
        return
    key = case.entry.tooth
    treated = case.others(key, "root_canal")
    is_ahead = case.entry.status not in (*THERE, Status.IN_PROCESS)
    if not any(each.status.is_there or each.status is Status.IN_PROCESS or is_ahead for each in treated):
        yield f"A post in {case.shown(key)} requires root canal treatment, and none is charted."


# --- implants ---------------------------------------------------------------------------------------------------------


@refuse("implant-in-tooth")
def _implant_in_tooth(case: Case) -> Iterator[str]:
    if case.kind.code != "implant":
        return
    key = case.entry.tooth
    presence = case.presence(key)
    is_there = not presence.is_gone and presence is not Presence.IMPLANT
    will_go = case.entry.status not in (*THERE, Status.IN_PROCESS) and case.goes(key)
    if is_there and not will_go:
        yield f"{case.shown(key)} is {presence}: an implant takes the place of a tooth that is gone. Chart its extraction first."


@ask("implant-primary")
def _implant_primary(case: Case) -> Iterator[str]:
    key = case.entry.keys[0] if case.entry.teeth else ""
    if case.kind.code == "implant" and (teeth.is_extra(key) or teeth.tooth(key).is_primary):
        yield f"{case.shown(key)} is no permanent tooth's place, where an implant goes."


def _worn_by_implant(case: Case) -> Iterator[str]:
    """The teeth on whose implant the entry rests."""
    if case.kind.code in ON_IMPLANT:
        yield case.entry.tooth
    elif case.kind.code == "bridge":
        yield from (key for key in case.with_role("abutment", "wing") if case.others(key, "implant"))


@refuse("implant-first")
def _implant_first(case: Case) -> Iterator[str]:
    for key in _worn_by_implant(case):
        if not case.others(key, "implant"):
            yield f"{case.shown(key)} has no implant for {case.name.lower()}: chart the implant first."


@refuse("implant-planned")
def _implant_planned(case: Case) -> Iterator[str]:
    """Nothing is put on an implant that is not there yet."""
    if case.entry.status not in (*THERE, Status.IN_PROCESS):
        return
    for key in _worn_by_implant(case):
        implants = case.others(key, "implant")
        if implants and not any(each.status.is_there or each.status is Status.IN_PROCESS for each in implants):
            status = implants[-1].status.words
            yield f"The implant {case.shown(key)} is only {status}: {case.name.lower()} cannot be {case.entry.status.words} on it."


# --- objects of several teeth -----------------------------------------------------------------------------------------


@refuse("one-arch")
def _one_arch(case: Case) -> Iterator[str]:
    keys = [key for key in case.entry.keys if not teeth.is_extra(key)]
    if not case.is_of_object or case.kind.code == "elastic" or len(keys) < 2:
        return
    if len({teeth.tooth(key).is_upper for key in keys}) > 1:
        yield f"{case.name}: {case.shown(*keys)} do not stand in one arch. Make one entry for each jaw."


@refuse("bridge-gapless")
def _bridge_gapless(case: Case) -> Iterator[str]:
    """Without a gap along one arch; across the midline too."""
    if case.kind.code != "bridge":
        return
    keys = case.entry.keys
    if any(teeth.is_extra(key) for key in keys):
        yield f"A bridge has no place for a supernumerary tooth: name it without {case.shown(*filter(teeth.is_extra, keys))}."
        return
    columns = sorted((teeth.column(key), key) for key in keys)
    for (left, first), (right, second) in pairwise(columns):
        if right == left:
            yield f"The bridge names {case.shown(first, second)}, which have one place: choose one."
        elif right > left + 1:
            yield f"The bridge leaves out what is between {case.shown(first, second)}: name every tooth of its span."


@refuse("bridge-abutment")
def _bridge_abutment(case: Case) -> Iterator[str]:
    if case.kind.code == "bridge" and not case.with_role("abutment", "wing"):
        yield f"The bridge {case.shown(*case.entry.keys)} rests on nothing: at least one tooth is an abutment (a) or has a wing (w)."


@ask("bridge-cantilever")
def _bridge_cantilever(case: Case) -> Iterator[str]:
    if (
        case.kind.code != "bridge"
        or not case.with_role("abutment", "wing")
        or any(map(teeth.is_extra, case.entry.keys))
    ):
        return
    ordered = sorted(case.entry.teeth, key=lambda each: teeth.column(each[0]))
    free = [key for key, role in dict.fromkeys((ordered[0], ordered[-1])) if role == "pontic"]
    if free:
        yield f"The bridge ends in {'a pontic' if len(free) == 1 else 'pontics'}, {case.shown(*free)}: it is a cantilever."


@ask("bridge-pontic")
def _bridge_without_pontic(case: Case) -> Iterator[str]:
    if case.kind.code == "bridge" and not case.with_role("pontic"):
        yield f"The bridge {case.shown(*case.entry.keys)} has no pontic: it replaces no tooth."


@refuse("gap-is-tooth")
def _gap_is_tooth(case: Case) -> Iterator[str]:
    """A pontic, a denture's tooth or a kept gap is where a tooth is gone, or for what is planned, is to be extracted."""
    keys = case.with_role(*GAPS)
    if case.kind.code == "denture" and case.entry.details.get("extent") == "complete":
        jaw = [key for key in case.after.keys if words.jaw_of(key) == case.entry.jaw]
        keys = list(dict.fromkeys(keys + jaw))
    is_ahead = case.entry.status not in (*THERE, Status.IN_PROCESS)
    wrong = [
        key
        for key in keys
        if case.presence(key) in (Presence.PRESENT, Presence.PARTIAL) and not (is_ahead and case.goes(key))
    ]
    if wrong:
        verb = "is" if len(wrong) == 1 else "are"
        lift = "plan the extraction (in the same line if you like)" if is_ahead else "chart the extraction first"
        yield f"{case.name}: {case.shown(*wrong)} {verb} there, so nothing can take that place: {lift}, or change the role."


@refuse("holds-on-nothing")
def _holds_on_nothing(case: Case) -> Iterator[str]:
    """Abutments, clasps, bands, and what a wire or splint holds, are teeth that are there, or implants."""
    if not case.is_of_object:
        return
    is_ahead = case.entry.status not in (*THERE, Status.IN_PROCESS)
    wrong = []
    for key in case.with_role(*HOLDS_ON, "held", "crowded", "beside"):
        presence = case.presence(key)
        hangs = any(each.role(key) == "pontic" for each in case.others(key, "bridge"))
        implant = is_ahead and bool(case.others(key, "implant"))
        in_bone = presence is Presence.UNERUPTED and case.kind.code != "elastic"
        if (presence.is_gone and not hangs and not implant) or in_bone:
            wrong.append(key)
    if wrong:
        verb = "is" if len(wrong) == 1 else "are"
        yield f"{case.name}: {case.shown(*wrong)} {verb} not there to hold on to: leave it out, or change its role."


@refuse("maintainer-parts")
def _maintainer_parts(case: Case) -> Iterator[str]:
    if case.kind.code == "space_maintainer" and not (case.with_role("band") and case.with_role("gap")):
        yield f"A space maintainer at {case.shown(*case.entry.keys)} has a band on a tooth (b) and keeps a gap (g): name both."


@refuse("neighbours")
def _neighbours(case: Case) -> Iterator[str]:
    """A diastema, and a supernumerary, are between two teeth with nothing between them."""
    keys = case.with_role("beside")
    if case.kind.code == "diastema" and len(keys) != 2:
        yield f"A diastema is between two teeth: {case.shown(*keys)} are {len(keys)}."
        return
    if case.kind.code not in ("diastema", "supernumerary") or len(keys) != 2:
        return
    if any(map(teeth.is_extra, keys)):
        return
    try:
        first, second = keys
        inner = {teeth.tooth(key).place for key in keys}
        span = teeth.between(*(teeth.tooth(key).place for key in (first, second)))
    except ValueError:
        span, inner = (), set()
    gap = [place for place in span if place not in inner]
    if not span or (case.kind.code == "supernumerary" and gap) or any(not _is_gone_place(case, each) for each in gap):
        yield f"{case.name}: {case.shown(*keys)} are not neighbours."


def _is_gone_place(case: Case, place: str) -> bool:
    predecessor = teeth.tooth(place).predecessor
    there = [place, *([predecessor] if predecessor and predecessor in case.after.base else [])]
    return all(case.presence(key).is_gone for key in there)


@refuse("extra-taken")
def _extra_taken(case: Case) -> Iterator[str]:
    if case.kind.code != "supernumerary":
        return
    (own,) = (key for key, role in case.entry.teeth if not role)
    taken = any(each.kind == "supernumerary" and not each.role(own) for each in case.others(own))
    if case.before is None and taken:
        yield f"There is a supernumerary tooth {own} already: take the next number."


@refuse("denture-replaces")
def _denture_replaces(case: Case) -> Iterator[str]:
    if case.kind.code == "denture" and case.entry.details.get("extent") == "partial" and not case.with_role("replaced"):
        yield f"A partial denture replaces teeth: say which of the {case.entry.jaw} jaw."


# --- what goes --------------------------------------------------------------------------------------------------------


def needs_tooth(plan: Entry, key: str) -> bool:
    """Whether a plan comes to nothing when the tooth goes; a pontic or an implant comes in its place."""
    return plan.kind not in (*GOES, *STAYS_WITHOUT_TOOTH) and plan.role(key) not in GAPS


@ask("plans-of-gone")
def _plans_of_gone(case: Case) -> Iterator[str]:
    """A tooth that goes with work planned on it: those plans are put back to options (`cancel`), or a reason is given."""
    if case.kind.code not in GOES or case.entry.status in (Status.OPTION, Status.REFERRED):
        return
    key = case.entry.tooth
    plans = [each for each in case.others(key) if each.status in UNDER_WAY and needs_tooth(each, key)]
    if plans:
        case.threads = [each.thread for each in plans if each.thread]
        told = words.listed([_told(case, each) for each in plans])
        yield (
            f"{case.shown(key)} has work ahead that will not be done if it goes: {told}. "
            "Add “cancel” to the line to put plans back to options."
        )


@ask("abutment-goes")
def _abutment_goes(case: Case) -> Iterator[str]:
    if case.kind.code not in GOES or case.entry.status in (Status.OPTION, Status.REFERRED):
        return
    key = case.entry.tooth
    for each in case.others(key):
        if each.role(key) in HOLDS_ON:
            kind = case.after.kinds[each.kind]
            where = words.where(each, kind, case.numbering)
            yield f"{case.shown(key)} holds the {words.kind_name(kind)} {where} ({words.PART[each.role(key)]}), which loses it."


# --- days -------------------------------------------------------------------------------------------------------------


@refuse("future")
def _future(case: Case) -> Iterator[str]:
    if case.dated > case.about.today:
        yield f"{_said(case)}: {case.dated.isoformat()} has not come yet. A chart says what is so today; an appointment is a visit."


@refuse("before-birth")
def _before_birth(case: Case) -> Iterator[str]:
    birth = case.about.birth_date
    if birth and case.dated < birth:
        yield f"{_said(case)}: {case.dated.isoformat()} is before the patient was born, {birth.isoformat()}. Correct the day."


@refuse("before-plan")
def _before_plan(case: Case) -> Iterator[str]:
    before = case.before
    if before is None or before.dated is None or before.status is case.entry.status:
        return
    if case.entry.status in (Status.IN_PROCESS, Status.COMPLETED) and case.dated < before.dated:
        yield (
            f"{_said(case)}: it cannot be {case.entry.status.words} on {case.dated.isoformat()}, before it was {before.status.words} "
            f"on {before.dated.isoformat()}. Correct the day."
        )


@refuse("in-clinic")
def _in_clinic(case: Case) -> Iterator[str]:
    if case.entry.status in (Status.IN_PROCESS, Status.COMPLETED) and case.is_new_step and not case.about.is_in_clinic:
        yield (
            f"{_said(case)} can be {case.entry.status.words} only in a visit that is under way: have the desk check the patient in. "
            "What was done elsewhere is existing."
        )
