"""The store of a plan: an SQLite file that holds each run of its search as soon as it is done.

A run is known by its kind and what describes it, under one scenario, one content of its parts and one version: a search
that was stopped goes on with what is missing and finds the same. Each run is one transaction: a kill leaves it whole or
absent. What is kept is a table, which :meth:`PlanStore.frame` gives for pandas, Parquet and DuckDB.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import pandas as pd

from simulator import __version__
from simulator.foundation.errors import InputError, Place
from simulator.scenario import Scenario
from simulator.simulation.inputs import parts_sha256

_SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS runs (number INTEGER PRIMARY KEY, key TEXT UNIQUE NOT NULL, answer TEXT NOT NULL)",
)
#: what must be alike for a run to be the same, and how a difference is told
_ALIKE: Final = {
    "scenario_sha256": "another question (scenario {was}, changed since or with other --set)",
    "parts_sha256": "the same question on other data (machines, prices or models of the catalogue changed)",
    "version": "rackcast {was}",
}


class PlanStore:
    """Answers of runs by key, for one scenario."""

    def __init__(self, file: Path, scenario: Scenario) -> None:
        self._place = Place(file=str(file))
        about = {"scenario": scenario.name, "scenario_sha256": scenario.sha256,
                 "parts_sha256": parts_sha256(scenario), "version": __version__}  # fmt: skip
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(str(file))
            with self._connection:
                for table in _SCHEMA:
                    self._connection.execute(table)
                was = dict(self._connection.execute("SELECT name, value FROM about"))
                if not was:
                    self._connection.executemany("INSERT INTO about VALUES (?, ?)", about.items())
        except (sqlite3.Error, OSError) as error:
            cause = f"cannot be used as a store: {error}. Name a new file, or one that a plan wrote."
            raise InputError(cause, place=self._place) from None
        if was:
            self._must_be_alike(was, about)

    def _must_be_alike(self, was: Mapping[str, str], about: Mapping[str, str]) -> None:
        for name, told in _ALIKE.items():
            if was.get(name) != about[name]:
                self._connection.close()
                whose = told.format(was=was.get("version" if name == "version" else "scenario", "unknown"))
                raise InputError(
                    f"holds runs of {whose}; the question now is {about['scenario']} under rackcast "
                    f"{about['version']}. Name a new file, or delete this one.",
                    place=self._place,
                )

    def __enter__(self) -> PlanStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def __len__(self) -> int:
        (count,) = self._connection.execute("SELECT count(*) FROM runs").fetchone()
        return int(count)

    def get(self, key: str) -> dict[str, Any] | None:
        """Return an answer; None if there is none yet."""
        row = self._connection.execute("SELECT answer FROM runs WHERE key = ?", (key,)).fetchone()
        return None if row is None else json.loads(row[0])

    def put(self, key: str, answer: dict[str, Any]) -> None:
        """Hold an answer: on the disk when this returns."""
        with self._connection:
            self._connection.execute("INSERT OR IGNORE INTO runs (key, answer) VALUES (?, ?)",
                                     (key, json.dumps(answer)))  # fmt: skip

    def frame(self) -> pd.DataFrame:
        """Return a row per run, ordered by key: what describes it, and what it came to; nested names with dots.

        The order does not depend on which worker was done first.
        """
        rows = [
            {**_flat(json.loads(key)), **_flat(json.loads(answer))}
            for key, answer in self._connection.execute("SELECT key, answer FROM runs ORDER BY key")
        ]
        return pd.DataFrame(rows)


def _flat(data: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Return nested mappings as one, and lists as text."""
    found: dict[str, Any] = {}
    for name, value in data.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{above}{name}.")
        else:
            found[f"{above}{name}"] = json.dumps(value) if isinstance(value, list) else value
    return found
