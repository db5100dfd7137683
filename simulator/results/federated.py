"""Federated rounds as figures and a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.engine.training.federated import FederatedRun
from simulator.results.style import ALARM, cycle_color, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def round_figures(run: FederatedRun) -> dict[str, float]:
    """Return what the rounds came to, units in their names."""
    rounds = len(run.round_s)
    found = {
        "round_time_s": float(run.round_s.mean()), "round_time_p10_s": float(np.percentile(run.round_s, 10)),
        "round_time_p90_s": float(np.percentile(run.round_s, 90)), "run_time_s": float(run.round_s.sum()),
        "answers_per_round": float(run.answers.mean()), "late_per_round": float(run.late.mean()),
        "failed_rounds_fraction": float(run.failed.mean()), "client_wait_s": run.wait_s,
        "sent_down_bytes": run.bytes_down / rounds, "sent_up_bytes": run.bytes_up / rounds,
    }  # fmt: skip
    return found if run.expected_s is None else found | {"round_time_closed_form_s": run.expected_s}


def round_summary(run: FederatedRun) -> str:
    """Return the answer in a line."""
    found = round_figures(run)
    return (
        f"a round takes {found['round_time_s']:.4g} s in the mean (80 % within {found['round_time_p10_s']:.4g} to "
        f"{found['round_time_p90_s']:.4g} s); {found['answers_per_round']:.4g} answers are used, "
        f"{found['late_per_round']:.3g} come in vain; {found['failed_rounds_fraction']:.1%} of the rounds fail"
    )


def round_sentences(run: FederatedRun) -> str:
    """Return what bounds a round, what the others do meanwhile, and how sure that is, one sentence a line."""
    found = round_figures(run)
    waits = found["client_wait_s"] / found["round_time_s"]
    spread = f"{found['round_time_p10_s']:.4g} to {found['round_time_p90_s']:.4g} s"
    lines = [f"A round takes {found['round_time_s']:.4g} s in the mean, 80 % of them {spread}."]
    lines.append(
        f"The slowest answer that is needed bounds it: a client whose answer is used waits {waits:.0%} of the round "
        f"for it; {found['late_per_round']:.3g} more have trained in vain when it ends."
    )
    if run.expected_s is not None:
        lines.append(f"By order statistics over all clients a round takes {run.expected_s:.4g} s in the mean.")
    else:
        lines.append(f"Its deadline cuts rounds short; {found['failed_rounds_fraction']:.1%} end with too few answers.")
    lines.append(
        "The prediction is assumed: it rests on the spreads of links and devices that the scenario states; no measured "
        "error is known for it."
    )
    return "\n".join(lines)


def plot_rounds(run: FederatedRun) -> tuple[Figure, Any]:
    """Draw how long rounds take: a histogram, their mean and the closed form."""
    with styled():
        figure, axes = new_figure(6.5, 3.6)
        axes.hist(run.round_s, bins=min(40, max(5, len(run.round_s) // 4)), color=cycle_color(0))
        axes.axvline(float(run.round_s.mean()), color=ALARM, label="mean")
        if run.expected_s is not None:
            axes.axvline(run.expected_s, color=cycle_color(1), linestyle="--", label="order statistics")
        axes.set_xlabel("seconds of a round")
        axes.set_ylabel("rounds")
        axes.set_title("A round waits for the slowest that it needs")
        axes.legend()
    return figure, axes
