"""The clinic's own kinds of chart entry: what may be added and changed, and that they chart like the rest."""

import pytest
from sqlalchemy import select

from clinic import clock
from clinic.chart.drawing import drawing_of
from clinic.chart.kinds import OWN_DRAWINGS, OWN_ICONS, OWN_STYLES, Drawing, Scope, Status, own_kind
from clinic.chart.line import read
from clinic.chart.words import table_of
from clinic.errors import Conflict, DomainError
from clinic.models import AuditEvent, ChartEntry, OwnKind
from clinic.operations import own_kinds
from clinic.operations.chart import chart_stroke
from clinic.operations.own_kinds import add_own_kind, bring_own_kind_back, change_own_kind, retire_own_kind
from clinic.queries.chart import catalogue, chart_for
from clinic.queries.own_kinds import every_own_kind, own_kind_for
from tests.chart.mouths import charted

VARNISH = {"name": "Varnish", "word": "varnish", "scope": Scope.SURFACES, "is_treatment": True, "rule": "zone"}


@pytest.fixture
def adel(context, world):
    return world.user("adel")


@pytest.fixture
def varnish(adel):
    return add_own_kind(**VARNISH, pattern="dots", actor=adel)


def change(kind, actor, **changes):
    fields = {name: getattr(kind, name) for name in ("name", "word", "rule", "pattern", "letter", "icon", "version")}
    return change_own_kind(kind.id, **fields | changes, actor=actor)


def acts(session):
    return session.scalars(select(AuditEvent.act).where(AuditEvent.act.like("own_kind%")).order_by(AuditEvent.id)).all()


def test_one_that_is_added_is_in_the_catalogue_under_a_code_that_stays(varnish):
    kind = catalogue()[varnish.code]
    assert varnish.code == f"own-{varnish.id}"
    assert (kind.name, kind.words, kind.scope) == ("Varnish", ("varnish",), Scope.SURFACES)
    assert Status.PLANNED in kind.statuses
    assert Status.FINDING not in kind.statuses


def test_it_charts_compares_and_is_told_like_the_rest(varnish, adel, world, session):
    kamal, fernando = world.user("kamal"), world.patient("fernando")
    mouth = chart_for(kamal, fernando.id).mouth
    reading = read("36 ob varnish ex", mouth, today=clock.today())
    assert reading.meaning == ("36, occlusal-buccal: Varnish, existing, done elsewhere",)
    chart_stroke(fernando, entries=reading.entries, seen=0, actor=kamal)
    retire_own_kind(varnish.id, version=varnish.version, actor=adel)
    after = chart_for(kamal, fernando.id).mouth
    row = next(row for row in table_of(after) if row.key == "36")
    assert [said.words for said in row.done] == ["occlusal-buccal: Varnish, existing, done elsewhere"]
    again = read("37 o varnish ex", after, today=clock.today())
    assert "no longer used here" in again.problems[0].problem
    on_37 = reading.entries[0].changed(teeth=(("37", ""),))
    with pytest.raises(DomainError, match="is no longer used"):
        chart_stroke(fernando, entries=[on_37], seen=1, actor=kamal)
    assert session.scalars(select(ChartEntry.kind)).all() == [varnish.code]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": "  "}, "needs a name"),
        ({"name": "x" * 81}, "at most 80"),
        ({"name": "CARIES"}, "Caries is built in already"),
        ({"word": "CAR"}, "car is typed for Caries already"),
        ({"word": "v"}, "2 to 20 letters"),
        ({"word": "mod"}, "surfaces"),
        ({"scope": Scope.ROOT}, "not drawn so"),
        ({"rule": "crown"}, "not drawn so"),
        ({"pattern": "double"}, "This is drawn as solid, outline"),
        ({"letter": "AB!"}, "at most 3"),
        ({"icon": "unicorn"}, "There is no such icon"),
        ({"icon": "again"}, "A fill has no icon"),
        ({"scope": Scope.SPAN, "rule": "bar", "letter": "A"}, "A line has neither"),
        ({"scope": Scope.WHOLE, "rule": "icon"}, "either letters or an icon"),
        ({"scope": Scope.WHOLE, "rule": "icon", "letter": "A", "icon": "again"}, "either letters or an icon"),
    ],
)
def test_what_cannot_be_added_is_refused_with_a_sentence(adel, session, changes, sentence):
    with pytest.raises(DomainError, match=sentence):
        add_own_kind(**VARNISH | changes, actor=adel)
    assert session.scalars(select(OwnKind)).all() == []
    assert acts(session) == []


