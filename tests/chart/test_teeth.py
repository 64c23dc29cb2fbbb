"""Positions, numberings and surfaces of all 52 teeth, against tables written by hand from ISO 3950 and the textbooks' figures."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.chart import teeth
from clinic.chart.teeth import Numbering

# FDI, Universal, Palmer; then what the outer, the inner and the biting surface are called, and on which side of the screen mesial is.
TABLE = """
18 1 UR8 buccal palatal occlusal right      55 A URE buccal palatal occlusal right
17 2 UR7 buccal palatal occlusal right      54 B URD buccal palatal occlusal right
16 3 UR6 buccal palatal occlusal right      53 C URC facial palatal incisal right
15 4 UR5 buccal palatal occlusal right      52 D URB facial palatal incisal right
14 5 UR4 buccal palatal occlusal right      51 E URA facial palatal incisal right
13 6 UR3 facial palatal incisal right       61 F ULA facial palatal incisal left
12 7 UR2 facial palatal incisal right       62 G ULB facial palatal incisal left
11 8 UR1 facial palatal incisal right       63 H ULC facial palatal incisal left
21 9 UL1 facial palatal incisal left        64 I ULD buccal palatal occlusal left
22 10 UL2 facial palatal incisal left       65 J ULE buccal palatal occlusal left
23 11 UL3 facial palatal incisal left       75 K LLE buccal lingual occlusal left
24 12 UL4 buccal palatal occlusal left      74 L LLD buccal lingual occlusal left
25 13 UL5 buccal palatal occlusal left      73 M LLC facial lingual incisal left
26 14 UL6 buccal palatal occlusal left      72 N LLB facial lingual incisal left
27 15 UL7 buccal palatal occlusal left      71 O LLA facial lingual incisal left
28 16 UL8 buccal palatal occlusal left      81 P LRA facial lingual incisal right
38 17 LL8 buccal lingual occlusal left      82 Q LRB facial lingual incisal right
37 18 LL7 buccal lingual occlusal left      83 R LRC facial lingual incisal right
36 19 LL6 buccal lingual occlusal left      84 S LRD buccal lingual occlusal right
35 20 LL5 buccal lingual occlusal left      85 T LRE buccal lingual occlusal right
34 21 LL4 buccal lingual occlusal left
33 22 LL3 facial lingual incisal left
32 23 LL2 facial lingual incisal left
31 24 LL1 facial lingual incisal left
41 25 LR1 facial lingual incisal right
42 26 LR2 facial lingual incisal right
43 27 LR3 facial lingual incisal right
44 28 LR4 buccal lingual occlusal right
45 29 LR5 buccal lingual occlusal right
46 30 LR6 buccal lingual occlusal right
47 31 LR7 buccal lingual occlusal right
48 32 LR8 buccal lingual occlusal right
"""
WORDS = TABLE.split()
ROWS = [tuple(WORDS[at : at + 7]) for at in range(0, len(WORDS), 7)]
SUCCESSORS = "51>11 52>12 53>13 54>14 55>15 61>21 62>22 63>23 64>24 65>25 71>31 72>32 73>33 74>34 75>35 81>41 82>42 83>43 84>44 85>45"


def test_the_table_is_of_all_52():
    assert sorted(row[0] for row in ROWS) == sorted(teeth.ALL)
    assert len(teeth.PERMANENT) == 32
    assert len(teeth.PRIMARY) == 20


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_every_numbering_there_and_back(row):
    key, universal, palmer = row[:3]
    for numbering, written in ((Numbering.FDI, key), (Numbering.UNIVERSAL, universal), (Numbering.PALMER, palmer)):
        assert teeth.shown(key, numbering) == written
        assert teeth.read(written, numbering) == key
        assert teeth.read(f" {written.lower()} ", numbering) == key


@pytest.mark.parametrize("numbering", Numbering)
def test_no_two_teeth_are_written_alike(numbering):
    assert len({teeth.shown(key, numbering) for key in teeth.ALL}) == 52


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_surfaces_are_called_as_the_tooth_has_them_and_mesial_faces_the_midline(row):
    key, _universal, _palmer, outer, inner, biting, mesial = row
    names = [teeth.surface_name(key, surface) for surface in "BLO"]
    assert names == [outer, inner, biting]
    assert [teeth.letter(key, surface) for surface in "MD"] == ["M", "D"]
    zones = teeth.zones(key)
    assert zones[mesial] == "M"
    assert zones[{"left": "right", "right": "left"}[mesial]] == "D"
    assert (zones["top"], zones["bottom"]) == (("B", "L") if inner == "palatal" else ("L", "B"))
    assert zones["centre"] == "O"
    assert sorted(zones.values()) == sorted(teeth.SURFACES)


@pytest.mark.parametrize("arch", [teeth.UPPER, teeth.LOWER, teeth.UPPER_PRIMARY, teeth.LOWER_PRIMARY])
def test_only_at_the_midline_do_two_mesial_zones_face_one_another(arch):
    for left, right in itertools.pairwise(arch):  # as one sees them
        facing = {teeth.zones(left)["right"], teeth.zones(right)["left"]}
        at_midline = left[1] == right[1] == "1"
        assert facing == ({"M"} if at_midline else {"M", "D"}), f"{left}|{right}"


def test_every_order_and_repetition_of_surfaces_is_stored_alike():
    for count in range(6):
        for chosen in itertools.combinations("MODBL", count):
            stored = "".join(chosen)
            for order in itertools.permutations(chosen):
                assert teeth.canonical("".join(order)) == stored
                assert teeth.canonical("".join(order) * 2) == stored


def test_letters_in_the_fixed_order_on_each_sort_of_tooth():
    shown = {key: teeth.letters(key, "LBDOM") for key in ("36", "16", "11", "33", "54", "83")}
    assert shown == {"36": "MODBL", "16": "MODBP", "11": "MIDFP", "33": "MIDFL", "54": "MODBP", "83": "MIDFL"}


def test_who_follows_whom():
    written = dict(pair.split(">") for pair in SUCCESSORS.split())
    assert {key: teeth.tooth(key).successor for key in teeth.PRIMARY} == written
    assert {key: teeth.tooth(key).predecessor for key in teeth.PERMANENT if key[1] <= "5"} == {
        after: before for before, after in written.items()
    }
    assert all(teeth.tooth(key).predecessor is None for key in teeth.PERMANENT if key[1] > "5")
    for key in ("54", "65", "74", "85"):  # a primary molar is followed by a premolar, with its shape and roots
        assert teeth.tooth(key).shape is teeth.Shape.MOLAR
        assert teeth.tooth(written[key]).shape is teeth.Shape.PREMOLAR
    assert (teeth.tooth("54").roots, teeth.tooth("14").roots, teeth.tooth("15").roots) == (3, 2, 1)


def test_between_goes_along_one_arch_and_across_the_midline():
    assert teeth.between("14", "16") == teeth.between("16", "14") == ("16", "15", "14")
    assert teeth.between("12", "22") == ("12", "11", "21", "22")
    assert teeth.between("52", "61") == ("52", "51", "61")
    for first, last in (("16", "46"), ("11", "51")):
        with pytest.raises(ValueError, match="not in one arch"):
            teeth.between(first, last)


@given(st.text(max_size=6))
def test_no_text_is_taken_for_a_tooth_that_is_none(text):
    for numbering in Numbering:
        key = teeth.read(text, numbering)
        assert key is None or teeth.is_tooth(key) or teeth.is_extra(key)
        if key is not None and teeth.is_tooth(key):
            assert teeth.shown(key, numbering) == text.strip().upper()


@pytest.mark.parametrize("text", ["S", "S0", "S01", "S²", "S1x", "S100", "s1", "X1", ""])
def test_what_is_no_key_of_a_supernumerary(text):
    assert not teeth.is_extra(text)


def test_keys_of_supernumeraries_come_last_and_in_order():
    assert teeth.in_order(["S10", "36", "S2", "11", "51", "11"]) == ["11", "36", "51", "S2", "S10"]
