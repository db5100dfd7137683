"""Who works and who waits: bars and sentences of lanes made by hand."""

from __future__ import annotations

import pytest

from simulator.results.lanes import Lane, lane_sentences
from simulator.results.lanes_plot import plot_lanes


def lane(first, stage, passes_s, *, machine="fast", replicas=2, layers=8):
    return Lane(first=first, replicas=replicas, stage=stage, layers=layers, machine=machine, micro_batches=4,
                passes_s=passes_s, memory_bytes=1e9, limit_bytes=2e9)  # fmt: skip


def test_every_bar_fills_the_step_and_shows_the_share_that_is_worked():
    lanes = [lane(0, 0, 6.0), lane(0, 1, 8.0), lane(2, 0, 10.0, machine="slow")]
    _, axes = plot_lanes(lanes, 10.0)
    widths = [bar.get_width() for bar in axes.patches]
    assert widths[::2] == pytest.approx([0.6, 0.8, 1.0])
    assert [worked + rest for worked, rest in zip(widths[::2], widths[1::2], strict=True)] == pytest.approx([1.0] * 3)
    assert len({bar.get_facecolor() for bar in axes.patches[::2]}) == 2


def test_more_bars_than_can_be_read_are_counted():
    _, axes = plot_lanes([lane(number, 0, 1.0) for number in range(30)], 1.0)
    assert "6 more are not drawn" in axes.get_xlabel()


def test_the_slowest_replicas_are_named_with_those_that_wait_for_them():
    told = list(lane_sentences([lane(0, 0, 5.0), lane(2, 0, 9.0, machine="slow")], 10.0))
    assert told[0].startswith("All replicas wait for the 2 on slow, with 4 micro-batches each")
    assert "the 2 on fast 40%" in told[0]


def test_the_longest_stage_is_named_and_alike_lanes_say_nothing():
    (stages,) = lane_sentences([lane(0, 0, 9.0, layers=9), lane(0, 1, 6.0, layers=6)], 10.0)
    assert "stage 0 (9 layers on fast) is the longest" in stages
    assert not list(lane_sentences([lane(0, 0, 9.0), lane(0, 1, 9.0)], 10.0))
