"""Who may import whom: a table, held against every import of the package."""

from __future__ import annotations

import ast
import graphlib
import sys

import pytest

from tests.architecture.source import Module, imports, modules

#: rooms from the ground up; rooms of one floor never import each other
FLOORS = (
    ("foundation",),
    ("profiles", "workload"),
    ("topology",),
    ("mapping",),
    ("costs",),
    ("engine",),
    ("results",),
    ("scenario",),
    ("simulation",),
    ("planner",),
    ("validation",),
    ("study",),
    ("cli", "pytest_plugin"),
    ("__main__",),
)

#: third-party package -> the rooms (or dotted places) that may import it
HOMES = {
    "numpy": tuple(room for floor in FLOORS for room in floor),
    "simpy": ("engine",),
    "networkx": ("topology",),
    "pandas": ("results", "validation", "study"),
    "jinja2": ("results",),
    "matplotlib": ("results", "validation", "study"),
    "pydantic": (
        "foundation",
        "profiles",
        "workload.models",
        "scenario",
        "costs",  # files of fitted constants
    ),
    "ruamel": ("foundation", "profiles", "workload.models", "scenario"),
    "pytest": ("pytest_plugin",),
    "typer": ("cli",),
    "rich": ("cli",),
    "scipy": ("results", "planner", "validation"),
    "joblib": ("study",),
    "dask": ("study",),
    "distributed": ("study",),
    "ray": ("study",),
    "numba": ("engine",),
    "llvmlite": ("engine",),  # comes with numba
    "pyarrow": ("results", "mapping.sharding.source_files"),  # Parquet out, and data sets in
    "duckdb": ("results",),
}

MODULES = modules()
NAMES = {module.name for module in MODULES}


def _below(room: str) -> set[str]:
    """Return the rooms on the floors below, and the room itself; the package's own file may name its verbs' rooms."""
    if room == "":
        return {name for floor in FLOORS for name in floor} - {"cli", "pytest_plugin", "__main__"}
    floor = next(level for level, rooms in enumerate(FLOORS) if room in rooms)
    return {room, *(name for rooms in FLOORS[:floor] for name in rooms)}


def _room_of(name: str) -> str:
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and any(known.startswith(f"simulator.{parts[1]}") for known in NAMES) else ""


def _lives_in(module: Module, places: tuple[str, ...]) -> bool:
    inside = module.name.removeprefix("simulator.")
    return any(inside == place or inside.startswith(f"{place}.") for place in places)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_every_room_stands_on_a_floor(module: Module) -> None:
    known = {"", *(room for floor in FLOORS for room in floor)}
    assert module.room in known, f"{module.shown}: {module.room!r} is no room of the house; give it a floor first"


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_no_import_points_upward(module: Module) -> None:
    allowed = _below(module.room)
    upward = [
        f"{module.shown}:{line} {module.room or 'simulator'} imports {name}"
        for line, name in imports(module)
        if name.split(".")[0] == "simulator" and _room_of(name) not in ("", *allowed)
    ]
    assert not upward, "\n".join(upward)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_third_party_packages_stay_in_their_homes(module: Module) -> None:
    strangers = []
    for line, name in imports(module):
        package = name.split(".")[0]
        if package == "simulator" or package in sys.stdlib_module_names:
            continue
        if package not in HOMES:
            strangers.append(f"{module.shown}:{line} {package} has no home; give it one in HOMES")
        elif not _lives_in(module, HOMES[package]):
            strangers.append(f"{module.shown}:{line} {package} lives in {', '.join(HOMES[package])}")
    assert not strangers, "\n".join(strangers)


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {module.name: sorted(_imported_at_start(module)) for module in MODULES}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(f"a circle: {' -> '.join(error.args[1])}")


def _imported_at_start(module: Module) -> set[str]:
    """Return the package's modules that are imported while this one is, without those only for type hints."""
    return {name for name in _names_at_start(module) if name in NAMES and name != module.name}


def _outside_at_start(module: Module) -> set[str]:
    """Return what is imported from outside the package while this module is."""
    return {name for name in _names_at_start(module) if name.split(".")[0] != "simulator"}


def _names_at_start(module: Module) -> set[str]:
    skipped = {
        id(inner)
        for node in ast.walk(module.tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) or _is_for_types(node)
        for inner in ast.walk(node)
    }
    found = set()
    for node in ast.walk(module.tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name if name in NAMES else str(node.module) for name in names}
    return found


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


@pytest.mark.parametrize("module", [m for m in MODULES if m.room == "cli"], ids=lambda module: module.name)
def test_the_command_line_imports_nothing_slow_at_its_start(module: Module) -> None:
    slow = {"simulator.foundation.schema", "simulator.foundation.yaml_reader"}
    early = {name for name in _imported_at_start(module) if _room_of(name) not in ("", "cli", "foundation")} | (
        _imported_at_start(module) & slow
    )
    assert not early, f"{module.shown} imports {sorted(early)} before it is needed; move the import into the function"


@pytest.mark.parametrize("module", [m for m in MODULES if m.room == "cli"], ids=lambda module: module.name)
def test_the_command_line_imports_no_package_but_typer_at_its_start(module: Module) -> None:
    early = {name.split(".")[0] for name in _outside_at_start(module)} & (HOMES.keys() - {"typer"})
    assert not early, f"{module.shown} imports {sorted(early)} before it is needed; move the import into the function"
