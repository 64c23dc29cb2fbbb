"""Kinds of settings: what each reads, refuses with a sentence, and says in words."""

import zoneinfo

import pytest

from clinic import settings
from clinic.blueprints.display.words import WORDS
from clinic.setting_kinds import DAYS, EmailAddress, Limits, MinutesPairs, Several, Switch, Text, Unfit, Week, Whole

STAGES = MinutesPairs({"waiting": "Waiting", "called": "Called"})
LOADS = Limits({"primary": "Primary"}, {"3": "year 3", "4": "year 4"}, 99)
ROLES = Several({"nurse": "Nurse", "admin": "Admin"})
ORDERED = Several({"en": "English", "ta": "Tamil", "si": "Sinhala"}, most=2)


@pytest.mark.parametrize(
    ("kind", "typed", "value", "words"),
    [
        (Text(9), "  Our   clinic ", None, "Type 1 to 9 letters."),
        (Text(10), "  Our   clinic ", "Our clinic", "Our clinic"),
        (Text(10), " ", None, "Type 1 to 10 letters."),
        (Text(10), "a\x00b", None, "Type 1 to 10 letters."),
        (Text(10), "a‮b", None, "Type 1 to 10 letters."),
        (Whole(1, 9, "minutes"), " 7 ", 7, "7 minutes"),
        (Whole(1, 9, "minutes"), "0", None, "Type a whole number from 1 to 9."),
        (Whole(1, 9, "minutes"), "10", None, "Type a whole number from 1 to 9."),
        (Whole(1, 9, "minutes"), "", None, "Type a whole number from 1 to 9."),
        (Whole(1, 9, "minutes"), "1.5", None, "Type a whole number from 1 to 9."),
        (Whole(1, 9, "minutes"), "٣", None, "Type a whole number from 1 to 9."),
        (Whole(1, 9, "minutes"), "9" * 5000, None, "Type a whole number from 1 to 9."),
        (Switch(), True, True, "on"),
        (Switch(), False, False, "off"),
        (Switch(), "on", None, "Choose on or off."),
        (EmailAddress(), " desk@clinic.test ", "desk@clinic.test", "desk@clinic.test"),
        (EmailAddress(), "", "", "none"),
        (EmailAddress(), "desk", None, "Type one address like desk@clinic.example, or nothing."),
        (EmailAddress(), "a@b.c\r\nBcc: x@y.z", None, "Type one address like desk@clinic.example, or nothing."),
        (EmailAddress(), "a@b.c, d@e.f", None, "Type one address like desk@clinic.example, or nothing."),
        (ROLES, ["admin", "nurse"], ["nurse", "admin"], "Nurse, Admin"),
        (ROLES, [], [], "none"),
        (ROLES, ["king"], None, "Choose from the list."),
        (Several({"a": "A", "b": "B"}, least=1), [], None, "Choose at least 1."),
        (Several({"a": "A", "b": "B"}, least=1), ["b"], ["b"], "B"),
        (ORDERED, ["ta", "", "en"], ["ta", "en"], "Tamil, English"),
        (ORDERED, ["", ""], None, "Choose 1 to 2."),
        (ORDERED, ["ta", "en", "si"], None, "Choose 1 to 2."),
        (ORDERED, ["ta", "ta"], None, "Choose each one once."),
        (STAGES, {"waiting": ["5", "9"], "called": ["1", "2"]}, {"waiting": [5, 9], "called": [1, 2]}, None),
        (STAGES, {"waiting": ["9", "9"], "called": ["1", "2"]}, None, "Waiting: the second number must be greater"),
        (STAGES, {"waiting": ["5", "9"], "called": ["", "2"]}, None, "Called: Type a whole number from 1 to 1440."),
        (STAGES, {"waiting": ["5", "9"]}, None, "Give every row its two numbers."),
        (LOADS, {"primary": {"3": "8", "4": " "}}, {"primary": {"3": 8}}, "Primary year 3: 8"),
        (LOADS, {"primary": {"3": "", "4": ""}}, {"primary": {}}, "no limits"),
        (LOADS, {"primary": {"3": "-1"}}, None, "Primary, year 3: Type a whole number from 0 to 99. Leave it empty"),
        (LOADS, {"primary": {"9": "1"}}, None, "Give the numbers of this table only."),
        (LOADS, {"additional": {}}, None, "Give the numbers of this table only."),
        (Week(), {"mon": "8:00-12:00, 13.00 to 17:00"}, {"mon": [["08:00", "12:00"], ["13:00", "17:00"]]}, None),
        (Week(), {"mon": " "}, {}, "none"),
        (Week(), {"mon": "12:00 to 08:00"}, None, "Monday: each session ends after it begins"),
        (Week(), {"tue": "08:00 to 12:00, 11:00 to 13:00"}, None, "Tuesday: each session ends after it begins"),
        (Week(), {"tue": "08:00 to 25:00"}, None, "Tuesday: type sessions like 08:00 to 12:00"),
        (Week(), {"tue": "mornings"}, None, "Tuesday: type sessions like 08:00 to 12:00"),
    ],
)
def test_a_kind_reads_what_is_typed(kind, typed, value, words):
    if value is None:
        with pytest.raises(Unfit) as refusal:
            kind.read(typed)
        assert str(refusal.value).startswith(words)
        return
    assert kind.read(typed) == value
    assert kind.checked(value) == value
    assert words is None or kind.in_words(value) == words


@pytest.mark.parametrize("name", settings.DECLARED)
def test_a_default_is_a_value_and_other_types_are_none(name):
    declared = settings.DECLARED[name]
    assert declared.kind.checked(declared.default) == declared.default
    assert declared.group in settings.GROUPS
    for other in (None, 3.5, object(), [["x"]], {"x": "y"}, {"waiting": 3}):
        with pytest.raises(Unfit):
            declared.kind.checked(other)


def test_choices_are_what_their_readers_know():
    assert set(settings.LANGUAGES) == set(WORDS)
    assert all(zoneinfo.ZoneInfo(name) for name in settings.zones())
    assert {"UTC", "Asia/Colombo", "America/Argentina/Buenos_Aires"} <= set(settings.zones())
    assert list(DAYS) == ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
