"""The mouth as a viewer is shown it: drawn, in words, and what was charted today. The one place where building it may fail."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from flask import abort
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from clinic import clock
from clinic.chart import teeth, words
from clinic.chart.drawing import Drawing, drawing_of
from clinic.chart.entry import Entry
from clinic.chart.kinds import Kind, Status
from clinic.chart.mouth import Mouth
from clinic.chart.rules import may_follow
from clinic.chart.teeth import Dentition
from clinic.errors import DomainError
from clinic.models import User
from clinic.queries.chart import Charted, chart_for, charted_for

log = logging.getLogger(__name__)


class CannotBeShown(Exception):
    """The chart of this patient could not be made into a picture. Whoever asked is told so, and shown no teeth at all."""

    def __init__(self, patient_id: int) -> None:
        super().__init__(f"the chart of patient {patient_id} cannot be shown")
        self.patient_id = patient_id


@dataclass(frozen=True)
class Picture:
    """A chart and its viewer. `preset`: the dentition chosen before the first stroke."""

    charted: Charted
    viewer: User
    preset: Dentition | None = None

    @cached_property
    def mouth(self) -> Mouth:
        kept = self.charted.mouth
        if self.charted.chart is not None or self.preset is None or self.preset == kept.dentition:
            return kept
        age = teeth.years(self.charted.patient.birth_date, clock.today())
        return Mouth(teeth.present_at(self.preset, age), (), kept.kinds, self.preset)

    @cached_property
    def drawing(self) -> Drawing:
        return drawing_of(self.mouth, legend=self.viewer.legend, numbering=self.viewer.numbering)

    @cached_property
    def today(self) -> list[Entry]:
        """What was charted today and holds, the newest first."""
        start, _ = clock.bounds(clock.today())
        written = [entry for entry in self.mouth.entries if entry.entered_at and entry.entered_at >= start]
        return sorted(written, key=lambda entry: -entry.id)

    @property
    def may_undo(self) -> bool:
        """Whether the last stroke is the viewer's own of today; the operation judges whether it can be taken back."""
        last = next((entry for entry in self.today if entry.stroke == self.charted.stroke), None)
        return last is not None and last.entered_by_id == self.viewer.id

    def sentence(self, entry: Entry, *, with_tooth: Any = True) -> str:
        kinds, numbering = self.mouth.kinds, self.viewer.numbering
        said = words.sentence(entry, numbering=numbering, kinds=kinds, with_tooth=bool(with_tooth))
        return said[:1].upper() + said[1:]

    def presence(self, key: str) -> str:
        return words.presence_words(self.mouth.presence(key))

    def place_name(self, place: str) -> str:
        """`Tooth 36, lower left first molar`; of a jaw `Upper jaw`."""
        if self.is_jaw(place):
            return f"{place.capitalize()} jaw"
        return f"Tooth {self.number(place)}, {words.tooth_name(place)}"

    def number(self, tooth: str) -> str:
        """A tooth as the viewer writes it."""
        return teeth.shown(tooth, self.viewer.numbering)

    def is_jaw(self, place: str) -> bool:
        return place in teeth.JAWS

    def object_name(self, entry: Entry) -> str:
        """What it is and on which teeth, each named: what one confirms."""
        kind = self.kind(entry)
        on = words.teeth_listed(entry.keys, self.viewer.numbering) or f"{entry.jaw} jaw"
        return f"{words.what(entry, kind)} on {on}"

    def knows(self, place: str) -> bool:
        """Whether there is such a tooth or jaw."""
        return place in (*teeth.ALL, *self.mouth.extras, *teeth.JAWS)

    def on(self, place: str) -> list[Entry]:
        """What holds on a tooth or jaw, the newest first."""
        if self.is_jaw(place):
            return [entry for entry in reversed(self.mouth.entries) if entry.jaw == place]
        return self.mouth.on(place)[::-1]

    def may_become(self, entry: Entry) -> list[Status]:
        """The further statuses of its kind that may follow on its own."""
        return [
            each for each in self.kind(entry).statuses if each is not entry.status and may_follow(entry.status, each)
        ]

    def kind(self, entry: Entry) -> Kind:
        return self.mouth.kinds[entry.kind]

    @property
    def gone(self) -> list[str]:
        """The teeth that are not there: a whole jaw or quadrant is chosen without them."""
        return [key for key in self.mouth.keys if not self.mouth.presence(key).has_crown]

    @property
    def names(self) -> dict[str, str]:
        """Every position as the viewer numbers it."""
        return {key: teeth.shown(key, self.viewer.numbering) for key in self.mouth.keys}


@contextmanager
def whole_or_nothing(patient_id: int) -> Iterator[None]:
    """Within it a chart is loaded and made into words and pictures; whatever goes wrong there raises CannotBeShown."""
    try:
        yield
    except (HTTPException, DomainError, SQLAlchemyError):
        raise
    except Exception as error:
        log.exception("the chart of patient %d cannot be shown", patient_id)
        raise CannotBeShown(patient_id) from error


def picture_for(viewer: User, patient_id: int, preset: Dentition | None = None) -> Picture:
    """The chart of a patient, as it stands. Aborts with 404 for one whom the viewer may not see."""
    return Picture(charted_for(viewer, patient_id) or abort(404), viewer, preset)


def picture_now(viewer: User, patient_id: int, preset: Dentition | None = None) -> Picture:
    """And how it stands with the supervisors. Aborts as `picture_for`."""
    return Picture(chart_for(viewer, patient_id) or abort(404), viewer, preset)
