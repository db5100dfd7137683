"""Fits the constants of each class of fabric to measured rows: few constants, least logarithmic error.

A class is fitted on the rows that run on it: rows inside a node fit the class of the scale-up links, rows across nodes
then fit the class of the network. Only what a class states is fitted; what it inherits stays inherited.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from scipy.optimize import least_squares

from simulator.costs.collectives import Fabric, FabricTable, Reach, collective_cost, load_fabrics, reach
from simulator.costs.collectives.fabric import CONSTANTS
from simulator.costs.collectives.reach import Array
from simulator.foundation.errors import InputError
from simulator.foundation.units import GIGA, MICRO, NANO
from simulator.profiles.catalogue import Catalogue
from simulator.topology.tiers import Tier
from simulator.validation.network import Question, cost_of, expert_cost_of, question_of, reach_of

_EXPERT: Final = "expert_"
_SOFT: Final = 0.1  # errors beyond 10 % count less than squared, so that outliers do not steer
_PRIOR: Final = 0.02  # pull towards the starting values (log), for constants that no row shows
_PARTIAL: Final = 0.25  # weight of a row whose link rate is assumed
_ROUNDS: Final = 25
_LEAST: Final = NANO  # a constant of zero starts here, since logarithms are fitted
_STARTS: Final = (1.0, 0.25, 4.0)
_UNEVEN: Final = ("chunk_overhead", "extra_simple", "extra_ll128")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """Rows that differ in size only."""

    question: Question
    sizes: Array
    measured: Array
    bus: bool
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _ExpertRow:
    row: Mapping[str, str]
    over: Reach
    measured: float
    weight: float


def refit(rows: Sequence[Mapping[str, str]], catalogue: Catalogue) -> FabricTable:
    """Return the table with the stated constants of every class fitted to the rows.

    A class without rows forgets its fit and takes the constants of the class that it inherits from, as a class that was
    never measured does; one that inherits from none keeps the shipped ones.
    """
    table = load_fabrics()
    for name in table.classes:
        mine = [row for row in rows if _counts(row) and _class_of(row, catalogue, table) == name]
        if mine:
            table = table.with_class(_fit_class(table[name], mine, catalogue, table))
        elif name in table.parents:
            parent = table[table.parents[name]]
            fitted = {key: getattr(parent, key) for key in table.stated[name] - table[name].assumed}
            table = table.with_class(replace(table[name], **fitted))
    return table


def _counts(row: Mapping[str, str]) -> bool:
    """Expert exchanges across nodes whose rate is not stated count too: 400 Gb/s per device is all but certain."""
    return row["usable"] == "yes" or (row["usable"] == "partial" and row["op"].startswith("moe_"))


def _class_of(row: Mapping[str, str], catalogue: Catalogue, table: FabricTable) -> str:
    """Return the outermost class that a row runs on; empty if it runs on none."""
    try:
        over, _ = reach_of(row, catalogue, table)
    except InputError:
        return ""
    return over.levels[-1].fabric.name


def fit_points(fabric: Fabric, operation: str, sizes: Array, seconds: Array, ranks: int, rate: float) -> Fabric:
    """Return a class with the constants that times of one collective inside one domain show, fitted to them."""
    free: tuple[str, ...] = ("launch", "hop", "extra_ll128", "extra_simple", "link_fraction", "chunk_overhead")
    if operation in ("all-to-all", "send-recv"):
        free = ("launch", "message_ll", "message_simple", "link_fraction", "chunk_overhead")
    start = fabric.with_constants(**{name: max(getattr(fabric, name), _LEAST) for name in free})
    prior = np.log([getattr(start, name) for name in free])
    tier = Tier(name=fabric.name, span=ranks, bandwidth=rate, port_bandwidth=rate, latency=0.0)

    def residuals(values: Array) -> Array:
        fitted = start.with_constants(**dict(zip(free, np.exp(values).tolist(), strict=True)))
        cost = collective_cost(operation, sizes, reach((ranks,), (tier,), (fitted,)))
        return np.concatenate([np.log(cost.time / seconds), _PRIOR * (values - prior)])

    found: Any = least_squares(residuals, prior, loss="soft_l1", f_scale=_SOFT, max_nfev=4 * _ROUNDS)
    values = dict(zip(free, np.exp(found.x).tolist(), strict=True))
    return start.with_constants(**values, assumed=fabric.assumed - set(free))


def _fit_class(fabric: Fabric, rows: Sequence[Mapping[str, str]], catalogue: Catalogue, table: FabricTable) -> Fabric:
    batches, experts = _batches(rows, catalogue, table)
    stated = [name for name in CONSTANTS if name in table.stated[fabric.name] and name not in fabric.assumed]
    free = [name for name in stated if (experts if name.startswith(_EXPERT) else batches)]
    if not free:
        return fabric
    prior = np.log([getattr(fabric, name) for name in free])

    def residuals(values: Array) -> Array:
        fitted = replace(fabric, **dict(zip(free, np.exp(values).tolist(), strict=True)))
        parts = [batch.weight * _errors(batch, fitted, table) for batch in batches]
        parts += [np.atleast_1d(one.weight * _expert_error(one, fitted)) for one in experts]
        return np.concatenate([*parts, _PRIOR * (values - prior)])

    best: Any = None
    for factor in _STARTS:  # choosing the faster protocol makes corners; several starts get round them
        start = prior + np.log(factor) * np.array([name in _UNEVEN for name in free])
        found: Any = least_squares(residuals, start, loss="soft_l1", f_scale=_SOFT, max_nfev=_ROUNDS)
        best = found if best is None or found.cost < best.cost else best
    return replace(fabric, **dict(zip(free, np.exp(best.x).tolist(), strict=True)))


def _errors(batch: _Batch, fabric: Fabric, table: FabricTable) -> Array:
    cost = cost_of(replace(batch.question, over=_with(batch.question.over, fabric)), batch.sizes, table)
    predicted = cost.bus_bandwidth / GIGA if batch.bus else cost.time / MICRO
    return np.log(predicted / batch.measured)


def _expert_error(one: _ExpertRow, fabric: Fabric) -> float:
    cost = expert_cost_of(one.row, _with(one.over, fabric))
    predicted = cost.bottleneck_bandwidth / GIGA if one.row["metric"] == "GBps" else cost.time / MICRO
    return float(np.log(predicted / one.measured))


def _with(over: Reach, fabric: Fabric) -> Reach:
    levels = tuple(
        replace(level, fabric=fabric) if level.fabric.name == fabric.name else level for level in over.levels
    )
    return replace(over, levels=levels)


def _batches(
    rows: Sequence[Mapping[str, str]], catalogue: Catalogue, table: FabricTable
) -> tuple[list[_Batch], list[_ExpertRow]]:
    per_source = {source: sum(row["source_group"] == source for row in rows) for source in _sources(rows)}
    weights = {source: (len(rows) / len(per_source) / count) ** 0.25 for source, count in per_source.items()}
    grouped: dict[tuple[str, ...], list[Mapping[str, str]]] = {}
    experts: list[_ExpertRow] = []
    keys = ("source_group", "device_id", "node_id", "link", "op", "algorithm", "n_accel", "n_nodes", "metric")
    for row in rows:
        if row["op"].startswith("moe_"):
            over, _ = reach_of(row, catalogue, table)
            weight = weights[row["source_group"]] * (1.0 if row["usable"] == "yes" else _PARTIAL)
            experts.append(_ExpertRow(row=row, over=over, measured=float(row["value"]), weight=weight))
        elif row.get("message_bytes"):
            grouped.setdefault(tuple(row[key] for key in keys), []).append(row)
    batches = [
        _Batch(
            question=question_of(members[0], catalogue, table),
            sizes=np.array([float(row["message_bytes"]) for row in members]),
            measured=np.array([float(row["value"]) for row in members]),
            bus=members[0]["metric"] == "busbw_GBps",
            weight=weights[members[0]["source_group"]],
        )
        for members in grouped.values()
    ]
    return batches, experts


def _sources(rows: Sequence[Mapping[str, str]]) -> list[str]:
    return sorted({row["source_group"] for row in rows})
