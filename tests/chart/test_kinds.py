"""The catalogue: every row of the table that the chart is built to, and words that never mean two things."""

import itertools

import pytest

from clinic.chart import teeth
from clinic.chart.kinds import (
    BUILT_IN,
    OWN_DRAWINGS,
    OWN_ICONS,
    OWN_STYLES,
    SHORT,
    STATUS_TYPED,
    Group,
    Presence,
    Scope,
    Status,
)
from clinic.chart.line import AREAS, STATUS_WORDS, is_surfaces, option_words, vocabulary, word_problem

# Every row of the union table (odontogram.md, part 3): what it is called there, by which kind it is charted, and what is said of it.
UNION = {
    "Caries (active)": ("caries", {"icdas": "123456"}),
    "Caries, arrested / watch": ("caries_arrested", {}),
    "Recurrent caries at a filling": ("caries_recurrent", {"icdas": "123456"}),
    "Root caries": ("caries_root", {}),
    "Radiographic depth": ("radiographic", {"depth": "E1 E2 D1 D2 D3"}),
    "Amalgam": ("restoration", {"material": "amalgam"}),
    "Composite / GIC": ("restoration", {"material": "composite gic"}),
    "Temporary filling": ("restoration", {"material": "temporary"}),
    "Inlay": ("inlay", {"material": "gold ceramic"}),
    "Onlay, overlay": ("onlay", {"material": "gold ceramic"}),
    "Sealant": ("sealant", {}),
    "Veneer": ("veneer", {"material": "ceramic composite"}),
    "Crown": ("crown", {"material": "metal pfm ceramic provisional ssc"}),
    "Crown needs replacing": ("crown_replace", {}),
    "Root canal": ("root_canal", {"canals": "full half two-thirds over open"}),
    "Post / core": ("post", {"material": "metal fibre"}),
    "Pulpotomy": ("pulpotomy", {}),
    "Pulpectomy": ("pulpectomy", {}),
    "Apical lesion S/M/L": ("apical_lesion", {"size": "S M L"}),
    "Apicoectomy": ("apicoectomy", {}),
    "Extraction": ("extraction", {}),
    "Missing": ("missing", {"why": "caries perio trauma ortho congenital"}),
    "Retained root": ("root_fragment", {}),
    "Impacted": ("impacted", {"angle": "mesial distal horizontal"}),
    "Unerupted": ("unerupted", {}),
    "Partially erupted": ("partially_erupted", {}),
    "Erupted": ("erupted", {}),
    "Exfoliated": ("exfoliated", {}),
    "Supernumerary": ("supernumerary", {"type": "mesiodens paramolar distomolar supplemental"}),
    "Implant fixture": ("implant", {}),
    "Implant abutment": ("implant_abutment", {}),
    "Crown on implant": ("implant_crown", {"material": "metal pfm ceramic zirconia"}),
    "Bridge": ("bridge", {"material": "metal pfm ceramic zirconia provisional"}),
    "Denture": ("denture", {"extent": "partial complete"}),
    "Fracture": ("fracture", {"class": "enamel dentine pulp root"}),
    "Wear": ("wear", {"type": "attrition abrasion erosion abfraction"}),
    "Mobility": ("mobility", {"grade": "0123"}),
    "Furcation": ("furcation", {"grade": "123"}),
    "Recession": ("recession", {"mm": "1 2 3"}),
    "Rotation": ("rotation", {"direction": "mesial distal"}),
    "Drift": ("drift", {"direction": "mesial distal"}),
    "Tilt": ("tilt", {"direction": "mesial distal"}),
    "Over-eruption": ("over_eruption", {}),
    "Crowding": ("crowding", {}),
    "Diastema": ("diastema", {}),
    "Ectopic": ("ectopic", {"direction": "mesial distal"}),
    "Discolouration": ("discolouration", {"colour": "grey brown"}),
    "Hypoplasia / MIH": ("hypoplasia", {}),
    "Fluorosis": ("fluorosis", {}),
    "Bracket": ("bracket", {}),
    "Band": ("band", {}),
    "Tube": ("tube", {}),
    "Attachment": ("attachment", {}),
    "Wire": ("wire", {}),
    "Retainer": ("retainer", {}),
    "Elastics": ("elastic", {}),
    "Space maintainer": ("space_maintainer", {}),
    "Splint": ("splint", {}),
    "Tooth note": ("note", {"note": ""}),
}
REQUIRED = {"rotation", "drift", "tilt", "ectopic"}  # direction required


