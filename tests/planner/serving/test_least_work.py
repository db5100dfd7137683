from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.engine.serving.fleet.engine_class import EngineClass, StepTimes
from simulator.foundation.errors import Infeasible
from simulator.planner.serving.least_work import demand_of, steps_of
from simulator.planner.serving.pricing import price_deployment
from tests.planner.serving.small_services import every_deployment, question, random_scenario, scenario, trials


def _engine(dense: list[float]) -> EngineClass:
    return EngineClass(times=StepTimes(dense=tuple(dense), per_context=0.0, per_pair=0.0), blocks=100)


_TABLES = st.lists(st.floats(1e-4, 1.0), min_size=3, max_size=40)


@given(dense=_TABLES)
def test_the_minorant_is_convex_never_falls_and_never_exceeds_the_table(dense: list[float]) -> None:
    steps = steps_of(_engine(dense))
    slopes = np.diff(steps.seconds) / np.diff(steps.tokens)
    assert (slopes >= -1e-12).all()
    assert (np.diff(slopes) >= -1e-9).all()
    assert all(steps.at(m) <= seconds for m, seconds in enumerate(dense))


@given(dense=_TABLES, taken=st.lists(st.integers(1, 39), min_size=1, max_size=12))
def test_no_iterations_are_faster_than_the_bound_says(dense: list[float], taken: list[int]) -> None:
    """Any K steps that hold T tokens take at least T times the least seconds per token at a mean of T / K."""
    sizes = [min(size, len(dense) - 1) for size in taken]
    steps = steps_of(_engine(dense))
    least = sum(sizes) * steps.per_token(sum(sizes) / len(sizes))
    assert sum(dense[size] for size in sizes) >= least * (1.0 - 1e-12)


@given(dense=_TABLES, seconds=st.floats(1e-4, 1.0))
def test_a_step_within_a_time_holds_no_more_tokens_than_the_bound_says(dense: list[float], seconds: float) -> None:
    steps = steps_of(_engine(dense))
    assert all(m <= steps.within(seconds) + 1e-6 for m, taken in enumerate(dense) if m and taken <= seconds)


def _never_loses(number: int) -> tuple[int, int]:
    """Play every deployment; return how many keep the limits and how many the bound excludes."""
    asked = question(random_scenario(number))
    demand, player = demand_of(asked.draws[0], asked.workload), trials(asked)
    keeping, excluded = 0, 0
    for priced, nodes in every_deployment(asked):
        bound = price_deployment(asked, priced.deployment, demand)
        out = isinstance(bound, str) or nodes < bound.fewest
        excluded += out
        try:
            keeps = player.play(priced, nodes).attainments[0] >= asked.workload.attainment
        except Infeasible:
            keeps = False
        keeping += keeps
        assert not (keeps and out), (number, nodes, bound)
    return keeping, excluded


def test_the_bound_excludes_nothing_that_keeps_the_limits() -> None:
    keeping, excluded = np.sum([_never_loses(number) for number in range(12)], axis=0)
    assert min(keeping, excluded) > 10, "both sides must occur, or nothing is shown"


@pytest.mark.slow
def test_the_bound_excludes_nothing_that_keeps_the_limits_in_200_services() -> None:
    for number in range(12, 212):
        _ = _never_loses(number)


def test_without_deadlines_nothing_is_excluded() -> None:
    asked = question(scenario("workloads[0].limits={ttft: 1 s}"))
    assert demand_of(asked.draws[0], asked.workload).windows == ()
