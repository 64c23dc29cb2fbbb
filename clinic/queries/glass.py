"""Broken glasses: through which one a viewer sees a patient, which ones they may judge, and what was opened through them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, false, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, aliased, joinedload

from clinic.extensions import db
from clinic.models import AuditEvent, BrokenGlass, Notice, Patient, Role, User
from clinic.queries.paging import Order, Page, count_up_to, page_of
from clinic.queries.scope import is_given, is_open_glass, may_see

PAGE = 20
MOST_OPENED = 30  # kinds of what was opened, of each glass
UNEXPLAINED = "record.unexplained"  # the kind of the notices that ask why a record was opened

WAITING = Order((BrokenGlass.opened_at, BrokenGlass.id))
NEWEST = Order((BrokenGlass.id,), descending=True)
ASKED = Order((Notice.id,), descending=True)


@dataclass(frozen=True)
class Opened:
    """Something that was opened through a glass, how often, first and last."""

    act: str
    sentence: str
    times: int
    first: datetime
    last: datetime


@dataclass(frozen=True)
class Review:
    """A glass with what was opened through it. `known`: the viewer may see the patient, and so read the name."""

    glass: BrokenGlass
    opened: list[Opened]
    known: bool


def glasses_over(viewer: User) -> dict[int, BrokenGlass]:
    """The viewer's open glasses by patient, without patients whom they are given by now and may change. One query."""
    mine = (
        select(BrokenGlass)
        .where(BrokenGlass.user_id == viewer.id, is_open_glass(), ~is_given(viewer, BrokenGlass.patient_id))
        .order_by(BrokenGlass.id)
        .limit(200)
    )
    return {glass.patient_id: glass for glass in db.session.execute(mine).scalars()}


def own_glass(viewer: User, glass_id: int) -> BrokenGlass | None:
    """A glass that the viewer broke."""
    return db.session.execute(
        select(BrokenGlass).where(BrokenGlass.id == glass_id, BrokenGlass.user_id == viewer.id)
    ).scalar_one_or_none()


def own_glasses(viewer: User, limit: int = PAGE) -> list[BrokenGlass]:
    """The last glasses the viewer broke, newest first, with patient and judge."""
    mine = _with_names(select(BrokenGlass).where(BrokenGlass.user_id == viewer.id))
    return list(db.session.execute(mine.order_by(BrokenGlass.id.desc()).limit(limit)).scalars())


def glass_to_judge(viewer: User, glass_id: int) -> BrokenGlass | None:
    """A glass that the viewer may judge, or might have before another did."""
    return db.session.execute(
        _with_names(select(BrokenGlass).where(BrokenGlass.id == glass_id, _may_judge(viewer)))
    ).scalar_one_or_none()


def to_judge(viewer: User, *, after: int | None = None, before: int | None = None) -> Page[Review]:
    """A page of the glasses that wait for a judgement of the viewer or a colleague, the oldest first. Five queries."""
    return _reviewed(viewer, _waiting(viewer), WAITING, after, before)


def judged(viewer: User, *, after: int | None = None, before: int | None = None) -> Page[Review]:
    """A page of those that were judged, the newest first. Five queries."""
    done = select(BrokenGlass).where(_may_judge(viewer), BrokenGlass.judgement.is_not(None))
    return _reviewed(viewer, done, NEWEST, after, before)


def count_to_judge(viewer: User) -> int:
    """How many glasses wait for a judgement of the viewer, counted up to a thousand and one."""
    return count_up_to(_waiting(viewer).with_only_columns(BrokenGlass.id))


def asked_why(viewer: User, *, after: int | None = None, before: int | None = None) -> Page[Notice]:
    """A page of whom the clinic asked why they opened a record, with their answers, the newest first.

    Administrators: everyone's but their own; supervisors: those of people of their department.
    """
    asked = select(Notice).where(Notice.kind == UNEXPLAINED, Notice.user_id != viewer.id)
    if viewer.role is not Role.ADMIN:
        asked = asked.where(_is_colleague(viewer, Notice.user_id))
    asked = asked.options(joinedload(Notice.user).joinedload(User.department), joinedload(Notice.patient))
    return page_of(asked, ASKED, size=PAGE, after=after, before=before)


