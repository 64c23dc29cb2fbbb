"""More time for a student whose work is unapproved for too long, and reminding of such work."""

from datetime import date, timedelta

from clinic import audit, clock, settings
from clinic.errors import DomainError, NotAllowed
from clinic.extensions import db
from clinic.formatting import day as day_words
from clinic.formatting import number_of
from clinic.models import Extension, Role, User
from clinic.operations.chart import needed
from clinic.operations.locks import locked
from clinic.operations.notices import tell
from clinic.queries import unapproved

LONGEST_DAYS = 60


def extend(student_id: int, *, until: date, reason: str, actor: User) -> Extension:
    """Let a student of the supervisor's department go on starting until a day, the last one. Only added; the longest holds."""
    student = locked(User, student_id)
    if actor.role is not Role.SUPERVISOR or student.role is not Role.STUDENT:
        raise NotAllowed("A supervisor gives a student more time.")
    if actor.department_id is None or student.department_id != actor.department_id:
        raise NotAllowed(f"A supervisor of {student.name}'s department gives them more time.")
    told = needed(reason, "Write why; it stays with the extension.")
    today = clock.today()
    if until < today:
        raise DomainError("This day is past. Choose the last day of the extension.")
    if until > today + timedelta(days=LONGEST_DAYS):
        raise DomainError(f"At most {LONGEST_DAYS} days at a time.")
    extension = Extension(student_id=student.id, until=until, reason=told, given_by_id=actor.id, given_at=clock.now())
    db.session.add(extension)
    db.session.flush()
    said = f"Gave {student.name} more time for unapproved work, until {day_words(until)}"
    audit.record(
        "extension.give", said, actor=actor, subject=extension, after={"until": until.isoformat()}, reason=told
    )
    tell(
        student.id,
        f"{actor.name} gave you more time for unapproved work, until {day_words(until)}: {told}",
        kind="extension.given",
        url="/unapproved",
    )
    return extension


def remind(after: int = 0) -> tuple[int, int | None]:
    """Tell students, once a week each, of work that is unapproved for more than two days.

    Answers how many students were reminded, and the student after whom to go on; None at the end.
    """
    last = unapproved.last_student(after)
    if last is None:
        return 0, None
    before = clock.now() - timedelta(days=unapproved.FRESH)
    week = clock.today().isocalendar()
    block = settings.read("block_days")
    reminded = 0
    for student_id, count, since in unapproved.students_with_work_before(before, after=after):
        days = (clock.now() - since).days
        then = f" After {block} days nothing new is started." if block and days <= block else ""
        waits = f"{number_of(count, 'piece')} of your work {'is' if count == 1 else 'are'} unapproved"
        tell(
            student_id,
            f"{waits}, the oldest for {number_of(days, 'day')}.{then}",
            kind="unapproved",
            url="/unapproved",
            once=f"unapproved-{student_id}-{week.year}-{week.week}",
        )
        reminded += 1
    return reminded, last
