"""Every form speaks in words of the clinic, also where it is WTForms that finds fault."""

from pathlib import Path

import pytest
import wtforms

from clinic.forms import Form, Words


def test_every_form_is_one_of_ours(app):
    others = [
        form for form in wtforms.Form.__subclasses__() if form.__module__.startswith("clinic") and form is not Form
    ]
    assert not others, f"{others}: derive it from clinic.forms.Form, or people read what WTForms says by itself"


@pytest.mark.parametrize("said", Words.SAID)
def test_wtforms_still_says(said):
    sources = Path(wtforms.__file__).parent.rglob("*.py")
    assert any(said in source.read_text("utf-8") for source in sources), (
        f"{said!r} is said in other words now: see Words"
    )
