"""Whether an entry has the form that its kind asks for: where it is put, which status it has, what is said of it."""

from clinic.chart import teeth
from clinic.chart.entry import Entry, details_text, teeth_text
from clinic.chart.kinds import Kind, Scope, Status
from clinic.chart.mouth import Mouth
from clinic.chart.teeth import Numbering

MOST_TEXT = 500  # characters of a free text
TEETH_LENGTH = 500


def flaw(entry: Entry, mouth: Mouth, numbering: Numbering | str = Numbering.FDI) -> str:
    """What is wrong with the form of an entry, as a sentence; empty when nothing is. Whether it makes sense is for rules.py."""
    kind = mouth.kinds.get(entry.kind)
    if kind is None:
        return "There is no such kind of entry. Choose one from the tools, or type ? for the words."
    if kind.retired and not entry.thread:
        return f"“{kind.name}” is no longer used. Choose another kind of entry."
    if entry.status not in (*kind.statuses, Status.ENTERED_IN_ERROR):
        return f"“{kind.name}” is never “{entry.status.words}”."
    return _misplaced(entry, kind, mouth, numbering) or _missaid(entry, kind, numbering)


def _misplaced(entry: Entry, kind: Kind, mouth: Mouth, numbering: Numbering | str) -> str:
    keys = [key for key, _role in entry.teeth]
    own = [key for key, role in entry.teeth if not role] if entry.kind == "supernumerary" else []
    unknown = [key for key in keys if not teeth.is_tooth(key) and key not in mouth.extras and key not in own]
    if unknown or any(not teeth.is_extra(key) for key in own) or len(teeth_text(entry.teeth)) > TEETH_LENGTH:
        return f"There is no tooth {_shown((unknown or own or keys)[0], numbering)} here."
    if len(set(keys)) < len(keys):
        return f"“{kind.name}” names a tooth twice."
    if bool(entry.jaw) is not (kind.scope is Scope.ARCH) or entry.jaw not in ("", *teeth.JAWS):
        return (
            f"“{kind.name}” is of a jaw: say upper or lower."
            if kind.scope is Scope.ARCH
            else f"“{kind.name}” is of teeth: leave the jaw out."
        )
    if kind.scope in (Scope.SPAN, Scope.ARCH):
        return _misspanned(entry, kind, numbering)
    if len(keys) != 1 or entry.teeth[0][1]:
        return f"“{kind.name}” is put on one tooth at a time."
    if (kind.scope is Scope.SURFACES) is not bool(entry.surfaces) and not kind.may_be_whole:
        on = "needs a surface" if kind.scope is Scope.SURFACES else "is of the whole tooth and takes no surface"
        return f"“{kind.name}” {on}."
    if wrong := [surface for surface in entry.surfaces if surface not in kind.surfaces]:
        name = teeth.letter(keys[0], wrong[0]) if wrong[0] in teeth.SURFACES else wrong[0]
        return f"“{kind.name}” is not put on the surface {name}."
    return "" if entry.surfaces == teeth.canonical(entry.surfaces) else "The surfaces are not in their order."


def _misspanned(entry: Entry, kind: Kind, numbering: Numbering | str) -> str:
    if entry.surfaces:
        return f"“{kind.name}” takes no surface."
    extra = entry.kind == "supernumerary"
    if extra and sum(not role for _key, role in entry.teeth) != 1:
        return "One extra tooth is charted at a time."
    for key, role in entry.teeth:
        if role not in kind.roles and not (extra and not role):
            return (
                f"Tooth {_shown(key, numbering)} has no part in “{kind.name}” that there is: {', '.join(kind.roles)}."
            )
        if entry.jaw and teeth.is_tooth(key) and teeth.tooth(key).is_upper is not (entry.jaw == "upper"):
            return f"Tooth {_shown(key, numbering)} is not in the {entry.jaw} jaw."
    if kind.scope is Scope.SPAN and len(entry.teeth) < 2:
        return f"“{kind.name}” is of two teeth or more."
    return ""


def _missaid(entry: Entry, kind: Kind, numbering: Numbering | str) -> str:
    fields = {each.name: each for each in kind.fields}
    for name, value in entry.details.items():
        each = fields.get(name)
        if each is None:
            return f"“{kind.name}” has no “{name}”."
        if name == "canals":
            if wrong := _wrong_canal(entry, value, each.options, numbering):
                return wrong
        elif each.options and value not in each.options:
            return f"“{value}” is no {each.label.lower()} of “{kind.name}”: choose {', '.join(each.options.values())}."
        elif len(value) > MOST_TEXT or any(ord(letter) < 32 or ord(letter) == 127 for letter in value):
            return f"At most {MOST_TEXT} characters, in one line, for “{each.label}”."
    missing = [each.label for each in kind.fields if each.required and not entry.details.get(each.name)]
    if missing:
        return f"“{kind.name}” needs: {', '.join(missing)}."
    return "" if len(details_text(entry.details)) < 10_000 else "This is too much for one entry."


def _wrong_canal(entry: Entry, value: str, options: object, numbering: Numbering | str) -> str:
    assert isinstance(options, dict)
    for word in value.split():
        canal, _, reach = word.partition(":")
        if canal not in teeth.possible_canals(entry.tooth) or reach not in options:
            usual = ", ".join(teeth.usual_canals(entry.tooth))
            tooth = _shown(entry.tooth, numbering)
            return f"“{word}” is no canal of tooth {tooth}: usually {usual}, each with {', '.join(options)}."
    return ""


def _shown(key: str, numbering: Numbering | str) -> str:
    """As the person numbers teeth; what is no tooth as it was said."""
    return teeth.shown(key, numbering) if teeth.is_tooth(key) else key
