"""The ranks of one training job on nodes, rails and leaves: which degree of parallelism lies on which tier.

Ranks fill devices in their order, so the innermost degree shares the innermost tier. Every order of TP, CP, DP and PP
is priced on the cluster's tiers by the network model of the planner: 24 orders, fewer where a degree is 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import permutations
from math import gcd
from typing import Any, Final

import numpy as np

from simulator.costs.estimate import estimate
from simulator.mapping.lowering import lower_job
from simulator.mapping.placement import Group, place_group
from simulator.mapping.plan import Plan, PlanTable
from simulator.mapping.program import Program
from simulator.mapping.unfolding import HEALTHY
from simulator.simulation.setting import Setting
from simulator.topology.tiers import Tier

#: degrees in the usual order, the innermost first
DEGREES: Final = ("tp", "cp", "dp", "pp")
#: steps that differ by less, as a share, are equal
_SAME: Final = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """One order of ranks, the innermost degree first.

    Attributes:
        step_s: of a step, by the closed form.
        reaches: name of the tier that each degree above 1 spans: the innermost that holds all ranks of one group.
    """

    order: tuple[str, ...]
    step_s: float
    reaches: Mapping[str, str]

    def facts(self) -> dict[str, Any]:
        """Return the order as plain data."""
        return {"order": "-".join(self.order), "step_s": self.step_s, "reaches": dict(self.reaches)}


def rank_orders(setting: Setting, plan: Plan) -> tuple[Ordered, ...]:
    """Return every order of the degrees above 1, the fastest first; of equals the usual one.

    Empty for jobs on samples, which have one degree, and where EP cuts TP, CP and DP unevenly.
    """
    program = lower_job(setting.job, PlanTable.of([plan]), setting.tiers)
    if not isinstance(program, Program) or plan.layers_per_stage or _expert_parts(plan) is None:
        return ()
    sizes = {name: int(getattr(plan, name)) for name in DEGREES}
    seen: dict[tuple[str, ...], Ordered] = {}
    for order in permutations(DEGREES):
        used = tuple(name for name in order if sizes[name] > 1)
        if used not in seen:
            seen[used] = _priced(setting, program, plan, used)
    return tuple(sorted(seen.values(), key=lambda one: one.step_s))


def _priced(setting: Setting, program: Program, plan: Plan, order: tuple[str, ...]) -> Ordered:
    tiers = setting.tiers
    groups = {name: group_over(axes, tiers) for name, axes in group_axes(plan, order).items()}
    placed = replace(program, groups={name: groups[name] for name in program.groups},
                     local_groups={name: groups[name] for name in program.local_groups})  # fmt: skip
    times = setting.price(placed, HEALTHY)
    step = float(estimate(times, placed.table, nodes=float(setting.nodes)).step[0])
    own = _strides(plan, order)
    reaches = {name: _reach(group_over([own[name]], tiers), tiers) for name in order}
    return Ordered(order=order, step_s=step, reaches=reaches)


def group_axes(plan: Plan, order: Sequence[str]) -> dict[str, list[tuple[int, int]]]:
    """Return the (size, stride) of the degrees of each communication group, with ranks in an order.

    ``dp`` is over the replicas and the parts of the sequence, ``ep`` over the first ranks of a stage in the order TP,
    CP, DP, and ``edp`` over the others.
    """
    own, parts = _strides(plan, order), _expert_parts(plan)
    assert parts is not None, "asked only where EP divides the degrees"
    experts = [(parts[name], own[name][1]) for name in ("tp", "cp", "dp")]
    others = [(own[name][0] // parts[name], own[name][1] * parts[name]) for name in ("tp", "cp", "dp")]
    return {"tp": [own["tp"]], "cp": [own["cp"]], "pp": [own["pp"]], "dp": [own["cp"], own["dp"]], "ep": experts,
            "edp": others}  # fmt: skip


def _strides(plan: Plan, order: Sequence[str]) -> dict[str, tuple[int, int]]:
    found, stride = {}, 1
    for name in (*order, *(name for name in DEGREES if name not in order)):
        size = int(getattr(plan, name))
        found[name] = (size, stride)
        stride *= size
    return found


def _expert_parts(plan: Plan) -> dict[str, int] | None:
    """Return how much of EP lies on TP, CP and DP; None if it does not divide them in turn."""
    left, found = plan.ep, {}
    for name in ("tp", "cp", "dp"):
        found[name] = gcd(left, int(getattr(plan, name)))
        left //= found[name]
    return found if left == 1 else None


def group_over(axes: Sequence[tuple[int, int]], tiers: Sequence[Tier]) -> Group:
    """Return the group that runs over some degrees, each given by its (size, stride)."""
    parts = [place_group(np.array([size]), np.array([stride]), tiers) for size, stride in axes]
    return reduce(Group.times, parts)


def _reach(group: Group, tiers: Sequence[Tier]) -> str:
    pairs = zip(tiers, group.members, strict=True)
    return next(tier.name for tier, held in pairs if held[0] == group.size[0])


def told(orders: Sequence[Ordered], plan: Plan) -> str:
    """Return which order is best, what lies where, and what the worst would cost; empty where there is one only."""
    if len(orders) < 2:
        return ""
    usual = tuple(name for name in DEGREES if getattr(plan, name) > 1)
    mine = next(one for one in orders if one.order == usual)
    best, worst = orders[0], orders[-1]
    best = mine if mine.step_s <= best.step_s * (1.0 + _SAME) else best
    where = ", ".join(f"{name} on {tier}" for name, tier in best.reaches.items())
    head = f"Number the ranks {'-'.join(best.order)}, the innermost first ({where})"
    if best is not mine:
        head += f"; the usual {'-'.join(usual)} would take {mine.step_s / best.step_s - 1.0:.1%} longer"
    return f"{head}; of {len(orders)} orders {'-'.join(worst.order)} is {worst.step_s / best.step_s - 1.0:.1%} slower."
