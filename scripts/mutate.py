"""Take away one check of who may do what at a time, and see that the tests notice each.

`python scripts/mutate.py [--share N --seed S] [--of WORD]`: every mutant, or N of them drawn by S, or those of files with this word in
their path. Prints survivors; exits 1 when there are any.
A mutant is one check switched off: a refusal of access.py, a condition of a session's validity, the form's origin, a viewer's
condition in a query, a view's permission, or a rule on the actor in an operation.

All are judged in one process, whose functions change: starting pytest for each takes longer than the tests that notice it. The test
that noticed one is run once more without it, and must be green.
"""

import argparse
import ast
import copy
import dataclasses
import importlib
import inspect
import os
import random
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from types import CodeType

import pytest
from _pytest.runner import runtestprotocol

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

SUITE = ("tests/conventions", "tests/queries", "tests/routes", "tests/operations")
# Asked first: the test that reads the permission of each view, and those of the scope.
VIEWS = ["tests/conventions/test_access.py"]
SCOPE = ["tests/conventions/test_access.py", "tests/queries/test_scope.py"]
# Modules after which no test is named, or whose conditions are held by the tests of what uses them.
NEAR = {
    "clinic/queries/scope.py": [f"tests/queries/test_{name}.py" for name in ("patients", "queue", "visits", "glass")],
    "clinic/queries/people.py": ["tests/routes/test_account.py"],
    "clinic/queries/sign_offs.py": ["tests/queries/test_chart.py", "tests/routes/test_chart_versions.py"],
    "clinic/operations/sign_off.py": [
        "tests/operations/test_chart_versions.py",
        "tests/routes/test_chart_versions.py",
        "tests/routes/test_chart_approvals.py",
    ],
    "clinic/queries/documents.py": [
        "tests/queries/test_documents.py",
        "tests/operations/test_documents.py",
        "tests/operations/test_purge.py",
    ],
    "clinic/operations/documents.py": ["tests/operations/test_documents.py", "tests/operations/test_purge.py"],
    "clinic/access.py": [f"tests/routes/test_{name}.py" for name in ("auth", "lock", "account", "people")],
    "clinic/security.py": ["tests/routes/test_lock.py", "tests/routes/test_auth.py"],
    "clinic/sessions.py": ["tests/routes/test_lock.py", "tests/routes/test_auth.py"],
}
# Checks that only save work: without them the answer is the same.
EQUIVALENT = {"not token"}  # an empty token is no session's either; this saves the look-up


@dataclass(frozen=True)
class Mutant:
    path: str
    line: int
    what: str
    where: str  # the function, with its class
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
            where = _function_of(tree, node)
            if functions is not None and where not in functions:
                continue
            mutated = copy.deepcopy(tree)
            target = list(ast.walk(mutated))[number]
            change(target)
            source = ast.unparse(ast.fix_missing_locations(mutated))
            yield Mutant(str(path.relative_to(ROOT)), getattr(node, "lineno", 0), what, where, source)


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


def _function_of(tree: ast.Module, node: ast.AST) -> str:
    """The outermost function that holds this node, with its class."""
    for outer in tree.body:
        for function in outer.body if isinstance(outer, ast.ClassDef) else [outer]:
            if isinstance(function, ast.FunctionDef) and node in ast.walk(function):
                return function.name if function is outer else f"{outer.name}.{function.name}"  # type: ignore[attr-defined]
    raise ValueError(f"{ast.unparse(node)} is in no function; say in applied() how to take it away")


