"""Predicts published figures of data stalls (``data_stall`` rows of a reliability table).

The rows are one study of training on servers with known memory, disks and cores (CoorDL, arXiv 2007.06775) and loader
figures of FFCV. What follows from the size of a cache alone is predicted by the closed forms of
:mod:`simulator.costs.caching`; what hangs on the speed of a model that the row does not print is not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from simulator.costs.caching import cyclic, reshuffled
from simulator.costs.input import stall_fraction
from simulator.foundation.units import GIBI, MEGA
from simulator.profiles.catalogue import Catalogue
from simulator.validation.prediction import Prediction
from simulator.validation.storage import predict_storage_row

_IMAGES: Final = 1_281_167  # ImageNet-1k training set
_IMAGENET_BYTES: Final = 146 * GIBI  # as the study prints it
_RESNET50_FLOP: Final = 3 * 2 * 4.1e9  # forward and backward of one image: 4.1 G multiply-adds forward
_FP32_SHARE: Final = 0.45  # of the fp32 peak that CNN training reaches (assumed)
_SERVERS: Final = 2
_JPEG_PIXELS: Final = 500 * 375 * 3  # decoded bytes of a typical ImageNet photograph
_JPEG_BYTES: Final = 114_660.07  # encoded bytes, mean of ImageNet-1k (MLPerf Storage configuration)
_UNKNOWN_SPEED: Final = "hangs on the training speed of models that the row does not print."


def predict_stall_row(row: Mapping[str, str], catalogue: Catalogue) -> Prediction:
    """Return the prediction in the unit of the row's value, or why there is none."""
    predict = _BY_ID.get(row["metric"])
    if predict is None:
        return Prediction.missing(_WHY_NOT.get(row["metric"], "no such figure is modelled."))
    return predict(row, catalogue)


def measured_value(row: Mapping[str, str]) -> float | None:
    """Return the figure that a row prints: a number, an ``up to``, the middle of a range, the ratio of an arrow."""
    text = row["value"].removeprefix("up to ")
    arrow = re.fullmatch(r"([\d.]+) -> ([\d.]+)", text)
    if arrow:
        return float(arrow[1]) / float(arrow[2])
    spread = re.fullmatch(r"([\d.]+)-([\d.]+)", text)
    if spread:
        return 0.5 * (float(spread[1]) + float(spread[2]))
    first = re.match(r"[\d.]+", text)
    return float(first[0]) if first else None


def _modelled(value: float) -> Prediction:
    return Prediction(value, "modelled", "")


def _percent(share: float) -> float:
    return 100 * share


def _number(pattern: str, row: Mapping[str, str]) -> float:
    """A number printed in the system or the notes; the caller knows that it is there."""
    found = re.search(pattern, f"{row['system']}; {row['notes']}")
    assert found is not None, f"{row['id']} prints no {pattern}"
    return float(found[1])


def _thrash(row: Mapping[str, str], catalogue: Catalogue) -> Prediction:
    """Share of the data set that a page cache of the printed size lets through under a reshuffled read."""
    del catalogue
    cached = _number(r"(\d+) % cache", row) / 100
    return _modelled(_percent(1 - float(reshuffled["page"](cached))))


def _sequential_misses(row: Mapping[str, str], catalogue: Catalogue) -> Prediction:
    """A loader that reads in file order makes a cyclic scan."""
    del catalogue
    cached = _number(r"(\d+) % cacheable", row) / 100
    return _modelled(_percent(1 - float(cyclic["page"](cached))))


def _amplification(row: Mapping[str, str], catalogue: Catalogue) -> Prediction:
    """Bytes that uncoordinated jobs read from disk together, over those of one job.

    Eight interleaved orders make reads of an item nearly independent: random replacement then hits the share that
    fits (35 % in this study), while one job alone is a reshuffled epoch.
    """
    del catalogue
    jobs, cached = _number(r"(\d+) single-GPU jobs", row), 0.35
    return _modelled(jobs * (1 - cached) / (1 - float(reshuffled["page"](cached))))


