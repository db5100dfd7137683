"""Traffic drawn from recorded clients: their rates and lengths, alike in windows and as a whole."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from simulator.foundation.errors import InputError
from simulator.foundation.randomness import Streams
from simulator.workload.client_traces import client_stream

WINDOWS = [[0, 2.0, 1.0, "gamma", 1, 1], [600, 4.0, 1.0, "gamma", 1, 1]]
LENGTHS = {"0": {"input_tokens": {"100": 0.5, "300": 0.5}, "output_tokens": {"10": 1.0}}}


def recorded(path: Path, *windows: list[list[object]]) -> Path:
    path.write_text("".join(json.dumps({"client": i, "windows": own, "lengths": LENGTHS}) + "\n"
                            for i, own in enumerate(windows)))  # fmt: skip
    return path


def test_clients_are_drawn_at_their_rates_and_lengths(tmp_path: Path) -> None:
    stream = client_stream(recorded(tmp_path / "s.jsonl", WINDOWS), streams=Streams(0))
    requests = stream.whole()
    assert stream.expected == 3600
    assert len(requests) == pytest.approx(3600, rel=0.1)
    assert set(requests.prompt.tolist()) == {100, 300}
    assert requests.prompt.mean() == pytest.approx(200, rel=0.05)
    assert requests.typical == (pytest.approx(200), pytest.approx(10))


def test_a_window_is_the_same_drawn_alone_and_with_the_others(tmp_path: Path) -> None:
    path = recorded(tmp_path / "s.jsonl", WINDOWS, WINDOWS[1:])
    stream = client_stream(path, streams=Streams(3), scale=2.0)
    whole, alone = stream.whole(), client_stream(path, streams=Streams(3), scale=2.0).draw(1)
    mine = whole.arrival_s >= stream.edges[1]
    np.testing.assert_array_equal(whole.arrival_s[mine], alone.arrival_s)
    np.testing.assert_array_equal(whole.group[mine], alone.group)
    assert (np.diff(whole.arrival_s) >= 0).all()
    assert whole.arrival_s[-1] < stream.edges[-1]


def test_a_day_at_many_times_its_rate_has_so_many_times_the_requests(tmp_path: Path) -> None:
    path = recorded(tmp_path / "s.jsonl", WINDOWS)
    one, ten = (client_stream(path, streams=Streams(1), scale=scale).whole() for scale in (1.0, 10.0))
    assert len(ten) == pytest.approx(10 * len(one), rel=0.05)
    assert ten.arrival_s[-1] == pytest.approx(one.arrival_s[-1], rel=0.01)


def test_another_client_changes_nobody_elses_requests(tmp_path: Path) -> None:
    alone = client_stream(recorded(tmp_path / "a.jsonl", WINDOWS), streams=Streams(0)).whole()
    both = client_stream(recorded(tmp_path / "b.jsonl", WINDOWS, WINDOWS), streams=Streams(0)).whole()
    np.testing.assert_array_equal(both.arrival_s[both.group == 0], alone.arrival_s)


def test_the_traffic_ends_where_it_is_cut(tmp_path: Path) -> None:
    stream = client_stream(recorded(tmp_path / "s.jsonl", WINDOWS), streams=Streams(0), seconds=700.0)
    assert stream.expected == pytest.approx(2 * 600 + 4 * 100)
    assert stream.whole().arrival_s[-1] < 700.0


@pytest.mark.parametrize(
    ("windows", "message"),
    [
        ([[[0]]], r":1: windows must be a list"),
        ([[[0, 1.0, 1.0], [600, 1.0, 1.0]], [[300, 1.0, 1.0]]], r"in the middle of those of others"),
        ([[[0, 0.0, 1.0]]], r"holds no request"),
    ],
)
def test_a_bad_client_is_refused(tmp_path: Path, windows: list[list[list[object]]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        client_stream(recorded(tmp_path / "bad.jsonl", *windows), streams=Streams(0))
