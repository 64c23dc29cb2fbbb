"""Coverage: how many students come to one supervisor in a session, which is a half of the clinic's day in a department.

Students: whose visits are planned or under way in that half, each once; a visit is in every half that it touches. Supervisors: who are
given such a visit, and, now, who of the department is signed in and has done something lately. Numbers alone: no patient is named.
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy import select

from clinic import clock, settings
from clinic.extensions import db
from clinic.formatting import number_of
from clinic.models import EXPECTED, AuthSession, Role, User, Visit, VisitStatus

LATELY = timedelta(minutes=15)
NOON = time(12)
LONGEST = timedelta(hours=8)  # a visit, by a check of its table
MOST_VISITS = 5000


@dataclass(frozen=True)
class Session:
    """Half a day of the clinic, [starts_at, ends_at)."""

    name: str
    day: date
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True)
class Coverage:
    """Of one session. `limit`: more students than these to one supervisor are too many."""

    session: Session
    students: frozenset[int]
    supervisors: frozenset[int]
    limit: int

    @property
    def ratio(self) -> float | None:
        """Students to one supervisor; None without a supervisor."""
        return len(self.students) / len(self.supervisors) if self.supervisors else None

    @property
    def is_empty(self) -> bool:
        """Whether nobody comes at all."""
        return not self.students and not self.supervisors

    @property
    def is_thin(self) -> bool:
        """Whether there are students and too few supervisors, or none."""
        return bool(self.students) and (self.ratio is None or self.ratio > self.limit)

    @property
    def words(self) -> str:
        """`6 students, 2 supervisors: 3 to 1`."""
        students = number_of(len(self.students), "student") if self.students else "no student"
        if self.ratio is None:
            return f"{students}, no supervisor"
        told = f"{students}, {number_of(len(self.supervisors), 'supervisor')}"
        return f"{told}: {self.ratio:.1f} to 1".replace(".0 to", " to") if self.students else told

    def with_people(self, student_id: int | None, supervisor_id: int | None) -> "Coverage":
        """As it is when these two come too."""
        return Coverage(
            self.session,
            self.students | ({student_id} if student_id else set()),
            self.supervisors | ({supervisor_id} if supervisor_id else set()),
            self.limit,
        )


def sessions_of(day: date) -> tuple[Session, Session]:
    """The morning and the afternoon of a clinic's day: until noon on its clock, and from then."""
    starts_at, ends_at = clock.bounds(day)
    noon = datetime.combine(day, NOON, tzinfo=clock.zone()).astimezone(starts_at.tzinfo)
    return Session("morning", day, starts_at, noon), Session("afternoon", day, noon, ends_at)


def session_of(at: datetime) -> Session:
    """The session of an instant."""
    morning, afternoon = sessions_of(clock.local(at).date())
    return morning if at < morning.ends_at else afternoon


def coverage_of(department_id: int, at: datetime) -> Coverage:
    """As it is booked, of the session of an instant. One query."""
    session = session_of(at)
    return _covered(session, [department_id])[department_id]


def coverage_now(departments: Collection[int]) -> dict[int, Coverage]:
    """As it is now, by department: with patients who are here although their time is over, and with who is signed in. Two queries."""
    session = session_of(clock.now())
    booked = _covered(session, departments, with_present=True)
    present: dict[int | None, set[int]] = defaultdict(set)
    for department_id, user_id in db.session.execute(
        select(User.department_id, User.id)
        .join(AuthSession, AuthSession.user_id == User.id)
        .where(
            User.role == Role.SUPERVISOR,
            User.active,
            User.department_id.in_(departments),
            AuthSession.ended_at.is_(None),
            AuthSession.active_at >= clock.now() - LATELY,
        )
        .distinct()
    ):
        present[department_id].add(user_id)
    return {
        department: Coverage(session, each.students, each.supervisors | present[department], each.limit)
        for department, each in booked.items()
    }


def _covered(session: Session, departments: Collection[int], *, with_present: bool = False) -> dict[int, Coverage]:
    columns = (Visit.department_id, Visit.student_id, Visit.supervisor_id, Visit.starts_at, Visit.minutes)
    rows = (
        select(*columns, Visit.status == VisitStatus.ARRIVED)
        .where(
            Visit.department_id.in_(departments),
            Visit.starts_at > session.starts_at - LONGEST,
            Visit.starts_at < session.ends_at,
            Visit.status.in_(EXPECTED),
        )
        .order_by(Visit.id)
        .limit(MOST_VISITS)
    )
    students: dict[int, set[int]] = defaultdict(set)
    supervisors: dict[int, set[int]] = defaultdict(set)
    for department_id, student_id, supervisor_id, starts_at, minutes, here in db.session.execute(rows):
        is_over = starts_at + timedelta(minutes=minutes) <= session.starts_at
        if is_over and not (with_present and here):
            continue
        if student_id is not None:
            students[department_id].add(student_id)
        if supervisor_id is not None:
            supervisors[department_id].add(supervisor_id)
    limit = settings.read("coverage_limit")
    return {
        department: Coverage(session, frozenset(students[department]), frozenset(supervisors[department]), limit)
        for department in departments
    }
