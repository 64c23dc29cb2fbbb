"""An administrator makes a kind of chart entry, sees how it will look while choosing, and takes it back."""

import re

from playwright.sync_api import expect


def test_a_kind_is_previewed_while_it_is_chosen_then_added_and_retired(page_of):
    page = page_of("adel")
    page.goto("/settings")
    page.get_by_role("link", name="Our own chart entries").click()
    page.get_by_role("link", name="Another kind").click()
    preview = page.locator("#chart_kinds-preview")
    expect(preview.locator("svg")).to_be_visible()
    page.get_by_label("Name").fill("Fluoride varnish")
    page.get_by_label("Word").fill("varnish")
    page.get_by_label("On what, and how it is drawn").select_option("whole icon")
    expect(preview).to_contain_text("either letters or an icon")
    page.get_by_label("Letters").fill("Fv")
    expect(preview.locator("svg")).to_contain_text("Fv")
    expect(page.get_by_label("Letters")).to_be_focused()
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("status")).to_contain_text("Fluoride varnish can be charted: type varnish")
    page.get_by_role("link", name="Fluoride varnish").click()
    expect(preview.locator("svg")).to_contain_text("Fv")
    page.get_by_role("button", name="Retire it").click()
    expect(page.get_by_role("row", name=re.compile("Fluoride varnish"))).to_contain_text("retired")
