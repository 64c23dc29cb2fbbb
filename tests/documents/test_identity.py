"""A DICOM file that names another patient is noticed; one that writes the same name in another way is not."""

from datetime import date

import pytest

from clinic.documents.identity import disagreements, names_somebody, readable
from clinic.documents.pictures import Facts

ANA = {"name": "Ana María Perera", "birth_date": date(1984, 3, 2), "code": "P-2026-00412"}


@pytest.mark.parametrize(
    "name",
    [
        "Perera^Ana",
        "PERERA^ANA MARIA",
        "Ana Perera",
        "Perera^A",
        "Perera^A.^M.",
        "Perera",
        "Wrong^Name=Perera^Ana",
        "",
        "Anonymous",
        "^^^^",
        "ANON^",
    ],
)
def test_the_same_person(name):
    assert disagreements(Facts(name=name, birth_date="19840302", number="OTHER-4711"), **ANA) == []


@pytest.mark.parametrize("name", ["Perera^Nimal", "Fernando^Ana", "Silva", "Perera^Ana^Nimal", "P^N", "吴^美玲"])
def test_another_name(name):
    (sentence,) = disagreements(Facts(name=name), **ANA)
    assert sentence == f"The file says {readable(name)}; this patient is Ana María Perera."


@pytest.mark.parametrize("name", ["吴美玲", "吴^美玲", "Wu^Meiling=吴^美玲"])
def test_a_name_in_other_letters(name):
    about = ANA | {"name": "吴美玲"}
    assert disagreements(Facts(name=name), **about) == []
    assert len(disagreements(Facts(name="Wu^Meiling"), **about)) == 1


def test_another_birth_date_and_another_of_our_numbers():
    said = disagreements(Facts(birth_date="19840203", number="p-2026-00007"), **ANA)
    assert said == [
        "The file says born on 3 Feb 1984; this patient was born on 2 Mar 1984.",
        "The file says number P-2026-00007; this patient is P-2026-00412.",
    ]


@pytest.mark.parametrize("written", ["", "1984", "19841399", "02.03.1984", "²²²²²²²²"])
def test_a_birth_date_that_is_none_is_no_disagreement(written):
    assert disagreements(Facts(birth_date=written), **ANA) == []


def test_whom_it_names():
    assert [names_somebody(Facts(name=name)) for name in ("", "^", "Anonymous", "Perera")] == [
        False,
        False,
        False,
        True,
    ]
    assert readable("Perera^Nimal^^Dr=ペレラ^ニマル") == "Nimal Dr Perera / ペレラ ニマル".replace(
        "ペレラ ニマル", "ニマル ペレラ"
    )
