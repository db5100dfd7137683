"""Fusion changes traffic and launches, never work or weights."""

from __future__ import annotations

import pytest

from simulator.foundation.errors import InputError
from simulator.workload.models.library import load_network
from simulator.workload.models.networks.fusion import MODES, fused, launches, traffic

NETWORKS = ["resnet50-v1.5", "efficientnet-b0", "timm-densenet121", "swin-tiny", "stable-diffusion-v2", "gnmt",
            "dlrm-v1", "3d-unet-kits19", "inception-v3"]  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_work_weights_and_tables_stay_and_traffic_and_launches_fall(name):
    eager = load_network(name)
    kept = [(fused(eager, mode), mode) for mode in MODES]
    for network, _ in kept:
        assert network.macs == eager.macs
        assert network.parameters == eager.parameters
        assert network.activations == eager.activations
        assert network.steps == eager.steps
    by_mode = {mode: network for network, mode in kept}
    assert traffic(by_mode["inference"]) <= traffic(by_mode["training"]) < traffic(eager)
    assert launches(by_mode["inference"]) <= launches(by_mode["training"]) < launches(eager)


def test_a_fused_resnet_launches_one_kernel_per_convolution_besides_pools_and_classifier():
    network = fused(load_network("resnet50-v1.5"), "inference")
    assert launches(network) == 53 + 1 + 2


def test_a_sum_still_reads_its_other_operand():
    network = fused(load_network("resnet50-v1.5"), "inference")
    sums = [layer.operator.moved for layer in network.layers if layer.kind == "add"]
    assert len(sums) == 16
    assert sums[0] == 256 * 56 * 56


def test_unfused_is_the_network_itself_and_other_modes_are_refused():
    network = load_network("vgg16")
    assert fused(network, "eager") is network
    with pytest.raises(InputError, match="Known: eager, inference, training"):
        fused(network, "magic")
