"""Entries of every kind at random, in the form that their kind asks for: what a long history of a chart is made of."""

import random

from clinic.chart import teeth
from clinic.chart.entry import Entry
from clinic.chart.kinds import Kind, Scope
from clinic.chart.mouth import Mouth


def some_entry(dice: random.Random, mouth: Mouth, *, kind: Kind | None = None) -> Entry:
    """A new entry. It has the form of its kind; whether it makes sense is for the rules."""
    kind = kind or dice.choice([each for each in mouth.kinds.values() if not each.retired])
    status = dice.choice(kind.statuses)
    details = {
        field.name: dice.choice(list(field.options)) if field.options else f"Noted “{dice.randrange(1000)}”"
        for field in kind.fields
        if field.name != "canals" and (field.required or dice.random() < 0.6)
    }
    if kind.code == "supernumerary":
        return Entry(kind.code, status, ((next_extra(mouth), ""), ("11", "beside"), ("21", "beside")), details=details)
    if kind.scope is Scope.SPAN:
        return Entry(kind.code, status, some_span(dice, kind), details=details)
    if kind.scope is Scope.ARCH:
        jaw, arch = dice.choice([("upper", teeth.UPPER), ("lower", teeth.LOWER)])
        some = sorted(dice.sample(arch, dice.randrange(0, 4)), key=arch.index)
        return Entry(kind.code, status, tuple((key, dice.choice(kind.roles)) for key in some), jaw=jaw, details=details)
    key = dice.choice([*teeth.PERMANENT, *teeth.PRIMARY[:6], *mouth.extras])
    if "canals" in {field.name for field in kind.fields} and teeth.is_tooth(key):
        extents = list(kind.field("canals").options)
        details["canals"] = " ".join(f"{canal}:{dice.choice(extents)}" for canal in teeth.tooth(key).canals)
    surfaces = ""
    if kind.scope is Scope.SURFACES:
        surfaces = teeth.canonical("".join(dice.sample(kind.surfaces, dice.randrange(1, len(kind.surfaces) + 1))))
    return Entry(kind.code, status, ((key, ""),), surfaces=surfaces, details=details)


def some_span(dice: random.Random, kind: Kind) -> tuple[tuple[str, str], ...]:
    arch = dice.choice([teeth.UPPER, teeth.LOWER])
    start, length = dice.randrange(0, 12), dice.randrange(2, 5)
    keys = arch[start : start + length]
    if kind.code == "bridge" and length > 2:
        return tuple((key, "abutment" if key in (keys[0], keys[-1]) else "pontic") for key in keys)
    return tuple((key, dice.choice(kind.roles)) for key in keys)


def next_extra(mouth: Mouth) -> str:
    return f"S{1 + max((int(key[1:]) for key in mouth.extras), default=0)}"
