"""Parts that the pages of all kinds of answer have: trust, rejections, sensitivity, the question, the foot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from simulator import __version__
from simulator.foundation.units import DAY, HOUR
from simulator.planner.sensitivity import Tried
from simulator.profiles.error_bands import ErrorBand
from simulator.results.report import Grid, Section
from simulator.scenario import Scenario
from simulator.simulation.inputs import inputs_of, parts_sha256

#: hours of the thirty days that prices by the hour are told for too
MONTH_HOURS: Final = 30.0 * DAY / HOUR


def kicker(scenario: Scenario) -> str:
    """Return what stands above the decision: the question's name and words."""
    words = str(scenario.resolved.get("description") or "")
    return f"rackcast plan · {scenario.name}" + (f" · {words}" if words else "")


def band_note(band: ErrorBand | None) -> str:
    """Return the note of a predicted figure: how far such figures lay from measurements."""
    return "no measured error known" if band is None else f"± {band.median:.0%} median, 90 % within {band.most:.0%}"


def trust(label: str, band: ErrorBand | None) -> str:
    """Return what a prediction rests on, and the error that measurements showed."""
    if band is None:
        return f"The figures are {label}; no measurement of such work on this class of device is known."
    return (
        f"The figures are {label}. On {band.rows:,} measured rows of {band.publications} publications of such work on "
        f"this class of device the median error was {band.median:.0%}, and nine of ten lay within {band.most:.0%}."
    )


def rejections(rejected: Mapping[str, int], reasons: Mapping[str, str]) -> Grid:
    """Return how many candidates each reason put out, the most first."""
    rows = sorted(
        ((count, reasons[name]) for name, count in rejected.items() if count), key=lambda row: (-row[0], row[1])
    )
    return Grid.of(("candidates", "put out because"), rows, title="Rejected, each for its first reason")


def flips(tried: Sequence[Tried], *, text: str) -> Section:
    """Return which assumptions flip the choice; those that do come first."""
    firm = [one for one in tried if not one.flips]
    rows = [(one.assumption, one.change, "flips", one.then) for one in tried if one.flips]
    for assumption in dict.fromkeys(one.assumption for one in firm):
        mine = [one for one in firm if one.assumption == assumption]
        rows.append((assumption, ", ".join(one.change for one in mine), "stays", mine[-1].then))
    head = f"{text} Of {len(tried)} changes that were tried, {len(firm)} leave the decision as it is."
    grids = (Grid.of(("assumption", "changed", "decision", "then"), rows),) if rows else ()
    return Section(title="Which assumption would flip the choice", text=(head,), grids=grids)


def asked(scenario: Scenario) -> Section:
    """Return what the answer rests on: the parts with their fingerprints, and the changes of the scenario."""
    inputs = inputs_of(scenario)
    parts = Grid.of(
        ("part", "fingerprint"),
        [(name, f"#{digest}") for name, digest in inputs["parts"].items()],
        title="Parts of the catalogue",
    )
    changes = Grid.of(("changed by --set",), [(text,) for text in inputs["overrides"]])
    return Section(title="What was asked", grids=(parts, changes) if inputs["overrides"] else (parts,))


def foot(scenario: Scenario) -> tuple[str, ...]:
    """Return versions and fingerprints."""
    return (
        f"rackcast {__version__}, seed {scenario.run.seed}",
        f"scenario sha256 {scenario.sha256}; parts sha256 {parts_sha256(scenario)}",
    )
