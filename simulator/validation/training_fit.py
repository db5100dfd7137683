"""Refits the constants of training steps to measured rows, from neutral starting values.

Per class of device: one factor for each width of product and one for attention. Per way of dispatching: host time per
kernel and traffic after fusion. They are found by coordinate descent on the mean, over publications, of clipped
logarithmic errors, so that no publication drowns the others and no outlier steers. A class or a dispatch without rows
keeps its neutral values: nothing of what the shipped constants learned from a left-out publication leaks in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from simulator.costs.compute import Machine
from simulator.costs.estimate import estimate
from simulator.costs.network import AnalyticNetwork
from simulator.costs.step import Floats, price
from simulator.foundation.errors import Infeasible, InputError
from simulator.foundation.units import MICRO, MILLI
from simulator.mapping.plan import PlanTable
from simulator.mapping.program import Program, lower
from simulator.profiles.catalogue import Catalogue
from simulator.profiles.efficiency import Efficiency, efficiency_of, product_of
from simulator.profiles.framework import Dispatch
from simulator.validation.facts import number
from simulator.validation.training import Run, TrainingConstants, in_units, measured_part, run_of

_PER_SOURCE: Final = 20  # rows of one publication that take part, evenly spread over it
_WORST: Final = 0.7  # logarithmic errors count up to here
_SWEEPS: Final = 2
_TRIES: Final = (0.6, 0.8, 1.25, 1.6)  # factors tried; the second sweep takes their square roots

#: constants of a class or a dispatch that move together
_EFFICIENCY: Final = (("product16",), ("product8",), ("product4",), ("product32",), ("attention", "attention_early"))
_DISPATCH: Final = (("kernel_s",), ("traffic",))
_SHARES_END: Final = 1.2  # no share of a peak is fitted beyond this


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """Rows of one publication that are alike in all but the plan: priced in one call."""

    source: str
    rows: tuple[Mapping[str, str], ...]
    runs: tuple[Run, ...]
    program: Program
    network: AnalyticNetwork


def refit(rows: Sequence[Mapping[str, str]], catalogue: Catalogue) -> TrainingConstants:
    """Return constants fitted to the readable rows among ``rows``."""
    batches = _batches(rows, catalogue)
    constants = _neutral(batches)
    losses = [_losses(batch, constants) for batch in batches]
    for sweep in range(_SWEEPS):
        for kind, name, names in _groups(constants):
            touched = [n for n, batch in enumerate(batches) if _shows(batch, kind, name, names)]
            if not touched:
                continue
            constants, losses = _improve(constants, kind, name, names, batches, touched, losses, sweep)
    return constants


def _batches(rows: Sequence[Mapping[str, str]], catalogue: Catalogue) -> list[_Batch]:
    by_source: dict[str, list[Mapping[str, str]]] = defaultdict(list)
    for row in rows:
        if row["metric"] not in ("memory_gb", "time_to_train_min") and row.get("value"):
            by_source[row["source_group"]].append(row)
    found: list[_Batch] = []
    for source, mine in sorted(by_source.items()):
        alike: dict[tuple[object, ...], list[tuple[Mapping[str, str], Run]]] = defaultdict(list)
        for row in mine[:: max(1, len(mine) // _PER_SOURCE)]:
            try:
                run = run_of(row, catalogue)
            except (InputError, Infeasible):
                continue
            key = (run.job.model.name, run.job.seq_len, run.job.precision.name, id(run.cluster), run.framework.name,
                   run.job.trained_share, run.nodes, row["model_id"])  # fmt: skip
            alike[key].append((row, run))
        found += [_batch(source, pairs) for pairs in alike.values()]
    return found


def _batch(source: str, pairs: Sequence[tuple[Mapping[str, str], Run]]) -> _Batch:
    rows, runs = zip(*pairs, strict=True)
    table = PlanTable.of([run.plan for run in runs])
    tiers = runs[0].cluster.tiers
    return _Batch(source=source, rows=rows, runs=runs, program=lower(runs[0].job, table, tiers),
                  network=AnalyticNetwork.of(tiers))  # fmt: skip


def _class(batch: _Batch) -> str:
    return efficiency_of(batch.runs[0].device).name


def _dispatch(batch: _Batch) -> str:
    return batch.runs[0].framework.dispatch.name


def _shows(batch: _Batch, kind: str, name: str, names: tuple[str, ...]) -> bool:
    """Return whether rows of a batch depend on some constants at all."""
    if kind == "dispatch":
        return _dispatch(batch) == name
    if _class(batch) != name:
        return False
    peak = batch.runs[0].job.precision.peak
    narrow = peak not in ("fp64", "fp32", "tf32")  # narrow formats keep some products in 16 bits
    used = {product_of(peak), *(("product16",) if narrow else ()), "attention", "attention_early"}
    return bool(used.intersection(names))


def _neutral(batches: Sequence[_Batch]) -> TrainingConstants:
    efficiencies: dict[str, Efficiency] = {}
    dispatches: dict[str, Dispatch] = {}
    for batch in batches:
        shipped = efficiency_of(batch.runs[0].device)
        efficiencies[shipped.name] = replace(
            shipped, product32=0.7, product16=0.7, product8=0.6, product4=0.4, attention=0.5, attention_early=0.3
        )
        dispatch = batch.runs[0].framework.dispatch
        host = 30 * MICRO if dispatch.kernel_s > 0 else 0.0
        dispatches[dispatch.name] = replace(dispatch, kernel_s=host, traffic=1.0, step_s=10 * MILLI)
    return TrainingConstants(efficiencies=efficiencies, dispatches=dispatches)


def _groups(constants: TrainingConstants) -> list[tuple[str, str, tuple[str, ...]]]:
    return [
        *(("class", name, names) for name in sorted(constants.efficiencies) for names in _EFFICIENCY),
        *(("dispatch", name, names) for name in sorted(constants.dispatches) for names in _DISPATCH),
    ]


def _losses(batch: _Batch, constants: TrainingConstants) -> Floats:
    """Return the clipped logarithmic error of each row of a batch."""
    run = batch.runs[0]
    efficiency, framework = constants.of(run)
    machine = Machine.of(run.device, run.job.precision, efficiency)
    times = price(batch.program, machine, framework, batch.network)
    step = estimate(times, batch.program.table, nodes=float(run.nodes))
    seconds = measured_part(batch.rows[0], step, times)
    predicted = [in_units(row, one, float(t)) for row, one, t in zip(batch.rows, batch.runs, seconds, strict=True)]
    measured = [number(row, "value") for row in batch.rows]
    errors: Floats = np.minimum(np.abs(np.log(np.array(predicted) / np.array(measured))), _WORST)
    return errors


def _loss(batches: Sequence[_Batch], losses: Sequence[Floats]) -> float:
    """Return the mean over publications of their rows' mean loss."""
    by_source: dict[str, list[Floats]] = defaultdict(list)
    for batch, loss in zip(batches, losses, strict=True):
        by_source[batch.source].append(loss)
    return float(np.mean([np.concatenate(parts).mean() for parts in by_source.values()])) if by_source else 0.0


