from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest

from simulator.engine.serving.service import serve
from simulator.foundation.errors import Infeasible, InputError
from simulator.foundation.randomness import Streams
from simulator.planner.serving.cheapest import Trial, fresh_draw
from simulator.planner.serving.service_plan import ServicePlan, recommend_service
from simulator.scenario import Scenario
from simulator.simulation.serving import prepare
from tests.planner.serving.small_services import (
    every_deployment,
    question,
    random_scenario,
    random_split,
    scenario,
    trials,
)


def _brute_force(asked: Scenario) -> float | None:
    """Return the least cost of all deployments that keep the limits, all played."""
    whole = question(asked)
    player = trials(whole)
    costs = []
    for priced, nodes in every_deployment(whole):
        try:
            trial = player.play(priced, nodes)
        except Infeasible:
            continue
        costs += [trial.cost] * trial.keeps
    return min(costs, default=None)


def _planned(asked: Scenario) -> float | None:
    with patch("simulator.planner.serving.service_plan._relaxations", return_value=()):
        try:
            return recommend_service(asked, top=0).chosen.cost
        except Infeasible:
            return None


def test_the_plan_is_as_cheap_as_brute_force() -> None:
    answers = []
    for number in range(12):
        asked = random_scenario(number)
        answers.append(_planned(asked))
        assert answers[-1] == _brute_force(asked), number
    assert sum(answer is not None for answer in answers) >= 4, "most must have an answer, or nothing is shown"


def test_nothing_that_was_played_and_keeps_the_limits_beats_the_front(found: ServicePlan) -> None:
    def measures(one: Trial) -> list[float]:
        metrics, watts = one.result.metrics(), one.result.watts_per_replica
        assert watts is not None
        return [one.cost, watts * one.result.replicas, metrics["ttft_p95_ms"], metrics["tpot_p95_ms"]]

    assert found.front[0].cost == found.chosen.cost
    for one in found.front:
        for other in (trial for trial in found.played if trial.keeps):
            pairs = list(zip(measures(one), measures(other), strict=True))
            assert not (all(b <= a for a, b in pairs) and any(b < a for a, b in pairs))
    assert len(found.facts()["front"]) == len(found.front)


@pytest.mark.slow
def test_the_plan_is_as_cheap_as_brute_force_in_200_services() -> None:
    for number in range(12, 212):
        asked = random_scenario(number)
        assert _planned(asked) == _brute_force(asked), number


def _with_prompts_apart(numbers: range) -> tuple[int, int]:
    """Hold each answer against brute force; return how many there were, and how many of them compute prompts apart."""
    answered = apart = 0
    for number in numbers:
        asked = random_split(number)
        try:
            with patch("simulator.planner.serving.service_plan._relaxations", return_value=()):
                found = recommend_service(asked, top=0).chosen
        except Infeasible:
            assert _brute_force(asked) is None, number
            continue
        assert found.cost == _brute_force(asked), number
        answered, apart = answered + 1, apart + (found.deployment.prefill > 0)
    return answered, apart


def test_with_prompts_and_decoding_apart_the_plan_is_as_cheap_as_brute_force_too() -> None:
    answered, apart = _with_prompts_apart(range(10))
    assert answered >= 4
    assert apart >= 2


@pytest.mark.slow
def test_with_prompts_and_decoding_apart_the_plan_is_as_cheap_as_brute_force_in_200_services() -> None:
    answered, apart = _with_prompts_apart(range(10, 210))
    assert answered >= 80
    assert apart >= 40


def test_a_search_tells_of_every_run_and_ends_when_they_are_spent() -> None:
    told: list[tuple[int, int]] = []
    found = recommend_service(scenario("plan.simulations=7"), top=0, progress=lambda *runs: told.append(runs))
    assert [done for done, _ in told] == list(range(1, found.runs + 1))
    assert {most for _, most in told} == {7}
    assert found.runs <= 7 + 9  # the last deployment is played on all of its draws


@pytest.fixture(scope="module")
def found() -> ServicePlan:
    return recommend_service(scenario(), top=2)


def test_the_same_question_has_the_same_answer(found: ServicePlan) -> None:
    assert recommend_service(scenario(), top=2).facts() == found.facts()


def test_runner_ups_keep_the_limits_and_are_no_cheaper(found: ServicePlan) -> None:
    assert found.runner_ups
    assert all(one.keeps and one.cost >= found.chosen.cost for one in found.runner_ups)
    assert len({one.deployment.family for one in (found.chosen, *found.runner_ups)}) == len(found.runner_ups) + 1


