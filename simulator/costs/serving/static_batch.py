"""A batch that starts and ends together: prompts, then one token each per iteration."""

from __future__ import annotations

import numpy as np

from simulator.costs.serving.iteration import Replica, context_seconds, dense_seconds, host_seconds, pair_seconds


def prompt_seconds(replica: Replica, batch: float, prompt: float) -> float:
    """Return seconds until every request of a batch has its first token; long batches go in steps of the budget."""
    tokens = batch * prompt
    steps = max(1.0, tokens / max(replica.engine.max_num_batched_tokens, prompt))
    dense = float(dense_seconds(replica, np.array([tokens / steps]), sampled=np.array([batch / steps]))[0])
    pairs = batch * prompt * prompt / 2.0
    device = steps * dense + pairs * pair_seconds(replica, typical=prompt)
    return _with_host(replica, device, batch, steps, prompts=True) + steps * replica.engine.prompt_s


def decode_seconds(replica: Replica, batch: float, context: float) -> float:
    """Return seconds of one decode iteration of ``batch`` requests with ``context`` tokens each."""
    dense = float(dense_seconds(replica, np.array([float(batch)]))[0])
    device = dense + batch * context * context_seconds(replica, typical=context)
    return _with_host(replica, device, batch, 1.0, prompts=False)


def generation_seconds(replica: Replica, batch: float, prompt: float, output: float) -> float:
    """Return seconds from the start to the last token of the batch; exact, as the iterations are affine in context."""
    first = prompt_seconds(replica, batch, prompt)
    return first + max(0.0, output - 1.0) * decode_seconds(replica, batch, prompt + output / 2.0)


def _with_host(replica: Replica, device: float, batch: float, steps: float, *, prompts: bool) -> float:
    host = steps * host_seconds(replica, prompts=prompts) + replica.engine.host_per_sequence_s * batch
    return max(host, device) if replica.engine.overlapped else host + device
