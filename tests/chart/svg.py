"""The picture of a drawing, as the application makes it, without an application."""

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from clinic.chart.drawing import Drawing
from clinic.chart.key import key_of
from clinic.rendering import tooth_svg

TEMPLATES = Path(__file__).resolve().parents[2] / "clinic" / "templates"


@cache
def environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=select_autoescape(),
    )
    made.globals.update(key_of=key_of, tooth_svg=tooth_svg)
    return made


def svg_of(drawing: Drawing) -> str:
    return environment().get_template("chart/_chart.svg.jinja").render(drawing=drawing).strip()


def key_html(drawing: Drawing, whole: bool = False) -> str:
    return environment().get_template("chart/_key.html").render(drawing=drawing, whole=whole)
