"""What makes one plan better than another: registered functions, the less the better, and the order of equals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulator.foundation.errors import InputError
from simulator.foundation.registry import Registry
from simulator.mapping.plan import PlanTable
from simulator.planner.emissions import node_grams_per_s
from simulator.planner.priced import Priced
from simulator.planner.question import Question
from simulator.simulation.answer import resources_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: objective values closer than this (relative) are equal: no model tells them apart, and no rounding decides
TIE_BITS: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """A measure of plans in ``unit``; ``of`` gives one value per plan, the less the better."""

    unit: str
    of: Callable[[Priced, Question], Floats]


objectives: Final[Registry[Objective]] = Registry("objective")


Measure = Callable[[Priced, Question], Floats]


def _measure(name: str, unit: str) -> Callable[[Measure], Measure]:
    def add(of: Measure) -> Measure:
        objectives.add(name, Objective(unit=unit, of=of))
        return of

    return add


@_measure("time", "s per step")
def step_time(priced: Priced, question: Question) -> Floats:
    """Return the seconds of a step: most samples per second."""
    return priced.estimate.step


@_measure("cost", "USD per step")
def step_cost(priced: Priced, question: Question) -> Floats:
    """Return the rent of all nodes over a step; raises :class:`InputError` where a node's price is not known."""
    rent = resources_of(question.scenario, question.setting).usd_per_s
    if rent is None:
        names = ", ".join(group.node.name for group in question.scenario.groups)
        raise InputError(f"what {names} costs is not known; write cluster.nodes[0].price.rate, as in '12 USD/h'.")
    return priced.estimate.step * rent


@_measure("energy", "J per step")
def step_energy(priced: Priced, question: Question) -> Floats:
    """Return the energy of all nodes at full load over a step, an upper bound; as time does, it ranks by step time.

    Raises :class:`InputError` where the nodes' power is not known.
    """
    power = resources_of(question.scenario, question.setting).power_w
    if power is None:
        names = ", ".join(group.node.name for group in question.scenario.groups)
        raise InputError(f"what {names} draws is not known; give the node or its device a power in a file of your own.")
    return priced.estimate.step * power


@_measure("carbon", "g CO2e per step")
def step_carbon(priced: Priced, question: Question) -> Floats:
    """Return what all nodes at full load emit over a step, by ``prices.grid``; as time does, it ranks by step time.

    Raises :class:`InputError` where power, grid or facility are not known.
    """
    scenario = question.scenario
    return priced.estimate.step * sum(group.count * node_grams_per_s(scenario, group) for group in scenario.groups)


@_measure("memory", "bytes per device")
def peak_memory(priced: Priced, question: Question) -> Floats:
    """Return the bytes on the fullest rank: the most headroom."""
    return priced.memory.total


def order(values: Floats, table: PlanTable) -> Ints:
    """Return the rows from the best to the worst; equals stand simplest first.

    Simplest: the least tp * cp * ep * pp * vpp, then the least of each in that order, then the largest micro-batch,
    the least ZeRO stage, no sequence parallelism, the least recomputation.
    """
    split = table.tp * table.cp * table.ep * table.pp * table.vpp
    keys = (tied(values), split, table.tp, table.cp, table.ep, table.pp, table.vpp, -table.micro_batch, table.zero,
            table.sequence_parallel, table.recompute, table.schedule)  # fmt: skip
    return np.lexsort(keys[::-1])


def tied(values: Floats) -> Floats:
    """Return the values rounded to 30 binary digits, so that what differs by rounding alone is equal."""
    mantissa, exponent = np.frexp(values)
    rounded: Floats = np.ldexp(np.round(np.ldexp(mantissa, TIE_BITS)), exponent - TIE_BITS)
    return rounded
