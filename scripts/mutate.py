"""Take away one check of who may do what at a time, and see that the tests notice each.

`python scripts/mutate.py [--share N --seed S]`: every mutant, or N of them drawn by S. Prints survivors; exits 1 when there are any.
A mutant is one check switched off: a refusal of access.py, a condition of a session's validity, the form's origin, a viewer's
condition in a query, a view's permission, or a rule on the actor in an operation.
"""

import argparse
import ast
import copy
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

# In turns, the quickest to notice first: collecting thousands of tests takes longer than running these few. Before them come those
# that bear the mutated module's name; of a view first of all the test that reads the permission of each.
VIEWS = ["tests/conventions/test_access.py"]
TURNS = (
    ["tests/conventions/test_access.py", "tests/queries/test_scope.py"],
    ["tests/queries", "tests/routes", "tests/operations"],
    ["tests/conventions"],
)
# Modules after which no test is named.
NEAR = {
    "clinic/access.py": ["tests/routes/test_auth.py", "tests/routes/test_lock.py", "tests/routes/test_account.py"],
    "clinic/security.py": ["tests/routes/test_auth.py", "tests/routes/test_errors.py"],
    "clinic/sessions.py": ["tests/routes/test_lock.py", "tests/routes/test_auth.py"],
}
COPIED = (
    "clinic",
    "tests",
    "migrations",
    "scripts",
    "docs",
    "pyproject.toml",
    "wsgi.py",
    "gunicorn.conf.py",
    "Makefile",
)
LINKED = ("node_modules",)
# Checks that only save work: without them the answer is the same.
EQUIVALENT = {"not token"}  # an empty token is no session's either; this saves the look-up


@dataclass(frozen=True)
class Mutant:
    path: str
    line: int
    what: str
    source: str


def mutants() -> list[Mutant]:
    """Every mutant of the tree, in a fixed order."""
    found: list[Mutant] = []
    for name, functions in (
        ("access.py", {"enforce", "_refusal", "may"}),
        ("security.py", {"check_form_origin"}),
        ("sessions.py", {"_load", "is_locked"}),
    ):
        found += _of_file(ROOT / "clinic" / name, functions)
    for folder in ("queries", "operations", "blueprints"):
        for path in sorted((ROOT / "clinic" / folder).rglob("*.py")):
            found += _of_file(path, None)
    return found


def _of_file(path: Path, functions: set[str] | None) -> Iterator[Mutant]:
    tree = ast.parse(path.read_text())
    layer = path.relative_to(ROOT / "clinic").parts[0]
    for number, node in enumerate(ast.walk(tree)):
        for what, change in _changes(node, layer):
            if functions is not None and not _inside(tree, node, functions):
                continue
            mutated = copy.deepcopy(tree)
            target = list(ast.walk(mutated))[number]
            change(target)
            source = ast.unparse(ast.fix_missing_locations(mutated))
            yield Mutant(str(path.relative_to(ROOT)), getattr(node, "lineno", 0), what, source)


def _changes(node: ast.AST, layer: str):  # type: ignore[no-untyped-def]
    """What can be switched off at this node: pairs of a description and a function that does it to a copy."""
    if layer in ("access.py", "security.py", "sessions.py"):
        if isinstance(node, ast.If) and (_refuses(node) or layer == "sessions.py"):
            if isinstance(node.test, ast.BoolOp) and isinstance(node.test.op, ast.Or):
                for place, operand in enumerate(node.test.values):
                    if "is None" not in ast.unparse(operand):
                        yield f"never: {ast.unparse(operand)}", _drop_operand(place)
            elif ast.unparse(node.test) not in EQUIVALENT:
                yield f"never: {ast.unparse(node.test)}", _never
    elif layer == "queries":
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("where", "filter")
        ):
            for place, argument in enumerate(node.args):
                text = ast.unparse(argument)
                if any(word in text for word in ("viewer", "may_see", "is_running", "_of_department")):
                    yield f"no condition: {text[:90]}", _drop_argument(place)
    elif layer == "operations":
        if isinstance(node, ast.If) and "actor" in ast.unparse(node.test) and _refuses(node):
            yield f"never: {ast.unparse(node.test)[:90]}", _never
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "requires":
        permission = ast.unparse(node.args[0])
        if not permission.endswith("USE_ACCOUNT"):
            yield f"anyone signed in: {permission}", _anyone


def _refuses(node: ast.If) -> bool:
    """Whether its body is a refusal; `return None` of a guard is not."""
    last = node.body[-1]
    return isinstance(last, ast.Raise) or (
        isinstance(last, ast.Return) and ast.unparse(last) not in ("return", "return None")
    )


def _never(node: ast.If) -> None:
    node.test = ast.Constant(False)


def _drop_operand(place: int):  # type: ignore[no-untyped-def]
    def change(node: ast.If) -> None:
        assert isinstance(node.test, ast.BoolOp)
        node.test.values[place] = ast.Constant(False)

    return change


