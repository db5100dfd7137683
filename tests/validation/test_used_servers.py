"""Which part of its servers a measured run used."""

from __future__ import annotations

import pytest

from simulator.profiles.catalogue import load_catalogue
from simulator.validation.training import predict_training_row
from simulator.validation.used_servers import used_servers

_CATALOGUE = load_catalogue()
_SERVER = _CATALOGUE.nodes["aws-g4dn.12xlarge"]


@pytest.mark.parametrize(
    ("devices", "printed", "used", "count"),
    [(4, "1", 4, 1), (4, "2", 2, 2), (4, "4", 1, 4), (8, "2", 4, 2), (8, "", 4, 2), (12, "1", 4, 3), (6, "4", 4, 2)],
)
def test_a_run_uses_as_many_devices_of_each_server_as_its_nodes_leave(
    devices: int, printed: str, used: int, count: int
) -> None:
    server, servers = used_servers({"n_nodes": printed}, _SERVER, devices)
    assert (server.device_count, servers) == (used, count)
    assert server.nic_bandwidth == _SERVER.nic_bandwidth


@pytest.mark.parametrize("model", ["resnet50-v1.5", "bert-base"])
def test_devices_of_several_hosts_exchange_gradients_slower_than_those_of_one(model: str) -> None:
    row = {"model_id": model, "device_id": "nvidia-t4-pcie-16gb", "node_id": "aws-g4dn.12xlarge", "engine": "pytorch",
           "precision": "fp32", "n_accel": "4", "dp": "4", "micro_batch_samples": "4", "global_batch_samples": "16",
           "seq_len_tokens": "384", "metric": "iteration_time_s", "kind_of_work": "encoder-train"}  # fmt: skip
    spread, together = (predict_training_row({**row, "n_nodes": nodes}, _CATALOGUE).value for nodes in ("4", "1"))
    assert spread is not None
    assert together is not None
    assert spread > 1.5 * together
