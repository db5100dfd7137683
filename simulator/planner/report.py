"""A recommendation in sentences, tables and pictures' data."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from simulator.foundation.units import GIGA
from simulator.mapping.plan import ORDERS, Plan
from simulator.planner.constraints import REASONS
from simulator.planner.operation import sentences as operation_sentences
from simulator.planner.placing.rank_order import told as order_told
from simulator.planner.recommendation import Contender, Recommendation
from simulator.results.plan_plots import Candidate

COLUMNS = (
    "rank", "tp", "cp", "dp", "pp", "ep", "vpp", "micro_batch", "micro_batches", "zero", "sequence_parallel",
    "recompute", "step_time_s", "simulated", "memory_bytes", "margin",
)  # fmt: skip

#: columns for people
SHOWN = ("plan", "step (s)", "worse by", "memory (GB)", "how")


def short(plan: Plan) -> str:
    """Return a plan in a few letters: degrees above 1, micro-batch, memory savers.

    >>> short(Plan(tp=8, pp=4, dp=2, micro_batches=4, zero=1))
    'tp8 dp2 pp4 mb1 z1'
    """
    degrees = " ".join(f"{name}{value}" for name in ("tp", "cp", "dp", "pp", "ep", "vpp")
                       if (value := getattr(plan, name)) > 1)  # fmt: skip
    savers = [f"z{plan.zero}"] * (plan.zero > 0) + ["sp"] * plan.sequence_parallel
    savers += [f"stages {'-'.join(map(str, plan.layers_per_stage))}"] * bool(plan.layers_per_stage)
    savers += [f"shares {shares_in_words(plan)}"] * bool(plan.shares)
    savers += [plan.order] * (plan.order != ORDERS[0])
    savers += [f"{plan.recompute} recompute"] * (plan.recompute != "none")
    return " ".join([degrees, f"mb{plan.micro_batch}", *savers]).strip()


def shares_in_words(plan: Plan) -> str:
    """Return the micro-batches of the replicas, equal neighbours together.

    >>> shares_in_words(Plan(dp=5, shares=(23, 23, 23, 9, 9), micro_batches=23))
    '3x23 2x9'
    """
    return " ".join(f"{len(list(alike))}x{share}" for share, alike in groupby(plan.shares))


def rows(found: Recommendation) -> list[tuple[object, ...]]:
    """Return the chosen plan and the runner-ups as rows of :data:`COLUMNS`."""
    return [_row(rank, one) for rank, one in enumerate((found.chosen, *found.runner_ups), start=1)]


def _row(rank: int, one: Contender) -> tuple[object, ...]:
    plan = one.plan
    split = [getattr(plan, name) for name in COLUMNS[1:12]]
    return (rank, *split, one.step_s, one.simulated is not None, sum(one.memory.values()), one.margin)


def shown(found: Recommendation) -> list[tuple[object, ...]]:
    """Return the chosen plan and the runner-ups as rows of :data:`SHOWN`."""
    return [
        (short(one.plan), one.step_s, f"{one.margin:.1%}" if number else "chosen", sum(one.memory.values()) / GIGA,
         "estimated" if one.simulated is None else "simulated")
        for number, one in enumerate((found.chosen, *found.runner_ups))
    ]  # fmt: skip


def candidate(one: Contender) -> Candidate:
    """Return a contender as it is drawn."""
    return Candidate(name=short(one.plan), step_s=one.step_s, memory=one.memory)


def sentences(found: Recommendation) -> list[str]:
    """Return the recommendation in sentences, the decision first."""
    told = found.result.explain().splitlines()
    placed = [text] if (text := order_told(found.orders, found.plan)) else []
    return [_decision(found), *placed, *told, *operation_sentences(found.operation), *_close(found), *_bounds(found)]


def _decision(found: Recommendation) -> str:
    plan = found.plan
    text = (
        f"Take tp {plan.tp}, cp {plan.cp}, dp {plan.dp}, pp {plan.pp}, ep {plan.ep}, {plan.vpp} virtual stage(s); "
        f"micro-batch {plan.micro_batch} x {plan.micro_batches}, ZeRO-{plan.zero}, sequence parallelism "
        f"{'on' if plan.sequence_parallel else 'off'}, recomputation {plan.recompute}, schedule {plan.schedule}."
    )
    text += _unequal(found)
    if found.objective == "time":
        return text
    value = found.chosen.estimated if found.chosen.simulated is None else found.chosen.simulated
    return f"{text} Best {found.objective}: {value:.4g} {found.unit}."


def _unequal(found: Recommendation) -> str:
    """Say how unequal machines share the work, and what equal shares would cost."""
    plan, text = found.plan, ""
    if plan.layers_per_stage:
        text += f" Layers by stage: {', '.join(map(str, plan.layers_per_stage))}."
    if plan.shares:
        text += f" Micro-batches by replica: {shares_in_words(plan)}."
    if plan.order != ORDERS[0]:
        text += f" Order of ranks: {plan.order}."
    if found.baseline is not None:
        text += f" With equal shares and even stages the same layout would take {found.baseline.margin:.1%} longer."
    return text


def _close(found: Recommendation) -> Iterator[str]:
    band = found.result.band
    if found.margin is None:
        yield "No other layout fits."
        return
    first = found.runner_ups[0]
    sure = ""
    if band is not None:
        close = "less" if found.margin < band.median else "more"
        sure = f"; that is {close} than the median error, though errors of alike plans mostly go the same way"
    yield f"The best other layout ({short(first.plan)}) is {found.margin:.1%} worse{sure}."


def _bounds(found: Recommendation) -> Iterator[str]:
    yield f"Binding constraint: {found.binding}."
    yield f"{found.considered:,} plans were looked at, {found.priced:,} priced, {found.fitting:,} fit."
    rejected = "; ".join(f"{REASONS[name]} ({count:,})" for name, count in found.rejected.items() if count)
    if rejected:
        yield f"Rejected, each for its first reason: {rejected}."
