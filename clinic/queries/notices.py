"""Notices to one person: their own and nobody else's."""

from sqlalchemy import Select, select

from clinic.extensions import db
from clinic.models import Notice, User
from clinic.queries.paging import Order, Page, count_up_to, page_of

COUNTED = 99  # more unread notices than this are "99+"
ORDER = Order((Notice.id,), descending=True)


def notices_of(viewer: User, *, after: int | None = None, before: int | None = None) -> Page[Notice]:
    """One page of what the viewer was told, the newest first."""
    return page_of(_own(viewer), ORDER, after=after, before=before)


def notice_for(viewer: User, notice_id: int) -> Notice | None:
    """One notice of the viewer's own; None when there is none, or it is another's."""
    return db.session.execute(_own(viewer).where(Notice.id == notice_id)).scalar_one_or_none()


def unread_notices(viewer: User) -> int:
    """How many notices the viewer has not read, counted to `COUNTED` + 1. One query."""
    return count_up_to(_unread(viewer).with_only_columns(Notice.id), COUNTED)


def newest_unread(viewer: User) -> Notice | None:
    """What the viewer was told last and has not read."""
    return db.session.execute(_unread(viewer).order_by(Notice.id.desc()).limit(1)).scalar_one_or_none()


def _unread(viewer: User) -> Select[Notice]:
    return _own(viewer).where(Notice.read_at.is_(None))


def _own(viewer: User) -> Select[Notice]:
    return select(Notice).where(Notice.user_id == viewer.id)
