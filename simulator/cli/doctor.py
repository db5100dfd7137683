"""``rackcast doctor``: what is installed and found, and whether it works."""

from __future__ import annotations

import importlib
import platform
from collections.abc import Callable
from importlib import metadata
from importlib.util import find_spec
from typing import Any, Final

from simulator import __version__
from simulator.cli import options, output
from simulator.foundation.errors import InputError

#: packages that rackcast always needs
_NEEDED: Final = (
    "numpy", "scipy", "pandas", "matplotlib", "simpy", "networkx", "pydantic", "ruamel.yaml", "typer", "rich", "joblib",
)  # fmt: skip

#: extra -> the modules that it brings
_EXTRAS: Final = {
    "fast": ("numba",),
    "parquet": ("pyarrow", "duckdb"),
    "dask": ("dask", "distributed"),
    "ray": ("ray",),
    "notebooks": ("nbclient", "nbformat", "ipykernel"),
}


def command(as_json: options.Json = False) -> int:
    """Say which versions, extras and data are found, and run a small check of each part.

    Exit code 2 if something that rackcast needs is missing or broken.
    """
    versions = {"rackcast": __version__, "python": platform.python_version()}
    versions |= {package: metadata.version(package) for package in _NEEDED}
    extras = {name: all(find_spec(module) is not None for module in modules) for name, modules in _EXTRAS.items()}
    checks = [(name, *_outcome(check)) for name, check in _CHECKS.items()]
    broken = [name for name, good, _ in checks if not good]
    code = InputError.exit_code if broken else 0
    if as_json:
        found = [{"check": name, "ok": good, "found": text} for name, good, text in checks]
        output.json_document({"versions": versions, "extras": extras, "checks": found}, status=output.STATUS[code])
    else:
        output.table(["package", "version"], list(versions.items()))
        output.table(["extra", "installed"], [[name, there] for name, there in extras.items()])
        output.table(["check", "ok", "found"], checks)
    if broken:
        output.error(f"not in order: {', '.join(broken)}. Install rackcast again.")
    return code


def _outcome(check: Callable[[], str]) -> tuple[bool, str]:
    try:
        return True, check()
    except InputError as error:
        return False, str(error)


def _catalogue() -> str:
    from simulator.profiles.catalogue import load_catalogue

    shelves: tuple[Any, ...] = load_catalogue().shelves()
    if not all(len(shelf) for shelf in shelves):
        raise InputError("a shelf of the catalogue is empty.")
    for shelf in shelves:
        _ = shelf[next(iter(shelf))]
    return ", ".join(f"{len(shelf)} {shelf.kind.shelf}" for shelf in shelves)


def _models() -> str:
    from simulator.workload.models.library import load_model, shipped_models

    _ = load_model("gpt3-175b")
    return f"{len(shipped_models())} models"


def _schemas() -> str:
    from simulator.foundation.shipped import shipped
    from simulator.scenario.json_schemas import schema_files, schema_text

    folder = shipped("schemas")
    stale = [name for name in schema_files() if not _same(folder / name, schema_text(name))]
    if stale:
        raise InputError(f"{', '.join(stale)} not as the program writes them; run: rackcast schema --out {folder}")
    return f"{len(schema_files())} JSON Schemas"


def _same(path: Any, text: str) -> bool:
    return bool(path.is_file()) and path.read_text(encoding="utf-8") == text


def _imports() -> str:
    broken = []
    for package in _NEEDED:
        try:
            importlib.import_module(package)
        except ImportError as error:
            broken.append(f"{package} ({error})")
    if broken:
        raise InputError(f"cannot be imported: {', '.join(broken)}.")
    return f"{len(_NEEDED)} packages can be imported"


def _numbers() -> str:
    from simulator.foundation.randomness import Streams

    return f"stream 'doctor' of seed 0 begins {Streams(0)['doctor'].random():.6f}"


_CHECKS: Final[dict[str, Callable[[], str]]] = {
    "packages": _imports,
    "hardware profiles": _catalogue,
    "models": _models,
    "schemas": _schemas,
    "random numbers": _numbers,
}
