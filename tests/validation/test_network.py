"""Rows of measured collectives are laid on their machines; nothing looks at the measured value."""

from __future__ import annotations

import pytest

from simulator.costs.collectives import load_fabrics
from simulator.foundation.errors import InputError
from simulator.profiles.catalogue import load_catalogue
from simulator.validation.network import predict_network_row, reach_of
from simulator.validation.network_fit import refit
from simulator.validation.network_measured import measured_like


@pytest.fixture(scope="module")
def catalogue():
    return load_catalogue()


def row(**cells):
    usual = {
        "id": "made-1", "source_group": "made", "usable": "yes", "kind_of_work": "collective", "op": "all_reduce",
        "device_id": "nvidia-h100-sxm5-80gb", "n_accel": "8", "n_nodes": "1", "node_id": "", "link": "NVLink4",
        "algorithm": "NCCL auto", "message_bytes": "1048576", "metric": "latency_us", "value": "25",
    }  # fmt: skip
    return usual | {key: str(value) for key, value in cells.items()}


def test_the_measured_value_does_not_matter(catalogue):
    assert predict_network_row(row(value=1), catalogue) == predict_network_row(row(value=1e9), catalogue)


def test_latency_and_bus_bandwidth_of_one_row_are_one_prediction(catalogue):
    seconds = predict_network_row(row(), catalogue).value * 1e-6
    bus = predict_network_row(row(metric="busbw_GBps"), catalogue).value * 1e9
    assert bus == pytest.approx(2 * 7 / 8 * 1048576 / seconds)


def test_a_stated_rate_of_adapters_is_used(catalogue):
    over, assumed = reach_of(
        row(n_accel=16, n_nodes=2, node_id="aws-p4de.24xlarge", link="NVLink3 + 4x100Gb/s EFA per node",
            device_id="nvidia-a100-sxm4-80gb"),
        catalogue, load_fabrics(),
    )  # fmt: skip
    assert not assumed
    assert float(over.levels[1].bandwidth) * 8 == pytest.approx(4 * 12.5e9)
    assert over.levels[1].fabric.name == "efa"


def test_one_rank_per_node_may_use_one_whole_adapter(catalogue):
    over, _ = reach_of(row(n_accel=2, n_nodes=2, link="IB CX7 400Gb/s per GPU", node_id="hgx-h100-8"), catalogue,
                       load_fabrics())  # fmt: skip
    assert float(over.levels[1].bandwidth) == pytest.approx(50e9)


@pytest.mark.parametrize(
    ("cells", "reason"),
    [({"op": "gather"}, "no collective"), ({"op": "moe_dispatch_normal"}, ""), ({"message_bytes": ""}, "")],
)
def test_what_is_missing_is_named(catalogue, cells, reason):
    if reason:
        assert reason in predict_network_row(row(**cells), catalogue).reason
    else:
        with pytest.raises(InputError, match="not printed"):
            predict_network_row(row(**cells), catalogue)


def test_expert_exchanges_grow_with_tokens(catalogue):
    cells = {"op": "moe_dispatch_low_latency", "hidden": 7168, "topk": 8, "experts": 256, "message_bytes": ""}
    few, many = (predict_network_row(row(**cells, tokens_per_rank=n), catalogue).value for n in (16, 1024))
    assert many > 5 * few


def test_refitting_to_a_machine_twice_as_slow_doubles_its_times(catalogue):
    sizes = [2**power for power in range(10, 30, 2)]
    rows = []
    for op in ("all_reduce", "all_gather"):
        for ranks in (2, 4, 8):
            for size in sizes:
                cells = {"op": op, "n_accel": ranks, "message_bytes": size}
                rows.append(row(**cells, value=2 * predict_network_row(row(**cells), catalogue).value))
    table = refit(rows, catalogue)
    errors = [abs(predict_network_row(one, catalogue, constants=table).value / float(one["value"]) - 1) for one in rows]
    assert sorted(errors)[len(errors) // 2] < 0.08
    assert table["nvlink3"] == load_fabrics()["nvlink3"]
    assert table["efa"].hop == table["infiniband"].hop  # not in these rows: its fit is forgotten


def test_only_like_machines_stand_beside_a_prediction(catalogue):
    rows = [row(), row(n_accel=4), row(device_id="nvidia-a100-sxm4-80gb"), row(op="all_gather"), row(usable="no")]
    (only,) = measured_like(
        rows, catalogue, operation="all-reduce", device="nvidia-h100-sxm5-80gb", ranks=8, nodes=1
    )  # fmt: skip
    assert (only.size, only.seconds) == (1048576.0, pytest.approx(25e-6))