def _drop_argument(place: int):  # type: ignore[no-untyped-def]
    def change(node: ast.Call) -> None:
        del node.args[place]

    return change


def _anyone(node: ast.Call) -> None:
    node.args[0] = ast.parse("Permission.USE_ACCOUNT", mode="eval").body


def _inside(tree: ast.AST, node: ast.AST, functions: set[str]) -> bool:
    return any(
        isinstance(function, ast.FunctionDef) and function.name in functions and node in ast.walk(function)
        for function in ast.walk(tree)
    )


def noticed_by(mutant: Mutant, folder: Path, worker: str) -> str:
    """The first test that fails in a copy of the tree that has this mutant; empty when it survives."""
    path = folder / mutant.path
    original = path.read_text()
    path.write_text(mutant.source)
    first = VIEWS if mutant.path.startswith("clinic/blueprints") else []
    turns = (turn for turn in (first, _near(mutant), *TURNS) if turn)
    try:
        return next((test for turn in turns if (test := _failure(turn, folder, worker))), "")
    finally:
        path.write_text(original)


def _near(mutant: Mutant) -> list[str]:
    """The tests that bear the name of the mutated module, or of its feature."""
    if mutant.path in NEAR:
        return NEAR[mutant.path]
    path = Path(mutant.path)
    name = path.parent.name if path.stem == "routes" else path.stem
    folders = ("queries", "routes", "operations")
    return [
        str(found.relative_to(ROOT))
        for each in folders
        for found in sorted(ROOT.glob(f"tests/{each}/test_*{name}*.py"))
    ]


def _unchanged() -> Mutant:
    """No mutant at all, written as mutants are: with it the tests must be green, or their being red proves nothing."""
    path = "clinic/access.py"
    return Mutant(path, 0, "nothing", ast.unparse(ast.parse((ROOT / path).read_text())))


def _failure(tests: list[str], folder: Path, worker: str) -> str:
    """The first of these tests that fails; empty when they are green, or all of them are among the slow ones."""
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", *tests]
        + ["-m", "not slow and not browser and not server and not soak", "--timeout", "1800"],
        cwd=folder,
        env=os.environ | {"PYTEST_XDIST_WORKER": worker},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        timeout=7200,  # that the machine is busy must notice nothing
    )
    if run.returncode in (0, pytest.ExitCode.NO_TESTS_COLLECTED):
        return ""
    named = re.search(r"^(?:FAILED|ERROR) (\S+)", run.stdout, re.MULTILINE)
    return named[1] if named else f"pytest ended with {run.returncode}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="mutate")
    parser.add_argument("--share", type=int, default=0, help="how many mutants; 0 for all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--after", type=int, default=0, help="go on after the first so many")
    parser.add_argument("--list", action="store_true", help="only name them")
    options = parser.parse_args()
    chosen = mutants()
    total = len(chosen)
    chosen = chosen[options.after :]
    if options.share:
        chosen = random.Random(options.seed).sample(chosen, min(options.share, len(chosen)))
    if options.list:
        for mutant in chosen:
            print(f"{mutant.path}:{mutant.line} {mutant.what}")
        return
    from tests.services import MariaDB

    base = Path(tempfile.mkdtemp(prefix="chairside-mutants-"))
    server = None
    if "CHAIRSIDE_TEST_MARIADB" not in os.environ:
        server = MariaDB(base / "mariadb").start()
        os.environ["CHAIRSIDE_TEST_MARIADB"] = str(server.port)
    copies: SimpleQueue[tuple[str, Path]] = SimpleQueue()
    for number in range(2):
        copies.put((f"mutant{number}", _copy(base / f"copy{number}")))

    def judge(mutant: Mutant) -> tuple[Mutant, str]:
        worker, folder = copies.get()
        try:
            return mutant, noticed_by(mutant, folder, worker)
        finally:
            copies.put((worker, folder))

    survivors = []
    try:
        if not options.after:  # the run that is gone on with has seen to it
            _, red = judge(_unchanged())
            if red:
                sys.exit(f"{red} is red without any mutant; mend it first.")
        with ThreadPoolExecutor(2) as pool:
            for number, (mutant, test) in enumerate(pool.map(judge, chosen), 1 + options.after):
                said = f"killed by {test}" if test else "SURVIVES"
                print(
                    f"{number}/{options.after + len(chosen)} {mutant.path}:{mutant.line} {mutant.what}: {said}",
                    flush=True,
                )
                survivors += [] if test else [mutant]
    finally:
        if server:
            server.stop(kill=True)
        shutil.rmtree(base, ignore_errors=True)
    print(f"{len(chosen) - len(survivors)} of {len(chosen)} mutants killed (of {total} in all, seed {options.seed})")
    sys.exit(1 if survivors else 0)


def _copy(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy(source, folder / name)
    for name in LINKED:
        (folder / name).symlink_to(ROOT / name)
    return folder


if __name__ == "__main__":
    main()
