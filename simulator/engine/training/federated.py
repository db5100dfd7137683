"""Federated rounds, client by client: sample, download, train, upload; some never answer.

A round samples more clients than it needs (Bonawitz et al. 2019, arXiv 1902.01046: 130 %) and ends with the last answer
that it needs, or at its deadline with those that came. What the server sends and takes in shares its links among the
clients of the round.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.costs.rounds import expected_order
from simulator.foundation.errors import InputError

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A lognormal quantity by its median and the standard deviation of its logarithm."""

    median: float
    sigma: float

    def draw(self, count: int, rng: np.random.Generator) -> Floats:
        """Return so many of it."""
        return np.asarray(self.median * np.exp(self.sigma * rng.standard_normal(count)))


@dataclass(frozen=True, slots=True, kw_only=True)
class FederatedJob:
    """Rounds over a population of clients.

    Attributes:
        clients: of the population; speeds and links are theirs for good.
        sampled: clients that a round asks.
        needed: answers that it waits for.
        deadline: seconds after which it ends anyhow; infinite: never.
        dropout: share of the asked that never answer.
        down, up: B/s of a client's link.
        compute: seconds of a client's local training.
        download, upload: bytes of the model and of the update.
        server: B/s of the server, each direction.
        aggregate_s: seconds to add up the answers and to check in the next clients.
    """

    rounds: int
    clients: int
    sampled: int
    needed: int
    deadline: float
    dropout: float
    down: Spread
    up: Spread
    compute: Spread
    download: float
    upload: float
    server: float
    aggregate_s: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.needed <= self.sampled <= self.clients:
            raise InputError(
                f"a round of {self.needed} answers from {self.sampled} asked of {self.clients} clients: each is at "
                "most the next, and at least 1."
            )
        if not 0 <= self.dropout < 1:
            raise InputError(f"a dropout of {self.dropout:g}; a share from 0 to below 1.")


@dataclass(frozen=True, slots=True, kw_only=True)
class FederatedRun:
    """What happened, round by round.

    Attributes:
        round_s: seconds of each round.
        answers: that each used.
        late: clients that had trained in vain when each ended.
        failed: whether a round ended with fewer answers than it needs.
        bytes_down, bytes_up: through the server, all rounds.
        wait_s: mean over the used answers of the time from a client's answer to the end of its round.
        expected_s: mean round by order statistics over the population; None where a deadline cuts rounds short.
    """

    round_s: Floats
    answers: NDArray[np.int64]
    late: NDArray[np.int64]
    failed: NDArray[np.bool_]
    bytes_down: float
    bytes_up: float
    wait_s: float
    expected_s: float | None


def play_rounds(job: FederatedJob, rng: np.random.Generator) -> FederatedRun:
    """Play all rounds; the same generator gives the same ones."""
    speeds = {name: spread.draw(job.clients, rng) for name, spread in
              (("down", job.down), ("up", job.up), ("compute", job.compute))}  # fmt: skip
    share = job.server / job.sampled
    times = job.download / np.minimum(speeds["down"], share) + speeds["compute"]
    times = times + job.upload / np.minimum(speeds["up"], share)
    lengths, answers, late, waits = np.zeros(job.rounds), np.zeros(job.rounds, int), np.zeros(job.rounds, int), 0.0
    for number in range(job.rounds):
        asked = rng.choice(job.clients, job.sampled, replace=False)
        answering = np.sort(times[asked[rng.random(job.sampled) >= job.dropout]])
        in_time = answering[answering <= job.deadline]
        used = in_time[: job.needed]
        enough = len(used) == job.needed
        # who never answers is told by the deadline alone; without one the round ends with the last that does
        ended = used[-1] if enough else job.deadline if np.isfinite(job.deadline) else answering.max(initial=0.0)
        lengths[number] = ended + job.aggregate_s
        answers[number], late[number] = len(used), len(answering) - len(used)
        waits += float((ended - used).sum())
    used_in_all = int(answers.sum())
    return FederatedRun(
        round_s=lengths, answers=answers, late=late, failed=answers < job.needed,
        bytes_down=float(job.download * job.sampled * job.rounds), bytes_up=float(job.upload * used_in_all),
        wait_s=waits / max(1, used_in_all), expected_s=_expected(job, times),
    )  # fmt: skip


def _expected(job: FederatedJob, times: Floats) -> float | None:
    """Mean round without a deadline; clients that never answer thin out the asked (their mean number is taken)."""
    answering = round(job.sampled * (1.0 - job.dropout))
    if np.isfinite(job.deadline) or answering < job.needed:
        return None
    ordered = np.sort(times)
    return job.aggregate_s + expected_order(lambda share: np.quantile(ordered, share), job.needed, answering)
