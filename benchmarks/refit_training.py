"""The constants of training steps, refitted to every shipped row: beside the shipped ones, or put in their place.

    python -m benchmarks.refit_training [--write] [TABLE.csv]

A constant of a class or of a way of dispatching that has rows is told where these follow when it moves. Host times that
no row tells are those of their family; other constants that none tells are left.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from math import exp
from typing import Final

from simulator.foundation.units import MICRO, MILLI
from simulator.profiles.catalogue import load_catalogue, shipped_root
from simulator.validation.descent import Case, Knob
from simulator.validation.measurements import read_tables
from simulator.validation.training_constants import TrainingConstants
from simulator.validation.training_fit import cases_of, priors_of, refit, scaled, value_of

FOLDERS: Final = {"class": "efficiency/devices", "dispatch": "frameworks/dispatch"}
NUDGE: Final = 0.2  # logarithm by which a constant is moved
FOLLOWED: Final = 0.01  # logarithm by which some row must follow


def text_of(name: str, value: float) -> str:
    """Return a value as the files write it."""
    if not name.endswith("_s"):
        return f"{value:.3g}"
    return f"{value / MILLI:.3g} ms" if value >= MILLI else f"{value / MICRO:.3g} us"


def told(knob: Knob, cases: Sequence[Case[TrainingConstants]], constants: TrainingConstants) -> bool:
    """Return whether a constant is told by some row, or as a host's time by its family."""
    nudged, mine = scaled(constants, knob, exp(NUDGE)), [case for case in cases if case.shows(knob)]
    follow = (abs(case.error(nudged) - case.error(constants)) > FOLLOWED for case in mine)
    return any(follow) or (bool(mine) and knob.names[0].endswith("_s"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", help="tables of measurements; without one, those that ship")
    parser.add_argument("--write", action="store_true", help="put the constants into the files")
    asked = parser.parse_args()
    catalogue = load_catalogue()
    rows = [row.cells for table in read_tables(asked.tables) for row in table.rows
            if table.kind == "training" and row.usable == "yes"]  # fmt: skip
    constants, cases = refit(rows, catalogue), cases_of(rows, catalogue)
    for knob in priors_of(constants):
        if not told(knob, cases, constants):
            continue
        name = knob.names[0]
        file, key = shipped_root() / FOLDERS[knob.kind] / f"{knob.name}.yaml", name.removesuffix("_s")
        before = file.read_text(encoding="utf-8")
        line = re.search(rf"(?m)^{key}: (.*)$", before)
        assert line is not None
        after = text_of(name, value_of(constants, knob))
        print(f"{knob.name:26} {key:16} {line[1]:>10} -> {after}")
        if asked.write:
            file.write_text(before[: line.start()] + f"{key}: {after}" + before[line.end() :], encoding="utf-8")


if __name__ == "__main__":
    main()
