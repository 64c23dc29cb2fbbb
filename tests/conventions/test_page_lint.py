"""The lint itself: each rule finds what it is there to find."""

import pytest

from tests.page import lint

PAGE = """<!doctype html><html lang="en"><head><title>Today · Chairside</title></head>
<body><main id="main"><h1>Today</h1>{}</main></body></html>"""
TOKENS = '<input type="hidden" name="csrf_token" value="x"><input type="hidden" name="once" value="y">'


def test_a_good_page_has_no_fault():
    body = f'<form method="post" action="/a" hx-post="/a">{TOKENS}<label for="n">Name</label><input id="n"></form>'
    assert lint(PAGE.format(body)) == ()


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("<div><p>open</div></p>", "does not parse"),
        ("<h1>Again</h1>", "2 h1"),
        ('<p id="a"></p><p id="a"></p>', "2 times"),
        ('<p style="color:red">x</p>', "style="),
        ('<p onclick="x()">x</p>', "onclick="),
        ('<p hx-on:click="x()">x</p>', "hx-on"),
        ("<script>x()</script>", "without src"),
        ('<a href="javascript:x()">x</a>', "script in href"),
        ('<input id="n">', "no label"),
        ('<p title="None">x</p>', "leave the attribute out"),
        ("<button><svg></svg></button>", "no name"),
        ('<img src="/x">', "no alt"),
        ('<p aria-describedby="gone">x</p>', "#gone"),
        ('<p hx-get="/x" hx-target="#gone">x</p>', "#gone"),
        ('<label for="gone">x</label>', "#gone"),
        ('<p hx-gte="/x">x</p>', "hx-gte"),
        ('<p hx-get="/x" hx-trigger="click[ctrlKey]">x</p>', "filters"),
        (f'<form method="post" action="/a" hx-post="/b">{TOKENS}</form>', "not its action"),
        ('<button hx-post="/b">x</button>', "no <form"),
        ('<form method="post" action="/a"><input type="hidden" name="once"></form>', "0 csrf_token"),
        ('<form method="post" action="/a"><input type="hidden" name="csrf_token"></form>', "0 once"),
        (f'<form method="post" action="/a">{TOKENS}{TOKENS}</form>', "2 csrf_token"),
        ('<div id="r" hx-get="/r" hx-trigger="queue:changed from:body"><a href="/x">x</a></div>', "needs an id"),
        (
            '<div id="r" hx-get="/r" hx-trigger="queue:changed from:body"><input id="n" aria-label="n"></div>',
            "typed in",
        ),
    ],
)
def test_each_fault_is_found(body, fault):
    assert any(fault in found for found in lint(PAGE.format(body))), lint(PAGE.format(body))


def test_the_title_begins_with_the_heading():
    assert any("does not begin" in found for found in lint(PAGE.format("").replace("<title>Today", "<title>Tomorrow")))


def test_a_fragment_has_one_root_with_an_id():
    assert lint('<tr id="row-1"><td>x</td></tr>') == ()
    assert any("no id" in found for found in lint("<div>x</div>"))
    assert any("one root" in found for found in lint('<p id="a">x</p><p id="b">y</p>'))
