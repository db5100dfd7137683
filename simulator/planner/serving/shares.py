"""A part of a service's requests on one kind of machine, played: how many of them keep the limits."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from simulator.engine.serving.service import serve
from simulator.planner.serving.deployments import Deployment
from simulator.planner.serving.pricing import ServiceQuestion
from simulator.planner.workshop import Answer, Run
from simulator.simulation.serving import prepare


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Requests of one draw, by their rows, on so many nodes with so many replicas (None: as many as fit)."""

    question: ServiceQuestion
    deployment: Deployment
    nodes: int
    count: int | None
    draw: int
    rows: npt.NDArray[np.int64]

    def run(self) -> Run:
        """Return the run that plays it."""
        asked = hashlib.sha256(np.ascontiguousarray(self.rows, dtype="<i8").tobytes()).hexdigest()
        known = {**self.question.known_by, **self.deployment.known_by, "nodes": self.nodes, "count": self.count,
                 "draw": self.draw, "requests": len(self.rows), "which": asked}  # fmt: skip
        return Run(kind="share", known_by=known, do=_played, arguments=(replace(self, question=self.question.alone),))


def kept_of(shares: Sequence[Share]) -> list[int]:
    """Return how many requests of each share keep the limits."""
    if not shares:
        return []
    workshop = shares[0].question.workshop
    if workshop.plain:
        return [_played(one)["kept"] for one in shares]
    return [answer["kept"] for answer in workshop.all([one.run() for one in shares])]


def _played(share: Share) -> Answer:
    question, one = share.question, share.deployment
    requests = question.draws[share.draw].rows(share.rows)
    workload = replace(one.workload(question.workload), count=share.count)
    ready = prepare(one.scenario(question.scenario, share.nodes), workload, requests=requests)
    served = serve(requests, ready.service, seed=question.seeds[share.draw])
    return {"kept": int(served.meets(workload.limits).sum())}
