"""Pictures of shards and loaders hold what they were given."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.costs.caching import reshuffled
from simulator.costs.input import Loader, Sample, account
from simulator.costs.storage import StorageSystem
from simulator.engine.data.job import DataJob
from simulator.engine.data.run import run_data
from simulator.foundation.randomness import Streams
from simulator.mapping.sharding.expectation import seed_literal
from simulator.results.feed_plot import plot_epochs, plot_hit_rates, plot_stages
from simulator.results.shard_plot import plot_imbalance, plot_shard_shares
from simulator.results.style import save
from simulator.workload.dataset import Dataset, SampleSize


def test_bars_are_as_long_as_shares(tmp_path):
    figure, axes = plot_shard_shares({"uneven": [6.0, 1.0, 1.0], "even": [1.0, 1.0, 1.0]})
    widths = [patch.get_width() for patch in axes.patches]
    assert widths == pytest.approx([2.25, 0.375, 0.375, 1.0, 1.0, 1.0])
    assert "2.25x" in [text.get_text() for text in axes.texts]
    assert save(figure, tmp_path / "shares.png").stat().st_size > 1000


def test_the_price_is_drawn_at_its_closed_form():
    _, axes = plot_imbalance(["seed-literal", "balanced"], [2, 8])
    assert axes.lines[0].get_ydata()[1] == pytest.approx(seed_literal(8))
    assert list(axes.lines[1].get_ydata()) == [1.0, 1.0]


def test_the_bottleneck_is_marked_and_unlimited_stages_are_left_out():
    found = account(Sample(stored=1e5, decoded=1e5, decode_s=1e-3), Loader(workers=4, cores=4.0),
                    StorageSystem(read_bandwidth=1e7), batch=100, compute_s=0.1)  # fmt: skip
    _, axes = plot_stages(found)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["storage", "decode", "workers"]
    assert [patch.get_width() for patch in axes.patches] == pytest.approx([100.0, 4000.0, 4000.0])


def test_the_parts_of_an_epoch_add_up_to_its_time():
    job = DataJob(dataset=Dataset(samples=8000, size=SampleSize(mean=1e5)), loader=Loader(workers=2, cores=2.0),
                  storage=StorageSystem(read_bandwidth=1e8), batch=100, compute_s=0.1, devices=4, epochs=2)  # fmt: skip
    run = run_data(job, Streams(0))
    _, axes = plot_epochs(run)
    tops = max(patch.get_y() + patch.get_height() for patch in axes.patches)
    assert tops == pytest.approx(max(epoch.time_s for epoch in run.epochs))


def test_measured_points_lie_where_they_were_put():
    _, axes = plot_hit_rates(reshuffled, {"page": [(0.35, 0.15)]})
    points = [line for line in axes.lines if len(line.get_xdata()) == 1]
    assert [(float(p.get_xdata()[0]), float(p.get_ydata()[0])) for p in points] == [(0.35, 0.15)]
    assert np.allclose(axes.lines[0].get_ydata()[[0, -1]], [0, 1])
