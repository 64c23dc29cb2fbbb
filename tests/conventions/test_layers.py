"""chart, documents, evaluation, notes, plans (plain) <- models <- queries, operations <- approvals (a seam) <- blueprints <- templates."""

import ast
from pathlib import Path

import pytest

CLINIC = Path(__file__).resolve().parents[2] / "clinic"
# What a layer must not import: inside `clinic` by dotted prefix, outside by package.
FORBIDDEN = {
    "chart": (
        "clinic.models",
        "clinic.queries",
        "clinic.operations",
        "clinic.blueprints",
        "clinic.extensions",
        "flask",
    ),
    "documents": (
        "clinic.models",
        "clinic.queries",
        "clinic.operations",
        "clinic.blueprints",
        "clinic.extensions",
        "flask",
    ),
    "evaluation": (
        "clinic.models",
        "clinic.queries",
        "clinic.operations",
        "clinic.blueprints",
        "clinic.extensions",
        "flask",
    ),
    "notes": (
        "clinic.models",
        "clinic.queries",
        "clinic.operations",
        "clinic.blueprints",
        "clinic.extensions",
        "flask",
    ),
    "plans": (
        "clinic.models",
        "clinic.queries",
        "clinic.operations",
        "clinic.blueprints",
        "clinic.extensions",
        "flask",
    ),
    "models": ("clinic.queries", "clinic.operations", "clinic.blueprints", "clinic.extensions", "flask", "flask_login"),
    "queries": (
        "clinic.operations",
        "clinic.approvals",
        "clinic.blueprints",
        "flask",
        "flask_login",
        "clinic.access",
        "clinic.htmx",
    ),
    "operations": (
        "clinic.blueprints",
        "clinic.approvals",
        "flask",
        "flask_login",
        "clinic.htmx",
        "clinic.once",
        "clinic.sessions",
    ),
    "approvals": ("clinic.blueprints", "flask", "flask_login", "clinic.htmx", "clinic.once", "clinic.sessions"),
}
LAYERED = [(layer, path) for layer in FORBIDDEN for path in sorted((CLINIC / layer).rglob("*.py"))]


def name_of(value: object) -> str:
    return getattr(value, "stem", str(value))


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{name.name}" for name in node.names}
    return found


@pytest.mark.parametrize(("layer", "path"), LAYERED, ids=name_of)
def test_imports_point_one_way(layer, path):
    banned = FORBIDDEN[layer]
    wrong = [name for name in imports_of(path) if any(name == ban or name.startswith(f"{ban}.") for ban in banned)]
    assert not wrong, (
        f"{path.name} is in layer {layer}; it must not import {wrong}. Move the code up, or pass the value in."
    )


@pytest.mark.parametrize(("layer", "path"), LAYERED, ids=name_of)
def test_only_the_web_layer_commits(layer, path):
    lines = [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "commit"
    ]
    assert not lines, (
        f"{path.name}:{lines} commits. Operations flush; the view commits once, by htmx.go_to or htmx.done."
    )


@pytest.mark.parametrize("path", sorted(CLINIC.rglob("*.py")), ids=lambda path: str(path.relative_to(CLINIC)))
def test_only_the_clock_asks_for_the_time(path):
    if path.name == "clock.py" or "printing" in path.parts:
        return
    wrong = [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and node.attr in ("utcnow", "now", "today")
        and ast.unparse(node.value) in ("datetime", "date", "datetime.datetime", "datetime.date")
    ]
    assert not wrong, f"{path.name}:{wrong} asks for the time. Use clinic.clock.now() or clinic.clock.today()."


@pytest.mark.parametrize("path", sorted((CLINIC / "blueprints").rglob("routes.py")), ids=lambda path: path.parent.name)
def test_views_hold_no_queries(path):
    banned = {f"sqlalchemy.{verb}" for verb in ("select", "update", "insert", "delete")}
    wrong = imports_of(path) & banned
    assert not wrong, (
        f"{path.parent.name}/routes.py imports {wrong}. Reads go to clinic/queries, writes to clinic/operations."
    )
