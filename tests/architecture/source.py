"""Reads the package as text and as syntax trees, for the tests of this folder."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

import simulator

PACKAGE = Path(simulator.__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One source file: its dotted name, its text and its tree."""

    name: str
    path: Path
    text: str
    tree: ast.Module

    @property
    def room(self) -> str:
        """The folder or file directly below ``simulator``; empty for the package itself."""
        parts = self.name.split(".")
        return parts[1] if len(parts) > 1 else ""

    @property
    def shown(self) -> str:
        """The path from the package on, for messages."""
        return str(self.path.relative_to(PACKAGE.parent))


def modules() -> list[Module]:
    """Return every module of the package, in the order of their paths."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        if "_data" in path.parts:
            continue
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        text = path.read_text(encoding="utf-8")
        found.append(Module(name=name, path=path, text=text, tree=ast.parse(text)))
    return found


def imports(module: Module) -> list[tuple[int, str]]:
    """Return (line, dotted name) of every import, also those inside functions; ``from a import b`` gives ``a.b``."""
    found = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module.shown}:{node.lineno} imports relatively; write the full name"
            found += [(node.lineno, f"{node.module}.{alias.name}") for alias in node.names]
    return found
