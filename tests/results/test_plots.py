"""Each picture says what it was given: labels, bars, order; and the same input gives the same bytes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from matplotlib.colors import to_hex

from simulator.foundation.errors import InputError
from simulator.results.layout_plot import Seat, plot_layout
from simulator.results.memory_plot import MemoryBar, plot_memory
from simulator.results.roofline_plot import OperatorPoint, plot_roofline
from simulator.results.scatter_plot import plot_scatter
from simulator.results.spans import Span
from simulator.results.style import ALARM, KINDS, color_of, save
from simulator.results.timeline_plot import plot_timeline
from simulator.results.waterfall_plot import Part, plot_waterfall


def texts(axes):
    return [text.get_text() for text in axes.texts]


def step(stages=3, length=1.0):
    spans = []
    for stage in range(stages):
        start = stage * length
        lane = f"stage {stage}"
        spans.append(Span(lane=lane, name=f"F{stage}", kind="forward", start_s=start, end_s=start + length))
        spans.append(Span(lane=lane, name="send", kind="communication", start_s=start, end_s=start + length / 4))
    return spans


def test_a_timeline_has_a_lane_per_stage_the_first_on_top():
    _, axes = plot_timeline(step())
    assert [label.get_text() for label in axes.get_yticklabels()] == ["stage 0", "stage 1", "stage 2"]
    assert list(axes.get_yticks()) == [2.5, 1.5, 0.5]
    assert [entry.get_text() for entry in axes.get_legend().get_texts()] == ["forward", "communication", "bubble"]


def test_a_timeline_names_the_bars_that_are_wide_enough():
    assert sorted(texts(plot_timeline(step())[1])) == ["F0", "F1", "F2"]
    assert texts(plot_timeline(step(stages=200))[1]) == []


@pytest.mark.parametrize(("length", "unit"), [(2.0, "s"), (2e-3, "ms"), (2e-6, "us")])
def test_a_timeline_s_axis_is_in_a_unit_that_fits(length, unit):
    _, axes = plot_timeline(step(stages=1, length=length))
    assert axes.get_xlabel() == f"time ({unit})"
    assert axes.get_xlim() == pytest.approx((0.0, 2.0))


def test_a_memory_bar_is_as_long_as_its_parts_and_alarms_beyond_the_capacity():
    parts = {"weights": 40e9, "activations": 30e9}
    fits = MemoryBar(name="stage 0", parts=parts, capacity=80e9)
    bursts = MemoryBar(name="stage 1", parts=parts, capacity=60e9)
    _, axes = plot_memory([fits, bursts])
    assert [patch.get_width() for patch in axes.patches] == pytest.approx([40, 30, 40, 30])
    assert texts(axes) == ["70.0 GB", "70.0 GB: too much"]
    assert to_hex(axes.texts[1].get_color()) == ALARM
    colors = [to_hex(patch.get_facecolor()) for patch in axes.patches]
    assert colors[0] == colors[2] != colors[1]  # one part, one colour


def seats(nodes, *, stages=2):
    return [
        Seat(rank=node * 8 + slot, node=node, slot=slot, tensor=slot, pipeline=node % stages, data=node // stages)
        for node in range(nodes)
        for slot in range(8)
    ]


def test_a_layout_map_has_a_box_per_rank_with_its_coordinates():
    _, axes = plot_layout(seats(2))
    assert len(axes.patches) == 16
    assert texts(axes)[:2] == ["t0 d0", "t1 d0"]


def test_a_large_layout_map_shows_every_stage_and_says_what_it_hides():
    stages = 16
    order = [replace(seat, node=seat.pipeline * 8 + seat.data) for seat in seats(stages * 8, stages=stages)]
    _, axes = plot_layout(order)
    assert len(axes.get_yticks()) == 32
    assert "96 more nodes" in axes.get_xlabel()
    shown = {label.get_text() for label in axes.get_yticklabels()}
    assert {f"node {stage * 8}" for stage in range(stages)} <= shown


def test_a_waterfall_s_parts_follow_one_another_down_to_the_whole():
    _, axes = plot_waterfall([Part(name="forward", seconds=1.0, kind="forward"), Part(name="rest", seconds=3.0)])
    bars = [(patch.get_x(), patch.get_width()) for patch in axes.patches]
    assert bars == [(0.0, 1.0), (1.0, 3.0), (0.0, 4.0)]
    assert texts(axes) == ["1 s  (25.0%)", "3 s  (75.0%)", "4 s"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["forward", "rest", "whole step"]


def test_a_waterfall_of_nothing_is_our_fault():
    with pytest.raises(AssertionError):
        plot_waterfall([Part(name="forward", seconds=0.0)])


def test_a_roof_bends_where_memory_and_arithmetic_meet():
    points = [OperatorPoint(name="gemm", intensity=500.0, flop_per_s=2.5e14, share=0.9),
              OperatorPoint(name="norm", intensity=1.0, flop_per_s=1e12, share=0.1)]  # fmt: skip
    _, axes = plot_roofline(points, peak=312e12, bandwidth=2e12)
    intensity, rate = axes.lines[0].get_data()
    assert rate.max() == pytest.approx(312.0)
    assert rate[0] == pytest.approx(intensity[0] * 2.0)
    assert "ridge at 156 FLOP/B" in texts(axes)
    assert [entry.get_text() for entry in axes.get_legend().get_texts()] == ["gemm (90.0%)", "norm (10.0%)"]


def test_a_scatter_plot_names_each_source_with_rows_and_median_error():
    _, (left, right) = plot_scatter([1.0, 10.0, 5.0], [1.1, 13.0, 5.0], ["b", "b", "a"])
    assert left.get_xscale() == left.get_yscale() == "log"
    assert left.get_xlim() == left.get_ylim()
    assert [label.get_text() for label in right.get_yticklabels()] == ["b (2): 20.0%", "a (1): 0.0%"]


def test_a_scatter_plot_of_nothing_says_so():
    _, (left, _) = plot_scatter([], [], [])
    assert texts(left) == ["no row was predicted"]


def test_a_kind_of_time_has_one_colour_in_every_picture():
    assert len(set(KINDS.values())) == len(KINDS)
    assert color_of("forward") == KINDS["forward"]
    assert color_of("something else") == KINDS["other"]


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_the_same_picture_gives_the_same_bytes(tmp_path, suffix):
    first, second = (
        save(plot_waterfall([Part(name="forward", seconds=1.0)])[0], tmp_path / f"{name}.{suffix}") for name in "ab"
    )
    assert first.read_bytes() == second.read_bytes()


def test_a_picture_that_cannot_be_written_is_an_input_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    figure, _ = plot_waterfall([Part(name="forward", seconds=1.0)])
    with pytest.raises(InputError, match="cannot be written"):
        save(figure, tmp_path / "file" / "picture.png")


def test_drawing_leaves_the_style_of_others_alone():
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    plot_timeline(step())
    assert dict(mpl.rcParams) == before


def test_a_notebook_can_show_a_figure_without_a_window_system():
    figure, _ = plot_timeline(step())
    assert figure._repr_png_().startswith(b"\x89PNG")
