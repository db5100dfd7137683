"""Links, nodes, storage and prices of the catalogue, against what their makers print."""

from __future__ import annotations

import pytest

from simulator.foundation.errors import InputError
from simulator.foundation.units import HOUR
from simulator.profiles.catalogue import load_catalogue

CATALOGUE = load_catalogue()


@pytest.mark.parametrize(("name", "gigabits"), [("ib-edr", 100), ("ib-hdr", 200), ("ib-ndr", 400), ("ib-xdr", 800)])
def test_infiniband_doubles_with_each_generation(name: str, gigabits: float) -> None:
    assert CATALOGUE.links[name].bandwidth == pytest.approx(gigabits * 1e9 / 8)


def test_half_the_lanes_carry_half_the_bytes() -> None:
    for generation in (3, 4, 5):
        wide, narrow = (CATALOGUE.links[f"pcie{generation}-x{lanes}"].require("bandwidth") for lanes in (16, 8))
        assert narrow == pytest.approx(wide / 2)


def test_a_dgx_a100_has_eight_devices_and_eight_hdr_adapters() -> None:
    node = CATALOGUE.nodes["dgx-a100"]
    assert (node.device, node.device_count, node.scaleup_domain) == ("nvidia-a100-sxm4-80gb", 8, 8)
    assert (node.nic_link, node.nic_count) == ("ib-hdr", 8)
    assert node.nic_bandwidth == 8 * CATALOGUE.links["ib-hdr"].require("bandwidth")


def test_a_tray_is_a_part_of_a_larger_scale_up_domain() -> None:
    tray, rack = CATALOGUE.nodes["gb200-nvl72-tray"], CATALOGUE.nodes["gb200-nvl72"]
    assert (tray.device_count, tray.scaleup_domain) == (4, 72)
    assert rack.device_count == rack.scaleup_domain == 18 * tray.device_count


def test_a_node_of_cpus_only_holds_no_device() -> None:
    node = CATALOGUE.nodes["aws-c6i.32xlarge"]
    assert (node.device, node.device_count) == (None, 0)
    with pytest.raises(InputError, match=r"the node 'aws-c6i\.32xlarge' has no figure for 'power_w'"):
        node.require("power_w")


def test_a_rented_node_is_priced_under_its_own_name() -> None:
    offer = CATALOGUE.prices[CATALOGUE.nodes["p5.48xlarge"].name].offer(provider="aws")
    assert offer.on_demand_usd_per_s == pytest.approx(55.04 / HOUR)


def test_an_unknown_offer_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match="no offer 'aws/mars'"):
        CATALOGUE.prices["aws-p5.48xlarge"].offer(provider="aws", region="mars")


def test_storage_says_what_its_rates_are_per() -> None:
    assert CATALOGUE.storage["aws-fsx-lustre-persistent2-250"].per == "TiB"
    assert CATALOGUE.storage["micron-9550-gen5"].per == "drive"
    assert CATALOGUE.storage["aws-s3-standard"].per == "prefix"


def test_carbon_and_pue_are_prices_of_energy() -> None:
    grid = CATALOGUE.prices["grid-carbon-fra"].offer()
    assert grid.carbon_g_per_j == pytest.approx(56.039 / (1000 * HOUR))
    assert CATALOGUE.prices["pue-gcp"].offer().pue == 1.1
