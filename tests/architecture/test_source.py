"""What no file of the package may hold: forbidden calls, bare prefixes, empty names, undocumented public things."""

from __future__ import annotations

import ast
import re

import pytest

from tests.architecture.source import PACKAGE, Module, modules

MODULES = modules()
EACH = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)

FORBIDDEN_NAMES = {"utils", "util", "common", "helpers", "helper", "base", "types", "manager", "misc", "stuff", "core"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "input"}
FORBIDDEN_MODULES = {"pickle", "marshal", "shelve", "yaml", "random"}
CLOCKS = {("time", "time"), ("datetime", "now"), ("datetime", "utcnow"), ("date", "today")}

#: a number that scales is a prefix in disguise; alone (a bound, a tolerance) it is not
_SCALE = (
    r"(?:1(?:\.0*)?e[-+]?0?(?:3|6|9|12|15)|1_?000(?:_?000)*(?:\.0*)?|1024(?:\.0*)?"
    r"|2(?:\.0*)?\s*\*\*\s*(?:10|20|30|40|50))(?![\w.])"
)
PREFIX = re.compile(rf"[*/]\s*{_SCALE}|(?<![\w.*]){_SCALE}\s*[*/]")

#: ``left <= 1e-9 * right`` compares within a share, and scales nothing
TOLERANCE = re.compile(r"[<>]=?\s*1e-\d+\s*\*")

#: places that may hold such a number: the prefixes themselves, and the engine's tick
PREFIX_HOMES = {"simulator.foundation.units", "simulator.engine.clock"}


@EACH
def test_no_file_or_folder_has_a_name_that_means_nothing(module: Module) -> None:
    empty = FORBIDDEN_NAMES & set(module.name.split("."))
    assert not empty, f"{module.shown}: {empty} says nothing; code that finds no room means an idea is missing"


@EACH
def test_nothing_is_evaluated_or_unpickled(module: Module) -> None:
    found = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FORBIDDEN_CALLS:
            found.append(f"{module.shown}:{node.lineno} calls {node.func.id}()")
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [str(node.module)] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            wrong = [name for name in names if name.split(".")[0] in FORBIDDEN_MODULES]
            found += [f"{module.shown}:{node.lineno} imports {name}" for name in wrong]
    assert not found, "\n".join(found)


@EACH
def test_no_handler_catches_everything(module: Module) -> None:
    """``except BaseException`` may stand where the handler ends with a bare ``raise``: it tidies up, hides nothing."""
    found = []
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.ExceptHandler):
            continue
        named = ast.walk(node.type) if node.type else []
        caught = {name.id for name in named if isinstance(name, ast.Name)} or {"everything"}
        passes_on = isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None
        if caught & {"Exception", "everything"} or ("BaseException" in caught and not passes_on):
            found.append(f"{module.shown}:{node.lineno} catches {', '.join(sorted(caught))}; name what can go wrong")
    assert not found, "\n".join(found)


@EACH
def test_no_result_looks_at_the_wall_clock(module: Module) -> None:
    found = [
        f"{module.shown}:{node.lineno} reads {node.value.id}.{node.attr}"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and (node.value.id, node.attr) in CLOCKS
    ]
    assert not found, "\n".join(found)


@EACH
def test_nothing_is_printed_outside_the_printer(module: Module) -> None:
    if module.name == "simulator.cli.output":
        return
    found = [
        f"{module.shown}:{node.lineno} prints; use simulator.cli.output"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert not found, "\n".join(found)


def code_lines(module: Module) -> list[tuple[int, str]]:
    """Return the lines without comments and without the lines of any text constant."""
    texts: set[int] = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.end_lineno is not None:
            texts |= set(range(node.lineno, node.end_lineno + 1))
    lines = enumerate(module.text.splitlines(), start=1)
    return [(number, line.split("#")[0]) for number, line in lines if number not in texts]


@EACH
def test_prefixes_are_imported_from_units(module: Module) -> None:
    if module.name in PREFIX_HOMES:
        return
    raw = [
        f"{module.shown}:{number} {line.strip()}"
        for number, line in code_lines(module)
        if PREFIX.search(TOLERANCE.sub("<", line))
    ]
    assert not raw, "import KILO, GIGA, GIBI, ... from simulator.foundation.units:\n" + "\n".join(raw)


@EACH
def test_public_things_are_documented(module: Module) -> None:
    """A method of a class that has a parent is documented where its contract is: by the parent."""
    found = [] if ast.get_docstring(module.tree) else [f"{module.shown} has no docstring"]
    classes = [node for node in module.tree.body if isinstance(node, ast.ClassDef)]
    for parent in [module.tree, *(node for node in classes if node.name[0] != "_" and not node.bases)]:
        for node in parent.body:
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) or node.name.startswith("_"):
                continue
            if not ast.get_docstring(node):
                found.append(f"{module.shown}:{node.lineno} {node.name} has no docstring")
    assert not found, "\n".join(found)


@EACH
def test_no_work_is_left_marked(module: Module) -> None:
    marks = [
        f"{module.shown}:{number} {line.strip()}"
        for number, line in enumerate(module.text.splitlines(), start=1)
        if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line) or "NotImplementedError" in line
    ]
    assert not marks, "\n".join(marks)


def test_every_folder_is_a_package_with_a_docstring() -> None:
    bare = []
    for folder in sorted({path.parent for path in PACKAGE.rglob("*.py") if "_data" not in path.parts}):
        start = folder / "__init__.py"
        if not start.is_file() or not ast.get_docstring(ast.parse(start.read_text(encoding="utf-8"))):
            bare.append(str(folder.relative_to(PACKAGE.parent)))
    assert not bare, f"without a docstring in __init__.py: {', '.join(bare)}"
