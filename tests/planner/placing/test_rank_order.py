"""Orders of ranks held against counting every rank of every group."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from simulator.costs.estimate import estimate
from simulator.mapping.lowering import lower_job
from simulator.mapping.plan import Plan, PlanTable
from simulator.mapping.unfolding import HEALTHY
from simulator.planner.placing.rank_order import DEGREES, group_axes, group_over, rank_orders, told
from simulator.planner.question import question_of
from simulator.topology.tiers import Tier
from tests.planner.questions import scenario


def _ranks(plan: Plan, order: tuple[str, ...]) -> dict[tuple[int, ...], int]:
    """Return the rank of each (tp, cp, dp, pp) coordinate by counting through them."""
    sizes = [getattr(plan, name) for name in reversed(order)]  # the last runs fastest
    found = {}
    for rank, spots in enumerate(product(*(range(size) for size in sizes))):
        at = dict(zip(reversed(order), spots, strict=True))
        found[tuple(at[name] for name in DEGREES)] = rank
    return found


def _group_of_first(plan: Plan, name: str, ranks: dict[tuple[int, ...], int]) -> set[int]:
    """Return the ranks of the group that rank 0 belongs to."""
    inside = lambda t, c, d: t + plan.tp * (c + plan.cp * d)
    keep = {
        "tp": lambda t, c, d, p: (c, d, p) == (0, 0, 0),
        "cp": lambda t, c, d, p: (t, d, p) == (0, 0, 0),
        "pp": lambda t, c, d, p: (t, c, d) == (0, 0, 0),
        "dp": lambda t, c, d, p: (t, p) == (0, 0),
        "ep": lambda t, c, d, p: p == 0 and inside(t, c, d) < plan.ep,
        "edp": lambda t, c, d, p: p == 0 and inside(t, c, d) % plan.ep == 0,
    }[name]
    return {rank for spot, rank in ranks.items() if keep(*spot)}


def test_members_by_tier_are_what_counting_every_rank_finds() -> None:
    for seed in range(250):
        draw = np.random.default_rng(seed)
        tp, cp, dp, pp = (int(2 ** draw.integers(0, 3)) for _ in range(4))
        ep = int(draw.choice([size for size in (1, 2, 4, 8) if (tp * cp * dp) % size == 0]))
        plan = Plan(tp=tp, cp=cp, dp=dp, pp=pp, ep=ep)
        order = tuple(draw.permutation(DEGREES).tolist())
        axes, ranks = group_axes(plan, order), _ranks(plan, order)
        for name, found in axes.items():
            whole = _group_of_first(plan, name, ranks)
            assert int(np.prod([size for size, _ in found])) == len(whole), (seed, name)
            spans = (1, 2, 4, 8, 16, plan.ranks)
            tiers = [Tier(name="", span=span, bandwidth=1.0, port_bandwidth=1.0, latency=0.0) for span in spans]
            group = group_over(found, tiers)
            counted = [sum(rank < span for rank in whole) for span in spans[:-1]]
            assert [int(held[0]) for held in group.members] == [*counted, len(whole)], (seed, name)
            apart = np.diff(sorted(whole))
            assert len(whole) == 1 or int(group.spacing[0]) == apart.min(), (seed, name)


@pytest.mark.parametrize("plan", [Plan(tp=4, dp=2, pp=2, micro_batches=8), Plan(tp=2, cp=2, dp=4, micro_batches=4),
                                  Plan(tp=8, pp=2, micro_batches=16)])  # fmt: skip
def test_the_usual_order_is_priced_as_the_planner_prices_it_and_no_order_twice(plan: Plan) -> None:
    question = question_of(scenario(nodes=2, batch=16, model="gpt3-1.3b"))
    orders = rank_orders(question.setting, plan)
    usual = tuple(name for name in DEGREES if getattr(plan, name) > 1)
    mine = next(one for one in orders if one.order == usual)
    program = lower_job(question.job, PlanTable.of([plan]), question.setting.tiers)
    times = question.setting.price(program, HEALTHY)
    step = float(estimate(times, program.table, nodes=float(question.setting.nodes)).step[0])
    assert mine.step_s == pytest.approx(step, rel=1e-9)
    assert {one.order for one in orders} == set(permutations(usual))
    assert [one.step_s for one in orders] == sorted(one.step_s for one in orders)


def test_tensor_parallelism_belongs_inside_the_node_where_a_step_has_many_micro_batches() -> None:
    plan = Plan(tp=8, dp=2, micro_batches=128)
    orders = {
        one.order: one
        for one in rank_orders(question_of(scenario(nodes=2, model="gpt3-6.7b", batch=256)).setting, plan)
    }
    inside, outside = orders["tp", "dp"], orders["dp", "tp"]
    assert inside.step_s < outside.step_s
    assert inside.reaches["tp"] == "nvlink"
    assert outside.reaches["tp"] != "nvlink"
    assert "Number the ranks tp-dp" in told([inside, outside], plan)
