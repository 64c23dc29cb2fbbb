"""What an administrator does with people: they come, change roles, leave and come back. Nobody is ever deleted."""

from sqlalchemy import select

from clinic import audit, clock
from clinic.errors import Conflict, DomainError
from clinic.extensions import db
from clinic.models import Department, Role, User
from clinic.operations import leaving, throttle
from clinic.operations.account import void_links
from clinic.operations.locks import locked
from clinic.operations.sign_in import end_sessions

YEARS = range(1, 8)
NEEDS_DEPARTMENT = (Role.STUDENT, Role.SUPERVISOR)


def create_person(
    *,
    name: str,
    email: str,
    role: Role,
    department_id: int | None,
    year: int | None,
    password_hash: str,
    actor: User | None,
) -> User:
    """Add a person with a temporary password, which they must change when they first sign in.

    `actor` is None only for the very first administrator, whom the command line adds.
    """
    email = email.strip().lower()
    _check_place(role, department_id, year)
    _check_email(email, None)
    user = User(
        name=name.strip(),
        email=email,
        role=role,
        department_id=department_id,
        year=year if role is Role.STUDENT else None,
        password_hash=password_hash,
        must_change_password=True,
        created_at=clock.now(),
    )
    db.session.add(user)
    db.session.flush()
    audit.record("people.create", f"Added {user.name} as {role}", actor=actor, subject=user, after=_facts(user))
    return user


def change_person(
    person_id: int,
    *,
    version: int,
    name: str,
    email: str,
    role: Role,
    department_id: int | None,
    year: int | None,
    actor: User,
) -> User:
    """Change name, address, role, department or year. Another role, department, year or address ends the person's sessions;
    another role ends their assignments too. Raises Conflict when the form is older than the row."""
    admins = _admins()
    leaving.hold(person_id)
    person = locked(User, person_id)
    email = email.strip().lower()
    wanted = {
        "name": name.strip(),
        "email": email,
        "role": role,
        "department_id": department_id,
        "year": year if role is Role.STUDENT else None,
    }
    before, was_in = _facts(person), person.department_id
    if person.version != version:
        raise Conflict(
            f"{person.name} was changed by somebody else meanwhile. Nothing was saved; look at it as it is now.",
            theirs=before,
            mine=wanted,
        )
    _check_place(role, department_id, year)
    _check_email(email, person)
    if person.role is Role.ADMIN and role is not Role.ADMIN:
        _check_not_last(person, admins, actor, "You cannot give up the role of administrator yourself.")
    for field, value in wanted.items():
        setattr(person, field, value)
    after = _facts(person)
    if before == after:
        return person
    audit.record("people.change", f"Changed {person.name}", actor=actor, subject=person, before=before, after=after)
    if before | {"name": ""} != after | {"name": ""}:
        end_sessions(person, reason="role or place changed", actor=actor)
    if before["role"] != after["role"]:
        leaving.leave_everything(person, department_id=was_in, reason="Role changed", actor=actor)
    db.session.flush()
    return person


def reset_password(person_id: int, *, password_hash: str, actor: User) -> User:
    """Give a person a new temporary password, and end their sessions."""
    person = locked(User, person_id)
    if not person.active:
        raise DomainError(f"{person.name} is not active. Reactivate them first.")
    if person.id == actor.id:
        raise DomainError("Change your own password on your account page.")
    person.password_hash = password_hash
    person.must_change_password = True
    void_links(person)
    throttle.forgive(throttle.bucket("account", person.email))
    audit.record("people.reset", f"Gave {person.name} a temporary password", actor=actor, subject=person)
    end_sessions(person, reason="password reset", actor=actor)
    db.session.flush()
    return person


def deactivate(person_id: int, *, actor: User) -> User:
    """Let a person no longer sign in; ends sessions, remembered devices, mailed links and running assignments."""
    admins = _admins()
    leaving.hold(person_id)
    person = locked(User, person_id)
    if not person.active:
        return person
    if person.role is Role.ADMIN:
        _check_not_last(person, admins, actor, "You cannot deactivate yourself.")
    person.active = False
    void_links(person)
    audit.record("people.deactivate", f"Deactivated {person.name}", actor=actor, subject=person)
    end_sessions(person, reason="deactivated", actor=actor)
    leaving.leave_everything(person, department_id=person.department_id, reason="Deactivated", actor=actor)
    db.session.flush()
    return person


def reactivate(person_id: int, *, actor: User) -> User:
    """Let a person sign in again. Their assignments stay ended."""
    person = locked(User, person_id)
    if not person.active:
        person.active = True
        audit.record("people.reactivate", f"Reactivated {person.name}", actor=actor, subject=person)
        db.session.flush()
    return person


def _check_place(role: Role, department_id: int | None, year: int | None) -> None:
    if role in NEEDS_DEPARTMENT and department_id is None:
        raise DomainError(f"A {role} belongs to a department. Choose one.")
    if role is Role.STUDENT and year not in YEARS:
        raise DomainError("A student has a year of study from 1 to 7.")
    if department_id is not None:
        # Locked, so that it is not closed while somebody comes into it.
        wanted = select(Department.id).where(Department.id == department_id, Department.active)
        if db.session.execute(wanted.with_for_update(read=True)).first() is None:
            raise DomainError("There is no such department.")


def _check_email(email: str, person: User | None) -> None:
    other = db.session.execute(select(User).where(User.email == email)).scalar_one_or_none()
    if other and (person is None or other.id != person.id):
        raise DomainError(f"{email} belongs to {other.name} already. Each person has an address of their own.")


def _check_not_last(person: User, admins: set[int], actor: User, refusal: str) -> None:
    if person.id == actor.id:
        raise DomainError(f"{refusal} Another administrator can.")
    if not admins - {person.id}:
        raise DomainError("This is the last active administrator. Make somebody else administrator first.")


def _admins() -> set[int]:
    """The active administrators, their rows locked in one order, so that two of them cannot remove each other at once."""
    query = select(User.id).where(User.role == Role.ADMIN, User.active).order_by(User.id).with_for_update()
    return set(db.session.execute(query).scalars())


def _facts(person: User) -> dict[str, object]:
    return {name: getattr(person, name) for name in ("name", "email", "role", "department_id", "year")}
