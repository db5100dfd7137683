"""The program of a training step of a network on samples.

A network is cut by its batch (data parallelism) and, layer by layer, into the stages of a pipeline; ZeRO shards what
its replicas hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from simulator.foundation.errors import InputError
from simulator.mapping.placement import Group, place_group
from simulator.mapping.plan import SPLIT_BACKWARD, PlanTable
from simulator.topology.tiers import Tier
from simulator.workload.jobs.samples import SampleJob

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleProgram:
    """A training step for every plan of a table.

    Attributes:
        replicas: the ranks that exchange gradients, of each plan.
        pipeline: the ranks of one pipeline, of each plan.
    """

    job: SampleJob
    table: PlanTable
    replicas: Group
    pipeline: Group
    teacher: SampleProgram | None = None  # whose forward passes the job's network learns to imitate

    def take(self, rows: Ints | slice) -> SampleProgram:
        """Return the program of the chosen plans."""
        return replace(self, table=self.table.take(rows), replicas=self.replicas.take(rows),
                       pipeline=self.pipeline.take(rows),
                       teacher=None if self.teacher is None else self.teacher.take(rows))  # fmt: skip


def lower_samples(job: SampleJob, table: PlanTable, tiers: Sequence[Tier]) -> SampleProgram:
    """Return the program of each plan; raises :class:`InputError` for a plan that cuts the network in other ways."""
    name, cut = job.network.name, table.pp > 1
    if (table.tp * table.cp * table.ep > 1).any():
        raise InputError(f"network {name!r} is cut by its batch and into stages only; set tp, cp and ep to 1.")
    if (cut & ((table.vpp > 1) | (table.schedule >= SPLIT_BACKWARD))).any():
        raise InputError(
            f"the stages of network {name!r} work by the schedules gpipe and 1f1b, without virtual stages."
        )
    if cut.any() and job.network.tables:
        raise InputError(f"network {name!r} has embedding tables, which no stage of a pipeline holds; set pp to 1.")
    return SampleProgram(job=job, table=table, replicas=place_group(table.dp, table.tp, tiers),
                         pipeline=place_group(table.pp, table.dp, tiers),
                         teacher=None if job.teacher is None else lower_samples(job.teacher, table, tiers))  # fmt: skip
