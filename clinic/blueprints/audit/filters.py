"""What the trail is narrowed to: names that were typed become ids, and each narrowing is a chip that takes it away."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from flask import abort, url_for
from wtforms import Field, IntegerField

from clinic.blueprints.audit.forms import EVERYTHING, NOBODY, TrailForm, feature_of
from clinic.formatting import act, day, words
from clinic.models import Patient, User
from clinic.queries.audit import patient_told_of, patients_named
from clinic.queries.people import people_of, person_for

CHOICES = 20
WRITTEN = {"begin": "from", "end": "to"}  # in an address


class Chip(NamedTuple):
    """In words what is narrowed and to what, and the address without it."""

    word: str
    value: str
    without: str


@dataclass
class Narrowing:
    """What a valid form asks for. `people` and `patients`: whom a typed name may mean, to choose from. `found`: a typed name meant
    just one, and the address should now say who."""

    form: TrailForm
    people: list[User] = field(default_factory=list)
    patients: list[Patient] = field(default_factory=list)
    chips: list[Chip] = field(default_factory=list)
    found: bool = False

    @property
    def words(self) -> str:
        """What it is narrowed to, for people to read."""
        told = [f"{chip.word.lower()} {chip.value}" for chip in self.chips]
        told += [f"a person named “{self.form.person.data}”"] if self.people else []
        told += [f"a patient named “{self.form.patient.data}”"] if self.patients else []
        return "; ".join(told) or "everything"

    @property
    def is_open(self) -> bool:
        """Whether somebody is still to be chosen."""
        return bool(self.people or self.patients)

    def address(self, endpoint: str = "audit.index", **changes: Any) -> str:
        """The address of the same narrowing with other values; None takes one away."""
        asked: dict[str, Any] = self.form.asked() | changes
        return url_for(endpoint, **{WRITTEN.get(name, name): value for name, value in asked.items()})


def narrowed(form: TrailForm, viewer: User) -> Narrowing:
    """What the form narrows the trail to; a name of nobody becomes an error of its field, an id of nobody is 404."""
    narrowing = Narrowing(form)
    if typed := (form.person.data or "").strip():
        people = people_of(viewer, text=typed, active=None, limit=CHOICES).people
        narrowing.people = _taken(narrowing, form.person, form.person_id, people)
    if typed := (form.patient.data or "").strip():
        narrowing.patients = _taken(narrowing, form.patient, form.patient_id, patients_named(viewer, typed))
    narrowing.chips = list(_chips(narrowing, viewer))
    return narrowing


def _taken(narrowing: Narrowing, typed: Field, number: IntegerField, found: list[Any]) -> list[Any]:
    """Several to choose from; one is taken, none is said."""
    if not found:
        typed.errors = ["Nobody has this name. Check the spelling, or type its beginning only."]
    elif len(found) == 1:
        number.data, narrowing.found = found[0].id, True
    return found if len(found) > 1 else []


def _chips(narrowing: Narrowing, viewer: User) -> Iterator[Chip]:
    form = narrowing.form
    if form.person_id.data:
        person = person_for(viewer, form.person_id.data) or abort(404)
        yield Chip("Person", person.name, narrowing.address(person_id=None))
    if form.patient_id.data:
        patient = patient_told_of(viewer, form.patient_id.data) or abort(404)
        yield Chip("Patient", f"{patient.name}, {patient.code}", narrowing.address(patient_id=None))
    if asked := form.act.data:
        what = f"{words(feature_of(asked))}: everything" if asked.endswith(EVERYTHING) else act(asked)
        yield Chip("Act", what, narrowing.address(act=None))
    if form.role.data:
        role = "nobody signed in" if form.role.data == NOBODY else words(form.role.data)
        yield Chip("Role", role, narrowing.address(role=None))
    if form.begin.data:
        yield Chip("From", day(form.begin.data), narrowing.address(begin=None))
    if form.end.data:
        yield Chip("To", day(form.end.data), narrowing.address(end=None))
    if (form.address.data or "").strip():
        yield Chip("Address", form.address.data.strip(), narrowing.address(address=None))
