"""The clinic's own kinds of chart entry: added, changed in name and drawing, retired and brought back. Never deleted, for entries name
them; what they are on, and whether they are treatment, stays as it began."""

import re
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError

from clinic import audit, clock
from clinic.chart.kinds import BUILT_IN, OWN_DRAWINGS, OWN_ICONS, OWN_STYLES, Scope
from clinic.chart.line import listed_or, word_problem
from clinic.errors import Conflict, DomainError
from clinic.extensions import db
from clinic.models import OwnKind, User
from clinic.operations.locks import locked
from clinic.queries.chart import catalogue
from clinic.text import one_line

MOST = 200  # a student has to choose among them


def add_own_kind(
    *,
    name: str,
    word: str,
    scope: Scope,
    is_treatment: bool,
    rule: str,
    pattern: str = "solid",
    letter: str = "",
    icon: str = "",
    actor: User,
) -> OwnKind:
    """A kind more in the catalogue. Raises DomainError when its name or word is taken, or it cannot be drawn so."""
    name, word = _fit_name(name), word.strip().lower()
    drawing = fit_drawing(scope, rule, pattern, letter, icon)
    _check_free(name, word)
    if db.session.scalars(select(func.count(OwnKind.id))).one() >= MOST:
        raise DomainError(f"There are {MOST} kinds of the clinic's own. Bring a retired one back, or rename one.")
    row = {"name": name, "word": word, "scope": scope, "is_treatment": is_treatment, **drawing}
    row |= {"created_at": clock.now(), "created_by_id": actor.id, "version": 1}
    try:  # not in a savepoint: a deadlock must come out as one, so that the act is redone
        made: Any = db.session.execute(insert(OwnKind).values(code=f"new-{word}", **row))
    except IntegrityError:
        raise Conflict(f"Somebody added {name} or the word {word} at the same moment.") from None
    kind = db.session.get_one(OwnKind, made.inserted_primary_key[0])
    kind.code = f"own-{kind.id}"
    return _told("own_kind.add", f"Added the kind of entry {name}", kind, actor, after=_facts(kind))


def change_own_kind(
    kind_id: int, *, name: str, word: str, rule: str, pattern: str, letter: str, icon: str, version: int, actor: User
) -> OwnKind:
    """Give a kind another name, word or drawing: also where it was charted already. Versions that were cut stay as they are."""
    kind = _locked(kind_id, version, mine={"name": name, "word": word})
    name, word = _fit_name(name), word.strip().lower()
    drawing = fit_drawing(kind.scope, rule, pattern, letter, icon)
    _check_free(name, word, but=kind)
    before = _facts(kind)
    for field, value in {"name": name, "word": word, **drawing}.items():
        setattr(kind, field, value)
    if _facts(kind) == before:
        return kind
    try:
        return _told(
            "own_kind.change", f"Changed the kind of entry {name}", kind, actor, before=before, after=_facts(kind)
        )
    except IntegrityError:
        raise Conflict(f"Somebody took the name {name} or the word {word} at the same moment.") from None


def retire_own_kind(kind_id: int, *, version: int, actor: User) -> OwnKind:
    """It is no longer offered; what was charted with it stays, and is completed or corrected as before."""
    kind = _locked(kind_id, version)
    if kind.retired_at is not None:
        return kind
    kind.retired_at = clock.now()
    return _told("own_kind.retire", f"Retired the kind of entry {kind.name}", kind, actor)


def bring_own_kind_back(kind_id: int, *, version: int, actor: User) -> OwnKind:
    """A retired kind is offered again."""
    kind = _locked(kind_id, version)
    if kind.retired_at is None:
        return kind
    kind.retired_at = None
    return _told("own_kind.bring_back", f"Brought the kind of entry {kind.name} back", kind, actor)


def _fit_name(name: str) -> str:
    name = one_line(name)
    if not 0 < len(name) <= 80:
        raise DomainError("A kind of entry needs a name, of at most 80 letters.")
    return name


def fit_drawing(scope: Scope, rule: str, pattern: str, letter: str, icon: str) -> dict[str, str]:
    """What is stored of a drawing. Raises DomainError when nothing could be drawn, or not so."""
    letter = letter.strip()
    if rule not in OWN_DRAWINGS.get(scope, {}):
        raise DomainError("A kind of this sort is not drawn so. Choose another drawing.")
    if not re.fullmatch("[A-Za-z0-9]{0,3}", letter):
        raise DomainError("The letters beside it are at most 3, of A to Z and digits.")
    if icon and icon not in OWN_ICONS:
        raise DomainError("There is no such icon. Choose one from the list.")
    if rule == "icon":
        if bool(letter) is bool(icon):
            raise DomainError("What stands on the tooth is either letters or an icon. Choose one of them.")
        return {"rule": rule, "pattern": "solid", "letter": letter, "icon": icon}
    if pattern not in OWN_STYLES[rule]:
        raise DomainError(f"This is drawn as {listed_or(list(OWN_STYLES[rule].values()))}. Choose one of them.")
    if icon or (letter and rule == "bar"):
        raise DomainError("A line has neither letters nor an icon." if rule == "bar" else "A fill has no icon.")
    return {"rule": rule, "pattern": pattern, "letter": letter, "icon": ""}


def _check_free(name: str, word: str, but: OwnKind | None = None) -> None:
    others = {code: kind for code, kind in catalogue().items() if but is None or code != but.code}
    alike = next((kind for kind in others.values() if kind.name.casefold() == name.casefold()), None)
    if alike is not None:
        how = "It is retired: bring it back, or choose" if alike.retired else "Choose"
        where = "built in" if alike.code in BUILT_IN else "there"
        raise DomainError(f"{alike.name} is {where} already. {how} another name.")
    if problem := word_problem(word, others):
        raise DomainError(problem)


def _facts(kind: OwnKind) -> dict[str, str]:
    return {field: str(getattr(kind, field)) for field in ("name", "word", "rule", "pattern", "letter", "icon")}


def _locked(kind_id: int, version: int, mine: dict[str, Any] | None = None) -> OwnKind:
    kind = locked(OwnKind, kind_id)
    if kind.version != version:
        state = "retired" if kind.retired_at else "in use"
        raise Conflict(
            f"Somebody changed this kind meanwhile: it is called {kind.name}, its word is {kind.word}, and it is {state}.",
            theirs={"name": kind.name, "word": kind.word},
            mine=mine,
        )
    return kind


def _told(act: str, said: str, kind: OwnKind, actor: User, **facts: Any) -> OwnKind:
    audit.record(act, said, actor=actor, subject=kind, **facts)
    db.session.flush()
    return kind
