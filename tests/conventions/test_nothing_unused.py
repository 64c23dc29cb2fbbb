"""What is declared is used: settings, permissions, templates, stylesheets, classes, scripts, icons. What nobody uses is taken out."""

import re
from pathlib import Path

import pytest

from clinic import settings
from clinic.access import Permission
from clinic.config import Config

CLINIC = Path(__file__).parents[2] / "clinic"
STATIC = CLINIC / "static"
TEMPLATES = CLINIC / "templates"
CODE = {path: path.read_text("utf-8") for path in CLINIC.rglob("*.py")}
PAGES = {path: path.read_text("utf-8") for path in TEMPLATES.rglob("*.*")}
STYLES = {path: path.read_text("utf-8") for path in (STATIC / "css").rglob("*.css")}
SCRIPTS = {path: path.read_text("utf-8") for path in (STATIC / "js").rglob("*.js")}

# Declared ahead of what uses it. Whoever builds that takes its name out; empty when nothing is under way.
COMING: set[str] = set()


def text_of(*kinds: dict[Path, str], but: Path | None = None) -> str:
    return "\n".join(text for kind in kinds for path, text in kind.items() if path != but)


@pytest.mark.parametrize("name", settings.DECLARED)
def test_every_setting_is_read(name):
    read = re.compile(rf'(settings\.read|\bsetting)\(\s*"{name}"')
    found = read.search(text_of(CODE, PAGES)) is not None
    assert found is not (name in COMING), f"nobody reads the setting {name}: take it out of clinic/settings.py"


@pytest.mark.parametrize("name", list(Config.__dataclass_fields__))
def test_every_field_of_the_configuration_is_read(name):
    others = text_of(CODE, but=CLINIC / "config.py") + (CLINIC.parent / "gunicorn.conf.py").read_text("utf-8")
    inside = re.search(rf"\bself\.{name}\b", CODE[CLINIC / "config.py"])
    found = bool(inside or re.search(rf"\.{name}\b", others))
    assert found, f"nobody reads {name}: take it out of clinic/config.py"


@pytest.mark.parametrize("permission", Permission, ids=lambda permission: permission.name)
def test_every_permission_opens_something(app, permission):
    needed = {
        view.access.permission for view in app.view_functions.values() if getattr(view, "access", None) is not None
    }
    assert (permission in needed) is not (permission.name in COMING), (
        f"no page or act requires {permission.name}: take it out of clinic/access.py"
    )


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(TEMPLATES).as_posix())
def test_every_template_is_drawn(path):
    name = path.relative_to(TEMPLATES).as_posix()
    found = f'"{name}"' in text_of(CODE, PAGES, but=path)
    assert found is not (name in COMING), (
        f"nothing draws, includes or extends {name}: delete it; or take it out of COMING"
    )


@pytest.mark.parametrize("path", STYLES, ids=lambda path: path.name)
def test_every_stylesheet_is_linked(path):
    found = path.name in text_of(STYLES, PAGES, but=path)
    assert found, f"no page and no stylesheet brings {path.name}: delete it"


@pytest.mark.parametrize("path", STYLES, ids=lambda path: path.name)
def test_every_class_of_a_stylesheet_is_worn(path):
    """Tones are put together (`is-{{ tone }}`): of those the tone's own word is looked for. htmx gives its own classes."""
    bare = re.sub(r'/\*.*?\*/|"[^"]*"|url\([^)]*\)', "", STYLES[path], flags=re.DOTALL)
    names = {name for name in re.findall(r"\.([a-zA-Z][\w-]*)", bare) if not name.startswith("htmx-")}
    worn = text_of(CODE, PAGES, SCRIPTS)
    idle = {name for name in names if not re.search(rf"(?<![\w-]){name.removeprefix('is-')}(?![\w-])", worn)}
    assert not idle, f"nothing on a page has the classes {idle}: take their rules out of {path.name}"


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_every_script_is_loaded(path):
    found = path.name in text_of(SCRIPTS, PAGES, but=path)
    assert found, f"no page and no script loads {path.name}: delete it"


@pytest.mark.parametrize("name", (STATIC / "icons.txt").read_text("utf-8").split())
def test_every_icon_is_drawn(name):
    found = re.search(rf"""["'#]{name}["']""", text_of(CODE, PAGES, SCRIPTS)) is not None
    assert found, f"nobody draws the icon {name}: take it out of icons.txt"
