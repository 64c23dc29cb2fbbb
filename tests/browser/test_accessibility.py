"""Every page, as every role, at the desk and on the tablet, light and dark: axe-core finds nothing serious or critical."""

import pytest

from clinic.models import Role
from tests.browser import axe
from tests.browser.conftest import SIZES


@pytest.mark.timeout(600)
@pytest.mark.parametrize("role", [role.value for role in Role])
def test_nothing_keeps_a_person_out(role, demo, pages_of_roles, chromium):
    assert pages_of_roles[role]
    context = chromium.new_context(base_url=demo.url, **SIZES["desktop"])
    context.add_cookies([{"name": name, "value": value, "url": demo.url} for name, value in demo.sign_in(role).items()])
    page = context.new_page()
    seen_before = {
        endpoint
        for other in list(pages_of_roles)[: list(pages_of_roles).index(role)]
        for endpoint in pages_of_roles[other]
    }
    faults = []
    for endpoint, url in pages_of_roles[role].items():
        page.set_viewport_size(SIZES["desktop"]["viewport"])
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        page.goto(url)
        faults += _look(page, role, url, "desktop, light")
        if endpoint in seen_before:
            continue  # the same page in the other variants was looked at with an earlier role
        page.emulate_media(color_scheme="dark", reduced_motion="reduce")
        faults += _look(page, role, url, "desktop, dark")
        page.set_viewport_size(SIZES["tablet"]["viewport"])
        faults += _look(page, role, url, "tablet, dark")
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        faults += _look(page, role, url, "tablet, light")
    context.close()
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("url", ["/sign-in", "/no-such-page"])
def test_nothing_keeps_a_stranger_out(url, page_of, faults):
    page = page_of(None)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.goto(url)
        assert not axe.faults(page)
    faults.clear()  # the browser notes every 404


def _look(page, role, url, variant):  # type: ignore[no-untyped-def]
    """axe's faults; and nothing may stick out sideways."""
    found = [f"{role} {url} ({variant}): {fault}" for fault in axe.faults(page)]
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        found.append(f"{role} {url} ({variant}): the page is wider than the screen")
    return found
