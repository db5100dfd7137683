"""Checkpoints, spares and loaders held against trying every number, and against runs that are played."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simulator.costs.reliability import daly_interval, expected_run, expected_time, waiting_share
from simulator.engine.training.whole_run import Course, Faults, play_run
from simulator.foundation.shipped import shipped
from simulator.planner.domain_spares import waiting_share_of_domains
from simulator.planner.operation import best_interval, operation_of, sentences, standby_of
from simulator.planner.question import question_of
from simulator.planner.recommendation import recommend
from simulator.scenario import load_scenario
from simulator.simulation.feeding import data_job
from simulator.simulation.whole_run import mtbf_of

FILE = shipped("scenarios") / "plan-train-operation.yaml"
SMALL = ("cluster.nodes[0].count=4", "workloads[0].model=gpt3-1.3b", "workloads[0].batch.global=256")


def _segments(steps: int, every: int, step_s: float, save_s: float) -> np.ndarray:
    marks = [*range(every, steps, every), steps]
    return np.diff([0, *marks]) * step_s + save_s


@pytest.mark.parametrize("start", [0, 100])
def test_no_other_number_of_steps_between_checkpoints_ends_sooner(start: int) -> None:
    for seed in range(start, start + 100):
        draw = np.random.default_rng(seed)
        steps, step_s = int(draw.integers(1, 400)), float(draw.uniform(0.5, 20.0))
        save_s, mtbf, restart = (
            float(draw.uniform(0.1, 60.0)),
            float(draw.uniform(200.0, 1e5)),
            float(draw.uniform(0, 900)),
        )
        every, time_s = best_interval(steps, step_s, save_s, mtbf, restart)
        tried = [expected_time(_segments(steps, k, step_s, save_s), mtbf, restart) for k in range(1, steps + 1)]
        assert time_s == pytest.approx(min(tried), rel=1e-9)
        assert tried[every - 1] == pytest.approx(min(tried), rel=1e-9)


def test_long_runs_are_saved_at_dalys_interval() -> None:
    for save_s, mtbf in [(30.0, 1e4), (60.0, 11_124.0), (300.0, 2e5)]:
        every, time_s = best_interval(2_000_000, 1.0, save_s, mtbf, 600.0)
        assert every == pytest.approx(float(daly_interval(save_s, mtbf)), rel=0.03)
        at_daly = float(expected_run(2_000_000, round(float(daly_interval(save_s, mtbf))), 1.0, save_s, mtbf, 600.0))
        assert time_s <= at_daly <= time_s * (1.0 + 1e-4)


def test_the_share_of_waiting_is_that_of_runs_that_are_played() -> None:
    steps, mtbf = 400_000, 2000.0
    course = Course(saved_at=tuple(range(100, steps + 1, 100)), step_s=1.0, save_s=0.0)
    for spares, repair in [(0, 1000.0), (1, 2000.0), (3, 6000.0)]:
        faults = Faults(mtbf=mtbf, restart=0.0, spares=spares, repair=repair)
        played = [play_run(course, faults, np.random.default_rng(seed)) for seed in range(40)]
        share = sum(one.ledger["spares"] for one in played) / sum(one.time_s for one in played)
        assert share == pytest.approx(float(waiting_share(spares, repair / mtbf)[spares]), rel=0.05)


def test_a_domain_of_one_node_is_a_node() -> None:
    """The chain of nodes and domains of one is Erlang's formula for both kinds of failure together."""
    for alone, together in [(1.0, 0.5), (0.2, 3.0), (0.0, 1.5)]:
        assert waiting_share_of_domains(9, alone, together, 1) == pytest.approx(waiting_share(9, alone + together))


def test_without_spares_a_run_waits_for_each_failure_of_whatever_size() -> None:
    for size in (2, 8):
        (share,) = waiting_share_of_domains(0, 0.3, 0.2, size)
        assert share == pytest.approx(0.5 / 1.5)  # works for 1 / rate, waits for a repair


def test_spares_for_domains_wait_as_runs_that_are_played_do() -> None:
    """The chain has repairs without memory, the played ones last equally long: it waits a little longer."""
    steps, mtbf = 400_000, 2000.0
    course = Course(saved_at=tuple(range(100, steps + 1, 100)), step_s=1.0, save_s=0.0)
    for spares, repair, size, part in [
        (1, 2000.0, 2, 0.2),
        (4, 2000.0, 4, 0.1),
        (8, 4000.0, 4, 0.3),
        (10, 6000.0, 8, 0.1),
    ]:
        faults = Faults(mtbf=mtbf, restart=0.0, spares=spares, repair=repair, domain=size, domain_share=part)
        played = [play_run(course, faults, np.random.default_rng(seed)) for seed in range(30)]
        share = sum(one.ledger["spares"] for one in played) / sum(one.time_s for one in played)
        said = waiting_share_of_domains(spares, repair / mtbf * (1 - part), repair / mtbf * part, size)[spares]
        assert 0.98 * share <= said <= 1.1 * share
        single = waiting_share(spares, repair / mtbf)[spares]  # as if each failure took one node
        assert single < 0.9 * share


