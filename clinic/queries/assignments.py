"""Who looks after whom: care teams with their history, how much a clinician carries, and patients whom nobody has."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, select
from sqlalchemy.orm import joinedload

from clinic import clock, settings
from clinic.extensions import db
from clinic.models import (
    Assignment,
    AssignmentKind,
    Patient,
    Request,
    RequestKind,
    RequestStatus,
    Role,
    Unowned,
    User,
)
from clinic.queries.paging import Order, Page, page_of
from clinic.queries.scope import is_running, may_see

MOST_PEOPLE = 500  # clinicians one chooses from
MOST_HISTORY = 50
MOST_PATIENTS = 500  # of one student; the highest limit is far below
CLINICIANS = (Role.STUDENT, Role.SUPERVISOR)


def loads(person_ids: Collection[int]) -> dict[tuple[int, AssignmentKind], int]:
    """How many patients these people have now, by person and kind; the archived do not count. One query."""
    if not person_ids:
        return {}
    rows = db.session.execute(
        select(Assignment.user_id, Assignment.kind, func.count(Assignment.patient_id.distinct()))
        .join(Patient, Patient.id == Assignment.patient_id)
        .where(Assignment.user_id.in_(person_ids), is_running(), Patient.archived_at.is_(None))
        .group_by(Assignment.user_id, Assignment.kind)
    )
    return {(row[0], row[1]): row[2] for row in rows}


def limit_for(person: User, kind: AssignmentKind) -> int | None:
    """The most patients of this kind a person may have at once; None when there is no limit, as for everyone but students."""
    if person.role is not Role.STUDENT or person.year is None:
        return None
    limit: int | None = settings.read("load_limits").get(str(kind), {}).get(str(person.year))
    return limit


@dataclass(frozen=True)
class Load:
    """What a person carries of one kind, beside the limit (None: there is none)."""

    kind: AssignmentKind
    count: int
    limit: int | None

    @property
    def is_full(self) -> bool:
        return self.limit is not None and self.count >= self.limit

    @property
    def share(self) -> float:
        """Of the limit; without one, a small number that still tells who has more."""
        return self.count / self.limit if self.limit else self.count / 1000 if self.limit is None else 1.0 + self.count

    def __str__(self) -> str:
        return f"{self.count} of {self.limit}" if self.limit is not None else str(self.count)


def loads_of(people: Collection[User]) -> dict[int, dict[AssignmentKind, Load]]:
    """What each of these people carries, by person and kind. One query."""
    counts = loads([person.id for person in people])
    return {
        person.id: {
            kind: Load(kind, counts.get((person.id, kind), 0), limit_for(person, kind)) for kind in AssignmentKind
        }
        for person in people
    }


def answers_for(viewer: User, person: User) -> bool:
    """Whether a supervisor decides about this person: a student of their department, or themself."""
    if viewer.role is not Role.SUPERVISOR:
        return False
    return person.id == viewer.id or (person.role is Role.STUDENT and person.department_id == viewer.department_id)


@dataclass(frozen=True)
class Member:
    """One of a patient's care team, and what the viewer may do about it."""

    assignment: Assignment
    may_end: bool
    may_hand_over: bool


def members_of(viewer: User, team: Iterable[Assignment]) -> list[Member]:
    """The running assignments of a patient, with their people loaded, as the viewer may change them."""
    found = []
    for assignment in team:
        person = assignment.user
        theirs = answers_for(viewer, person)
        gives = person.role is Role.STUDENT and (theirs or person.id == viewer.id)
        found.append(Member(assignment, theirs, gives))
    return found


def students_of(viewer: User) -> list[User]:
    """The active students of a supervisor's department, by name; nobody for anyone else."""
    if viewer.role is not Role.SUPERVISOR:
        return []
    return list(db.session.scalars(_people(Role.STUDENT).where(User.department_id == viewer.department_id)))


