"""What one replica can take in a steady state, for the order in which deployments are tried; an estimate, no bound.

A step of m tokens holds m D / (P + D) decoding requests, for requests of P prompt and D decoded tokens in the mean, and
takes the table's time plus the attention of its share; requests come at m / (step (P + D)) per second.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from simulator.engine.serving.fleet.engine_class import EngineClass
from simulator.engine.serving.service import Limits
from simulator.workload.requests import Requests

#: share of the TPOT limit that the mean step may take, so that slower ones keep it too
_TPOT_SHARE: Final = 0.85
#: share of the steady rate at which queues stay short
_LOAD: Final = 0.85
#: steps looked at
_POINTS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Steady:
    """The rate of requests per second that a replica takes, and the parts of a step then, in seconds."""

    rate: float
    tokens: float
    dense_s: float
    context_s: float
    prompt_s: float

    @property
    def step_s(self) -> float:
        """The whole step."""
        return self.dense_s + self.context_s + self.prompt_s

    @property
    def shares(self) -> tuple[float, float, float]:
        """Shares of the parts in the step, in their order."""
        return self.dense_s / self.step_s, self.context_s / self.step_s, self.prompt_s / self.step_s


def steady_of(engine: EngineClass, requests: Requests, limits: Limits) -> Steady:
    """Return the fastest steady state within the limits; rate 0 if there is none."""
    prompt, output = requests.prompt.astype(float), requests.output.astype(float) - 1.0
    asked, decoded = float(prompt.mean()), float(output.mean())
    contexts = float((output * (prompt + output / 2.0)).mean())
    pairs, held = float((prompt**2).mean()) / 2.0, contexts / max(decoded, 1.0)
    table = np.asarray(engine.times.dense)
    most = min(len(table) - 1, engine.max_num_batched_tokens)
    tokens = np.unique(np.geomspace(1, most, _POINTS).round()).astype(int)
    share = tokens / (asked + decoded)  # requests that pass in one step
    step = table[tokens] + share * (engine.times.per_context * contexts + engine.times.per_pair * pairs)
    batch = share * decoded
    step = np.maximum(step, engine.times.host_fixed + engine.times.host_per_sequence * batch)
    fits = (batch <= engine.max_num_seqs) & (batch * held <= engine.cache_tokens)
    if limits.tpot_s is not None:
        fits &= step <= _TPOT_SHARE * limits.tpot_s
    if limits.ttft_s is not None:
        long = float(np.quantile(prompt, 0.95))
        fits &= np.maximum(1.0, long / np.maximum(engine.max_num_batched_tokens - batch, 1.0)) * step <= limits.ttft_s
    rate = np.where(fits, share / step, 0.0)
    best = int(np.argmax(rate))
    return Steady(rate=_LOAD * float(rate[best]), tokens=float(tokens[best]), dense_s=float(table[tokens[best]]),
                  context_s=float(share[best] * engine.times.per_context * contexts),
                  prompt_s=float(share[best] * engine.times.per_pair * pairs))  # fmt: skip


def nodes_for(steady: Steady, rate: float, per_node: int) -> float:
    """Return the nodes that a rate of requests per second takes; infinity where a replica takes none."""
    return math.inf if steady.rate <= 0.0 else max(1.0, math.ceil(rate / (steady.rate * per_node)))
