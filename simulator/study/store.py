"""The store of a sweep: an SQLite file that holds each point as soon as it is answered.

A point is known by what was asked (scenario, overrides, workload) and by whom (version), so a sweep that was stopped
goes on with what is missing, and a point that two sweeps share is answered once. Each point is one transaction: a kill
leaves it whole or absent.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from simulator import __version__
from simulator.foundation.errors import InputError, Place
from simulator.foundation.files import canonical_json

_SCHEMA = "CREATE TABLE IF NOT EXISTS points (key TEXT PRIMARY KEY, overrides TEXT NOT NULL, answer TEXT NOT NULL)"


def key_of(scenario_sha256: str, parts_sha256: str, overrides: Sequence[str], workload: str | None) -> str:
    """Return what a point is known by: the same question to the same version has the same key."""
    asked = {"scenario": scenario_sha256, "parts": parts_sha256, "overrides": list(overrides), "workload": workload}
    return hashlib.sha256(canonical_json({**asked, "version": __version__}).encode()).hexdigest()


class Store:
    """Answers by key; ``None`` for a file keeps them in memory."""

    def __init__(self, file: Path | None) -> None:
        where = ":memory:" if file is None else str(file)
        try:
            if file is not None:
                file.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(where)
            with self._connection:
                self._connection.execute(_SCHEMA)
        except (sqlite3.Error, OSError) as error:
            cause = f"cannot be used as a store: {error}. Name a new file, or one that a sweep wrote."
            raise InputError(cause, place=Place(file=where)) from None

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def get(self, key: str) -> dict[str, Any] | None:
        """Return an answer, None if there is none yet."""
        row = self._connection.execute("SELECT answer FROM points WHERE key = ?", (key,)).fetchone()
        return None if row is None else json.loads(row[0])

    def put(self, key: str, overrides: Sequence[str], answer: dict[str, Any]) -> None:
        """Hold an answer: on the disk when this returns."""
        with self._connection:
            self._connection.execute(
                "INSERT OR REPLACE INTO points VALUES (?, ?, ?)",
                (key, json.dumps(list(overrides)), canonical_json(answer, indent=None)),
            )
