"""Predicts measured storage and data-loading rows: MLPerf Storage, FFCV loaders, cloud disks.

MLPerf Storage emulates accelerators that read batches and sleep for their computation; a result is valid only while
each stays busy for a stated share of the time, so submitters raise the number of accelerators until that share is
reached. The rule, the batch, the record and the computation time are the benchmark's own; what is predicted is the
throughput that follows, held below what the named drives and links can carry. Nothing here looks at a measured value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from simulator.costs.input import Loader, Sample, stage_rates
from simulator.costs.storage import StorageSystem
from simulator.foundation.units import BITS_PER_BYTE, GIGA
from simulator.profiles.catalogue import Catalogue
from simulator.validation.prediction import Prediction


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulated:
    """One accelerator of MLPerf Storage at work.

    Attributes:
        batch: samples per step.
        compute_s: seconds that a step takes.
        record_bytes: mean size of a sample.
        busy: share of the time that the rule wants it to compute.
    """

    batch: int
    compute_s: float
    record_bytes: float
    busy: float

    @property
    def demand(self) -> float:
        """B/s that it reads when it never waits."""
        return self.batch * self.record_bytes / self.compute_s

    @property
    def tuned(self) -> float:
        """B/s that it reads when it is busy for just the share that the rule wants."""
        return self.demand * self.busy


#: (workload, accelerator) -> its step; source: the benchmark's configuration files at v1.0
EMULATED: Final[dict[tuple[str, str], Emulated]] = {
    ("unet3d", "a100"): Emulated(batch=7, compute_s=0.636, record_bytes=146_600_628.0, busy=0.9),
    ("unet3d", "h100"): Emulated(batch=7, compute_s=0.323, record_bytes=146_600_628.0, busy=0.9),
    ("resnet50", "a100"): Emulated(batch=400, compute_s=0.435, record_bytes=114_660.07, busy=0.9),
    ("resnet50", "h100"): Emulated(batch=400, compute_s=0.224, record_bytes=114_660.07, busy=0.9),
    ("cosmoflow", "a100"): Emulated(batch=1, compute_s=0.00551, record_bytes=2_828_486.0, busy=0.7),
    ("cosmoflow", "h100"): Emulated(batch=1, compute_s=0.00350, record_bytes=2_828_486.0, busy=0.7),
}

#: what a system's name says it is made of -> storage of the catalogue, from data sheets (never from these results)
_PRODUCTS: Final = (
    ("Micron_9550", "micron-9550"),
    ("Micron_9400", "micron-9400"),
    ("Micron_6500", "micron-6500-ion"),
)
_LINKS: Final = re.compile(r"(\d+)x(?:NDR|HDR|SlingShot)(\d+)")
_NODES: Final = re.compile(r"(\d+)xStorageNode")
_EMULATES: Final = re.compile(r"emulated (\w+) accelerators")

# FFCV: images whose longer side is at most so many pixels; photographs of ImageNet are mostly 500 x 375
_PHOTO: Final = (500, 375)
_BYTES_PER_PIXEL: Final = 3  # raw RGB
_JPEG_90: Final = 0.26  # B per pixel: mean of six public photographs scaled to 500 pixels and stored at quality 90
_CROP: Final = 224 * 224  # pixels after the random resized crop
# calibrated on the two rows of FFCV that read from memory: pixels/s of one hardware thread
_DECODED: Final = 74.6e6  # of JPEG decoded
_RESIZED: Final = 90.3e6  # of the crop written
_THREADS: Final = re.compile(r"\((\d+) vCPU\)")
_STORED: Final = re.compile(r"max side (\d+), (RAW|JPEG)")


def predict_storage_row(row: Mapping[str, str], catalogue: Catalogue) -> Prediction:
    """Return the prediction for one storage or data-loading row of ``network.csv``, or why there is none."""
    operation = row["op"]
    if operation.startswith("mlperf_storage_"):
        return _mlperf(row, catalogue)
    if operation.startswith("data_loading"):
        return _ffcv(row, catalogue)
    if row["source_group"] == "azure_vm_fio":
        return Prediction.missing(_why_not_azure(row))
    return Prediction.missing(f"the operation {operation!r} is no storage or loader test that is modelled.")


def emulated_by(row: Mapping[str, str]) -> Emulated | None:
    """Return the step that a row's accelerators emulate; None if the row does not name one that is known."""
    found = _EMULATES.search(row.get("notes", ""))
    return EMULATED.get((row["op"].removeprefix("mlperf_storage_"), found[1])) if found else None


