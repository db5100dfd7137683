"""The page ``docs/validation-data.md``: measured storage, loaders and stalls beside what is predicted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from simulator.foundation.units import GIGA
from simulator.profiles.catalogue import Catalogue
from simulator.validation.prediction import Prediction
from simulator.validation.stalls import measured_value, predict_stall_row
from simulator.validation.storage import drive_bandwidth, emulated_by, predict_storage_row, supported_accelerators

Row = Mapping[str, str]

_GOOD: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One measured figure and its prediction."""

    row: Row
    measured: float
    found: Prediction

    @property
    def error(self) -> float | None:
        """Predicted over measured, less 1; None if nothing is predicted."""
        return None if self.found.value is None else self.found.value / self.measured - 1


def compare_storage(rows: Iterable[Row], catalogue: Catalogue) -> list[Compared]:
    """Predict every storage and data-loading row of a network table."""
    wanted = [row for row in rows if row["kind_of_work"] in ("storage", "data-loading")]
    return [
        Compared(row=row, measured=float(row["value"]), found=predict_storage_row(row, catalogue)) for row in wanted
    ]


def compare_stalls(rows: Iterable[Row], catalogue: Catalogue) -> list[Compared]:
    """Predict every ``data_stall`` row of a reliability table that prints a figure."""
    wanted = [(row, measured_value(row)) for row in rows if row["topic"] == "data_stall"]
    return [
        Compared(row=row, measured=value, found=predict_stall_row(row, catalogue))
        for row, value in wanted
        if value is not None
    ]


def summary(compared: Sequence[Compared], *, calibrated: bool = True) -> dict[str, float]:
    """Rows, predicted rows, median, mean and 90th percentile of the absolute error, share within 20 %.

    Args:
        calibrated: whether rows count that their own constants were fitted on.
    """
    counted = [item for item in compared if calibrated or item.found.label != "calibrated"]
    errors = np.array([abs(item.error) for item in counted if item.error is not None])
    facts = {"rows": float(len(counted)), "predicted": float(len(errors))}
    if not len(errors):
        return facts
    return facts | {"median": float(np.median(errors)), "mean": float(errors.mean()),
                    "p90": float(np.quantile(errors, 0.9)), "within": float((errors <= _GOOD).mean())}  # fmt: skip


def data_sheet_alone(rows: Iterable[Row], catalogue: Catalogue) -> list[tuple[str, str, int, int]]:
    """For systems of one known drive: (system, test, accelerators measured, accelerators by data sheet).

    This is the harder question: not what the tuned load draws, but how far the load could be raised.
    """
    found = []
    for row in rows:
        step = emulated_by(row) if row["op"].startswith("mlperf_storage_") else None
        bound = drive_bandwidth(row, catalogue)
        if step is not None and bound is not None and row["n_accel"]:
            test = row["op"].removeprefix("mlperf_storage_")
            found.append((row["system"], test, int(row["n_accel"]), supported_accelerators(step, bound)))
    return found


def page(network: Sequence[Row], reliability: Sequence[Row], catalogue: Catalogue) -> str:
    """Return the page as Markdown; the same tables give the same text."""
    storage, stalls = compare_storage(network, catalogue), compare_stalls(reliability, catalogue)
    groups = sorted({item.row["source_group"] for item in storage})
    lines = [_HEAD, *_table_head()]
    lines += [_line(group, [item for item in storage if item.row["source_group"] == group]) for group in groups]
    lines.append(_line("data stalls", stalls))
    tuned = [item for item in storage if item.row["source_group"] == "mlperf_storage_1.0"]
    if tuned:
        lines += [_TUNED, *_by_test(tuned)]
    alone = data_sheet_alone(network, catalogue)
    if alone:
        lines += [_ALONE, *(f"| {system} | {test} | {had} | {sheet} |" for system, test, had, sheet in alone)]
    lines += [_LOADERS, *(_figure(item, item.row["notes"]) for item in storage if item.row["source_group"] == "ffcv")]
    lines += [_STALLS, *(_figure(item, item.row["metric"]) for item in stalls)]
    reasons = sorted({(item.row["source_group"], item.found.reason) for item in storage if item.found.reason})
    lines += [_NOT, *(f"- {group}: {_count(storage, group, reason)} rows: {reason}" for group, reason in reasons)]
    lines.append(_FOOT)
    return "\n".join(lines) + "\n"


