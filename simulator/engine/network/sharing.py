"""Who slows whom on a shared fabric, by how much, and over which link."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from simulator.engine.network.ensemble import Ensemble
from simulator.engine.network.fabric import Wires
from simulator.engine.network.jobs import Job, alone
from simulator.foundation.units import GIGA, MILLI
from simulator.topology.cluster import Cluster


@dataclass(frozen=True, slots=True, kw_only=True)
class Slowdown:
    """Who slows whom.

    Attributes:
        job, by: names; ``by`` may be the job itself, whose own flows meet on a link.
        link: names of the ends of the link, in the direction of travel.
        seconds: lost per step there.
    """

    job: str
    by: str
    link: tuple[str, str]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """The jobs together, beside each alone.

    Attributes:
        step: s of a mean step together, by job.
        step_alone: s in closed form with nobody else.
        without: s of a mean step of a job when another one is taken away, by (job, other).
        slowdowns: largest first.
        wan_bytes, wan_usd: what a step of each job sends between sites, and what that costs.
    """

    step: dict[str, float]
    step_alone: dict[str, float]
    without: dict[tuple[str, str], float]
    slowdowns: tuple[Slowdown, ...]
    wan_bytes: dict[str, float]
    wan_usd: dict[str, float]

    def factor(self, job: str) -> float:
        """Return how many times longer a step takes than alone."""
        return self.step[job] / self.step_alone[job]

    def rows(self) -> list[list[object]]:
        """Return, per job: name, ms of a step alone and together, how much slower, GB and USD over the WAN per step."""
        return [
            [job, self.step_alone[job] / MILLI, step / MILLI, f"{self.factor(job) - 1:+.1%}",
             self.wan_bytes[job] / GIGA or None, self.wan_usd[job] or None]
            for job, step in self.step.items()
        ]  # fmt: skip

    def facts(self) -> dict[str, Any]:
        """Return everything with units in the names, for JSON."""
        return {
            "jobs": {
                job: {
                    "step_s": step,
                    "step_alone_s": self.step_alone[job],
                    "factor": self.factor(job),
                    "without_s": {other: seconds for (mine, other), seconds in self.without.items() if mine == job},
                    "wan_bytes_per_step": self.wan_bytes[job],
                    "wan_usd_per_step": self.wan_usd[job],
                }
                for job, step in self.step.items()
            },
            "slowdowns": [
                {"job": one.job, "by": one.by, "link": list(one.link), "seconds_per_step": one.seconds}
                for one in self.slowdowns
            ],
        }


def share(cluster: Cluster, jobs: Sequence[Job], *, policy: str = "ecmp", **conditions: Any) -> Shared:
    """Play jobs together, and again without each of them; return who slows whom, by how much and over which link.

    Args:
        policy: of routing, see :meth:`Wires.route`.
        conditions: ``down`` and ``derated`` links, see :class:`Wires`.

    Raises:
        Infeasible: no way round a failed link.
    """
    ensemble = Ensemble(cluster, jobs, Wires(cluster, **conditions), policy=policy)
    stories, names = ensemble.run(), ensemble.wires.names
    timed = [job for job in jobs if job.steps]
    without: dict[tuple[str, str], float] = {}
    for other in jobs:
        rest = [job for job in jobs if job is not other]
        if any(job.steps for job in rest):
            told = Ensemble(cluster, rest, Wires(cluster, **conditions), policy=policy).run()
            without |= {(job.name, other.name): told[job.name].step(job.start) for job in rest if job.steps}
    slowdowns = [
        Slowdown(job=job.name, by=by, link=names[link], seconds=seconds / len(stories[job.name].ends))
        for job in timed
        for (link, by), seconds in stories[job.name].lost.items()
    ]
    sent, paid = ensemble.between_sites(cluster)
    return Shared(
        step={job.name: stories[job.name].step(job.start) for job in timed},
        step_alone={job.name: job.compute + alone(job, cluster).time for job in timed},
        without=dict(sorted(without.items())),
        slowdowns=tuple(sorted(slowdowns, key=lambda one: (-one.seconds, one.job, one.by, one.link))),
        wan_bytes=sent,
        wan_usd=paid,
    )