def supervisors_of(viewer: User) -> list[User]:
    """The active supervisors of a supervisor's department, themself among them, by name; nobody for anyone else."""
    if viewer.role is not Role.SUPERVISOR:
        return []
    return list(db.session.scalars(_people(Role.SUPERVISOR).where(User.department_id == viewer.department_id)))


def assignees_for(viewer: User) -> list[User]:
    """To whom a supervisor may give a patient by themself: the students of the department by name, and themself."""
    return [*students_of(viewer), viewer] if viewer.role is Role.SUPERVISOR else []


def receivers_for(viewer: User) -> list[User]:
    """Who may take the patients of a student who leaves: the students of the department by name, then its supervisors. Two queries."""
    return students_of(viewer) + supervisors_of(viewer)


def student_for(viewer: User, student_id: int) -> User | None:
    """One student of a supervisor's department, active or not."""
    if viewer.role is not Role.SUPERVISOR:
        return None
    return db.session.execute(
        select(User)
        .where(User.id == student_id, User.role == Role.STUDENT, User.department_id == viewer.department_id)
        .options(joinedload(User.department))
    ).scalar_one_or_none()


STUDENTS = Order((User.name, User.id))


def student_page(viewer: User, *, after: int | None = None, before: int | None = None) -> Page[User]:
    """Fifty of the active students of a supervisor's department, by name."""
    mine = select(User).where(User.role == Role.STUDENT, User.active, User.department_id == viewer.department_id)
    return page_of(mine, STUDENTS, after=after, before=before)


def clinicians(viewer: User) -> list[User]:
    """Every active student and supervisor, by name, with their departments: whom one may ask for."""
    del viewer
    return list(db.session.scalars(_people(*CLINICIANS)))


def other_students(viewer: User, person_id: int) -> list[User]:
    """The active students besides one, by name, with their departments: to whom a patient may be handed over."""
    del viewer
    return list(db.session.scalars(_people(Role.STUDENT).where(User.id != person_id)))


def assignment_for(viewer: User, assignment_id: int) -> Assignment | None:
    """One assignment, running or ended, of a patient the viewer may see."""
    return db.session.execute(
        select(Assignment)
        .where(Assignment.id == assignment_id, may_see(viewer, Assignment.patient_id))
        .options(joinedload(Assignment.user), joinedload(Assignment.patient).selectinload(Patient.alerts))
    ).scalar_one_or_none()


def running_of(viewer: User, person_id: int) -> list[Assignment]:
    """The running assignments of a person whose patients the viewer may see, with the patients, by name."""
    return list(
        db.session.scalars(
            select(Assignment)
            .join(Patient, Patient.id == Assignment.patient_id)
            .where(Assignment.user_id == person_id, is_running(), may_see(viewer, Assignment.patient_id))
            .options(joinedload(Assignment.patient))
            .order_by(Patient.sort_name, Patient.id, Assignment.id)
            .limit(MOST_PATIENTS)
        )
    )


def running_for(patient_id: int, person_id: int) -> list[Assignment]:
    """The running assignments of one person to one patient, primary first."""
    found = db.session.scalars(
        select(Assignment)
        .where(Assignment.patient_id == patient_id, Assignment.user_id == person_id, is_running())
        .order_by(Assignment.id)
        .limit(20)
    )
    return in_order(found)


def in_order(assignments: Iterable[Assignment]) -> list[Assignment]:
    """By kind, primary first; within a kind as they come."""
    kinds = list(AssignmentKind)
    return sorted(assignments, key=lambda assignment: kinds.index(assignment.kind))


def former_team(patient: Patient) -> list[Assignment]:
    """The ended assignments of a patient with their people, last ended first; fifty at most."""
    return list(
        db.session.scalars(
            select(Assignment)
            .where(Assignment.patient_id == patient.id, Assignment.ends_at <= clock.now())
            .options(joinedload(Assignment.user).joinedload(User.department))
            .order_by(Assignment.ends_at.desc(), Assignment.id.desc())
            .limit(MOST_HISTORY)
        )
    )


