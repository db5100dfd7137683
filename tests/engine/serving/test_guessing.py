"""Guessed tokens in steps that hold prompt tokens: what they yield, what they cost, and that nothing is lost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simulator.engine.serving.fleet import layout as at
from simulator.engine.serving.fleet.engine_class import EngineClass, StepTimes
from simulator.engine.serving.fleet.run import FleetRun, Replicas, Rules
from simulator.workload.requests import Requests

STEP = 10e-3
PLAIN = StepTimes(dense=(STEP,) * 1001, per_context=0.0, per_pair=0.0)


def engine(times: StepTimes) -> EngineClass:
    return EngineClass(times=times, blocks=100_000, max_num_seqs=8, max_num_batched_tokens=64)


def behind_a_long_prompt(times: StepTimes, *, output: int = 301) -> tuple[FleetRun, float]:
    """Return a run of one short request beside a prompt that fills every step, and how long its tokens took."""
    requests = Requests(arrival_s=np.array([0.0, STEP / 2]), prompt=np.array([8, 40_000], np.int32),
                        output=np.array([output, 1], np.int32))  # fmt: skip
    run = FleetRun(requests, [Replicas(engine=engine(times), count=1)], Rules(), compiled=False)
    run.finish()
    result = run.result()
    return run, float(result.latency_s[0] - result.ttft_s[0])


@pytest.mark.parametrize("yields", [1.0, 1.5, 2.25, 4.0])
def test_a_step_with_a_prompt_yields_what_a_pass_yields(yields: float) -> None:
    run, took = behind_a_long_prompt(replace(PLAIN, guesses=4, yields=yields))
    assert took == pytest.approx(np.ceil(300 / yields - 1e-9) * STEP, abs=STEP)
    assert run.fleet.replicas[0, at.DECODED] == 300


def test_more_accepted_guesses_are_never_later() -> None:
    times = [behind_a_long_prompt(replace(PLAIN, guesses=4, yields=yields))[1] for yields in np.linspace(1, 5, 9)]
    assert times == sorted(times, reverse=True)


def test_guesses_fill_the_step_and_the_draft_takes_its_time() -> None:
    """Five tokens a request are checked; the draft passes once with the prompt's tokens and three times without."""
    by_tokens = StepTimes(dense=tuple(1e-3 + 1e-5 * m for m in range(1001)), per_context=0.0, per_pair=0.0)
    drafted = replace(by_tokens, guesses=4, yields=1.0, draft=tuple(1e-4 + 1e-6 * m for m in range(1001)))
    plain, guessing = (behind_a_long_prompt(times)[1] / 300 for times in (by_tokens, drafted))
    assert plain == pytest.approx(1e-3 + 1e-5 * 64, rel=0.01)
    draft = (1e-4 + 1e-6 * 60) + 3 * (1e-4 + 1e-6)
    assert guessing == pytest.approx(1e-3 + 1e-5 * 64 + draft, rel=0.01)


def test_gaps_between_tokens_are_those_of_the_step_over_what_it_yields() -> None:
    run, _ = behind_a_long_prompt(replace(PLAIN, guesses=1, yields=2.0))
    assert run.result().itl_s(0.5) == pytest.approx(STEP / 2, rel=0.05)
