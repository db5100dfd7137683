"""A replica written as SimPy processes gives the kernel's instants, tick for tick."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.engine.serving.fleet import layout as at
from simulator.engine.serving.fleet.run import FleetRun, Replicas, Rules
from tests.engine.serving import process_twin
from tests.engine.serving.test_fleet_twin import an_engine, make_requests, twin_of, twin_settings


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    gap=st.sampled_from([0.002, 0.02, 0.1, 0.5]),
    blocks=st.sampled_from([64, 120, 1000]),
    sequences=st.sampled_from([1, 4, 16]),
)
def test_a_server_of_simpy_has_the_kernels_instants(seed: int, gap: float, blocks: int, sequences: int) -> None:
    requests = make_requests(seed, 80, gap, block=16, shared=False, classes=1)
    engine = an_engine(
        blocks=blocks, max_num_seqs=sequences, decode_first=False, preemption="never", chunked_prefill=False
    )
    run = FleetRun(requests, [Replicas(engine=engine, count=1)], Rules(keep_gaps=False), compiled=False)
    run.finish()
    expected = twin_of(requests, engine, None)
    process_twin.serve(expected, twin_settings(engine))
    for column, name in ((at.SCHEDULED, "scheduled"), (at.FIRST, "first"), (at.FINISH, "finish")):
        assert run.fleet.times[:, column].tolist() == [getattr(q, name) for q in expected], name