def test_a_name_or_word_there_is_is_taken(varnish, adel):
    with pytest.raises(DomainError, match="Varnish is there already. Choose another name"):
        add_own_kind(**VARNISH | {"name": "varnish", "word": "gel"}, actor=adel)
    with pytest.raises(DomainError, match="varnish is typed for Varnish already"):
        add_own_kind(**VARNISH | {"name": "Gel"}, actor=adel)
    retire_own_kind(varnish.id, version=varnish.version, actor=adel)
    with pytest.raises(DomainError, match="It is retired: bring it back"):
        add_own_kind(**VARNISH | {"word": "gel"}, actor=adel)


def test_name_word_and_drawing_change_and_nothing_else(varnish, adel, session):
    code = varnish.code
    kind = change(varnish, adel, name="Fluoride varnish", word="fluoride", pattern="wavy", letter="F")
    assert (kind.name, kind.word, kind.pattern, kind.letter) == ("Fluoride varnish", "fluoride", "wavy", "F")
    assert (kind.code, kind.scope, kind.is_treatment) == (code, Scope.SURFACES, True)
    version = kind.version
    assert change(kind, adel).version == version  # the same again is nothing
    with pytest.raises(DomainError, match="not drawn so"):
        change(kind, adel, rule="bar")
    with pytest.raises(Conflict, match="it is called Fluoride varnish, its word is fluoride, and it is in use"):
        change(kind, adel, version=version - 1, name="Gel")
    assert acts(session) == ["own_kind.add", "own_kind.change"]


def test_it_is_retired_and_brought_back_once(varnish, adel, session):
    retire_own_kind(varnish.id, version=varnish.version, actor=adel)
    retire_own_kind(varnish.id, version=varnish.version, actor=adel)
    assert catalogue()[varnish.code].retired
    bring_own_kind_back(varnish.id, version=varnish.version, actor=adel)
    bring_own_kind_back(varnish.id, version=varnish.version, actor=adel)
    assert not catalogue()[varnish.code].retired
    with pytest.raises(Conflict):
        retire_own_kind(varnish.id, version=1, actor=adel)
    assert acts(session) == ["own_kind.add", "own_kind.retire", "own_kind.bring_back"]


def test_there_are_not_more_than_one_can_choose_among(adel, varnish, monkeypatch):
    monkeypatch.setattr(own_kinds, "MOST", 1)
    with pytest.raises(DomainError, match="There are 1 kinds"):
        add_own_kind(**VARNISH | {"name": "Gel", "word": "gel"}, actor=adel)


def test_the_list_says_which_are_charted_and_puts_retired_ones_last(varnish, adel, world):
    other = add_own_kind(**VARNISH | {"name": "Gel", "word": "gel"}, actor=adel)
    kamal, fernando = world.user("kamal"), world.patient("fernando")
    mouth = chart_for(kamal, fernando.id).mouth
    chart_stroke(fernando, entries=read("36 o gel ex", mouth, today=clock.today()).entries, seen=0, actor=kamal)
    retire_own_kind(other.id, version=other.version, actor=adel)
    assert [(state.kind.name, state.is_charted) for state in every_own_kind(adel)] == [
        ("Varnish", False),
        ("Gel", True),
    ]
    assert own_kind_for(adel, other.id).name == "Gel"
    assert own_kind_for(adel, 999_999) is None


DRAWINGS = [
    (scope, rule, style, letter, icon)
    for scope, rules in OWN_DRAWINGS.items()
    for rule in rules
    for style, letter, icon in (
        [("solid", "Ab", ""), *(("solid", "", icon) for icon in OWN_ICONS)]
        if rule == "icon"
        else [(style, "", "") for style in OWN_STYLES[rule]]
    )
]


@pytest.mark.parametrize(("scope", "rule", "style", "letter", "icon"), DRAWINGS)
def test_every_drawing_that_is_offered_can_be_kept_and_draws_something(adel, scope, rule, style, letter, icon):
    kept = add_own_kind(
        name="Any",
        word="anyword",
        scope=scope,
        is_treatment=False,
        rule=rule,
        pattern=style,
        letter=letter,
        icon=icon,
        actor=adel,
    )
    drawing = Drawing(kept.rule, kept.pattern, kept.letter, kept.icon)
    kind = own_kind("own-1", "Any", "anyword", scope, is_treatment=False, drawing=drawing, own_id=1, retired=False)
    on = {Scope.SPAN: "11-13", Scope.ARCH: "upper 11-13", Scope.SURFACES: "36 mo"}.get(scope, "36")
    mouth = charted(f"{on} anyword", kinds={"note": catalogue()["note"], "own-1": kind})
    drawn = drawing_of(mouth)
    assert drawn.undrawn == {}
    marks = [mark for mark in drawn.marks if mark.entry == 1]
    assert any(mark.strokes or mark.letters for mark in marks)
