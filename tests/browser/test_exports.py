"""An export as whoever received it sees it: unpacked, opened from a folder, without Chairside and without network."""

import zipfile
from dataclasses import replace

import pytest
from playwright.sync_api import expect

from clinic.extensions import db
from tests.browser import axe
from tests.charted import charted
from tests.filed import file_document, png
from tests.printers import printer, words_of
from tests.stores import kept_in

pytestmark = pytest.mark.xdist_group("storage")


@pytest.fixture
def folder(live_server, weed, tmp_path):
    """An export with a real printer, unpacked."""
    app, to = live_server.app, tmp_path / "record.zip"
    with kept_in(app, weed), live_server.inside(), printer() as press:
        charted(live_server.world)
        file_document(live_server.world, body=png(30, 20), name="36 <i>&amp; #1?.png", into_store=True)
        db.session.commit()
        config = app.config["CHAIRSIDE"]
        app.config["CHAIRSIDE"] = replace(config, printer_socket=str(press.path))
        try:
            words = ["export-patient", "P-2026-00001", "--to", str(to), "--reason", "Asked for by the patient"]
            result = app.test_cli_runner().invoke(args=words)
        finally:
            app.config["CHAIRSIDE"] = config
    assert result.exit_code == 0, result.output
    with zipfile.ZipFile(to) as made:
        made.extractall(tmp_path / "unpacked")
    return tmp_path / "unpacked"


def test_a_person_opens_it_and_finds_everything(folder, context_of):
    for number in (1, 2):
        paper = (folder / f"chart/version-{number:03}.pdf").read_bytes()
        assert "Nimali Fernando" in words_of(paper)
    context = context_of()
    page, asked = context.new_page(), []
    page.on("request", lambda request: asked.append(request.url))
    for width in (1280, 320):
        page.set_viewport_size({"width": width, "height": 900})
        for path in [folder / "index.html", *sorted((folder / "pages").iterdir())]:
            page.goto(path.as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path.name
            assert page.evaluate("document.scripts.length") == 0
            assert axe.faults(page) == [], path.name
    assert all(url.startswith(folder.as_uri()) for url in asked)
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto((folder / "index.html").as_uri())
    expect(page.get_by_role("heading", level=1)).to_have_text("The record of Nimali Fernando")
    expect(page.get_by_role("table", name="Alerts")).to_contain_text("Penicillin")
    expect(page.locator("#mouth")).to_contain_text("caries, ICDAS 4")
    page.get_by_role("link", name="Read: Everything that was charted").click()
    expect(page.get_by_role("table")).to_contain_text("36, mesial-occlusal: caries")
    page.get_by_role("link", name="The whole record").click()
    page.get_by_role("link", name="36 <i>&amp; #1?.png").click()
    expect(page.locator("img")).to_have_js_property("naturalWidth", 30)
