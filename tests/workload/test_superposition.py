"""Copies of a recorded traffic laid over each other: nothing is lost, nothing is shared between copies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.foundation.errors import InputError
from simulator.foundation.randomness import Streams
from simulator.workload import superposition
from simulator.workload.requests import Chains, Requests
from simulator.workload.superposition import superposed


def record(n: int, seed: int = 0) -> Requests:
    g = np.random.default_rng(seed)
    arrival = np.sort(np.round(g.random(n) * 20, 1))
    blocks = g.integers(0, 3, n).astype(np.int32)
    return Requests(
        arrival_s=arrival - arrival[0],
        prompt=g.integers(1, 90, n).astype(np.int32),
        output=g.integers(1, 90, n).astype(np.int32),
        chains=Chains(start=np.arange(n + 1), blocks=blocks, block_tokens=512),
    )


def test_one_copy_is_the_record() -> None:
    found, given_ = superposed(record(50), copies=1, repeats=1, streams=Streams(0)).whole(), record(50)
    for name in ("arrival_s", "prompt", "output"):
        np.testing.assert_array_equal(getattr(found, name), getattr(given_, name))
    np.testing.assert_array_equal(found.chains.blocks, given_.chains.blocks)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(n=st.integers(1, 40), copies=st.integers(1, 5), repeats=st.integers(1, 3), window=st.sampled_from([7, 10**6]))
def test_every_request_comes_once_in_each_copy_and_repeat(n: int, copies: int, repeats: int, window: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(superposition, "_WINDOW", window)
        stream = superposed(record(n), copies=copies, repeats=repeats, streams=Streams(1))
    parts = [stream.draw(i) for i in range(len(stream))]
    for part, begin, end in zip(parts, stream.edges, stream.edges[1:], strict=False):
        assert (part.arrival_s >= begin - 1e-12).all()
        assert (part.arrival_s <= end).all()
    found = stream.whole()
    assert len(found) == n * copies * repeats == stream.expected
    assert (np.diff(found.arrival_s) >= 0).all()
    pairs = np.stack([found.prompt, found.output])
    once = np.stack([record(n).prompt, record(n).output])
    np.testing.assert_array_equal(pairs[:, np.lexsort(pairs)],
                                  np.repeat(once[:, np.lexsort(once)], copies * repeats, axis=1))  # fmt: skip


def test_copies_share_no_prefix() -> None:
    found = superposed(record(30), copies=4, repeats=2, streams=Streams(0)).whole()
    _, times = np.unique(found.chains.blocks, return_counts=True)
    _, once = np.unique(record(30).chains.blocks, return_counts=True)
    assert sorted(times.tolist()) == sorted(np.tile(once, 8).tolist())


def test_the_rate_is_multiplied_and_the_hour_kept() -> None:
    found = superposed(record(200), copies=10, repeats=1, streams=Streams(0)).whole()
    assert found.rate == pytest.approx(10 * record(200).rate, rel=0.02)
    assert found.arrival_s[-1] < 21.0


def test_more_prefixes_than_can_be_numbered_are_refused() -> None:
    with pytest.raises(InputError, match="more than can be numbered"):
        superposed(record(10), copies=2**30, repeats=1, streams=Streams(0))
