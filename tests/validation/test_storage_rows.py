"""Storage, loader and stall rows: arithmetic by hand, bounds, and reasons."""

from __future__ import annotations

import pytest

from simulator.profiles.catalogue import load_catalogue
from simulator.validation.data_report import compare_stalls, compare_storage, data_sheet_alone, page, summary
from simulator.validation.stalls import measured_value, predict_stall_row
from simulator.validation.storage import EMULATED, path_bandwidth, predict_storage_row, supported_accelerators

CATALOGUE = load_catalogue()


def row(**changes: str) -> dict[str, str]:
    given = {"id": "net-1", "kind_of_work": "storage", "source_group": "mlperf_storage_1.0", "link": "",
             "op": "mlperf_storage_unet3d", "system": "Acme box", "n_accel": "10", "metric": "GBps", "value": "20",
             "notes": "emulated h100 accelerators = n_ranks"}  # fmt: skip
    return given | changes


def stall(metric: str, value: str, notes: str = "", system: str = "", n_accel: str = "8") -> dict[str, str]:
    return {"id": "rel-1", "topic": "data_stall", "metric": metric, "value": value, "notes": notes, "system": system,
            "n_accel": n_accel}  # fmt: skip


def test_a_tuned_load_draws_batch_times_record_over_time_at_the_rule_s_share():
    found = predict_storage_row(row(), CATALOGUE)
    assert found.value == pytest.approx(10 * 7 * 0.146600628 / 0.323 * 0.9)
    assert found.label == "assumed"


def test_a_drive_gives_no_more_than_its_data_sheet():
    found = predict_storage_row(row(system="Micron Micron_9550_Gen5", n_accel="100"), CATALOGUE)
    assert found.value == pytest.approx(14.0)


def test_links_named_in_a_system_bound_it():
    assert path_bandwidth(row(system="X 8xNDR200_18clients"), CATALOGUE) == pytest.approx(200e9)
    assert path_bandwidth(row(system="X 4xNDR400_3xStorageNode"), CATALOGUE) == pytest.approx(600e9)
    assert path_bandwidth(row(), CATALOGUE) is None


def test_a_gen5_drive_feeds_four_h100_with_volumes():
    assert supported_accelerators(EMULATED["unet3d", "h100"], 14e9) == 4
    assert data_sheet_alone([row(system="Micron Micron_9550", n_accel="4")], CATALOGUE) == [
        ("Micron Micron_9550", "unet3d", 4, 4)
    ]


def test_a_loader_on_a_network_volume_is_bound_by_the_volume():
    ebs = row(op="data_loading_imagenet", source_group="ffcv", system="AWS p3dn (96 vCPU)", link="EBS",
              notes="stored max side 512, RAW; crop 224")  # fmt: skip
    assert predict_storage_row(ebs, CATALOGUE).value == pytest.approx(1.048576e9 / (500 * 375 * 3))
    memory = predict_storage_row(ebs | {"link": "RAM"}, CATALOGUE)
    assert memory.label == "calibrated"
    assert memory.value is not None
    assert memory.value > 50_000


@pytest.mark.parametrize(("changes", "reason"), [
    ({"notes": "nothing"}, "names no workload"),
    ({"n_accel": ""}, "not printed"),
    ({"op": "fio_random_read", "source_group": "azure_vm_fio", "notes": "median"}, "whole MiB/s"),
    ({"op": "fio_sequential_read", "source_group": "azure_vm_fio", "notes": "Test: Max Bandwidth - All Reads"},
     "memory bandwidth"),
    ({"op": "tape_rewind"}, "no storage or loader test"),
    ({"op": "data_loading_x", "source_group": "ffcv"}, "not printed"),
])  # fmt: skip
def test_a_row_that_cannot_be_predicted_says_why(changes, reason):
    found = predict_storage_row(row(**changes), CATALOGUE)
    assert found.value is None
    assert reason in found.reason


def test_a_table_without_notes_gives_reasons_and_no_crash():
    for operation in ("mlperf_storage_unet3d", "data_loading_imagenet"):
        bare = {"id": "n", "op": operation, "source_group": "ffcv", "n_accel": "1"}
        assert "not printed" in predict_storage_row(bare, CATALOGUE).reason or operation.startswith("mlperf")
        assert predict_storage_row(bare, CATALOGUE).value is None


@pytest.mark.parametrize(("text", "value"), [
    ("75", 75.0), ("up to 15", 15.0), ("3-4", 3.5), ("48 -> 12", 4.0), ("85 fetched instead of 65", 85.0),
    ("none", None),
])  # fmt: skip
def test_printed_figures_are_read_as_people_read_them(text, value):
    assert measured_value({"value": text}) == value


def test_page_cache_misses_follow_from_its_size_alone():
    found = predict_stall_row(stall("page_cache_thrash", "85", notes="35 % cache on 146 GiB"), CATALOGUE)
    assert found.value == pytest.approx(86.2, abs=0.1)
    assert found.label == "modelled"


def test_two_servers_on_disks_wait_for_most_of_an_epoch():
    disks = "8 x 1080Ti, HDD 15-50 MB/s"
    fetch = stall("fetch_stall_share", "75", notes="over two servers with 150 GiB of cache", system=disks, n_accel="16")
    assert predict_stall_row(fetch, CATALOGUE).value == pytest.approx(77, abs=1)
    alone = fetch | {"notes": "nine models"}
    assert "speed" in predict_stall_row(alone, CATALOGUE).reason
    saved = stall("time_to_75.9_top1", "48 -> 12", notes="50 % cached per server", system=disks, n_accel="16")
    assert predict_stall_row(saved, CATALOGUE).value == pytest.approx(1 / (1 - 0.777), rel=0.05)


def test_the_report_counts_medians_without_calibrated_rows_and_is_the_same_each_time():
    value = predict_storage_row(row(), CATALOGUE).value
    assert value is not None
    rows = [row(value=str(value / 1.1)), row(id="net-2", op="tape_rewind", source_group="other")]
    compared = compare_storage(rows, CATALOGUE)
    assert summary(compared)["median"] == pytest.approx(0.1)
    assert (summary(compared)["rows"], summary(compared)["predicted"]) == (2, 1)
    stalls = [stall("page_cache_thrash", "85", notes="35 % cache")]
    assert compare_stalls(stalls, CATALOGUE)[0].error == pytest.approx(86.2 / 85 - 1, abs=1e-3)
    text = page(rows, stalls, CATALOGUE)
    assert text == page(rows, stalls, CATALOGUE)
    assert "| mlperf_storage_1.0 | 1 | 1 | 10.0% |" in text
    assert "- other: 1 rows: the operation 'tape_rewind'" in text
