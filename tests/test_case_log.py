"""What a case's log says, byte for byte: rows written by an earlier version read on, and their digests hold."""

from clinic.case_log import digest_of, link, row_body, said_in

SAID = {
    "number": 2, "case": 7, "task": None, "act": "opened", "by": 3, "by_name": "Zoë “Z” Ni\u0161", "at": "2026-02-01T08:00:00+00:00",
    "words": "A2,\n<crown> \U0001f9b7", "facts": {"title": "Crown", "student_id": 4, "none": ""},
}  # fmt: skip
BODY = (
    r'{"act":"opened","at":"2026-02-01T08:00:00+00:00","by":3,"by_name":"Zo\u00eb \u201cZ\u201d Ni\u0161","case":7,'
    r'"facts":{"none":"","student_id":4,"title":"Crown"},"format":1,"number":2,"task":null,"words":"A2,\n<crown> \ud83e\uddb7"}'
)


def test_a_row_and_the_digests_over_it_are_what_they_always_were():
    assert row_body(SAID) == BODY
    assert said_in(BODY) == SAID
    first = link("", BODY)
    assert first == "79d79a6ca59abd2c9d30d20e3a2db5fdb757f4a92b52eef329216dfba29d47ae"
    assert link(first, BODY) == "50dbbe0a10bb6f6b0b1d5819c4393e87419ce0919c3b76676f44cb64a77b7d26"
    assert digest_of([first, "ab"]) == "1f37faf02e5d05139d100adceb50704df451c1af1612a9643ce799bdc20dcd42"
    assert digest_of([]) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
