"""An entry as the line one would type for it."""

from clinic.chart import teeth
from clinic.chart.entry import Entry
from clinic.chart.kinds import STATUS_TYPED, Kind
from clinic.chart.teeth import Numbering


def typed(entry: Entry, kind: Kind, numbering: Numbering) -> str:
    words = []
    for key, role in entry.teeth:
        shown = teeth.shown(key, numbering)
        words.append(f"{shown}:{role}" if role else shown)
    words.append(entry.jaw)
    if entry.surfaces:
        words.append(teeth.letters(entry.tooth, entry.surfaces).lower())
    words.append(kind.words[0])
    for name, value in entry.details.items():
        if name == "canals":
            words += value.lower().replace(":", " ").split()
        elif kind.field(name).options:
            words.append(f"{name}={value}")
        else:
            words.append(f'{name}="{value}"')
    words.append(STATUS_TYPED[entry.status][0])
    return " ".join(filter(None, words))
