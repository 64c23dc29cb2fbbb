"""The administrator's pages of the clinic's own kinds of chart entry."""

from html import unescape

import pytest
from sqlalchemy import select

from clinic import settings
from clinic.chart.kinds import Scope
from clinic.extensions import db
from clinic.models import AuditEvent, OwnKind
from clinic.operations.own_kinds import add_own_kind
from tests.forms import fields_of
from tests.queries_counted import counted

VARNISH = {
    "name": "Varnish",
    "word": "varnish",
    "is_treatment": "yes",
    "shape": "surfaces zone",
    "pattern": "dots",
    "letter": "V",
    "icon": "",
}


@pytest.fixture
def adel(browser_of):
    return browser_of("adel")


@pytest.fixture
def varnish(app, adel, world):
    """The address of a kind there is."""
    with app.app_context():
        kind = add_own_kind(
            name="Varnish",
            word="varnish",
            scope=Scope.SURFACES,
            is_treatment=True,
            rule="zone",
            pattern="dots",
            actor=world.user("adel"),
        )
        db.session.commit()
        return f"/chart-kinds/{kind.id}"


def kinds(app):
    with app.app_context():
        return list(db.session.scalars(select(OwnKind).order_by(OwnKind.id)))


def acts(app):
    with app.app_context():
        wanted = AuditEvent.act.like("own_kind.%")
        return db.session.scalars(select(AuditEvent.act).where(wanted).order_by(AuditEvent.id)).all()


def sent(person, url, action, **changes):
    return person.post(action, fields_of(person.get(url).text, action) | changes)


def test_the_list_shows_name_word_and_state(adel, varnish):
    page = adel.get("/chart-kinds").text
    assert "Varnish" in page
    assert "<kbd>varnish</kbd>" in page
    assert "Surfaces of a tooth" in page
    assert "offered" in page
    assert "/chart-kinds" in adel.get("/settings").text


def test_one_is_added_and_offered(app, adel):
    assert 'id="preview-chart-svg"' in adel.get("/chart-kinds/new").text
    answer = adel.post("/chart-kinds/new", VARNISH)
    assert answer.status_code == 303
    (kind,) = kinds(app)
    assert (kind.name, kind.word, kind.scope, kind.is_treatment) == ("Varnish", "varnish", Scope.SURFACES, True)
    assert (kind.rule, kind.pattern, kind.letter, kind.code) == ("zone", "dots", "V", f"own-{kind.id}")
    assert "Varnish can be charted" in adel.get(answer.location).text
    assert acts(app) == ["own_kind.add"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": " "}, "Type a name."),
        ({"word": ""}, "Type a word."),
        ({"word": "caries"}, "caries is typed for Caries already"),
        ({"word": "mod"}, "mod reads as surfaces of a tooth"),
        ({"name": "bridge"}, "Bridge is built in already"),
        ({"letter": "toolong"}, "At most 3"),
        ({"pattern": "sparkles"}, "Choose one from the list."),
        ({"shape": "mouth glow"}, "Choose one from the list."),
        ({"shape": "whole icon", "letter": ""}, "either letters or an icon"),
        ({"pattern": "double"}, "This is drawn as solid, outline"),
    ],
)
def test_what_cannot_be_added_is_said_and_kept(app, adel, changes, sentence):
    answer = adel.post("/chart-kinds/new", VARNISH | changes)
    assert answer.status_code == 422
    assert sentence in unescape(answer.text)
    assert kinds(app) == []
    assert acts(app) == []


def test_the_same_form_sent_twice_adds_one(app, adel):
    fields = fields_of(adel.get("/chart-kinds/new").text, "/chart-kinds/new") | VARNISH
    first, second = (adel.post("/chart-kinds/new", fields) for _ in range(2))
    assert (first.status_code, first.location) == (second.status_code, second.location)
    assert len(kinds(app)) == 1


