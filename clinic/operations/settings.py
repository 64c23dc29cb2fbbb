"""Changing settings of the clinic."""

import json
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from clinic import audit, settings
from clinic.errors import Conflict, DomainError
from clinic.extensions import db
from clinic.formatting import when
from clinic.models import AuditEvent, Department, Setting, User
from clinic.operations.nudges import nudge_department
from clinic.setting_kinds import Unfit


def change_settings(values: dict[str, Any], *, seen: str, actor: User) -> list[str]:
    """Store values of declared settings that a page showed together; answers the names of those that are others now.

    Raises Conflict when any of them is no longer what the page showed (`seen`, a `settings.digest`), DomainError for a value that
    is none.
    """
    stored = _locked(values)
    now = {name: stored.get(name, settings.DECLARED[name].default) for name in values}
    if settings.digest(now) != seen:
        raise Conflict(
            f"{_who_changed(values)} Nothing was saved: below is what you typed, and what is stored now.",
            theirs=now,
            mine=values,
        )
    return [name for name, value in values.items() if _store(name, value, stored, actor)]


def change_setting(name: str, value: Any, *, actor: User) -> None:
    """Store one declared setting, whatever it was. Raises DomainError for a value that is none."""
    _store(name, value, _locked({name: value}), actor)


def _locked(names: dict[str, Any]) -> dict[str, Any]:
    wanted = select(Setting).where(Setting.name.in_(names)).order_by(Setting.name).with_for_update()
    rows = db.session.execute(wanted.execution_options(populate_existing=True)).scalars()
    return {row.name: json.loads(row.value) for row in rows}


def _store(name: str, value: Any, stored: dict[str, Any], actor: User) -> bool:
    declared = settings.DECLARED[name]
    try:
        declared.kind.checked(value)
    except Unfit as unfit:
        raise DomainError(f"{declared.label}: {unfit}") from None
    before = stored.get(name, declared.default)
    if before == value:
        return False
    if name in stored:
        db.session.get_one(Setting, name).value = json.dumps(value)
    else:
        try:  # not in a savepoint: a deadlock must come out as one, so that the act is redone
            db.session.execute(insert(Setting.__table__).values(name=name, value=json.dumps(value)))  # type: ignore[arg-type]
        except IntegrityError:
            raise Conflict(f"Somebody changed “{declared.label}” at the same moment. Nothing was saved.") from None
    said = f"Changed “{declared.label}” from {declared.kind.in_words(before)} to {declared.kind.in_words(value)}"
    audit.record(
        "setting.change", said, actor=actor, subject=f"setting:{name}", before={name: before}, after={name: value}
    )
    # What is on the screens now may be drawn with the old value.
    for department_id in db.session.scalars(select(Department.id).where(Department.active).order_by(Department.id)):
        nudge_department(department_id)
    db.session.flush()
    settings.changed()
    return True


def _who_changed(names: dict[str, Any]) -> str:
    subjects = [f"setting:{name}" for name in names]
    last = db.session.execute(
        select(User.name, AuditEvent.at)
        .join(User, User.id == AuditEvent.actor_id)
        .where(AuditEvent.act == "setting.change", AuditEvent.subject.in_(subjects))
        .order_by(AuditEvent.id.desc())
        .limit(1)
    ).first()
    return f"{last.name} changed these settings on {when(last.at)}." if last else "Somebody changed these settings."
