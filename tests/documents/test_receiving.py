"""A body is read in large pieces while it comes quickly, in small ones over a slow line."""

import pytest

from clinic.blueprints.documents import receiving
from clinic.blueprints.documents.receiving import QUICK, SLOW, _AsItComes
from clinic.way import Way


def test_what_comes_slowly_is_passed_on_soon(monkeypatch):
    clock, asked = [0.0], []

    class Line:
        a_second = 10**9

        def read(self, size: int) -> bytes:
            asked.append(size)
            clock[0] += size / self.a_second
            return bytes(size)

    monkeypatch.setattr(receiving.time, "monotonic", lambda: clock[0])
    line = Line()
    body = _AsItComes(line, Way())
    for line.a_second in (10**9, 10**9, 1000, 1000, 1000, 10**9, 10**9):
        assert len(body.read(QUICK)) == asked[-1]
    assert asked == [SLOW, QUICK, QUICK, SLOW, SLOW, SLOW, QUICK]
    assert body.read(10) == bytes(10)


def test_a_small_form_is_read_as_ever(app):
    with app.test_request_context(method="POST", data={"a": "1"}, content_type="multipart/form-data") as context:
        context.request.form_data_parser_class = receiving._LargeForms
        assert context.request.form["a"] == "1"


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=ä"])
def test_a_form_without_a_boundary_holds_nothing(app, kind):
    with app.test_request_context(method="POST", data=b"--x\r\n", content_type=kind) as context:
        context.request.form_data_parser_class = receiving._LargeForms
        assert not context.request.form