def test_every_deployment_is_accounted_for(found: ServicePlan) -> None:
    assert sum(found.rejected.values()) + 1 == found.considered
    assert found.considered * 3 == len(every_deployment(question(scenario())))


def test_the_predicted_figures_are_those_of_a_run_of_the_same_deployment(found: ServicePlan) -> None:
    best, asked = found.chosen, scenario()
    machines = best.deployment.scenario(asked, best.nodes)
    workload = best.deployment.workload(asked.workloads[0])
    ready = prepare(machines, workload)
    served = serve(ready.requests, ready.service, seed=asked.run.seed)
    assert np.array_equal(served.latency_s, best.result.served.latency_s)
    assert best.cost == pytest.approx(best.nodes * best.deployment.machine.price)


def _attained(found: ServicePlan, seed: int) -> float:
    workload = found.chosen.deployment.workload(found.workload)
    requests = workload.traffic.draw(Streams(seed))
    ready = prepare(found.chosen.deployment.scenario(found.scenario, found.chosen.nodes), workload, requests=requests)
    return float(serve(requests, ready.service, seed=seed).meets(workload.limits).mean())


@pytest.mark.slow
def test_fresh_draws_keep_the_limits() -> None:
    """Twenty services, ten fresh draws each: at least 95 % of the draws keep the limits."""
    kept = []
    for number in range(20):
        rate, ttft = 2 + number % 5 * 3, 400 + number % 3 * 400
        asked = scenario(f"workloads[0].traffic.groups[0].rate={rate} /s", "workloads[0].traffic.seconds=120 s",
                         f"workloads[0].limits={{ttft: {ttft} ms, tpot: {25 + number % 4 * 10} ms, attainment: 0.95}}",
                         "plan.choices.count=[1, 2, 3, 4, 6, 8]", "plan.seeds=3", f"run.seed={number}")  # fmt: skip
        found = recommend_service(asked, top=0)
        kept += [_attained(found, 1000 + seed) >= 0.95 for seed in range(10)]
    assert np.mean(kept) >= 0.95


def test_more_seeds_ask_for_more_than_the_mean() -> None:
    assert fresh_draw([0.96, 0.96, 0.96]) == pytest.approx(0.96)
    # mean 0.96, deviation 0.01, t(0.95; 2) = 2.91999: 0.96 - 2.91999 * 0.01 * sqrt(4/3)
    assert fresh_draw([0.95, 0.96, 0.97]) == pytest.approx(0.926283, abs=1e-6)


def test_what_no_machine_can_keep_is_infeasible_with_its_smallest_relaxation() -> None:
    with pytest.raises(Infeasible) as caught:
        _ = recommend_service(scenario("workloads[0].limits={ttft: 1 s, tpot: 3 ms}"))
    assert caught.value.binding == "too many requests miss the TPOT limit even alone"
    limit = float(caught.value.relaxation.partition("allow TPOT ")[2].partition(" ms")[0])
    found = recommend_service(scenario(f"workloads[0].limits={{ttft: 1 s, tpot: {limit} ms}}"), top=0)
    assert found.chosen.keeps
    assert limit > 3


def test_too_few_machines_are_told_how_many_would_do() -> None:
    few = ("workloads[0].traffic.groups[0].rate=30 /s", "plan.choices.nodes=[aws-g6e.xlarge]", "plan.choices.count=[1]")
    with pytest.raises(Infeasible, match="no deployment of 'chat' keeps the limits") as caught:
        _ = recommend_service(scenario(*few))
    assert "take " in caught.value.relaxation


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("plan.objective=time", "a service is planned for cost or energy"),
        ("workloads[0].limits={}", "has no limits to keep"),
        ("workloads[0].scale={policy: hpa}", "leave scale, events and replicas.prefill"),
        ("plan.choices.nodes=[dgx-h100]", "what dgx-h100 costs is not known"),
        ("plan.choices.precision=[fp7]", "no number format 'fp7'"),
        ("plan.choices.nodes=[aws-p5.5xlarge]", "aws-p5"),
    ],
)
def test_questions_that_cannot_be_asked_say_what_to_mend(override: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        _ = recommend_service(scenario(override))


def test_energy_is_an_objective_too() -> None:
    best = recommend_service(scenario(), objective="energy", top=0)
    assert best.unit == "W"
    assert best.chosen.cost == best.chosen.nodes * best.chosen.deployment.machine.price
