"""The laws that every part of the catalogue keeps, and what each breach is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.profiles.catalogue import load_catalogue
from simulator.profiles.lint import lint_catalogue, lint_files

CATALOGUE = load_catalogue()


def test_no_part_of_the_catalogue_raises_a_doubt() -> None:
    assert [str(problem) for problem in lint_catalogue(CATALOGUE)] == []


def test_every_figure_has_a_source_with_a_confidence_and_a_date_or_a_standard() -> None:
    for shelf in CATALOGUE.shelves():
        for part in shelf.values():
            for figure in part.figures:
                assert figure.source is not None, (part.name, figure.key)
                assert figure.source.confidence in ("A", "B", "D"), (part.name, figure.key)


def test_nothing_recalled_is_shipped() -> None:
    for shelf in CATALOGUE.shelves():
        for part in shelf.values():
            told = [part.notes, *(figure.source.ref for figure in part.figures if figure.source)]
            assert not any("recalled" in text for text in told), part.name


@pytest.mark.parametrize("node", [node.name for node in CATALOGUE.nodes.values() if node.device_count])
def test_a_nodes_scale_up_links_are_its_devices_ports(node: str) -> None:
    held = CATALOGUE.nodes[node]
    assert held.device is not None
    device = CATALOGUE.devices[held.device]
    if held.fabric_bandwidth and device.scaleup_bandwidth and held.fabric_link == device.scaleup_link:
        assert held.fabric_bandwidth <= device.scaleup_bandwidth * 1.02


GOOD = """\
part: device
kind: gpu
vendor: acme
peak: {fp16: 990 TFLOP/s, bf16: 990 TFLOP/s, fp8: 1980 TFLOP/s, int8: 1980 TOP/s}
vector: {fp32: 66 TFLOP/s}
memory: {capacity: 80 GB, bandwidth: 3.35 TB/s}
power: {tdp: 700 W}
host: {link: pcie5-x16, bandwidth: 63 GB/s}
scaleup: {link: nvlink4, bandwidth: 450 GB/s}
source: sheet
sources:
  sheet: {kind: datasheet, ref: the vendor's data sheet}
"""


def _doubts(tmp_path: Path, text: str, name: str = "acme.yaml") -> list[str]:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return [f"{problem.key}: {problem.message}" for problem in lint_files([path])]


def test_a_plausible_device_raises_no_doubt(tmp_path: Path) -> None:
    assert _doubts(tmp_path, GOOD) == []


@pytest.mark.parametrize(
    ("right", "wrong", "doubt"),
    [
        ("source: sheet\n", "", "peak.fp16: has no source"),
        ("fp8: 1980 TFLOP/s", "fp8: 3958 TFLOP/s", "peak.fp8: is 4 times peak.bf16"),
        ("int8: 1980 TOP/s", "int8: 7916 TOP/s", "peak.int8: is 8 times peak.bf16"),
        ("bf16: 990 TFLOP/s", "bf16: 1979 TFLOP/s", "peak.bf16: is 2 times peak.fp16"),
        ("vector: {fp32: 66 TFLOP/s}", "vector: {fp32: 6.6 TFLOP/s}", "peak.fp16: is 150 times vector.fp32"),
        ("bandwidth: 3.35 TB/s", "bandwidth: 335 TB/s", "memory.bandwidth: reads the whole memory in"),
        ("capacity: 80 GB", "capacity: 80 TB", "memory.bandwidth: reads the whole memory in"),
        ("tdp: 700 W", "tdp: 7 kW", "power.tdp: is 7000 W"),
        ("tdp: 700 W", "tdp: 700 W, idle: 900 W", "power.idle: is above power.tdp"),
        ("bandwidth: 450 GB/s", "bandwidth: 900 GB/s", "scaleup.bandwidth: is twice that of nvlink4"),
        ("bandwidth: 63 GB/s", "bandwidth: 126 GB/s", "host.bandwidth: is twice that of pcie5-x16"),
        ("link: nvlink4", "link: nvlink44", "scaleup.link: no link 'nvlink44'"),
        ("power:", "sparse_peak: {fp8: 1000 TFLOP/s}\npower:", "sparse_peak.fp8: is not above the dense peak"),
        (
            "vendor: acme",
            "vendor: acme\nunusual: {power.tdp: no reason at all}",
            "unusual.power.tdp: nothing is unusual",
        ),
    ],
)
def test_an_improbable_device_is_doubted(tmp_path: Path, right: str, wrong: str, doubt: str) -> None:
    assert right in GOOD
    assert any(found.startswith(doubt) for found in _doubts(tmp_path, GOOD.replace(right, wrong)))


def test_a_reason_under_unusual_settles_a_doubt(tmp_path: Path) -> None:
    text = GOOD.replace("fp8: 1980 TFLOP/s", "fp8: 3958 TFLOP/s")
    assert _doubts(tmp_path, text) != []
    reason = "unusual: {peak.fp8: the fp8 units are four times as wide}\n"
    assert _doubts(tmp_path, text + reason) == []


NODE = """\
part: node
kind: server
devices: {name: nvidia-h100-sxm5-80gb, count: 8}
fabric: {kind: NVSwitch, link: nvlink4, domain: 8, bandwidth: 450 GB/s}
nic: {kind: InfiniBand, link: ib-ndr, count: 8, bandwidth: 3.2 Tb/s}
source: sheet
sources:
  sheet: {kind: datasheet, ref: the vendor's data sheet}
"""


@pytest.mark.parametrize(
    ("right", "wrong", "doubt"),
    [
        ("name: nvidia-h100-sxm5-80gb", "name: nvidia-h1000", "devices.name: no device 'nvidia-h1000'"),
        ("link: ib-ndr", "link: ib-nope", "nic.link: no link 'ib-nope'"),
        (
            "bandwidth: 3.2 Tb/s",
            "bandwidth: 6.4 Tb/s",
            "nic.bandwidth: is 16 times that of ib-ndr, with 8",
        ),
        ("bandwidth: 450 GB/s", "bandwidth: 900 GB/s", "fabric.bandwidth: is above the scale-up bandwidth"),
        ("domain: 8", "domain: 3", "fabric.domain: 8 devices do not fill domains of 3"),
    ],
)
def test_an_improbable_node_is_doubted(tmp_path: Path, right: str, wrong: str, doubt: str) -> None:
    assert _doubts(tmp_path, NODE) == []
    assert any(found.startswith(doubt) for found in _doubts(tmp_path, NODE.replace(right, wrong)))


def test_links_drives_and_prices_are_doubted_too(tmp_path: Path) -> None:
    source = "source: us\nsources:\n  us: {kind: assumed, ref: made up here}\n"
    link = "part: link\nfamily: x\nkind: nic\nlanes: 4\nlane_bandwidth: 10 GB/s\nbandwidth: 80 GB/s\n" + source
    assert _doubts(tmp_path, link) == ["bandwidth: is not lanes x lane_bandwidth = 40 GB/s (both directions?)."]
    drive = "part: storage\nkind: SSD\ntier: local\nper: drive\nread_bandwidth: 140 GB/s\n" + source
    assert _doubts(tmp_path, drive) == ["read_bandwidth: no single drive reads as fast; say 'per: system'."]
    rents = "{provider: p, on_demand: 1 USD/h, reserved_1y: 2 USD/h}"
    offer = f"part: price\nkind: instance\ndevice: nope\noffers:\n  - {rents}\n"
    assert _doubts(tmp_path, offer + source) == [
        "device: no device 'nope' in the catalogue.",
        "offers[0].reserved_1y: is above on_demand.",
    ]


def test_own_files_may_name_each_other(tmp_path: Path) -> None:
    (tmp_path / "acme.yaml").write_text(GOOD, encoding="utf-8")
    (tmp_path / "box.yaml").write_text(NODE.replace("nvidia-h100-sxm5-80gb", "acme"), encoding="utf-8")
    assert lint_files([tmp_path / "acme.yaml", tmp_path / "box.yaml"]) == []
