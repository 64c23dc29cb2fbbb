"""How long patients wait: the page."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from clinic import clock
from clinic.blueprints.waits.chart import chart_of
from clinic.extensions import db
from clinic.models import AuditEvent, Stage
from clinic.queries.waits import Waits
from tests.scene import put_in_queue
from tests.trail import ACTS


def waited(world, patient: str, minutes: int, *, days_ago: int = 0) -> None:
    """The patient waited so long, from ten o'clock on that day."""
    begin = clock.start_of(clock.today() - timedelta(days=days_ago)) + timedelta(hours=10)
    entry = put_in_queue(world, patient, Stage.WAITING, at=begin)
    entry.ended_at = begin + timedelta(minutes=minutes)
    db.session.commit()


def row(hour: int | None, median: int, p90: int, *, count: int = 3) -> Waits:
    return Waits(Stage.WAITING, 1, "Restorative", hour, count, float(median), median, p90)


def test_it_shows_chart_and_tables(context, world, browser_of):
    for minutes in (10, 20, 60):
        waited(world, "fernando", minutes)
    page = browser_of("ruwan").get("/waits").text
    assert "<svg" in page
    assert "style=" not in page
    cells = [re.sub(r"<.*?>", " ", line).split() for line in page.splitlines() if '<th scope="row">' in line]
    assert cells == [
        ["Waiting", "Restorative", "3", "30", "min", "20", "min", "1", "h", "00", "min"],
        ["10:00", "Restorative", "3", "30", "min", "20", "min", "1", "h", "00", "min"],
    ]


def test_it_says_when_there_is_nothing(context, browser_of):
    page = browser_of("ruwan").get("/waits")
    assert page.status_code == 200
    assert "No waits on these days" in page.text


def test_days_stage_and_department_are_chosen(context, world, browser_of):
    waited(world, "fernando", 10, days_ago=3)
    waited(world, "wu", 20)
    ruwan, today = browser_of("ruwan"), clock.today()
    page = ruwan.get(f"/waits?from={today}&to={today}&stage=waiting&department=0").text
    assert '<th scope="row">Waiting</th><td>Orthodontics</td>' in page
    assert "<td>Restorative</td>" not in page
    where = world.departments["restorative"]
    page = ruwan.get(f"/waits?from={today - timedelta(days=3)}&to={today}&stage=called&department={where}").text
    assert "<td>Restorative</td>" in page
    assert "<td>Orthodontics</td>" not in page
    assert "<svg viewBox" not in page  # nobody was called


def test_a_supervisor_sees_their_own_department(context, world, browser_of):
    waited(world, "fernando", 10)
    waited(world, "wu", 20)
    page = browser_of("silva").get("/waits").text
    assert "<td>Restorative</td>" in page
    assert "Orthodontics" not in page
    other = f"from={clock.today()}&to={clock.today()}&department={world.departments['orthodontics']}"
    assert "<td>Orthodontics</td>" not in browser_of("silva").get(f"/waits?{other}").text


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("from=2026-03-05&to=2026-03-01", "The last day is before the first"),
        ("from=2020-01-01&to=2026-03-01", "at most a year"),
        ("from=yesterday&to=2026-03-01", "Choose a day"),
        ("from=&to=", "Give a day as year-month-day"),
        ("stage=done", "Choose one from the list"),
        ("department=x", "Choose one from the list"),
        ("from=0001-01-01&to=0001-01-01", "Choose a day after"),
        ("from=9999-12-31&to=9999-12-31", "Choose a day up to"),
    ],
)
def test_what_cannot_be_shown_is_refused(context, browser_of, wrong, says):
    query = {"from": str(clock.today()), "to": str(clock.today())} | dict(part.split("=") for part in wrong.split("&"))
    answer = browser_of("ruwan").get("/waits", query_string=query)
    assert answer.status_code == 422
    assert says in answer.text


def test_students_have_no_such_page(context, browser_of):
    assert browser_of("kamal").get("/waits").status_code == 403


def test_an_administrator_may_look(context, world, browser_of):
    waited(world, "fernando", 10)
    page = browser_of("adel").get("/waits").text
    assert "<td>Restorative</td>" in page
    assert "Fernando" not in page


def test_reading_writes_nothing(context, browser_of):
    before = db.session.scalar(select(func.count(AuditEvent.id)).where(ACTS))
    browser_of("ruwan").get("/waits")
    assert db.session.scalar(select(func.count(AuditEvent.id)).where(ACTS)) == before


def test_a_chart_is_to_scale():
    chart = chart_of("Restorative", [row(8, 600, 1200), row(10, 1200, 2400)])
    first, last = chart.bars
    assert (first.hour, last.hour) == ("8", "10")
    assert (first.median, first.p90, last.median, last.p90) == ("10", "20", "20", "40")
    assert last.height == pytest.approx(2 * first.height, abs=0.2)
    assert chart.base - last.line_y == pytest.approx(2 * last.height, abs=0.2)
    assert last.x - first.x == pytest.approx(2 * last.width / 0.7, abs=0.2)  # nine o'clock stays free
    assert all(bar.x >= 0 and bar.x + bar.width <= chart.width and bar.line_y >= 16 for bar in chart.bars)


def test_a_chart_of_no_time_at_all_can_be_drawn():
    chart = chart_of("Restorative", [row(hour, 0, 0) for hour in range(24)])
    assert len(chart.bars) == 24
    assert chart.bars[-1].x + chart.bars[-1].width <= chart.width


def test_short_waits_keep_a_decimal():
    (bar,) = chart_of("Restorative", [row(9, 90, 120)]).bars
    assert (bar.median, bar.p90) == ("1.5", "2")


@pytest.mark.parametrize(("median", "p90", "where"), [(600, 600, ""), (600, 660, "inside"), (600, 2400, "above")])
def test_the_two_labels_of_a_bar_never_touch(median, p90, where):
    (bar,) = chart_of("Restorative", [row(9, median, p90)]).bars
    assert bar.where == where
