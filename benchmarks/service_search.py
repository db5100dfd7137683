"""Whether a search that is ten times longer finds a cheaper service: questions of a model, a rate and limits.

    python -m benchmarks.service_search [--questions N] [--first N]

Each question is planned. Then an independent search spends at least ten times the runs of the engine that the plan
spent on what costs less than the plan: points drawn at random and changes of the best ones, over the kinds of machine,
their number, TP, PP, replicas for prompts only, and every number of sequences and of tokens of a step, most of which
the planner does not try. It knows no bound and no estimate, and where it finds something cheaper it goes on below that.
Last, the plan, and what was found cheaper, are played on forty fresh draws of the traffic. The planner asks that the
limits are kept on each of its draws and by the lower end of the interval for a fresh one; so does the search.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from time import process_time

import numpy as np

from simulator.engine.serving.service import serve
from simulator.foundation.errors import Infeasible, InputError
from simulator.foundation.randomness import Streams
from simulator.foundation.shipped import shipped
from simulator.planner.machines import Machine
from simulator.planner.serving.cheapest import Trial, Trials, fresh_draw
from simulator.planner.serving.deployments import deployments_of
from simulator.planner.serving.pricing import PricedDeployment, ServiceQuestion, service_question
from simulator.planner.serving.service_plan import ServicePlan, recommend_service, short
from simulator.planner.serving.steady import Steady
from simulator.scenario import Scenario, load_scenario
from simulator.simulation.serving import prepare

KEPT = 0.95  # share of the fresh draws that a plan is to keep
LONGER = 10  # times the runs of the plan, at least
FEWEST = 150  # runs, where the plan took very few
FRESH = 40  # draws that neither search has seen
AT_RANDOM = 0.4  # share of the points drawn at random, the others are changes of good ones
MOST = 12  # nodes of a kind
GOOD = 6  # points that are changed
TRIES = 30  # points drawn per run, as many are no deployment or have been played
MODELS = ("llama-3.1-8b", "mistral-7b-v0.3", "qwen2.5-14b", "llama-3.1-70b")
SMALL = ("aws-g6.12xlarge", "aws-g6e.12xlarge", "aws-g7e.12xlarge", "aws-p5.4xlarge")
SINGLE = ("aws-g6.xlarge", "aws-g6e.xlarge", "aws-g7e.2xlarge", "aws-p5.4xlarge")  # of one device: finer prices
LARGE = ("aws-g6e.48xlarge", "aws-g7e.48xlarge", "aws-p5.48xlarge", "oci-BM.GPU.MI300X.8")


def question(number: int) -> Scenario:
    """Return one of the questions: model, machines, rate, lengths and limits by its number."""
    draw = np.random.default_rng(number)
    model = MODELS[number % len(MODELS)]
    large = model.endswith("70b")
    machines = LARGE if large else (SMALL, SINGLE)[number // len(MODELS) % 2]
    rate = draw.uniform(4, 16) if large else draw.uniform(5, 40)
    group = "workloads[0].traffic.groups[0]"
    return load_scenario(
        shipped("scenarios") / "plan-serve-70b.yaml",
        [
            f"workloads[0].model={model}",
            f"plan.choices.nodes=[{', '.join(machines)}]",
            f"plan.choices.count=[{', '.join(str(count) for count in range(1, MOST + 1))}]",
            "workloads[0].traffic.seconds=60 s",
            f"{group}.rate={rate:.2f} /s",
            f"{group}.prompt={{mean: {draw.integers(200, 2000)}, cv: 1.0, maximum: 8192}}",
            f"{group}.output={{mean: {draw.integers(50, 300)}, cv: 0.8, maximum: 1024}}",
            f"workloads[0].limits={{ttft: {draw.integers(500, 2000)} ms, tpot: {draw.integers(25, 70)} ms}}",
            "workloads[0].limits.attainment=0.95",
            f"run.seed={number}",
        ],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What the longer search plays: so many of a machine, and how each replica is set."""

    machine: Machine
    nodes: int
    tp: int
    pp: int
    sequences: int
    tokens: int
    prefill: int

    @property
    def price(self) -> float:
        """Of all nodes, in the objective's unit."""
        return self.nodes * self.machine.price

    def deployment(self, asked: ServiceQuestion) -> PricedDeployment | None:
        """Return the point as the player knows it; None if no replica can be cut so."""
        choices = {**asked.choices, "tp": [self.tp], "pp": [self.pp], "max_num_seqs": [self.sequences],
                   "max_num_batched_tokens": [self.tokens], "prefill": [self.prefill]}  # fmt: skip
        one = next(deployments_of(asked.workload, self.machine, choices), None)
        nothing = Steady(rate=1.0, tokens=1.0, dense_s=1.0, context_s=0.0, prompt_s=0.0)
        return one and PricedDeployment(deployment=one, fewest=1, likely=1, headroom=1.0, steady=nothing)


