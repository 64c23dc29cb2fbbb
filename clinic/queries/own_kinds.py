"""The clinic's own kinds of chart entry, for the page that keeps them. They hold no patient data."""

from dataclasses import dataclass

from sqlalchemy import exists, select

from clinic.extensions import db
from clinic.models import ChartEntry, OwnKind, User


@dataclass(frozen=True)
class OwnKindState:
    kind: OwnKind
    is_charted: bool  # on any patient, ever


def every_own_kind(viewer: User) -> list[OwnKindState]:
    """Every kind of the clinic's own, the retired ones last, and whether any entry names it. One query."""
    del viewer
    charted = exists().where(ChartEntry.kind == OwnKind.code)
    rows = select(OwnKind, charted).order_by(OwnKind.retired_at.is_not(None), OwnKind.name, OwnKind.id)
    return [OwnKindState(*row) for row in db.session.execute(rows.limit(500))]


def own_kind_for(viewer: User, kind_id: int) -> OwnKind | None:
    """One kind of the clinic's own."""
    del viewer
    return db.session.get(OwnKind, kind_id)
