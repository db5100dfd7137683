"""Reinforcement learning after pre-training: some devices write answers, others learn from them.

A pool of replicas writes a batch of answers of random lengths, each replica refilled until its part is used up; the
pool is done with its longest answer. A pool of learners makes one step of the batch. Writers may be ``ahead`` batches
in front of the weights that they write with: 0 means that the pools take turns.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.foundation.errors import InputError

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Lengths of answers in tokens: lognormal by mean and standard deviation over it, cut at ``longest``."""

    mean: float
    spread: float
    longest: int

    def draw(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Return so many lengths, at least one token each."""
        sigma = float(np.sqrt(np.log1p(self.spread**2)))
        lengths = self.mean * np.exp(sigma * rng.standard_normal(count) - sigma**2 / 2)
        return np.clip(np.rint(lengths), 1, self.longest).astype(np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Writers:
    """Replicas that write alike.

    Attributes:
        iteration_s: seconds of one decode iteration by how many answers a replica writes at once, from 1 on.
        prompts_s: seconds of each replica for its share of the prompts.
        weights_s: to load new weights before a batch.
    """

    replicas: int
    iteration_s: Sequence[float]
    prompts_s: float
    weights_s: float

    def __post_init__(self) -> None:
        if self.replicas < 1 or not len(self.iteration_s):
            raise InputError("answers need at least 1 replica that writes at least 1 at once.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RlRun:
    """What happened: seconds of each batch's writing and learning, and when each step of the learners ended."""

    write_s: Floats
    learn_s: float
    ended_s: Floats
    tokens: int

    @property
    def step_s(self) -> float:
        """Mean seconds from step to step, once both pools work."""
        return float(self.ended_s[-1] - self.ended_s[0]) / (len(self.ended_s) - 1)

    @property
    def writers_busy(self) -> float:
        """Share of a step in which at least one writer writes."""
        return float(self.write_s[1:].mean()) / self.step_s

    @property
    def learners_busy(self) -> float:
        """Share of a step in which the learners learn."""
        return self.learn_s / self.step_s


def write_time(lengths: NDArray[np.int64], writers: Writers) -> float:
    """Return seconds until the last answer of a batch; answers are dealt out in turn."""
    return (
        writers.weights_s
        + writers.prompts_s
        + max(
            _one_replica(lengths[first :: writers.replicas], writers.iteration_s) for first in range(writers.replicas)
        )
    )


def _one_replica(lengths: NDArray[np.int64], iteration_s: Sequence[float]) -> float:
    """Leap from finished answer to finished answer; the batch refills while any wait."""
    slots, seconds, done = len(iteration_s), 0.0, 0
    active = [int(length) for length in lengths[:slots]]
    heapq.heapify(active)
    waiting = lengths[slots:].tolist()[::-1]
    while active:
        finishes = heapq.heappop(active)
        seconds += (finishes - done) * iteration_s[len(active)]
        done = finishes
        if waiting:
            heapq.heappush(active, done + waiting.pop())
    return seconds


def play_rl(
    answers: Answers, count: int, writers: Writers, learn_s: float, *, steps: int, ahead: int, rng: np.random.Generator
) -> RlRun:
    """Play steps of ``count`` answers each; the same generator gives the same ones."""
    lengths = [answers.draw(count, rng) for _ in range(steps)]
    write = np.array([write_time(one, writers) for one in lengths])
    written, learnt = np.zeros(steps), np.zeros(steps)
    for step in range(steps):
        fresh = learnt[step - 1 - ahead] if step > ahead else 0.0
        written[step] = max(fresh, written[step - 1] if step else 0.0) + write[step]
        learnt[step] = max(written[step], learnt[step - 1] if step else 0.0) + learn_s
    return RlRun(write_s=write, learn_s=learn_s, ended_s=learnt, tokens=int(sum(int(one.sum()) for one in lengths)))
