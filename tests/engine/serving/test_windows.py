"""A service in windows: the same answer as with everything in memory, whatever the windows, and after any stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.engine.serving.fleet import layout as at
from simulator.engine.serving.fleet.build import Replicas, Rules
from simulator.engine.serving.front import Front
from simulator.engine.serving.scaling.loop import Scaling
from simulator.engine.serving.scaling.outside import FleetEvent
from simulator.engine.serving.service import Kept, Limits, Served, Service, serve
from simulator.engine.serving.tally import QUANTILE_ERROR, SERIES, Exact, Sketch, bucket_of
from simulator.engine.serving.windows import Streamed, serve_in_windows
from simulator.foundation.errors import InputError
from simulator.workload.conversations import closed_loop
from simulator.workload.request_stream import in_slices
from simulator.workload.requests import Chains, Requests
from tests.engine.serving.test_scaling import engine

LIMITS = Limits(ttft_s=0.5, latency_s=3.0)
FRACTIONS = (0.0, 0.5, 0.9, 0.99, 1.0)


def drawn(seed: int, n: int = 200, *, prefixes: bool = False) -> Requests:
    g = np.random.default_rng(seed)
    prompt = g.integers(1, 200, n).astype(np.int32)
    held = (prompt >= 32).astype(np.int64)
    chains = Chains(start=np.concatenate([[0], np.cumsum(held)]),
                    blocks=g.integers(0, 6, int(held.sum())).astype(np.int32), block_tokens=32)  # fmt: skip
    return Requests(
        arrival_s=np.sort(np.round(g.random(n) * 6, 2)),  # many at one instant
        prompt=prompt,
        output=g.integers(1, 60, n).astype(np.int32),
        group=g.integers(0, 2, n).astype(np.int32),
        groups=("users", "attack"),
        priority=g.integers(0, 3, n).astype(np.int8),
        chains=chains if prefixes else None,
    )


SERVICES: dict[str, Callable[[], Service]] = {
    "plain": lambda: Service(pools=(Replicas(engine=engine(), count=3),), limits=LIMITS),
    "lean": lambda: Service(
        pools=(Replicas(engine=engine(preemption="never", chunked_prefill=False, decode_first=False), count=2),),
        rules=Rules(router="random"),
        limits=LIMITS,
    ),
    "preempted, with a prefix cache": lambda: Service(
        pools=(Replicas(engine=engine(blocks=40, prefix_block_tokens=32), count=2),),
        rules=Rules(router="prefix-aware", retries=2, timeout_s=1.5, max_waiting=6),
        limits=LIMITS,
    ),
    "a whole front": lambda: Service(
        pools=(Replicas(engine=engine(), count=2),),
        rules=Rules(router="power-of-two", max_inflight=30),
        front=Front(rtt_s=0.02, keep_alive=False, gateway_s=0.004, gateway_workers=2, gateway_room=9, rate_limit=30.0,
                    burst=5.0, cache_entries=20, cache_distinct=100, intercept=("attack",)),
        limits=LIMITS,
    ),
    "prompts apart": lambda: Service(
        pools=(
            Replicas(engine=engine(link_seconds_per_token=1e-5), count=1, role="prefill"),
            Replicas(engine=engine(), count=2, role="decode"),
        ),
        limits=LIMITS,
    ),
    "scaled and failing": lambda: Service(
        pools=(Replicas(engine=engine(), count=4, open=2),),
        scaling=Scaling(policy="slo", look_every_s=0.5, minimum=1),
        events=(FleetEvent(kind="loss", at_s=2.0, repair_s=1.0),),
        limits=LIMITS,
    ),
}  # fmt: skip


def same(windows: Streamed, whole: Served) -> None:
    """Hold every figure of the one against the other."""
    assert windows.counts() == whole.counts()
    assert windows.timeline == whole.timeline
    assert windows.span_s == whole.span_s
    worked = [at.BUSY, at.ALL_STEPS, at.DECODED, at.PREFILLED, at.PREEMPTED, at.STALL]
    np.testing.assert_array_equal(windows.fleet.fleet.replicas[:, worked], whole.fleet.fleet.replicas[:, worked])
    np.testing.assert_array_equal(windows.fleet.fleet.gap_counts, whole.fleet.fleet.gap_counts)
    for ours, theirs in [
        (windows.totals(LIMITS), whole.totals(LIMITS)),
        *zip(windows.by_group(LIMITS).values(), whole.by_group(LIMITS).values(), strict=True),
    ]:
        for name in ("requests", "finished", "good", "output_tokens", "prompt_tokens", "asked_tokens", "reused_tokens"):
            assert getattr(ours, name) == getattr(theirs, name)
        for name in SERIES:
            exact, sketch = theirs.series[name], ours.series[name]
            assert sketch.mean == pytest.approx(exact.mean, rel=1e-12, nan_ok=True)
            np.testing.assert_allclose(
                sketch.quantiles(FRACTIONS), exact.quantiles(FRACTIONS), rtol=QUANTILE_ERROR, atol=1e-11
            )


@pytest.mark.parametrize("name", SERVICES)
@settings(max_examples=8, deadline=None, derandomize=True)
@given(seed=st.integers(0, 1000), size=st.sampled_from([1, 7, 60, 1000]))
def test_windows_of_any_size_give_the_answer_of_the_whole(name: str, seed: int, size: int) -> None:
    requests, service = drawn(seed, prefixes=True), SERVICES[name]()
    whole = serve(requests, service, seed=seed)
    windows = serve_in_windows(in_slices(requests, size), service, seed=seed)
    same(windows, whole)
    assert sum(windows.counts().values()) == len(requests)


@pytest.mark.parametrize("name", SERVICES)
def test_a_run_stopped_anywhere_goes_on_to_the_same_end(tmp_path: Path, name: str) -> None:
    requests, service = drawn(3, prefixes=True), replace(SERVICES[name](), look_every_s=0.5)
    whole = serve(requests, service, seed=3)
    state = tmp_path / "state"

    class Stop(Exception):
        pass

    def due(after: int) -> Callable[[], bool]:
        asked = 0

        def ask() -> bool:
            nonlocal asked
            asked += 1
            if asked > after:
                raise Stop
            return asked == after

        return ask

    stops = 0
    while stops < 200:
        kept = Kept(path=state, key="one", due=due(2))
        try:
            windows = serve_in_windows(in_slices(requests, 23), service, seed=3, kept=kept)
        except Stop:
            stops += 1
            continue
        break
    assert stops
    same(windows, whole)


def test_every_request_is_given_away_once_when_it_has_ended() -> None:
    requests, service = drawn(5), SERVICES["plain"]()
    whole = serve(requests, service)
    given_away: list[np.ndarray] = []
    serve_in_windows(in_slices(requests, 20), service,
                     sink=lambda batch, seen, ended: given_away.append(seen.latency_s[ended]))  # fmt: skip
    np.testing.assert_array_equal(np.sort(np.concatenate(given_away)), np.sort(whole.latency_s))


def test_memory_holds_the_requests_inside_and_one_window() -> None:
    requests, service = drawn(7, n=3000), SERVICES["plain"]()
    spread = Requests(arrival_s=requests.arrival_s * 60, prompt=requests.prompt, output=requests.output)
    rows: list[int] = []
    serve_in_windows(in_slices(spread, 100), service, sink=lambda batch, seen, ended: rows.append(len(ended)))
    assert max(rows) < 250


def test_requests_that_follow_answers_are_refused() -> None:
    loop = closed_loop(2, 3, prompt=np.full(6, 50, np.int32), output=np.full(6, 20, np.int32), think_s=0.5)
    with pytest.raises(InputError, match="follow answers"):
        in_slices(loop, 2)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(values=st.lists(st.floats(0, 1e6, allow_subnormal=False), min_size=1, max_size=60))
def test_a_sketch_is_within_its_stated_error(values: list[float]) -> None:
    seconds = np.array(values)
    sketch = Sketch(counts=np.bincount(bucket_of(seconds), minlength=1), total=float(seconds.sum()))
    np.testing.assert_allclose(
        sketch.quantiles(FRACTIONS), Exact(seconds).quantiles(FRACTIONS), rtol=QUANTILE_ERROR * 1.001, atol=1e-11
    )
