from __future__ import annotations

import pytest

from simulator.results.topology_plot import plot_topology
from tests.topology.parts import cluster, node


@pytest.mark.parametrize("count", [1, 2, 128, 2048])
def test_a_cluster_of_any_size_fits_one_page(count):
    figure, axes = plot_topology(cluster(count))
    width, height = figure.get_size_inches()
    assert width < 12
    assert height < 8
    assert len(axes.patches) <= 6 * 4
    assert len(axes.texts) <= 60


def test_every_tier_has_its_figures_beside_it():
    one = cluster(128, oversubscription=2.0)
    _, axes = plot_topology(one)
    texts = "\n".join(text.get_text() for text in axes.texts)
    assert "12.5 GB/s per device, 25 GB/s alone" in texts
    assert all(tier.name in texts for tier in one.tiers)


def test_a_torus_is_told_by_its_axes():
    pod = node(devices=4, domain=64, fabric="3D torus", fabric_link="ici", nics=1, nic_bandwidth=25e9)
    _, axes = plot_topology(cluster(16, kind=pod, dims=(4, 4, 4)))
    assert any("4x4x4" in text.get_text() for text in axes.texts)
