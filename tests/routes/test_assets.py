"""Static files: bundled, compressed, kept for a year under an address with a version in it."""

import gzip

import brotli
import pytest

from clinic import assets


@pytest.fixture
def address(app):
    with app.test_request_context():
        yield assets.asset


def test_one_stylesheet_holds_all(client, address):
    text = client.get(address("css/app.css")).text
    assert "@layer tabler" in text
    assert "--needs-supervisor" in text
    assert "@import" not in text


def test_one_script_holds_all_that_neither_imports_nor_exports(client, address):
    text = client.get(address("js/app.js")).text
    assert "showModal" in text
    assert 'import "./keys.js"' not in text


@pytest.mark.parametrize(("encoding", "decode"), [("br", brotli.decompress), ("gzip", gzip.decompress)])
def test_it_is_compressed_as_the_browser_asks(client, address, encoding, decode):
    plain = client.get(address("css/app.css")).data
    answer = client.get(address("css/app.css"), headers={"Accept-Encoding": encoding})
    assert answer.headers["Content-Encoding"] == encoding
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert decode(answer.data) == plain


def test_it_is_kept_for_a_year_only_under_a_versioned_address(client, address):
    assert "immutable" in client.get(address("icon.svg")).headers["Cache-Control"]
    plain = client.get("/static/icon.svg")
    assert plain.headers["Cache-Control"] == "no-cache"
    assert client.get("/static/icon.svg", headers={"If-None-Match": plain.headers["ETag"]}).status_code == 304


@pytest.mark.parametrize("path", ["nothing.css", "../config.py", "v000000000000/../../config.py", "css", ""])
def test_nothing_else_is_served(client, path):
    assert client.get(f"/static/{path}").status_code == 404


def test_a_page_of_an_older_version_still_finds_its_files(client):
    assert client.get("/static/v000000000000/js/app.js").status_code == 200
