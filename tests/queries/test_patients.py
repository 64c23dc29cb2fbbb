"""Finding patients."""

import pytest

from clinic.models import Patient
from clinic.queries.patients import patient_for, search_patients
from tests.queries_counted import counted


def names(found: list[Patient]) -> list[str]:
    return [patient.name for patient in found]


@pytest.mark.parametrize(
    "typed",
    [
        "ana",
        "an",
        "perera",
        "ana per",
        "per ana",
        "ANA  PERERA",
        "Aná",
        "P-2026-00002",
        "p-2026-2",
        "2026-00002",
        "00002",
        "071 555 0199",
        "+94 (71) 555-0199",
        "0199",
        "55-01",
        "2/3/1984",
        "1984-03-02",
        "1984-03",
        "2 mar 1984",
        "1984",
        "perera 1984",
        "ana 2/3/1984",
    ],
)
def test_ana_is_found_by_what_one_knows_of_her(world, session, typed):
    assert "Ana Perera" in names(search_patients(world.user("ruwan"), typed))


@pytest.mark.parametrize("typed", ["吴", "吴美", "美玲", "玲"])
def test_a_name_without_spaces_is_found_from_any_letter(world, session, typed):
    assert names(search_patients(world.user("ruwan"), typed)) == ["吴美玲"]


@pytest.mark.parametrize("typed", ["ana fern", "%", "_", "a_z%", "\\", "", "  ", "ana zz", "\x00", "+"])
def test_nothing_is_found_by_what_matches_nobody(world, session, typed):
    assert "Ana Perera" not in names(search_patients(world.user("ruwan"), typed))


def test_a_viewer_finds_only_whom_they_may_see(world, session):
    found = {name: names(search_patients(world.user(name), "2026-")) for name in ("kamal", "silva", "sato", "adel")}
    assert found == {
        "kamal": ["Nimali Fernando"],
        "silva": ["Nimali Fernando", "Ana Perera"],
        "sato": ["吴美玲"],
        "adel": [],
    }


def test_one_patient_only_in_scope_and_with_alerts(world, session):
    fernando = patient_for(world.user("kamal"), world.patients["fernando"])
    assert [alert.label for alert in fernando.active_alerts] == ["Penicillin"]
    assert patient_for(world.user("kamal"), world.patients["nadia"]) is None
    assert patient_for(world.user("adel"), world.patients["fernando"]) is None


def test_a_search_costs_the_same_number_of_queries_whatever_it_finds(world, session):
    viewer = world.user("ruwan")
    with counted() as few:
        search_patients(viewer, "ana per")
    assert len(few) == 3
