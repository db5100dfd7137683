"""The obvious twin of the space and its constraints: nested loops and plain arithmetic, one plan at a time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from simulator.mapping.plan import RECOMPUTE, Plan
from simulator.planner.question import Question


def _divisors(number: int) -> list[int]:
    return [candidate for candidate in range(1, number + 1) if number % candidate == 0]


def possible_plans(question: Question) -> Iterator[Plan]:
    """Yield every plan of a dense decoder that breaks no constraint but perhaps memory."""
    model, devices = question.job.model, question.setting.devices
    for tp, pp in product(_divisors(devices), _divisors(devices)):
        if devices % (tp * pp) or tp > 8 or pp > model.layers:
            continue
        if model.heads % tp or model.kv_heads % tp or model.ffn % tp:
            continue
        for vpp in _virtual_stages(model.layers, pp):
            yield from _batches(question, tp, pp, devices // (tp * pp), vpp)


def _virtual_stages(layers: int, pp: int) -> list[int]:
    """Cuts of the fullest stage into equal chunks such that the first and the last stage still fill theirs, but one."""
    if pp == 1:
        return [1]
    fullest = -(-layers // pp)
    missing = fullest * pp - layers
    last = fullest - -(-missing // 2)
    first = layers - last - fullest * (pp - 2)
    return [vpp for vpp in _divisors(fullest) if min(first, last) >= max(vpp - 1, 1)]


def _batches(question: Question, tp: int, pp: int, dp: int, vpp: int) -> Iterator[Plan]:
    samples = question.job.global_batch
    for micro in _divisors(samples):
        if samples % (micro * dp):
            continue
        count = samples // (micro * dp)
        if vpp > 1 and count % pp:
            continue
        for zero, parallel, recompute in product(range(4), (False, True), RECOMPUTE):
            same = (zero and dp == 1) or (parallel and tp == 1) or recompute == "selective"
            if same or (zero > 1 and pp > 1):
                continue
            yield Plan(tp=tp, dp=dp, pp=pp, vpp=vpp, micro_batch=micro, micro_batches=count, zero=zero,
                       sequence_parallel=parallel, recompute=recompute)  # fmt: skip
