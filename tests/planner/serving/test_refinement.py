"""Limits and stages that are not enumerated, held against an independent search with ten times the runs."""

from __future__ import annotations

import pytest

from benchmarks.service_search import KEPT, Longer, compare, question
from simulator.planner.serving.cheapest import fresh_draw, too_many
from simulator.planner.serving.service_plan import recommend_service
from tests.planner.serving.small_services import scenario


@pytest.mark.parametrize("draws", range(2, 30))
def test_too_many_misses_are_those_that_no_other_draws_make_good(draws: int) -> None:
    """Of misses just below the share and other draws at one value above it, none reaches the share by its interval."""
    for misses in range(1, draws):
        best = max(fresh_draw([0.95 - 1e-9] * misses + [0.95 + far] * (draws - misses)) for far in (1e-3, 0.01, 0.05))
        assert too_many(misses, draws) == (best < 0.95), (misses, draws)
    assert not too_many(0, draws)


def test_limits_that_are_not_enumerated_make_a_service_cheaper() -> None:
    """One replica of 512 sequences does what takes two of at most 256, and the longer search finds nothing below."""
    one = compare(question(5), longer=2, fewest=40)
    assert one.plan.chosen.deployment.max_num_seqs > 256
    assert one.plan.chosen.nodes == 1
    assert one.cheaper is None
    assert one.kept >= KEPT


def test_what_is_narrowed_stays() -> None:
    narrow = scenario("plan.choices.tp=[1]", "plan.choices.pp=[1]", "plan.further_seeds=0")
    for one in recommend_service(narrow, top=0).played:
        limits = one.deployment.max_num_seqs, one.deployment.max_num_batched_tokens
        assert limits in {(8, 2048), (64, 2048)}
        assert (one.deployment.layout.tp, one.deployment.layout.pp) == (1, 1)


def test_a_longer_search_finds_what_a_plan_with_bad_limits_left() -> None:
    """The search that plans are held against does find: limits of four sequences are beaten."""
    few = ("plan.choices.max_num_seqs=[4]", "plan.choices.count=[1, 2, 3, 4, 5, 6, 7, 8]", "plan.further_seeds=0")
    poor = recommend_service(scenario(*few), top=0)
    found = Longer(poor, longer=1, fewest=120).search()
    assert found is not None
    assert found.cost < poor.chosen.cost


@pytest.mark.slow
def test_a_ten_times_longer_search_finds_next_to_nothing_cheaper_for_twenty_services() -> None:
    compared = [compare(question(number)) for number in range(20)]
    assert sum(one.beaten for one in compared) <= 1
    assert sum(one.kept for one in compared) / len(compared) >= KEPT
