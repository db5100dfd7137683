"""The cost of one forward pass, at the published size and at others."""

from __future__ import annotations

import pytest

from simulator.foundation.errors import InputError
from simulator.workload.models.facts import ForwardFacts, SizedCost
from simulator.workload.models.library import find_model

FACTS = ForwardFacts(name="net", kind="cnn", family="f", sample="image", macs=4e9, parameters=25e6, image_size=224,
                     activations=11e6, other_sizes=(SizedCost(image_size=288, macs=6.8e9),))  # fmt: skip


def test_published_sizes_cost_what_was_published():
    assert FACTS.macs_at() == FACTS.macs_at(224) == 4e9
    assert FACTS.macs_at(288) == 6.8e9


def test_other_sizes_scale_by_area_from_the_nearest_published_one():
    assert FACTS.macs_at(112) == pytest.approx(1e9)
    assert FACTS.macs_at(576) == pytest.approx(4 * 6.8e9)
    assert FACTS.activations_at(448) == pytest.approx(44e6)


def test_scaling_by_area_meets_the_published_costs_of_resnet_50_within_four_percent():
    facts = find_model("resnet50-v1.5").forward
    for cost in facts.other_sizes:
        scaled = facts.macs * (cost.image_size / facts.image_size) ** 2
        assert scaled == pytest.approx(cost.macs, rel=0.04)


def test_a_model_without_image_size_refuses_one():
    pair = ForwardFacts(name="dlrm", kind="recsys", family="dlrm", sample="user-item pair", macs=2e6)
    assert pair.macs_at() == 2e6
    assert pair.activations_at(224) is None
    with pytest.raises(InputError, match="user-item pair"):
        pair.macs_at(224)