def test_more_spares_never_wait_longer_and_the_best_number_is_inside_those_tried() -> None:
    draw = np.random.default_rng(2)
    for _ in range(25):
        size, failed, part = int(draw.integers(2, 12)), float(draw.uniform(0.05, 6.0)), float(draw.uniform(0.02, 0.6))
        found = standby_of(256, failed=failed, asked=0, time_s=1e6, usd_per_node_s=1e-3, domain=size, together=part)
        shares = waiting_share_of_domains(found.spares + 2 * size, failed * (1 - part), failed * part, size)
        assert (np.diff(shares) <= 1e-9).all()
        costs = 1e6 / (1 - shares) * (256 + np.arange(len(shares))) * 1e-3
        assert found.usd == pytest.approx(costs.min(), rel=1e-9)
        rare = standby_of(256, failed=failed, asked=0, time_s=1e6, usd_per_node_s=None, domain=size, together=part)
        assert rare.waiting < 1e-3
        assert rare.spares >= size


def test_failures_of_domains_bring_checkpoints_closer_and_spares_up() -> None:
    """The same rate of all failures with whole racks among them: the interval of the played run, and more spares."""
    given = [*SMALL, "run.fidelity=estimate"]
    racks = "workloads[0].faults.domain={nodes: 2, mtbf: 700 h}"
    plain, together = load_scenario(FILE, given), load_scenario(FILE, [*given, racks])
    question, found = question_of(plain), recommend(plain, confirm=0)
    alone = operation_of(question, found.plan, found.result)
    both = operation_of(question_of(together), found.plan, found.result)
    assert alone.saving is not None
    assert both.saving is not None
    assert alone.standby is not None
    assert both.standby is not None
    assert both.saving.every < alone.saving.every
    assert both.standby.spares >= alone.standby.spares
    assert "2 may fail at once" in " ".join(sentences(both))
    rate = 4 / (6335 * 3600) + 2 / (700 * 3600)
    assert mtbf_of(together.workloads[0].around.faults, 4) == pytest.approx(1 / rate)
    ratio = both.saving.interval_s / alone.saving.interval_s
    assert ratio == pytest.approx((6335 * 900 * rate) ** -0.5, rel=0.1)  # Young: the root of the time between failures


def test_no_other_number_of_spares_costs_less() -> None:
    draw = np.random.default_rng(1)
    for _ in range(200):
        nodes, failed = int(draw.integers(2, 500)), float(draw.uniform(0.01, 20.0))
        rent, time_s = float(draw.uniform(1, 50)), float(draw.uniform(1e5, 1e7))
        found = standby_of(nodes, failed=failed, asked=int(draw.integers(0, 9)), time_s=time_s, usd_per_node_s=rent)
        blocked, costs = failed / (1.0 + failed), []
        for spares in range(nodes + 40):
            costs.append(time_s / (1.0 - blocked) * (nodes + spares) * rent)
            blocked = failed * blocked / (spares + 2 + failed * blocked)
        assert found.usd == pytest.approx(min(costs), rel=1e-9)
        assert found.asked_usd == pytest.approx(costs[found.asked], rel=1e-9)


def test_without_prices_waiting_is_made_rare() -> None:
    found = standby_of(64, failed=2.0, asked=0, time_s=1e6, usd_per_node_s=None)
    shares = waiting_share(20, 2.0)
    assert shares[found.spares] < 1e-3 <= shares[found.spares - 1]
    assert found.usd is None


def test_a_scenario_is_saved_spared_and_fed_as_the_closed_forms_say() -> None:
    scenario = load_scenario(FILE, [*SMALL, "run.fidelity=estimate"])
    found = recommend(scenario, confirm=0)
    one = found.operation
    assert one.saving is not None
    assert one.standby is not None
    assert one.loading is not None
    assert one.saving.asked_s is not None
    assert one.saving.asked_s >= one.saving.time_s
    told = " ".join(sentences(one))
    assert "Save every" in told
    assert "stand by" in told
    workload, question = scenario.workloads[0], question_of(scenario)
    feed = data_job(
        workload.data, None, question.setting, found.plan, alone=found.result.feeding.alone_s, size=0.0
    ).feed  # type: ignore[union-attr]
    stalls = [replace(feed, loader=replace(feed.loader, workers=count)).account().stall_s for count in range(1, 40)]
    fewest = next(count for count, stall in enumerate(stalls, start=1) if stall <= 1e-3 * feed.compute_s)
    assert one.loading.workers == fewest
    assert one.loading.shards == fewest * one.loading.readers
    slow = load_scenario(FILE, [*SMALL, "workloads[0].data.loader.decode=20 s"])
    starved = operation_of(question_of(slow), found.plan, found.result).loading
    assert starved is not None
    assert starved.workers is None
    assert starved.stage == "decode"
