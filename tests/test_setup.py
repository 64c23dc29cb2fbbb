"""The set-up and the image install the same from the same lists, and the documents name every variable."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
CONFIG = (ROOT / "clinic" / "config.py").read_text("utf-8")
VARIABLES = set(re.findall(r'(?:needed|secret|number|switch|env\.get)\("([A-Z0-9_]+)"', CONFIG))
SECRETS = ("SECRET_KEY", "AUDIT_KEY", "S3_ACCESS_KEY", "S3_SECRET_KEY", "DATABASE_PASSWORD")

sys.path.insert(0, str(ROOT / "scripts"))
import setup as set_up  # noqa: E402

sys.path.pop(0)


def stage(name: str) -> str:
    """The lines of one stage of the image's recipe."""
    return re.split(r"^FROM ", DOCKERFILE.split(f" AS {name}\n", 1)[1], flags=re.MULTILINE)[0]


def copied(name: str) -> list[str]:
    """What a stage copies from the source tree."""
    lines = re.findall(r"^COPY (?!--from)(.+)$", stage(name), re.MULTILINE)
    return [source for line in lines for source in line.split()[:-1]]


@pytest.mark.parametrize(
    ("name", "path"), [("base", "scripts/apt-packages.txt"), ("tests", "scripts/apt-packages-test.txt")]
)
def test_the_image_installs_every_debian_package_of_the_set_up(name, path):
    assert path in set_up.APT_LISTS
    assert path in copied(name)
    assert f"{path} | DEBIAN_FRONTEND=noninteractive xargs apt-get install" in stage(name)
    assert set_up.names_in(ROOT / path)


def test_no_debian_list_is_left_out_of_the_image():
    assert set(set_up.APT_LISTS) == {"scripts/apt-packages.txt", "scripts/apt-packages-test.txt"}
    assert {f"scripts/{path.name}" for path in (ROOT / "scripts").glob("apt-*.txt")} == set(set_up.APT_LISTS)


def test_the_image_installs_every_python_and_npm_package_of_the_set_up():
    assert "requirements.lock" in copied("python")
    assert "setup.py --only python\n" in stage("python")
    assert {"requirements-node.lock", "package.json", "package-lock.json"} <= set(copied("frontend"))
    assert "setup.py --only frontend" in stage("frontend")
    assert "setup.py --only python --tests" in stage("tests")
    used = set(re.findall(r'"(requirements[\w-]*\.lock)"', (ROOT / "scripts" / "setup.py").read_text("utf-8")))
    assert used == {"requirements.lock", "requirements-dev.lock", "requirements-node.lock"}
    assert {path.name for path in ROOT.glob("requirements*.lock")} == used


def test_the_image_installs_nothing_the_lists_do_not_name():
    assert not re.search(r"pip install|npm (ci|install)|curl|wget", DOCKERFILE)
    assert re.findall(r"apt-get install\s+-y --no-install-recommends\s+(\S+)", DOCKERFILE) == ["&&", "&&"]


def test_every_locked_package_has_hashes_and_no_index():
    for lock in ROOT.glob("requirements*.lock"):
        text = lock.read_text("utf-8")
        assert "://" not in text
        for name, rest in re.findall(r"^([a-z0-9][\w.-]*)==(.*(?:\n +--hash.*)*)", text, re.MULTILINE):
            assert "--hash=sha256:" in rest, f"{lock.name}: {name} has no hash"


def test_the_tests_packages_include_the_applications_in_the_same_versions():
    pins = [set(re.findall(r"^([\w.-]+==\S+)", (ROOT / name).read_text("utf-8"), re.MULTILINE))
            for name in ("requirements.lock", "requirements-dev.lock")]  # fmt: skip
    assert pins[0] <= pins[1]


def test_the_image_holds_all_that_the_application_needs(tmp_path):
    """The files that the last stage copies, and no others, serve a page."""
    for source in copied("app"):
        target = tmp_path / source
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(ROOT / source, target)
    environment = {
        "PATH": os.environ["PATH"],
        "CHAIRSIDE_MODE": "test",
        "DATABASE_URL": f"sqlite:///{tmp_path}/clinic.sqlite",
        "SECRET_KEY": "q7Zk1vR9sN4xB8mW2cJ6tY0hL5pD3gFa",
        "AUDIT_KEY": "H2nV8kT5wQ1rX9zC4mB7jL0yP6sD3gFe",
        "S3_ENDPOINT": "http://127.0.0.1:1",
        "S3_BUCKET": "files",
        "S3_ACCESS_KEY": "b1946ac92492d234",
        "S3_SECRET_KEY": "591785b794601e21",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    flask = [Path(sys.executable).parent / "flask", "--app", "wsgi"]
    subprocess.run([*flask, "db", "upgrade"], cwd=tmp_path, env=environment, check=True, capture_output=True)
    page = "import wsgi; a = wsgi.app.test_client().get('/sign-in'); assert a.status_code == 200, a.status_code"
    subprocess.run([sys.executable, "-c", page], cwd=tmp_path, env=environment, check=True)
    for needed in ("scripts/run.py", "clinic/printing/renderer.py", "gunicorn.conf.py"):
        assert (tmp_path / needed).is_file()


def test_the_image_serves_without_root_under_tini_with_a_health_check():
    lines = stage("app")
    assert re.search(r"^USER (?!root)\w+", lines, re.MULTILINE)
    assert lines.index("USER ") < lines.index("ENTRYPOINT")
    assert 'ENTRYPOINT ["tini", "--"]' in lines
    assert "HEALTHCHECK" in lines
    assert "/healthz" in lines


def test_no_secret_has_a_default_in_the_compose_file():
    text = (ROOT / "compose.yaml").read_text("utf-8")
    for name in SECRETS:
        uses = re.findall(rf"\$\{{{name}([^}}]*)\}}", text)
        assert uses, name
        assert all(rest.startswith(":?") for rest in uses), f"{name} must have no default in compose.yaml"


def test_compose_and_render_set_what_must_be_set():
    must = set(re.findall(r'(?:needed|secret)\("([A-Z0-9_]+)"', CONFIG)) | {"TRUSTED_HOSTS"}
    for path in ("compose.yaml", "render.yaml"):
        text = (ROOT / path).read_text("utf-8")
        assert {name for name in must if name not in text} == set(), path


def test_the_operations_page_names_every_variable():
    text = (ROOT / "docs" / "operations.md").read_text("utf-8")
    assert {name for name in VARIABLES if f"`{name}`" not in text} == set()


def test_the_landing_script_needs_nothing_done_by_hand():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "install -y -qq --no-install-recommends make" in script.read_text("utf-8")
    assert "make test" in script.read_text("utf-8")


def test_every_word_of_make_help_is_a_target():
    said = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    words = re.findall(r"make ([a-z-]+)", said)
    assert {"run", "test", "check", "reset", "soak", "bench", "screenshots", "help"} <= set(words)


def test_without_root_one_sentence_names_what_to_install(monkeypatch):
    monkeypatch.setattr(set_up, "missing_packages", lambda wanted: ["chromium", "tini"])
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SystemExit) as refused:
        set_up.system_packages()
    assert str(refused.value).splitlines() == [str(refused.value)]
    assert "apt-get install -y --no-install-recommends chromium tini" in str(refused.value)
