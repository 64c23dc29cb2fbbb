"""A person comes in by the front door, in a real browser."""

import pytest

from tests.world import PASSWORD


@pytest.mark.parametrize("size", ["desktop", "tablet"])
def test_sign_in_by_keyboard(page_of, size):
    page = page_of(None, size)
    page.goto("/")
    page.get_by_label("E-mail").fill("ruwan@clinic.test")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/sign-in" not in url)
    assert page.get_by_role("heading", level=1).inner_text()


def test_a_person_is_signed_in(page_of, live_server):
    page = page_of("kamal")
    page.goto("/")
    assert "/sign-in" not in page.url
