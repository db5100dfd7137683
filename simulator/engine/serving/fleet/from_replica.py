"""From a replica's closed forms to what the kernel needs: a table of step times and a cache in blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from simulator.costs.serving.capacity import memory_of, token_bytes
from simulator.costs.serving.iteration import (
    Replica,
    context_seconds,
    dense_seconds,
    host_seconds,
    pair_seconds,
)
from simulator.costs.serving.speculative import draft_of, token_context_seconds, token_dense_seconds
from simulator.engine.serving.fleet.engine_class import EngineClass, LowerTier, SharedPool, StepTimes

#: tokens per iteration at which the closed form is evaluated exactly; between them it is interpolated
_EXACT_UP_TO: Final = 64
_POINTS: Final = 96


def step_times(replica: Replica, *, typical_prompt: float, typical_context: float) -> StepTimes:
    """Return the seconds of an iteration by tokens, up to the engine's budget.

    Args:
        replica: the model on its devices.
        typical_prompt: tokens of a usual prompt, at which attention's share is taken.
        typical_context: tokens of a usual running request, at which windows cut.
    """
    last = max(replica.engine.max_num_batched_tokens, replica.engine.max_num_seqs, _EXACT_UP_TO * 2)
    last = min(last, 65_536)
    points = np.unique(
        np.concatenate([np.arange(1, _EXACT_UP_TO + 1), np.geomspace(_EXACT_UP_TO, last, _POINTS).round()])
    ).astype(float)
    engine = replica.engine
    host = host_seconds(replica, prompts=False)
    serial = 0.0 if engine.overlapped else host
    dense = np.interp(np.arange(last + 1), points, dense_seconds(replica, points)) + serial
    speculation, draft = replica.speculation, draft_of(replica)
    per_context = context_seconds(replica, typical=typical_context)
    per_pair = pair_seconds(replica, typical=max(typical_prompt, 1.0))
    context_prompt, decode, guessing, yields, guesses = None, None, None, 1.0, 0
    if draft is not None:  # it reads prompts too
        guessing = tuple(np.interp(np.arange(last + 1), points, dense_seconds(draft, points)).tolist())
        per_pair += pair_seconds(draft, typical=max(typical_prompt, 1.0))
    if speculation is not None:
        yields, guesses = speculation.expected_tokens, speculation.tokens
        per_context = token_context_seconds(replica, speculation, typical=typical_context)
        context_prompt = per_context * yields
        running = np.maximum(1.0, np.arange(engine.max_num_seqs + 1))
        decode = tuple((token_dense_seconds(replica, running, speculation) + serial / yields).tolist())
    with_prompts = max(0.0, host_seconds(replica, prompts=True) - host)
    return StepTimes(
        dense=tuple(dense.tolist()),
        per_context=per_context,
        per_pair=per_pair,
        prefill_fixed=engine.prompt_s + (0.0 if engine.overlapped else with_prompts) + _adapter_load(replica),
        host_fixed=host / yields if engine.overlapped else 0.0,
        host_fixed_prompt=host + with_prompts if engine.overlapped else 0.0,
        host_per_sequence=engine.host_per_sequence_s,
        decode=decode,
        per_context_prompt=context_prompt,
        guesses=guesses,
        yields=yields,
        draft=guessing,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolBytes:
    """A pool of prefixes in bytes and bytes per second; see :class:`SharedPool`."""

    size: float
    bandwidth: float
    pool_bandwidth: float | None
    replicas: int | None

    def in_tokens(self, each: float) -> SharedPool:
        """Return the pool where a token of the whole replica takes ``each`` bytes."""
        return SharedPool(
            tokens=int(self.size / each),
            seconds_per_token=each / self.bandwidth,
            pool_seconds_per_token=each / self.pool_bandwidth if self.pool_bandwidth else 0.0,
            replicas=self.replicas,
        )


def _adapter_load(replica: Replica) -> float:
    """Return the expected seconds that a step with a prompt waits for the prompt's adapter from host memory."""
    if replica.adapters is None or replica.adapters.misses == 0:
        return 0.0
    each = replica.adapters.bytes_each(replica.cut()) / replica.layout.pp
    return replica.adapters.misses * each / replica.device.require("host_bandwidth")


def engine_class_of(
    replica: Replica,
    *,
    typical_prompt: float,
    typical_output: float,
    block_size: int = 16,
    cache_tokens: int | None = None,
    max_num_seqs: int | None = None,
    max_num_batched_tokens: int | None = None,
    prefix_block_tokens: int = 0,
    preemption: str | None = None,
    decode_first: bool | None = None,
    chunked_prefill: bool = True,
    memory_fraction: float | None = None,
    link_bandwidth: float | None = None,
    link_latency: float = 0.0,
    swap_bandwidth: float | None = None,
    lower_tiers: Sequence[tuple[float, float]] = (),
    pool: PoolBytes | None = None,
    load_pieces: int = 1,
) -> EngineClass:
    """Return the kernel's engine class of a replica; what is None is the engine's habit.

    ``lower_tiers`` of the prefix cache are bytes of the replica and bytes per second from there, nearest first;
    ``pool`` is what it shares with others, and ``load_pieces`` in how many pieces prefixes are brought back.

    Raises:
        Infeasible: the weights leave no room for a cache.
    """
    engine = replica.engine
    held = memory_of(replica, memory_fraction=memory_fraction).cache_tokens if cache_tokens is None else cache_tokens
    each = token_bytes(replica) * replica.layout.tp * replica.layout.pp
    times = step_times(replica, typical_prompt=typical_prompt, typical_context=typical_prompt + typical_output / 2)
    return EngineClass(
        times=times,
        blocks=max(held // block_size, 0),
        block_size=block_size,
        max_num_seqs=max_num_seqs or engine.max_num_seqs,
        max_num_batched_tokens=max_num_batched_tokens or engine.max_num_batched_tokens,
        chunked_prefill=chunked_prefill,
        decode_first=engine.decode_first if decode_first is None else decode_first,
        preemption=preemption or ("never" if engine.reserves else "recompute"),
        swap_seconds_per_token=each / swap_bandwidth if swap_bandwidth else 0.0,
        prefix_block_tokens=prefix_block_tokens,
        link_seconds_per_token=each / link_bandwidth if link_bandwidth else 0.0,
        link_latency=link_latency,
        lower_tiers=tuple(
            LowerTier(tokens=int(size / each), seconds_per_token=each / bandwidth) for size, bandwidth in lower_tiers
        ),
        pool=None if pool is None else pool.in_tokens(each),
        load_pieces=load_pieces,
    )
