"""The space of plans: every way to split one job over a number of devices, as index arithmetic on grids.

A *geometry* is a choice of degrees, virtual stages and micro-batch; the *options* are ZeRO stage, sequence parallelism,
recomputation and schedule. The space is the product of both, walked in pieces so that memory stays bounded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from simulator.foundation.errors import InputError
from simulator.mapping.plan import RECOMPUTE, SCHEDULES, PlanTable, as_even_as_may_be
from simulator.workload.jobs.samples import Job, SampleJob
from simulator.workload.transformer_blocks import total_layers

Ints = NDArray[np.int64]

#: tokens of a sample that a context-parallel rank keeps at least, unless the degrees are chosen by name: with fewer,
#: cutting the batch or the matrices always serves better, and no published layout does it
CONTEXT_TOKENS: Final = 2048

DEGREES: Final = ("tp", "cp", "pp")  # dp is what they leave
WITHIN: Final = ("ep", "vpp", "micro_batch")  # the rest of a geometry
OPTIONS: Final = ("zero", "sequence_parallel", "recompute", "schedule")

#: keys of a scenario's ``plan.choices`` that are called otherwise here
_CHOICES: Final = {"micro": "micro_batch"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """Every plan of a job on ``devices``.

    Attributes:
        axes: the values of each axis, in order.
        degrees: columns ``tp``, ``cp``, ``pp`` of every combination whose product divides the devices, and ``dp``.
    """

    job: Job
    devices: int
    axes: Mapping[str, Ints]
    degrees: Mapping[str, Ints]

    @property
    def options(self) -> int:
        """Plans of one geometry."""
        return prod(len(self.axes[name]) for name in OPTIONS)

    @property
    def geometries(self) -> int:
        """Number of geometries."""
        return len(self.degrees["tp"]) * prod(len(self.axes[name]) for name in WITHIN)

    def __len__(self) -> int:
        """Number of plans, possible or not."""
        return self.geometries * self.options

    def walk(self, rows: int) -> Iterator[PlanTable]:
        """Yield all geometries in tables of at most ``rows`` plans, their options still at the first of each axis.

        Where the global batch does not divide, ``micro_batches`` is rounded down.
        """
        for start in range(0, self.geometries, rows):
            yield self._geometries(start, min(start + rows, self.geometries))

    def _geometries(self, start: int, stop: int) -> PlanTable:
        shape = (len(self.degrees["tp"]), *(len(self.axes[name]) for name in WITHIN))
        degree, *within = np.unravel_index(np.arange(start, stop), shape)
        columns = {name: values[degree] for name, values in self.degrees.items()}
        columns |= {name: self.axes[name][place] for name, place in zip(WITHIN, within, strict=True)}
        columns |= {name: np.full(stop - start, self.axes[name][0]) for name in OPTIONS}
        samples = self.job.global_batch // (columns["micro_batch"] * columns["dp"])
        even = as_even_as_may_be(stop - start)
        return PlanTable(**columns, micro_batches=samples, order=np.zeros_like(samples), layers_per_stage=even)

    def with_options(self, geometries: PlanTable) -> PlanTable:
        """Return each geometry with each combination of options, those of one geometry together."""
        count = len(geometries)
        grid = np.array(list(product(*(self.axes[name].tolist() for name in OPTIONS))), dtype=np.int64)
        rows = geometries.take(np.repeat(np.arange(count), len(grid)))
        columns = {name: np.tile(grid[:, place], count) for place, name in enumerate(OPTIONS)}
        return rows.change(**columns)


def space_of(job: Job, devices: int, choices: Mapping[str, tuple[Any, ...]] | None = None) -> Space:
    """Return the space of a job's plans.

    Args:
        job: what is trained.
        devices: that every plan uses, all of them.
        choices: values by axis, as ``plan.choices`` of a scenario has them; an axis left out is free: TP, PP and EP
            take the divisors of the devices up to heads, layers and experts, CP those that leave each rank 2,048
            tokens, the micro-batch the divisors of the global batch, virtual stages whatever cuts a stage's layers
            evenly; ZeRO, sequence parallelism and recomputation take all values, and the schedule is 1F1B. A network on
            samples is only cut by its batch and sharded, unless
            stages are chosen by name.

    Raises:
        InputError: no combination of the chosen degrees divides the devices.
    """
    chosen = {_CHOICES.get(name, name): _values(name, values) for name, values in (choices or {}).items()}
    axes = _free(job, devices, chosen) | chosen
    grid = np.meshgrid(*(axes[name] for name in DEGREES), indexing="ij")
    degrees = dict(zip(DEGREES, (axis.ravel() for axis in grid), strict=True))
    ranks = degrees["tp"] * degrees["cp"] * degrees["pp"]
    whole = devices % ranks == 0
    if not whole.any():
        raise InputError(f"no tp*cp*pp among the choices divides the {devices} devices; widen plan.choices.")
    degrees = {name: values[whole] for name, values in degrees.items()} | {"dp": devices // ranks[whole]}
    return Space(job=job, devices=devices, axes=axes, degrees=degrees)


def _values(name: str, values: tuple[Any, ...]) -> Ints:
    names = {"recompute": RECOMPUTE, "schedule": SCHEDULES}.get(name)
    numbers = [names.index(value) for value in values] if names else [int(value) for value in values]
    return np.array(sorted(set(numbers)), dtype=np.int64)


def _free(job: Job, devices: int, chosen: Mapping[str, Ints]) -> dict[str, Ints]:
    if isinstance(job, SampleJob):
        one, none = np.ones(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
        whole = dict.fromkeys(("tp", "cp", "pp", "ep", "vpp"), one)
        kept = dict.fromkeys(("sequence_parallel", "recompute"), none)
        return whole | kept | {"micro_batch": divisors(job.global_batch), "zero": np.arange(4),
                               "schedule": np.array([SCHEDULES.index("1f1b")])}  # fmt: skip
    model, layers = job.model, total_layers(job.model)
    experts = model.experts.count if model.experts else 1
    ways = divisors(devices)
    pp = chosen.get("pp", ways[ways <= layers])
    stages = np.unique(-(-layers // pp))
    return {
        "tp": ways[ways <= model.heads],
        "cp": ways[(ways == 1) | (ways * CONTEXT_TOKENS <= job.seq_len)],
        "pp": pp,
        "ep": np.intersect1d(divisors(experts), ways),
        "vpp": np.unique(np.concatenate([divisors(int(count)) for count in stages])),
        "micro_batch": divisors(job.global_batch),
        "zero": np.arange(4),
        "sequence_parallel": np.arange(2),
        "recompute": np.arange(len(RECOMPUTE)),
        "schedule": np.array([SCHEDULES.index("1f1b")]),
    }


def divisors(number: int) -> Ints:
    """Return the divisors of a positive number, ascending.

    >>> divisors(12).tolist()
    [1, 2, 3, 4, 6, 12]
    """
    low = np.arange(1, int(number**0.5) + 1, dtype=np.int64)
    low = low[number % low == 0]
    return np.unique(np.concatenate([low, number // low]))
