"""Templates of notes: added, changed, retired and brought back. Never deleted; notes keep their own words whatever becomes of these."""

from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError

from clinic import audit, clock
from clinic.errors import Conflict, DomainError
from clinic.extensions import db
from clinic.models import NoteTemplate, NoteType, User
from clinic.notes.template import PLACES, unknown_places
from clinic.operations.locks import locked
from clinic.queries.note_templates import MOST
from clinic.text import one_line

MOST_TEXT = 4000


def add_template(*, name: str, type: NoteType, text: str, actor: User) -> NoteTemplate:
    """A template more to choose from. Raises DomainError when its name is taken or it names a place that nothing fills in."""
    name = _fit(name, text)
    _check_free(name)
    if db.session.scalars(select(func.count(NoteTemplate.id))).one() >= MOST:
        raise DomainError(f"There are {MOST} templates. Bring a retired one back, or change one.")
    row = {"name": name, "type": type, "text": text, "created_at": clock.now(), "created_by_id": actor.id, "version": 1}
    try:
        made: Any = db.session.execute(insert(NoteTemplate).values(**row))
    except IntegrityError:
        raise Conflict(f"Somebody added {name} at the same moment.") from None
    template = db.session.get_one(NoteTemplate, made.inserted_primary_key[0])
    return _told("note_template.add", f"Added the template {name}", template, actor, after=_facts(template))


def change_template(
    template_id: int, *, name: str, type: NoteType, text: str, version: int, actor: User
) -> NoteTemplate:
    """Change a template: from now on notes begin with it so. Raises Conflict, with both texts, when somebody else did meanwhile."""
    template = _locked(template_id, version, mine={"name": name, "text": text})
    name = _fit(name, text)
    _check_free(name, but=template)
    before = _facts(template)
    template.name, template.type, template.text = name, type, text
    if _facts(template) == before:
        return template
    try:
        return _told(
            "note_template.change",
            f"Changed the template {name}",
            template,
            actor,
            before=before,
            after=_facts(template),
        )
    except IntegrityError:
        raise Conflict(f"Somebody took the name {name} at the same moment.") from None


def retire_template(template_id: int, *, version: int, actor: User) -> NoteTemplate:
    """It is no longer offered."""
    template = _locked(template_id, version)
    if template.retired_at is not None:
        return template
    template.retired_at = clock.now()
    return _told("note_template.retire", f"Retired the template {template.name}", template, actor)


def bring_template_back(template_id: int, *, version: int, actor: User) -> NoteTemplate:
    """A retired template is offered again."""
    template = _locked(template_id, version)
    if template.retired_at is None:
        return template
    template.retired_at = None
    return _told("note_template.bring_back", f"Brought the template {template.name} back", template, actor)


def _fit(name: str, text: str) -> str:
    name = one_line(name)
    if not 0 < len(name) <= 80:
        raise DomainError("A template needs a name, of at most 80 letters.")
    if not 0 < len(text.strip()) <= MOST_TEXT:
        raise DomainError(f"A template needs a text, of at most {MOST_TEXT:,} characters.")
    if unknown := unknown_places(text):
        known = ", ".join(f"{{{place}}}" for place in PLACES)
        raise DomainError(f"Nothing fills in {{{unknown[0]}}}. There are {known}.")
    return name


def _check_free(name: str, but: NoteTemplate | None = None) -> None:
    found = select(NoteTemplate).where(func.lower(NoteTemplate.name) == name.lower())
    alike = db.session.execute(found.limit(1)).scalar_one_or_none()
    if alike is not None and (but is None or alike.id != but.id):
        how = "It is retired: bring it back, or choose" if alike.retired_at else "Choose"
        raise DomainError(f"{alike.name} is there already. {how} another name.")


def _facts(template: NoteTemplate) -> dict[str, str]:
    return {"name": template.name, "type": str(template.type), "text": template.text}


def _locked(template_id: int, version: int, mine: dict[str, Any] | None = None) -> NoteTemplate:
    template = locked(NoteTemplate, template_id)
    if template.version != version:
        state = "retired" if template.retired_at else "in use"
        raise Conflict(
            f"Somebody changed this template meanwhile: it is called {template.name} and is {state}.",
            theirs={"name": template.name, "text": template.text},
            mine=mine,
        )
    return template


def _told(act: str, said: str, template: NoteTemplate, actor: User, **facts: Any) -> NoteTemplate:
    audit.record(act, said, actor=actor, subject=template, **facts)
    db.session.flush()
    return template