def path_bandwidth(row: Mapping[str, str], catalogue: Catalogue) -> float | None:
    """Return B/s that the drive or links named by the system can carry; None if its name says too little."""
    drive = drive_bandwidth(row, catalogue)
    return _links_bandwidth(row.get("system", "")) if drive is None else drive


def drive_bandwidth(row: Mapping[str, str], catalogue: Catalogue) -> float | None:
    """Return B/s of the drive that the system's name names, by its data sheet; None if it names none that is known."""
    for mark, product in _PRODUCTS:
        if mark in row.get("system", ""):
            return catalogue.storage[product].require("read_bandwidth")
    return None


def _links_bandwidth(system: str) -> float | None:
    links = _LINKS.search(system)
    if links is None:
        return None
    nodes = _NODES.search(system)
    return int(links[1]) * int(links[2]) * GIGA / BITS_PER_BYTE * (int(nodes[1]) if nodes else 1)


def supported_accelerators(step: Emulated, bandwidth: float) -> int:
    """Return how many accelerators a path of that bandwidth keeps busy enough for the rule, by its data sheet alone."""
    return int(bandwidth / step.tuned)


def _mlperf(row: Mapping[str, str], catalogue: Catalogue) -> Prediction:
    step = emulated_by(row)
    if step is None:
        return Prediction.missing("the row names no workload and accelerator of MLPerf Storage v1.0.")
    if not row["n_accel"]:
        return Prediction.missing("the number of emulated accelerators is not printed.")
    bound = path_bandwidth(row, catalogue)
    asked = float(row["n_accel"]) * step.tuned
    value = asked if bound is None else min(asked, bound)
    return Prediction(value / GIGA, "assumed", "")


def _ffcv(row: Mapping[str, str], catalogue: Catalogue) -> Prediction:
    threads, stored = _THREADS.search(row.get("system", "")), _STORED.search(row.get("notes", ""))
    if threads is None or stored is None or row.get("link", "") not in ("RAM", "EBS"):
        return Prediction.missing("threads, stored image or source of the data are not printed.")
    pixels = _scaled(int(stored[1]))
    raw = stored[2] == "RAW"
    decode = _CROP / _RESIZED + (0.0 if raw else pixels / _DECODED)
    size = pixels * (_BYTES_PER_PIXEL if raw else _JPEG_90)
    sample = Sample(stored=size, decoded=float(_CROP * _BYTES_PER_PIXEL), decode_s=decode)
    cores = float(threads[1])
    loader = Loader(workers=int(cores), cores=cores, in_flight=1)
    volume = catalogue.storage["aws-ebs-gp3"].require("read_bandwidth")
    disk = StorageSystem(read_bandwidth=volume) if row.get("link", "") == "EBS" else StorageSystem()
    rate = min(stage_rates(sample, loader, disk, devices=1).values())
    return Prediction(rate, "assumed" if row.get("link", "") == "EBS" else "calibrated", "")


def _scaled(longest: int) -> float:
    """Pixels of a typical photograph whose longer side is at most ``longest``."""
    scale = min(1.0, longest / _PHOTO[0])
    return _PHOTO[0] * scale * _PHOTO[1] * scale


def _why_not_azure(row: Mapping[str, str]) -> str:
    if "Bandwidth -" in row.get("notes", ""):
        return "the test measures memory bandwidth, but the figure is that of an idle disk counter."
    return "the value is one or two steps of a counter of whole MiB/s, with a tenth of the samples at zero: no rate."
