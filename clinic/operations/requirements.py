"""What students have to do: said, changed, retired. How far they are is computed (queries/requirements.py) and nobody types it."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from clinic import audit, clock
from clinic.chart.kinds import Kind, Status
from clinic.errors import Conflict, DomainError, NotAllowed
from clinic.evaluation.form import STEPS
from clinic.extensions import db
from clinic.formatting import day as day_words
from clinic.models import Department, Requirement, Role, ToothClass, User
from clinic.models.requirement import KINDS_LENGTH
from clinic.operations.locks import locked
from clinic.queries.chart import catalogue
from clinic.queries.requirements import MOST, requirements_of
from clinic.text import one_line

YEARS = range(1, 8)
MOST_WANTED = 500
LONGEST_TERM = 731  # days
MOST_SURFACES = 5


@dataclass(frozen=True)
class Asked:
    """What a requirement says. `kinds`: codes; `cap`: None for any number of one patient; `least_mark`: a step of the scale of evaluations,
    None for any mark or none."""

    name: str
    kinds: Collection[str]
    wanted: int
    begins: date
    due: date
    cap: int | None = None
    least_surfaces: int = 0
    tooth_class: ToothClass = ToothClass.ANY
    least_mark: int | None = None


def add_requirement(*, department: Department, year: int, asked: Asked, actor: User) -> Requirement:
    """Something more that the students of a department and year have to do. Raises DomainError saying what is wrong with it."""
    _check_may(actor, department.id)
    if year not in YEARS:
        raise DomainError(f"Choose a year of study from {YEARS[0]} to {YEARS[-1]}.")
    said = _checked(asked)
    if len(requirements_of(department.id, year)) >= MOST:
        raise DomainError(f"Year {year} has {MOST} requirements in {department.name}. Retire some that are over first.")
    requirement = Requirement(
        department_id=department.id, year=year, created_at=clock.now(), created_by_id=actor.id, **said
    )
    db.session.add(requirement)
    db.session.flush()
    _record("requirement.add", "Asked for", requirement, actor, after=_plain(requirement))
    return requirement


def change_requirement(requirement_id: int, *, version: int, asked: Asked, actor: User) -> Requirement:
    """Say it anew; for whom it is stays. Raises Conflict when somebody else has changed it since it was looked at."""
    requirement = _locked(requirement_id, version, actor)
    before = _plain(requirement)
    for name, value in _checked(asked, held=requirement.codes).items():
        setattr(requirement, name, value)
    db.session.flush()
    if (after := _plain(requirement)) != before:
        _record("requirement.change", "Changed", requirement, actor, before=before, after=after)
    return requirement


def retire_requirement(requirement_id: int, *, version: int, is_retired: bool, actor: User) -> Requirement:
    """Nobody has to do it any longer; or again. It stays, for it says what was asked for."""
    requirement = _locked(requirement_id, version, actor)
    if (requirement.retired_at is not None) is is_retired:
        raise Conflict(f"{requirement.name} is {'retired' if is_retired else 'asked for'} already. Reload the page.")
    requirement.retired_at = clock.now() if is_retired else None
    db.session.flush()
    act, did = ("requirement.retire", "Retired") if is_retired else ("requirement.bring_back", "Asked again for")
    _record(act, did, requirement, actor)
    return requirement


def countable(kinds: Collection[Kind]) -> list[Kind]:
    """The kinds of entry that can be completed, and so be asked for; none that is retired."""
    return [kind for kind in kinds if Status.COMPLETED in kind.statuses and not kind.retired]


def how_it_stands(requirement: Requirement) -> str:
    """What a requirement asks for now, for whoever had looked at an older one."""
    state = "is retired" if requirement.retired_at else f"asks for {requirement.wanted} by {day_words(requirement.due)}"
    return f"{requirement.name} was changed meanwhile: it {state} now. Look at it as it is, then change it."


def _checked(asked: Asked, *, held: Collection[str] = ()) -> dict[str, Any]:
    """The columns of it. `held`: kinds that it names already, which may have been retired since."""
    name, kinds = one_line(asked.name), sorted(set(asked.kinds))
    known = {kind.code for kind in countable(catalogue().values())} | set(held)
    if not 0 < len(name) <= 120:
        raise DomainError("Give it a name of at most 120 letters.")
    if not kinds or any(code not in known for code in kinds):
        raise DomainError("Choose at least one kind of treatment from the list.")
    if len(" ".join(kinds)) > KINDS_LENGTH:
        raise DomainError("These are too many kinds for one requirement. Make two of it.")
    if not 1 <= asked.wanted <= MOST_WANTED:
        raise DomainError(f"How many is a number from 1 to {MOST_WANTED}.")
    if asked.cap is not None and not 1 <= asked.cap <= asked.wanted:
        raise DomainError("Of one patient count at least one, and at most as many as are asked for. Empty: any number.")
    if not 0 <= asked.least_surfaces <= MOST_SURFACES:
        raise DomainError(f"A tooth has {MOST_SURFACES} surfaces.")
    if asked.least_mark is not None and not 1 <= asked.least_mark <= STEPS:
        raise DomainError(f"A mark is a step from 1 to {STEPS}.")
    if not 0 <= (asked.due - asked.begins).days <= LONGEST_TERM:
        raise DomainError("It begins before it is due, at most two years.")
    return {
        "name": name,
        "kinds": " ".join(kinds),
        "wanted": asked.wanted,
        "begins": asked.begins,
        "due": asked.due,
        "cap": asked.cap,
        "least_surfaces": asked.least_surfaces,
        "tooth_class": asked.tooth_class,
        "least_mark": asked.least_mark,
    }


def _check_may(actor: User, department_id: int) -> None:
    if actor.role is Role.ADMIN:
        return
    if actor.role is not Role.SUPERVISOR or actor.department_id != department_id:
        raise NotAllowed(
            "Supervisors say what students of their own department have to do; administrators of every one."
        )


def _locked(requirement_id: int, version: int, actor: User) -> Requirement:
    requirement = locked(Requirement, requirement_id)
    _check_may(actor, requirement.department_id)
    if requirement.version != version:
        raise Conflict(how_it_stands(requirement))
    return requirement


def _plain(requirement: Requirement) -> dict[str, Any]:
    asked = Asked(
        requirement.name,
        requirement.kinds,
        requirement.wanted,
        requirement.begins,
        requirement.due,
        requirement.cap,
        requirement.least_surfaces,
        requirement.tooth_class,
        requirement.least_mark,
    )
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in asdict(asked).items()}


def _record(act: str, did: str, requirement: Requirement, actor: User, **facts: Any) -> None:
    audit.record(act, f"{did}: {requirement.name}, year {requirement.year}", actor=actor, subject=requirement, **facts)
