"""Efficiency classes and frameworks: every device has one, and none has more constants than it may."""

from __future__ import annotations

from dataclasses import fields

import pytest

from simulator.foundation.errors import UnknownName
from simulator.profiles.catalogue import load_catalogue
from simulator.profiles.efficiency import Efficiency, efficiency_classes, efficiency_of, measured_products
from simulator.profiles.framework import framework_named, frameworks, is_launched

CATALOGUE = load_catalogue()


def test_every_device_of_the_catalogue_has_a_class():
    for device in CATALOGUE.devices.values():
        assert efficiency_of(device).product16 > 0


def test_no_architecture_belongs_to_two_classes():
    seen = [(file.kind, name, file.at_most_power, file.at_most_matrix)
            for file in efficiency_classes() for name in (*file.architectures, *file.inherited_by)]  # fmt: skip
    assert len(seen) == len(set(seen))


def test_a_class_names_architectures_of_the_catalogue_only():
    built = {(device.kind, device.architecture) for device in CATALOGUE.devices.values()}
    for file in efficiency_classes():
        assert {(file.kind, name) for name in (*file.architectures, *file.inherited_by)} <= built, file.name


def test_a_class_with_a_limit_of_power_goes_before_the_one_of_the_architecture():
    slot, large = CATALOGUE.devices["nvidia-t4-pcie-16gb"], CATALOGUE.devices["nvidia-quadro-rtx-6000-24gb"]
    assert slot.architecture == large.architecture
    assert efficiency_of(slot).name == "nvidia-turing-slot"
    assert efficiency_of(large).name == "nvidia-volta"


def test_cards_whose_matrix_units_run_at_half_rate_are_a_class_of_their_own():
    half, full = CATALOGUE.devices["nvidia-rtx-3090-24gb"], CATALOGUE.devices["nvidia-rtx-a6000-48gb"]
    assert half.architecture == full.architecture
    assert efficiency_of(half).name == "nvidia-ampere-half-rate"
    assert efficiency_of(full).name == "nvidia-ampere"


def test_each_kind_of_device_has_one_class_to_inherit_from():
    for kind in ("gpu", "tpu", "cpu", "fpga", "asic"):
        assert sum(file.kind == kind and file.default_for_kind for file in efficiency_classes()) == 1


def test_a_class_holds_at_most_twelve_constants():
    assert len([field for field in fields(Efficiency) if field.name not in ("name", "origin")]) <= 12


def test_narrow_products_reach_a_smaller_share_than_wide_ones_or_about_the_same():
    for file in efficiency_classes():
        made = file.build()
        assert made.product4 <= made.product8 * 1.1
        assert made.product8 <= made.product16 * 1.5


@pytest.mark.parametrize("name", ["biren-br100", "amd-rx-7900-xtx-24gb", "intel-gaudi1-32gb", "google-tpu-v7x"])
def test_a_device_that_only_inherits_says_assumed(name):
    assert efficiency_of(CATALOGUE.devices[name]).origin == "assumed"


def test_frameworks_are_found_by_alias_and_no_alias_is_taken_twice():
    assert framework_named("nemo").name == "megatron-bridge"
    names = [name for framework in frameworks().values() for name in (framework.name, *framework.aliases)]
    assert len(names) == len(set(names))


def test_an_unknown_framework_is_answered_with_near_names():
    with pytest.raises(UnknownName, match="Did you mean 'megatron-lm'"):
        framework_named("megatron-ml")


def test_a_host_that_awaits_a_result_waits_longer_than_a_launch_takes_and_a_graph_waits_for_nobody():
    for dispatch in {one.dispatch for one in frameworks().values()}:
        if is_launched(dispatch):
            assert dispatch.decision_s >= max(dispatch.kernel_s, 19e-6)
        else:
            assert dispatch.decision_s == dispatch.kernel_s <= 3e-6


def test_products_by_themselves_are_shares_of_constants_that_a_class_has():
    for file in efficiency_classes():
        for constant, share in measured_products(file.name).items():
            assert hasattr(file, constant)
            assert 0.3 < share <= 1.0
    assert measured_products("nvidia-other") == {}
