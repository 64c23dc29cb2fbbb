"""Changing a setting of the clinic."""

import json
from typing import Any

from clinic import audit, settings
from clinic.errors import DomainError
from clinic.extensions import db
from clinic.models import Setting, User


def change_setting(name: str, value: Any, *, actor: User) -> None:
    """Store a declared setting; every process reads it within `settings.MAX_AGE` seconds. Raises DomainError for another type."""
    declared = settings.DECLARED[name]
    if type(value) is not type(declared.default):
        raise DomainError(f"This is not a value for “{declared.meaning}”.")
    row = db.session.get(Setting, name, with_for_update=True)
    before = json.loads(row.value) if row else declared.default
    if before == value:
        return
    if row:
        row.value = json.dumps(value)
    else:
        db.session.add(Setting(name=name, value=json.dumps(value)))
    audit.record(
        "setting.change", f"Changed the setting {name}", actor=actor, before={name: before}, after={name: value}
    )
    db.session.flush()
    settings.forget()