def last_ends(person_ids: Collection[int]) -> dict[int, datetime]:
    """When an assignment of each of these people last ended, by person; who never had one end is missing. One query."""
    if not person_ids:
        return {}
    rows = db.session.execute(
        select(Assignment.user_id, func.max(Assignment.ends_at))
        .where(Assignment.user_id.in_(person_ids), Assignment.ends_at <= clock.now())
        .group_by(Assignment.user_id)
    )
    return {row[0]: row[1] for row in rows if row[1] is not None}


def handovers_of(viewer: User, patient: Patient) -> list[Request]:
    """The approved transfers of a patient with their notes, newest first, for whoever treats; none for front desk and nurses."""
    if viewer.role not in (Role.STUDENT, Role.SUPERVISOR, Role.ADMIN):
        return []
    return list(
        db.session.scalars(
            select(Request)
            .where(
                Request.patient_id == patient.id,
                Request.kind == RequestKind.TRANSFER,
                Request.status == RequestStatus.APPROVED,
            )
            .options(joinedload(Request.giver), joinedload(Request.clinician))
            .order_by(Request.decided_at.desc(), Request.id.desc())
            .limit(20)
        )
    )


UNOWNED = Order((Unowned.since, Unowned.patient_id))


def unowned_patients(viewer: User, *, after: int | None = None, before: int | None = None) -> Page[Unowned]:
    """Fifty of the patients of a supervisor's department whom nobody has any more, longest first, with alerts and who had them.

    Four queries at most.
    """
    listed = _unowned(viewer).options(
        joinedload(Unowned.patient).selectinload(Patient.alerts), joinedload(Unowned.giver)
    )
    return page_of(listed, UNOWNED, after=after, before=before)


def unowned_count(viewer: User) -> int:
    """How many there are."""
    return db.session.scalar(select(func.count()).select_from(_unowned(viewer).subquery())) or 0


def _unowned(viewer: User) -> Select[Unowned]:
    department_id = viewer.department_id if viewer.role is Role.SUPERVISOR else None
    return (
        select(Unowned)
        .join(Patient, Patient.id == Unowned.patient_id)
        .where(Unowned.department_id == department_id, Patient.archived_at.is_(None))
    )


def proposed(
    assignments: Iterable[Assignment], receivers: Collection[User], taken: dict[int, set[tuple[int, AssignmentKind]]]
) -> dict[int, int | None]:
    """For each assignment (by id) the receiver with the lowest load beside their limit; None when nobody has room. One query.

    Each proposal counts for the next, equal shares go by name and id, so the same question always has the same answer. `taken` holds
    the patients (with kind) each receiver has already.
    """
    counts = {person: dict(kinds) for person, kinds in loads_of(receivers).items()}
    order = sorted(receivers, key=lambda person: (person.name, person.id))
    answer: dict[int, int | None] = {}
    for assignment in assignments:
        kind = assignment.kind
        free = [
            person
            for person in order
            if not counts[person.id][kind].is_full and (assignment.patient_id, kind) not in taken.get(person.id, ())
        ]
        chosen = min(free, key=lambda person: counts[person.id][kind].share, default=None)
        answer[assignment.id] = chosen.id if chosen else None
        if chosen:
            load = counts[chosen.id][kind]
            counts[chosen.id][kind] = Load(kind, load.count + 1, load.limit)
    return answer


def taken_by(people: Collection[User]) -> dict[int, set[tuple[int, AssignmentKind]]]:
    """The patients, with kind, these people have now. One query."""
    found: dict[int, set[tuple[int, AssignmentKind]]] = {}
    rows = db.session.execute(
        select(Assignment.user_id, Assignment.patient_id, Assignment.kind).where(
            Assignment.user_id.in_([person.id for person in people]), is_running()
        )
    )
    for user_id, patient_id, kind in rows:
        found.setdefault(user_id, set()).add((patient_id, kind))
    return found


def _people(*roles: Role) -> Select[User]:
    return (
        select(User)
        .where(User.role.in_(roles), User.active)
        .options(joinedload(User.department))
        .order_by(User.name, User.id)
        .limit(MOST_PEOPLE)
    )
