"""The program of a training step, whether its job works on tokens or on samples."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.mapping.plan import PlanTable
from simulator.mapping.program import Program, lower
from simulator.mapping.samples import SampleProgram, lower_samples
from simulator.topology.tiers import Tier
from simulator.workload.jobs.samples import Job, SampleJob

#: of a job on tokens or on samples
AnyProgram = Program | SampleProgram


def lower_job(job: Job, table: PlanTable, tiers: Sequence[Tier]) -> AnyProgram:
    """Return the program of each plan; raises :class:`InputError` for a plan of a network that cuts more than batches.

    Feasibility (memory, divisibility) is judged elsewhere.
    """
    return lower_samples(job, table, tiers) if isinstance(job, SampleJob) else lower(job, table, tiers)