def _count(compared: Sequence[Compared], group: str, reason: str) -> int:
    return sum(item.row["source_group"] == group and item.found.reason == reason for item in compared)


def _table_head() -> list[str]:
    return ["| source | rows | predicted | median error | mean | 90 % below | within 20 % |", "|---" * 7 + "|"]


def _line(name: str, compared: Sequence[Compared]) -> str:
    facts = summary(compared, calibrated=False)
    figures = [f"{facts[key]:.1%}" if key in facts else "-" for key in ("median", "mean", "p90", "within")]
    return f"| {name} | {facts['rows']:.0f} | {facts['predicted']:.0f} | {' | '.join(figures)} |"


def _by_test(compared: Sequence[Compared]) -> list[str]:
    tests = sorted({item.row["op"] for item in compared})
    return [_line(test.removeprefix("mlperf_storage_"), [i for i in compared if i.row["op"] == test]) for test in tests]


def _figure(item: Compared, what: str) -> str:
    found = item.found
    told = found.reason if found.value is None else f"{found.value:.4g} ({item.error:+.1%})"
    return f"| {item.row['id']} | {what} | {item.measured:.4g} | {told} | {found.label if found.predicted else '-'} |"


_HEAD: Final = """# Storage, loaders and data stalls against measurements

Generated by `simulator.validation.data_report.page`. Rows on which a constant was fitted (`calibrated`) are left out of
this table and shown below. An error is predicted over measured, less 1; the table takes its absolute value.
"""

_TUNED: Final = """
## MLPerf Storage v1.0: what a tuned load draws

A submission is valid while every emulated accelerator is busy for 90 % of the time (cosmoflow: 70 %), and submitters
raise the number of accelerators until that is reached. So throughput is close to accelerators x batch x record /
computation time x that share, held below the data sheet of the named drive or the rate of the named links. The batch,
the record and the computation time are the benchmark's own configuration. This tests the demand side; it says little
about the storage, whose limit is already in the number of accelerators. Taken from the logs; not verified by MLCommons.

| test | rows | predicted | median error | mean | 90 % below | within 20 % |
|---|---|---|---|---|---|---|"""

_ALONE: Final = """
## MLPerf Storage v1.0: how far the load could have been raised, by data sheet alone

The harder question: how many accelerators would the drive's sequential bandwidth keep busy enough? The Gen4 drives come
within one or a few; the Gen5 drive is short of its data sheet, most so with cosmoflow, where one host reads records of
2.8 MB through four threads per accelerator. For the other systems no data sheet of the servers was found; the links in
their names are an upper bound that every row respects.

| system | test | accelerators | by data sheet |
|---|---|---|---|"""

_LOADERS: Final = """
## FFCV loaders

From memory, two constants (pixels/s of one thread to decode and to resize) are fitted on the two rows. From the network
volume, the volume's 1000 MiB/s over the size of a stored image is all; 500 x 375 pixels is taken as the typical
ImageNet photograph and 0.26 B/pixel for JPEG at quality 90 (our measurement on six public photographs; the row says
that ImageNet's are nearer to 0.34).

| row | what | measured | predicted | label |
|---|---|---|---|---|"""

_STALLS: Final = """
## Data stalls

The page cache of an operating system is modelled as random replacement: no constant is fitted, and the share of a
reshuffled epoch that misses follows from the share of the data set that fits. Where a row prints a range its middle is
taken, and `up to` is taken at its word. Rows that hang on the speed of models that they do not print are not predicted.

| row | what | measured | predicted | label |
|---|---|---|---|---|"""

_NOT: Final = """
## Not predicted
"""

_FOOT: Final = f"""
Bandwidths in the tables of systems are decimal: 1 GB/s is {GIGA:.0e} B/s. Sources: MLPerf Storage v1.0 results
(Apache-2.0), FFCV documentation (Apache-2.0), Azure VM noise data (CC-BY 4.0), Mohan et al. 2021, arXiv 2007.06775."""