def _minio_speedup(row: Mapping[str, str], catalogue: Catalogue) -> Prediction:
    """Epoch time bound by the disk before and after: misses of a sequential scan over those of a cache that stays."""
    del catalogue
    cached = 0.65
    return _modelled((1 - float(cyclic["page"](cached))) / (1 - cached))


def _fetch_stall(row: Mapping[str, str], catalogue: Catalogue) -> Prediction:
    if "two servers" not in row["notes"]:
        return Prediction.missing(_UNKNOWN_SPEED)
    cached = _number(r"(\d+) GiB of cache", row) * GIBI / _SERVERS / _IMAGENET_BYTES
    compute, fetch = _epoch_on_two_servers(row, catalogue, cached)
    return Prediction(_percent(float(stall_fraction(compute, fetch))), "assumed", "")


def _time_saved(row: Mapping[str, str], catalogue: Catalogue) -> Prediction:
    """Training time before over after, once the caches together hold everything and the devices set the pace."""
    compute, fetch = _epoch_on_two_servers(row, catalogue, _number(r"(\d+) % cached", row) / 100)
    return Prediction(max(compute, fetch) / compute, "assumed", "")


def _epoch_on_two_servers(row: Mapping[str, str], catalogue: Catalogue, cached: float) -> tuple[float, float]:
    """Seconds of an ImageNet-1k epoch with ResNet-50: to compute, and to fetch each server's half from its disk."""
    low, high = _number(r"HDD (\d+)-", row), _number(r"HDD \d+-(\d+)", row)
    disk = 0.5 * (low + high) * MEGA
    device = catalogue.devices["nvidia-gtx-1080-ti-11gb"]
    rate = device.peak["fp32"] * _FP32_SHARE / _RESNET50_FLOP
    compute = _IMAGES / (rate * float(row["n_accel"]))
    missed = (1 - float(reshuffled["page"](cached))) * _IMAGENET_BYTES / _SERVERS
    return compute, missed / disk


def _growth(row: Mapping[str, str], catalogue: Catalogue) -> Prediction:
    del row, catalogue
    return Prediction(_JPEG_PIXELS / _JPEG_BYTES, "assumed", "")


def _loader(row: Mapping[str, str], catalogue: Catalogue) -> Prediction:
    """The loader rows repeat those of the network table in other words."""
    source = re.search(r"source (RAM|EBS), (\d+)px (RAW|JPEG)", row["notes"])
    if source is None:
        return Prediction.missing("the stored image is not printed.")
    same = {"op": "data_loading_imagenet", "source_group": "ffcv", "link": source[1], "system": "p3dn (96 vCPU)",
            "notes": f"max side {source[2]}, {source[3]}"}  # fmt: skip
    return predict_storage_row(same, catalogue)


_BY_ID: Final[dict[str, Callable[[Mapping[str, str], Catalogue], Prediction]]] = {
    "page_cache_thrash": _thrash,
    "cache_misses_DALI_seq": _sequential_misses,
    "read_amplification": _amplification,
    "speedup_MinIO_cache": _minio_speedup,
    "fetch_stall_share": _fetch_stall,
    "time_to_75.9_top1": _time_saved,
    "decoded_size_growth": _growth,
    "loader_throughput": _loader,
}

_WHY_NOT: Final = {
    "cpu_cores_per_gpu_needed": _UNKNOWN_SPEED,
    "prep_stall_share": _UNKNOWN_SPEED,
    "speedup_partitioned_cache": _UNKNOWN_SPEED,
    "network_use": "the model that was trained, and so the time over which the bytes are spread, is not printed.",
    "dgx2_hp_search_speedup": _UNKNOWN_SPEED,
    "remote_first_epoch": "neither the object store's rate nor that of the file system beside it is printed.",
}