@pytest.mark.parametrize("row", UNION)
def test_every_row_of_the_table_has_its_kind(row):
    code, fields = UNION[row]
    kind = BUILT_IN[code]
    for name, options in fields.items():
        known = kind.field(name).options
        wanted = options.split() if " " in options or len(options) > 6 or not options.isdigit() else list(options)
        assert set(wanted) <= set(known), f"{row}: {name} lacks {set(wanted) - set(known)}"
    if code in REQUIRED:
        assert kind.field("direction").required


def test_no_kind_is_beside_the_table():
    assert {code for code, _fields in UNION.values()} == set(BUILT_IN)


@pytest.mark.parametrize("kind", BUILT_IN.values(), ids=lambda kind: kind.code)
def test_a_kind_is_whole(kind):
    assert kind.words
    assert kind.name[0].isupper()
    assert set(kind.surfaces) <= set(teeth.SURFACES)
    assert kind.usual_status in kind.statuses
    assert bool(kind.roles) is (kind.scope in (Scope.SPAN, Scope.ARCH))
    assert len({role[0] for role in kind.roles}) == len(kind.roles)  # a letter says which
    assert kind.group is not Group.OWN
    assert kind.primary_only <= (kind.scope is Scope.WHOLE)


def test_every_way_to_be_there_can_be_charted():
    said = {kind.presence for kind in BUILT_IN.values()}
    assert said >= set(Presence)


# --- words ------------------------------------------------------------------------------------------------------------


def test_a_word_means_one_kind_only():
    words = [word for kind in BUILT_IN.values() for word in kind.words] + list(SHORT) + ["shed"]
    assert len(set(words)) == len(words)
    assert set(vocabulary(BUILT_IN)) == set(words)


@pytest.mark.parametrize("word", sorted(vocabulary(BUILT_IN)))
def test_a_word_for_a_kind_is_nothing_else(word):
    assert word == word.lower()
    assert not is_surfaces(word), "could be surfaces"
    assert word not in STATUS_WORDS
    assert word not in AREAS
    assert word.upper() not in teeth.CANALS
    for numbering in ("fdi", "palmer"):
        assert teeth.read(word, numbering) is None
    assert (
        len(word) == 1 or teeth.read(word, "universal") is None
    )  # a letter names a tooth at the head of an entry only


def test_a_word_for_a_status_is_one_status_only():
    typed = [word for words in STATUS_TYPED.values() for word in words]
    assert len(set(typed)) == len(typed)
    assert set(STATUS_TYPED) == set(Status) - {Status.ENTERED_IN_ERROR}
    assert [word for word in typed if is_surfaces(word)] == ["ip"]  # asked about where surfaces are expected


@pytest.mark.parametrize("kind", BUILT_IN.values(), ids=lambda kind: kind.code)
def test_what_is_said_of_a_kind_is_not_a_status_nor_a_jaw_nor_its_own_surfaces(kind):
    options = option_words(kind)
    assert not set(options) & set(STATUS_WORDS)
    assert not set(options) & set(AREAS)
    assert not set(options) & set(kind.words)
    if kind.scope is Scope.SURFACES:
        assert not [word for word in options if is_surfaces(word)]
    by_field = [(name, stored) for name, stored in options.values()]
    assert {name for name, _stored in by_field} <= {one.name for one in kind.fields}


def test_short_words_say_what_their_kind_can_be():
    for code, details in SHORT.values():
        for name, stored in details.items():
            assert stored in BUILT_IN[code].field(name).options


# --- the clinic's own -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("caries", "Caries"),
        ("comp", "Filling"),
        ("shed", "Exfoliated"),
        ("mod", "surfaces"),
        ("mob", "surfaces"),
        ("zirconia", "says something of"),
        ("done", "something else"),
        ("upper", "something else"),
        ("q1", "something else"),
        ("note", "Tooth note"),
        ("mb2", "something else"),
        ("ur6", "tooth"),
        ("s1", "tooth"),
        ("x", "2 to 20 letters"),
        ("Varnish", "2 to 20 letters"),
        ("two words", "2 to 20 letters"),
        ("a" * 21, "2 to 20 letters"),
        ("", "2 to 20 letters"),
        ("лак", "2 to 20 letters"),
    ],
)
def test_a_word_of_our_own_that_means_something_already_is_refused(word, why):
    assert why in word_problem(word, BUILT_IN)


@pytest.mark.parametrize("word", ["varnish", "perio2", "floss", "mods"])
def test_a_word_of_our_own_that_means_nothing_yet(word):
    assert word_problem(word, BUILT_IN) == ""


def test_drawings_of_our_own_are_offered_for_every_scope_but_roots():
    assert set(OWN_DRAWINGS) == set(Scope) - {Scope.ROOT}
    rules = set(itertools.chain.from_iterable(OWN_DRAWINGS.values()))
    assert rules == set(OWN_STYLES) | {"icon"}
    assert OWN_ICONS
