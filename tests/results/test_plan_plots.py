from __future__ import annotations

from simulator.foundation.units import GIGA
from simulator.results.plan_plots import Candidate, plot_candidates, plot_front

CHOSEN = Candidate(name="tp4", step_s=10.0, memory={"weights": 20 * GIGA, "activations": 50 * GIGA})
LEAN = Candidate(name="tp8", step_s=14.0, memory={"weights": 10 * GIGA, "activations": 20 * GIGA})
SLOW = Candidate(name="tp8 full recompute", step_s=40.0, memory={"weights": 10 * GIGA, "activations": 1 * GIGA})


def test_a_front_is_drawn_without_plans_three_times_as_slow():
    _, axes = plot_front(CHOSEN, [LEAN], [CHOSEN, LEAN, SLOW], 80 * GIGA)
    line = axes.get_lines()[0]
    assert list(line.get_xdata()) == [70.0, 30.0]
    assert list(line.get_ydata()) == [10.0, 14.0]


def test_plans_of_the_front_are_named_by_letters():
    _, axes = plot_front(CHOSEN, [], [CHOSEN, LEAN], 80 * GIGA)
    text = "\n".join(piece.get_text() for piece in axes.texts)
    assert "a: tp8, 14 s" in text
    assert "b: tp4, 10 s" in text


def test_between_two_plans_of_the_front_the_slower_one_is_what_the_memory_allows():
    _, axes = plot_front(CHOSEN, [], [CHOSEN, LEAN], 80 * GIGA)
    assert axes.get_lines()[0].get_drawstyle() == "steps-pre"  # drawn from the right, level from the left


def test_memory_bars_carry_the_plans_names():
    _, axes = plot_candidates([CHOSEN, LEAN], 80 * GIGA)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["tp8", "tp4"]
