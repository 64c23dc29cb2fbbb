"""The pages of graduation and leave: who takes each patient, and everything by name before it happens."""

from collections.abc import Mapping
from dataclasses import dataclass

from flask import render_template

from clinic.blueprints.assignments.forms import LeavingForm, person_choices
from clinic.models import Assignment, AssignmentKind, Request, User
from clinic.operations.handover import Item, items_of, usual_destinations
from clinic.operations.leaving import hand_over_all
from clinic.queries.assignments import loads_of, proposed, receivers_for, running_of, taken_by


@dataclass(frozen=True)
class Fate:
    """One assignment of the student who leaves, and who takes it (None: it ends without a successor)."""

    assignment: Assignment
    receiver: User | None
    chosen: bool


@dataclass(frozen=True)
class Settled:
    """Something that hangs on the assignment, and where it goes, in words."""

    item: Item
    words: str


def receivers_page(viewer: User, form: LeavingForm, refused: str = "") -> str:
    """Step 2. Whom the form names, else whom the load proposes. A constant number of queries."""
    assignments = _present(viewer, form)
    people = [person for person in receivers_for(viewer) if person.id != form.student.id]
    students = [person for person in people if person.year is not None]
    proposals = proposed(assignments, students, taken_by(students))
    fates = [(one, form.to[one.id] if one.id in form.to else proposals[one.id]) for one in assignments]
    return render_template(
        "assignments/receivers.html",
        form=form,
        fates=fates,
        people=person_choices(people, loads_of(people)),
        primary=AssignmentKind.PRIMARY,
        refused=refused,
    )


def confirm_page(viewer: User, form: LeavingForm, refused: str = "") -> str:
    """Step 3. As many queries as there are receivers, and a constant number beside."""
    assignments = _present(viewer, form)
    people = {person.id: person for person in receivers_for(viewer) if person.id != form.student.id}
    fates = [Fate(one, people.get(form.to.get(one.id) or 0), one.id in form.to) for one in assignments]
    return render_template(
        "assignments/confirm.html",
        form=form,
        fates=fates,
        settled=_settled(form.student, fates),
        refused=refused,
        missing=[fate for fate in fates if fate.receiver is None and fate.assignment.kind is AssignmentKind.PRIMARY],
    )


def carry_out(form: LeavingForm, viewer: User) -> list[Request]:
    """Do what the form says; raises DomainError."""
    return hand_over_all(
        form.student.id,
        to=form.to,
        handover=form.handover,
        notes=form.notes,
        reason=form.why,
        beyond=form.beyond,
        actor=viewer,
    )


def _present(viewer: User, form: LeavingForm) -> list[Assignment]:
    """The student's assignments but those of archived patients, which simply end."""
    return [one for one in running_of(viewer, form.student.id) if one.patient.archived_at is None]


def _settled(student: User, fates: list[Fate]) -> Mapping[int, list[Settled]]:
    """By patient, what hangs on the assignments and where it will go."""
    takers: dict[int, User] = {}
    for fate in sorted(fates, key=lambda fate: list(AssignmentKind).index(fate.assignment.kind)):
        if fate.receiver is not None:
            takers.setdefault(fate.assignment.patient_id, fate.receiver)
    items = items_of(list(takers), student)
    found: dict[int, list[Settled]] = {}
    for receiver in {person.id: person for person in takers.values()}.values():
        theirs = [number for number, taker in takers.items() if taker.id == receiver.id]
        goes = usual_destinations([item for number in theirs for item in items[number]], receiver)
        for number in theirs:
            found[number] = [
                Settled(item, choice.label if (choice := item.choice(goes[item.key].to)) else "")
                for item in items[number]
            ]
    return found