def _improve(
    constants: TrainingConstants, kind: str, name: str, names: tuple[str, ...], batches: Sequence[_Batch],
    touched: Sequence[int], losses: list[Floats], sweep: int,
) -> tuple[TrainingConstants, list[Floats]]:  # fmt: skip
    """Try factors on one group of constants; return the best, with the losses it gives."""
    best, best_losses, least = constants, losses, _loss(batches, losses)
    for tried in _TRIES:
        candidate = _scaled(constants, kind, name, names, tried if sweep == 0 else tried**0.5)
        renewed = list(losses)
        for index in touched:
            renewed[index] = _losses(batches[index], candidate)
        if (loss := _loss(batches, renewed)) < least:
            best, best_losses, least = candidate, renewed, loss
    return best, best_losses


def _scaled(
    constants: TrainingConstants, kind: str, name: str, names: tuple[str, ...], factor: float
) -> TrainingConstants:
    if kind == "class":
        old = constants.efficiencies[name]
        new = replace(old, **{field: min(getattr(old, field) * factor, _SHARES_END) for field in names})
        return replace(constants, efficiencies={**constants.efficiencies, name: new})
    dispatch = constants.dispatches[name]
    changed = replace(dispatch, **{field: getattr(dispatch, field) * factor for field in names})
    return replace(constants, dispatches={**constants.dispatches, name: changed})
