"""From the seconds of batches to what the kernel needs: a replica that answers in one pass is one whose prompts do."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.engine.clock import TICKS_PER_SECOND, to_ticks
from simulator.engine.serving.fleet import layout as at
from simulator.engine.serving.fleet.engine_class import EngineClass, Gathering, StepTimes
from simulator.foundation.errors import InputError


def batching_class(
    *, latency_s: Sequence[float], occupied_s: Sequence[float] | None = None, delay_s: float | None = 0.0
) -> EngineClass:
    """Return the engine class of a device that takes up to so many requests at once, each one prompt and one answer.

    Args:
        latency_s: of a batch of 1, 2, ... requests; as many as the largest batch.
        occupied_s: how long a batch keeps the device from the next one; None: as long as its latency. A pipeline (an
            FPGA, a systolic array) takes the next batch after its initiation interval.
        delay_s: how long the first of a batch waits for others; None: until the batch is full (static batching).
    """
    if not latency_s or (delay_s is not None and delay_s < 0):
        raise InputError(f"batches of up to {len(latency_s)}, delay {delay_s} s cannot be.")
    occupied = latency_s if occupied_s is None else occupied_s
    if len(occupied) != len(latency_s):
        raise InputError("give as many occupied_s as latency_s.")
    both = zip(latency_s, occupied, strict=True)
    tail = [(to_ticks(whole) - to_ticks(part)) / TICKS_PER_SECOND for whole, part in both]
    largest = len(latency_s)
    return EngineClass(
        times=StepTimes(dense=(0.0, *occupied), per_context=0.0, per_pair=0.0),
        blocks=at.REQUESTS,  # nothing is cached, so that nothing runs short
        block_size=1,
        max_num_seqs=largest,
        max_num_batched_tokens=largest,
        chunked_prefill=False,
        decode_first=False,
        preemption="never",
        gathering=Gathering(delay_s=delay_s, tail_s=(0.0, *tail) if any(tail) else None),
    )
