"""What the print of a version says, in plain data: all of it from the version's own bytes, so that it says the same in a year."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from clinic.chart.drawing import Drawing, drawing_of
from clinic.chart.mouth import Mouth
from clinic.chart.teeth import Dentition, Numbering
from clinic.chart.versions import about_from, mouth_from
from clinic.chart.words import Row, Said, table_of

DENTITIONS = {
    Dentition.PERMANENT: "permanent teeth",
    Dentition.MIXED: "mixed teeth",
    Dentition.PRIMARY: "primary teeth",
    Dentition.EDENTULOUS: "no teeth",
}


@dataclass(frozen=True)
class Line:
    """A tooth or object with what is said of it under one heading."""

    teeth: str
    name: str
    said: tuple[str, ...]


@dataclass(frozen=True)
class Paper:
    """`about`: who the patient was, and whose version of when. `found`, `done`, `ahead`: in words, each fact once."""

    about: dict[str, Any]
    mouth: Mouth
    drawing: Drawing
    dentition: str
    found: list[Line]
    done: list[Line]
    ahead: list[Line]
    presence: list[tuple[str, list[str]]]  # how teeth are there that are not simply present: words, teeth

    @property
    def birth_date(self) -> date:
        return date.fromisoformat(self.about["birth_date"])

    @property
    def day(self) -> date:
        """The clinic's day on which it was cut."""
        return date.fromisoformat(self.about["day"])

    @property
    def at(self) -> datetime:
        return datetime.fromisoformat(self.about["at"])

    @property
    def visit_day(self) -> date | None:
        return date.fromisoformat(self.about["visit_day"]) if self.about["visit_day"] else None

    @property
    def is_empty(self) -> bool:
        return not (self.found or self.done or self.ahead)


def paper_of(body: bytes) -> Paper:
    """The print of a version's bytes, in the numbering and legend of its author."""
    about, mouth = about_from(body), mouth_from(body)
    numbering = Numbering(about["numbering"])
    rows = table_of(mouth, numbering)
    absent: dict[str, list[str]] = {}
    for row in rows:
        if row.presence and row.presence != "present":
            absent.setdefault(row.presence, []).append(row.teeth)
    return Paper(
        about=about,
        mouth=mouth,
        drawing=drawing_of(mouth, legend=about["legend"], numbering=numbering),
        dentition=DENTITIONS[mouth.dentition],
        found=_lines(rows, "findings"),
        done=_lines(rows, "done"),
        ahead=_lines(rows, "ahead"),
        presence=list(absent.items()),
    )


def _lines(rows: Sequence[Row], part: str) -> list[Line]:
    found = []
    for row in rows:
        said: list[Said] = getattr(row, part)
        if said:
            found.append(Line(row.teeth, row.name, tuple(_told(each) for each in said)))
    return found


def _told(said: Said) -> str:
    """The words of an entry, with its day, who did it, and the reason of an exception."""
    entry = said.entry
    told = said.words
    if entry.dated and str(entry.dated.year) not in told:
        told += f", {entry.dated.day} {entry.dated:%b %Y}"
    if entry.performer and entry.performer not in told:
        told += f", by {entry.performer}"
    return f"{told} ({entry.reason})" if entry.reason else told