def test_name_and_drawing_change_and_a_stale_form_shows_both(app, adel, varnish):
    stale = fields_of(adel.get(varnish).text, varnish) | {"name": "Fluoride"}
    assert sent(adel, varnish, varnish, name="Fluoride varnish", pattern="wavy").status_code == 303
    (kind,) = kinds(app)
    assert (kind.name, kind.pattern, kind.scope) == ("Fluoride varnish", "wavy", Scope.SURFACES)
    answer = adel.post(varnish, stale)
    assert answer.status_code == 409
    assert "it is called Fluoride varnish" in answer.text
    again = fields_of(answer.text, varnish)
    assert again["name"] == "Fluoride"
    assert adel.post(varnish, again | {"once": "another-key-1"}).status_code == 303
    assert kinds(app)[0].name == "Fluoride"
    again["version"] = str(kinds(app)[0].version)
    assert adel.post(varnish, again | {"rule": "crown", "once": "another-key-2"}).status_code == 422
    taken = adel.post(varnish, again | {"word": "car", "once": "another-key-3"})
    assert taken.status_code == 422
    assert "car is typed for Caries already" in taken.text


def test_code_scope_and_sort_never_change(app, adel, varnish):
    before = kinds(app)[0]
    extra = {"scope": "whole", "code": "own-77", "is_treatment": "no", "shape": "whole crown"}
    assert sent(adel, varnish, varnish, name="Gel", **extra).status_code == 303
    after = kinds(app)[0]
    assert (after.code, after.scope, after.is_treatment) == (before.code, before.scope, before.is_treatment)
    assert after.name == "Gel"


def test_it_is_retired_and_brought_back(app, adel, varnish):
    assert sent(adel, varnish, f"{varnish}/retire").status_code == 303
    assert kinds(app)[0].retired_at is not None
    assert "retired" in adel.get("/chart-kinds").text
    answer = adel.post("/chart-kinds/new", VARNISH)
    assert answer.status_code == 422
    assert "It is retired: bring it back" in answer.text
    assert sent(adel, varnish, f"{varnish}/bring-back").status_code == 303
    assert kinds(app)[0].retired_at is None
    assert acts(app) == ["own_kind.add", "own_kind.retire", "own_kind.bring_back"]
    assert adel.post(f"{varnish}/retire", {"version": "1"}).status_code == 409
    assert adel.post(f"{varnish}/retire", {}).status_code == 422


def test_the_preview_draws_what_is_chosen_or_says_why_not(adel, varnish):
    drawn = adel.get("/chart-kinds/preview?shape=whole+icon&letter=Vx", htmx=True)
    assert drawn.text.startswith('<figure id="chart_kinds-preview"')
    assert "<svg" in drawn.text
    assert "Vx" in drawn.text
    assert "either letters or an icon" in adel.get("/chart-kinds/preview?shape=whole+icon", htmx=True).text
    kind = varnish.rpartition("/")[2]
    assert "<svg" in adel.get(f"/chart-kinds/preview?kind={kind}&rule=zone&pattern=grid", htmx=True).text
    assert adel.get("/chart-kinds/preview?kind=999999", htmx=True).status_code == 404


def test_what_is_not_there_is_not_found(adel):
    assert adel.get("/chart-kinds/999999").status_code == 404
    for end in ("", "/retire", "/bring-back"):
        assert adel.post(f"/chart-kinds/999999{end}", {"version": "1", "name": "X"}).status_code == 404


@pytest.mark.parametrize("name", ["ruwan", "kamal", "silva", "nimal"])
def test_others_may_not(app, browser_of, varnish, name):
    person = browser_of(name)
    for url in ("/chart-kinds", "/chart-kinds/new", "/chart-kinds/preview", varnish):
        assert person.get(url).status_code == 403
    for url in ("/chart-kinds/new", varnish, f"{varnish}/retire", f"{varnish}/bring-back"):
        assert person.post(url, {"version": "1", **VARNISH}).status_code == 403
    assert len(kinds(app)) == 1


def test_looking_changes_nothing_and_asks_as_little_when_there_are_many(app, adel, varnish, world):
    def statements():
        found = []
        for url in ("/chart-kinds", varnish, "/chart-kinds/new"):
            settings.forget()
            with counted() as asked:
                assert adel.get(url).status_code == 200
            found.append(len(asked))
        return found

    statements()
    few = statements()
    with app.app_context():
        for number in range(100):
            add_own_kind(
                name=f"Kind {number}",
                word=f"word{number}",
                scope=Scope.WHOLE,
                is_treatment=False,
                rule="icon",
                letter="Ki",
                actor=world.user("adel"),
            )
        db.session.commit()
    assert statements() == few