def _limit(draw: np.random.Generator, least: int, most: int) -> int:
    return round(float(np.exp(draw.uniform(np.log(least), np.log(most)))))


class Longer:
    """The search for something cheaper than a plan: what was played and the cheapest that keeps the limits."""

    def __init__(self, plan: ServicePlan, *, longer: float = LONGER, fewest: int = FEWEST) -> None:
        self.asked = service_question(plan.scenario, plan.workload, plan.objective,
                                      further=plan.scenario.plan.further_seeds)  # fmt: skip
        self.trials = Trials(question=self.asked, most_runs=max(fewest, round(longer * plan.runs)))
        self.below, self.found = plan.chosen.cost, None
        self.seen: dict[Point, Trial] = {}
        self._draw = Streams(plan.scenario.run.seed)["longer search"]

    found: Trial | None

    def search(self) -> Trial | None:
        """Return the cheapest that keeps the limits and costs less than the plan, if one was found."""
        for _ in range(TRIES * self.trials.most_runs):
            rungs = [(machine, nodes) for machine in self.asked.machines for nodes in machine.counts
                     if nodes * machine.price < self.below * (1.0 - 1e-9)]  # fmt: skip
            if self.trials.spent or not rungs:
                break
            self._play(self._next(rungs))
        return self.found

    def _play(self, point: Point) -> None:
        priced = None if point in self.seen else point.deployment(self.asked)
        if priced is None:
            return
        try:
            trial = self.seen[point] = self.trials.play(priced, point.nodes)
        except (Infeasible, InputError):  # no room for a cache, or a figure that nobody gives
            return
        if trial.keeps:
            self.below, self.found = trial.cost, trial

    def _next(self, rungs: list[tuple[Machine, int]]) -> Point:
        """Return a point at random, or a change of one of those that came nearest to keeping the limits."""
        draw = self._draw
        near = sorted((point for point in self.seen if point.price < self.below * (1.0 - 1e-9)),
                      key=lambda point: -fresh_draw(self.seen[point].attainments))[:GOOD]  # fmt: skip
        if not near or draw.random() < AT_RANDOM:
            prices = np.array([nodes * machine.price for machine, nodes in rungs])
            machine, nodes = rungs[draw.choice(len(rungs), p=prices / prices.sum())]
            return self._point(machine, nodes)
        return self._changed(near[draw.integers(len(near))], rungs)

    def _point(self, machine: Machine, nodes: int) -> Point:
        draw, devices = self._draw, machine.node.device_count
        widths = [2**power for power in range(devices.bit_length()) if 2**power <= devices]
        tp = int(draw.choice(widths))
        pp = int(draw.choice([width for width in widths if width * tp <= devices]))
        prefill = int(draw.integers(1, devices // (tp * pp))) if devices > tp * pp and draw.random() < 0.25 else 0
        return Point(machine=machine, nodes=nodes, tp=tp, pp=pp, sequences=_limit(draw, 4, 512),
                     tokens=_limit(draw, 256, 16384), prefill=prefill)  # fmt: skip

    def _changed(self, point: Point, rungs: list[tuple[Machine, int]]) -> Point:
        """Return a point with one or two keys changed; machines of another number of devices are drawn anew."""
        draw = self._draw
        for _ in range(int(draw.integers(1, 3))):
            other = self._point(point.machine, point.nodes)
            step = float(draw.uniform(0.6, 1.7))
            key = draw.integers(6)
            if key == 0:
                point = replace(point, sequences=max(1, round(point.sequences * step)))
            elif key == 1:
                point = replace(point, tokens=max(64, round(point.tokens * step)))
            elif key in (2, 3):
                point = replace(point, tp=other.tp, pp=other.pp if key == 2 else 1, prefill=0)
            elif key == 4:
                point = replace(point, prefill=other.prefill)
            else:
                machine, nodes = rungs[draw.integers(len(rungs))]
                same = machine.node.device_count == point.machine.node.device_count
                point = replace(point, machine=machine, nodes=nodes) if same else self._point(machine, nodes)
        return point


def fresh(asked: ServiceQuestion, trial: Trial, draws: int = FRESH) -> float:
    """Return the share of fresh draws of the traffic on which a deployment keeps the limits."""
    workload = trial.deployment.workload(asked.workload, trial.nodes)
    machines = trial.deployment.scenario(asked.scenario, trial.nodes)
    kept = []
    for seed in range(1000, 1000 + draws):
        requests = workload.traffic.draw(Streams(seed))
        served = serve(requests, prepare(machines, workload, requests=requests).service, seed=seed)
        kept.append(float(served.meets(workload.limits).mean()) >= workload.attainment)
    return float(np.mean(kept))


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A question planned and searched for longer; ``kept`` are shares of fresh draws that each of the two keeps."""

    plan: ServicePlan
    cheaper: Trial | None
    runs: int
    kept: float
    kept_cheaper: float

    @property
    def beaten(self) -> bool:
        """Whether something cheaper keeps the limits on fresh draws as often as is asked of a plan."""
        return self.cheaper is not None and self.kept_cheaper >= KEPT


def compare(scenario: Scenario, **longer: int) -> Compared:
    """Return a question's plan and what a longer search makes of it; raises :class:`Infeasible` without a plan."""
    plan = recommend_service(scenario, top=0)
    search = Longer(plan, **longer)
    cheaper = search.search()
    return Compared(
        plan=plan, cheaper=cheaper, runs=search.trials.runs, kept=fresh(search.asked, plan.chosen),
        kept_cheaper=0.0 if cheaper is None else fresh(search.asked, cheaper),
    )  # fmt: skip


def _compared(first: int, questions: int) -> Iterator[Compared]:
    """Yield each question that has an answer, and print two lines of it."""
    for number in range(first, first + questions):
        begin = process_time()
        try:
            one = compare(question(number))
        except Infeasible as error:
            print(f"{number:3d} infeasible: {str(error)[:90]}", flush=True)
            continue
        print(f"{number:3d} {one.plan.chosen.cost:8.2f} {one.plan.unit}: {short(one.plan.chosen)}\n"
              f"    {one.plan.runs} runs; fresh draws kept {one.kept:.0%}; longer: {one.runs} runs, "
              f"{process_time() - begin:.0f} s in all, {_told(one)}", flush=True)  # fmt: skip
        yield one


def _told(one: Compared) -> str:
    if one.cheaper is None:
        return "nothing cheaper"
    saved = 1.0 - one.cheaper.cost / one.plan.chosen.cost
    return f"{saved:.1%} cheaper: {short(one.cheaper)}; fresh draws kept {one.kept_cheaper:.0%}"


def main() -> None:
    """Print two lines per question, and how many a longer search beats."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    _ = parser.add_argument("--questions", type=int, default=20)
    _ = parser.add_argument("--first", type=int, default=0)
    given = parser.parse_args()
    found = list(_compared(given.first, given.questions))
    cheaper = sum(one.cheaper is not None for one in found)
    print(
        f"{len(found)} answered; something cheaper keeps the seen draws: {cheaper}, and fresh ones: "
        f"{sum(one.beaten for one in found)}; fresh draws that plans keep: {np.mean([one.kept for one in found]):.1%}"
    )


if __name__ == "__main__":
    main()