@contextmanager
def applied(mutant: Mutant) -> Iterator[None]:
    """The running application with this mutant, for as long as the block lasts."""
    from clinic.access import Permission

    module = importlib.import_module(mutant.path.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
    function = attrgetter(mutant.where)(module)
    if mutant.path.startswith("clinic/blueprints"):
        access = function.access
        assert access.permission is not Permission.USE_ACCOUNT
        function.access = dataclasses.replace(access, permission=Permission.USE_ACCOUNT)
        try:
            yield
        finally:
            function.access = access
        return
    function = inspect.unwrap(function)
    code = function.__code__
    function.__code__ = _code_of(compile(mutant.source, mutant.path, "exec"), mutant.where)
    try:
        yield
    finally:
        function.__code__ = code


def _code_of(module: CodeType, where: str) -> CodeType:
    inside = [each for each in module.co_consts if isinstance(each, CodeType)]
    for code in inside + [each for outer in inside for each in outer.co_consts if isinstance(each, CodeType)]:
        if code.co_qualname == where:
            return code
    raise LookupError(where)


def tests_near(mutant: Mutant) -> list[str]:
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


class Judge:
    """Runs, in the place of pytest's own loop, for each mutant the tests until one of them fails."""

    def __init__(self, chosen: list[Mutant]) -> None:
        self.chosen = chosen
        self.survivors: list[Mutant] = []
        self.void: list[Mutant] = []
        self.took: Counter[str] = Counter()  # seconds, by test
        self.noticed: Counter[str] = Counter()  # mutants, by test

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Each is put to the tests near it; then whichever none of these noticed to all the others."""
        self.items = [item for item in session.items if isinstance(item, pytest.Function)]
        beyond = [mutant for mutant in self.chosen if not self._noticed(mutant, self._near(mutant))]
        for mutant in beyond:
            if not self._noticed(mutant, [item for item in self.items if item not in self._near(mutant)]):
                print(f"SURVIVES: {mutant.path}:{mutant.line} {mutant.what}", flush=True)
                self.survivors.append(mutant)
        return True

    def _noticed(self, mutant: Mutant, items: list[pytest.Function]) -> bool:
        """Whether one of these tests fails with the mutant, those first that have noticed most, and of these the quickest."""
        items.sort(key=lambda item: (-self.noticed[item.nodeid], self.took[item.nodeid]))
        with applied(mutant):
            item = self._first_red(items)
        if item is None:
            return False
        said = f"killed by {item.nodeid}"
        if self._first_red([item]):
            said = f"VOID: {item.nodeid} is red without it as well"
            self.void.append(mutant)
        self.noticed[item.nodeid] += 1
        print(
            f"{self.noticed.total()}/{len(self.chosen)} {mutant.path}:{mutant.line} {mutant.what}: {said}", flush=True
        )
        return True

    def _near(self, mutant: Mutant) -> list[pytest.Function]:
        files = VIEWS if mutant.path.startswith("clinic/blueprints") else [*tests_near(mutant), *SCOPE]
        return [item for item in self.items if item.nodeid.partition("::")[0] in files]

    def _first_red(self, items: Iterable[pytest.Function]) -> pytest.Function | None:
        for item in items:
            item.session._setupstate.teardown_exact(item)  # of the module before
            reports = runtestprotocol(item, log=False, nextitem=item.parent)
            self.took[item.nodeid] = sum(report.duration for report in reports)
            if any(report.failed for report in reports):
                return item
        return None


def main() -> None:
    parser = argparse.ArgumentParser(prog="mutate")
    parser.add_argument("--share", type=int, default=0, help="how many mutants; 0 for all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--after", type=int, default=0, help="leave out the first so many")
    parser.add_argument("--of", default="", help="only those of files with this in their path")
    parser.add_argument("--list", action="store_true", help="only name them")
    options = parser.parse_args()
    chosen = [mutant for mutant in mutants() if options.of in mutant.path]
    total = len(chosen)
    chosen = chosen[options.after :]
    if options.share:
        chosen = random.Random(options.seed).sample(chosen, min(options.share, len(chosen)))
    if options.list:
        for mutant in chosen:
            print(f"{mutant.path}:{mutant.line} {mutant.what}")
        return
    judge = Judge(chosen)
    os.chdir(ROOT)
    options_of_pytest = ["-q", "-s", "-p", "no:randomly", "-p", "no:cacheprovider"]
    quick = ["-m", "not slow and not browser and not server and not soak"]
    pytest.main([*options_of_pytest, *quick, *SUITE], plugins=[judge])
    left = judge.survivors + judge.void
    print(f"{len(chosen) - len(left)} of {len(chosen)} mutants killed (of {total} in all, seed {options.seed})")
    sys.exit(1 if left else 0)


if __name__ == "__main__":
    main()
