"""What a page weighs on the wire, measured in Chromium: compressed bodies and headers of everything it asks for."""

import pytest

from clinic import demo as demo_clinic
from clinic.models import Role

FIRST_VISIT = 120_000, 12  # bytes, requests
LATER_PAGE = 15_000
WITH_MOUTHS = 60_000  # a page of a chart, with one mouth drawn or two


class Scale:
    """Weighs every answer of a page."""

    def __init__(self, page):  # type: ignore[no-untyped-def]
        self.answers: dict[str, int] = {}
        page.on("requestfinished", self._weigh)

    def _weigh(self, request):  # type: ignore[no-untyped-def]
        if request.url.startswith("http") and "/live/" not in request.url:
            sizes = request.sizes()
            weight = sizes["responseBodySize"] + sizes["responseHeadersSize"]
            self.answers[request.url] = max(weight, self.answers.get(request.url, 0))  # from the cache: nothing

    @property
    def total(self) -> int:
        return sum(self.answers.values())

    def empty(self) -> None:
        self.answers = {}


def test_a_first_visit(demo, chromium):
    context = chromium.new_context(base_url=demo.url)
    page = context.new_page()
    scale = Scale(page)
    page.goto("/sign-in", wait_until="networkidle")
    at_the_door = scale.total, len(scale.answers)
    page.get_by_label("E-mail").fill("reception@demo.test")
    page.get_by_label("Password", exact=True).fill(demo_clinic.PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/sign-in" not in url)
    page.wait_for_timeout(500)
    context.close()
    weights = "\n".join(f"{weight:7} {url}" for url, weight in scale.answers.items())
    print(f"first visit: {at_the_door} at the door, {scale.total, len(scale.answers)} with the first page\n{weights}")
    assert at_the_door[0] <= FIRST_VISIT[0], weights
    assert at_the_door[1] <= FIRST_VISIT[1], weights
    assert scale.total <= FIRST_VISIT[0], weights


@pytest.mark.parametrize("role", [role.value for role in Role])
def test_later_pages(role, demo, pages_of_roles, chromium):
    context = chromium.new_context(base_url=demo.url)
    context.add_cookies([{"name": name, "value": value, "url": demo.url} for name, value in demo.sign_in(role).items()])
    page = context.new_page()
    page.goto("/", wait_until="load")  # fills the cache
    page.wait_for_timeout(300)
    scale = Scale(page)  # one for all: each one more would ask the browser of every answer again
    heavy = {}
    for url in pages_of_roles[role].values():
        page.goto("about:blank")
        scale.empty()
        page.goto(url, wait_until="load").finished()
        page.wait_for_timeout(150)
        assert scale.total, f"{url} was not weighed"
        print(f"{role:14} {scale.total:7} {url}")
        if scale.total > (WITH_MOUTHS if "/chart" in url else LATER_PAGE):
            heavy[url] = scale.answers
    context.close()
    assert not heavy, heavy