def _waiting(viewer: User) -> Select[BrokenGlass]:
    return select(BrokenGlass).where(_may_judge(viewer), BrokenGlass.judgement.is_(None))


def _may_judge(viewer: User) -> ColumnElement[bool]:
    """Never one's own. Administrators: all. Supervisors: of people of their department, and of patients they oversee."""
    others = BrokenGlass.user_id != viewer.id
    if viewer.role is Role.ADMIN:
        return others
    if viewer.role is Role.SUPERVISOR:
        return and_(others, or_(_is_colleague(viewer, BrokenGlass.user_id), is_given(viewer, BrokenGlass.patient_id)))
    return false()


def _is_colleague(viewer: User, user_id: InstrumentedAttribute[int]) -> ColumnElement[bool]:
    """The person in this column belongs to the viewer's department; nobody does when the viewer has none."""
    if viewer.role is not Role.SUPERVISOR or viewer.department_id is None:
        return false()
    colleague = aliased(User)
    return user_id.in_(select(colleague.id).where(colleague.department_id == viewer.department_id))


def _with_names(glasses: Select[BrokenGlass]) -> Select[BrokenGlass]:
    return glasses.options(
        joinedload(BrokenGlass.user).joinedload(User.department),
        joinedload(BrokenGlass.patient),
        joinedload(BrokenGlass.judged_by),
    )


def _reviewed(
    viewer: User, glasses: Select[BrokenGlass], order: Order, after: int | None, before: int | None
) -> Page[Review]:
    page: Page[BrokenGlass] = page_of(_with_names(glasses), order, size=PAGE, after=after, before=before)
    opened, known = _opened_through(page.rows), _known(viewer, page.rows)
    rows = [Review(glass, opened.get(glass.id, []), glass.patient_id in known) for glass in page.rows]
    return Page(rows, page.after, page.before)


def _known(viewer: User, glasses: Iterable[BrokenGlass]) -> set[int]:
    """The patients of these glasses whom the viewer may see."""
    ids = {glass.patient_id for glass in glasses}
    return set(db.session.execute(select(Patient.id).where(Patient.id.in_(ids), may_see(viewer, Patient.id))).scalars())


def _opened_through(glasses: Iterable[BrokenGlass]) -> dict[int, list[Opened]]:
    """What the trail tells of each glass's person and patient while it was open, alike events as one, the earliest first."""
    ids = [glass.id for glass in glasses]
    end = func.coalesce(BrokenGlass.closed_at, BrokenGlass.expires_at)
    first = func.min(AuditEvent.id).label("first_id")
    grouped = (
        select(
            BrokenGlass.id.label("glass_id"),
            AuditEvent.act,
            AuditEvent.sentence,
            func.count().label("times"),
            func.min(AuditEvent.at).label("first"),
            func.max(AuditEvent.at).label("last"),
            first,
            func.row_number().over(partition_by=BrokenGlass.id, order_by=func.min(AuditEvent.id)).label("place"),
        )
        .join(
            AuditEvent,
            and_(AuditEvent.patient_id == BrokenGlass.patient_id, AuditEvent.actor_id == BrokenGlass.user_id),
        )
        .where(BrokenGlass.id.in_(ids), AuditEvent.at >= BrokenGlass.opened_at, AuditEvent.at < end)
        .where(AuditEvent.act.not_like("glass.%"))
        .group_by(BrokenGlass.id, AuditEvent.act, AuditEvent.sentence)
        .subquery()
    )
    rows = db.session.execute(
        select(grouped).where(grouped.c.place <= MOST_OPENED).order_by(grouped.c.glass_id, grouped.c.first_id)
    )
    found: dict[int, list[Opened]] = {}
    for row in rows:
        found.setdefault(row.glass_id, []).append(Opened(row.act, row.sentence, row.times, row.first, row.last))
    return found
