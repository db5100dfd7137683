"""Judging parts: figures without a source, ratios that no product has, names that lead nowhere.

Each check is a small function that yields problems; ``rackcast hw lint`` and the tests run them over every part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar

from simulator.foundation.errors import InputError
from simulator.foundation.units import GIBI, GIGA, TERA, show
from simulator.profiles.catalogue import PART_KINDS, Catalogue, Shelf, kind_of_file, load_catalogue, load_part, spelling
from simulator.profiles.device import Device
from simulator.profiles.link import Link
from simulator.profiles.node import Node
from simulator.profiles.price import Price
from simulator.profiles.source import unsourced
from simulator.profiles.storage import Storage

#: numerator, denominator, least and greatest ratio that a dense peak can have, and what a breach usually is
RATIOS: Final = (
    ("fp8", "bf16", 0.9, 2.2, "a sparse headline has slipped in"),
    ("fp8", "fp16", 0.9, 2.2, "a sparse headline has slipped in"),
    ("int8", "bf16", 0.02, 4.2, "a sparse headline, or fp16 accumulation, has slipped in"),
    ("int8", "fp16", 0.02, 4.2, "a sparse headline, or fp16 accumulation, has slipped in"),
    ("fp4", "fp8", 0.9, 4.2, "a sparse headline has slipped in"),
    ("bf16", "fp16", 0.24, 1.05, "one of the two is a sparse headline or a vector rate"),
    ("tf32", "bf16", 0.2, 0.55, "one of the two is a sparse headline"),
)
#: the tensor rate over the vector fp32 rate, by kind of device
TENSOR_OVER_VECTOR: Final = (0.9, 40.0)
#: seconds to read the whole memory once: below it the bandwidth, above it the capacity is improbable
SWEEP_SECONDS: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {"gpu": (0.004, 0.7), "tpu": (0.004, 0.7), "asic": (1e-7, 4.0), "fpga": (0.005, 2.5), "cpu": (0.0, 1e9)}
)
TDP_WATTS: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {"gpu": (10.0, 2600.0), "tpu": (30.0, 1500.0), "asic": (5.0, 25_000.0), "fpga": (10.0, 400.0), "cpu": (2.0, 600.0)}
)
_NEAR: Final = 0.02  # relative difference up to which two figures are the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One doubt about one part."""

    part: str
    name: str
    key: str
    message: str
    file: str

    def __str__(self) -> str:
        return ": ".join(text for text in (self.file, self.key, self.message) if text)


Found = Iterator[tuple[str, str]]  # key, message


T = TypeVar("T")


def _known(shelf: Shelf[T], name: str | None) -> T | None:
    return shelf[name] if name is not None and name in shelf else None


def _same(one: float, other: float) -> bool:
    return abs(one - other) <= _NEAR * max(abs(one), abs(other))


def peak_ratios(device: Device, catalogue: Catalogue) -> Found:
    """Yield pairs of peaks whose ratio no dense product has."""
    for top, bottom, least, most, usual in RATIOS:
        if top in device.peak and bottom in device.peak:
            ratio = device.peak[top] / device.peak[bottom]
            if not least <= ratio <= most:
                known = f"dense peaks lie within {least:g} to {most:g}"
                yield f"peak.{top}", f"is {ratio:.3g} times peak.{bottom}; {known}: {usual}."
    least, most = TENSOR_OVER_VECTOR
    for precision in ("fp16", "bf16"):
        if device.vector_fp32 and precision in device.peak:
            ratio = device.peak[precision] / device.vector_fp32
            if not least <= ratio <= most:
                known = f"known devices lie within {least:g} to {most:g}"
                yield f"peak.{precision}", f"is {ratio:.3g} times vector.fp32; {known}."


def sparse_above_dense(device: Device, catalogue: Catalogue) -> Found:
    """Yield sparse peaks that are not above the dense ones: the two were swapped."""
    for precision, rate in device.sparse_peak.items():
        if rate <= device.peak.get(precision, 0.0):
            yield f"sparse_peak.{precision}", "is not above the dense peak; the two were swapped."


def memory_sweep(device: Device, catalogue: Catalogue) -> Found:
    """Yield a memory that would be read in an improbably short or long time."""
    usable, capacity = device.usable_memory_bytes, device.memory_bytes
    if capacity and device.memory_bandwidth:
        seconds = capacity / device.memory_bandwidth
        least, most = SWEEP_SECONDS[device.kind]
        if not least <= seconds <= most:
            known = f"a {device.kind} takes {show(least, 'time')} to {show(most, 'time')}"
            yield "memory.bandwidth", f"reads the whole memory in {show(seconds, 'time')}; {known}."
    if usable and capacity and usable > capacity * GIBI / GIGA * (1 + _NEAR):
        yield "memory.usable", "is more than the capacity, even if that is sold in GB and built in GiB."


def power(device: Device, catalogue: Catalogue) -> Found:
    """Yield improbable watts."""
    least, most = TDP_WATTS[device.kind]
    if device.tdp_w is not None and not least <= device.tdp_w <= most:
        yield "power.tdp", f"is {device.tdp_w:g} W; a {device.kind} has {least:g} to {most:g} W."
    if device.tdp_w is not None and device.idle_w is not None and device.idle_w > device.tdp_w:
        yield "power.idle", "is above power.tdp."
    rate = max((device.peak.get(p, 0.0) for p in ("fp16", "bf16")), default=0.0)
    if device.tdp_w and rate / device.tdp_w > 20 * TERA:
        yield "power.tdp", f"gives {show(rate / device.tdp_w, 'flop_rate')} per W; no device comes near."


def ports(device: Device, catalogue: Catalogue) -> Found:
    """Yield ports whose bandwidth is twice that of their link: both directions were added up."""
    for key, name, bandwidth in (
        ("host", device.host_link, device.host_bandwidth),
        ("scaleup", device.scaleup_link, device.scaleup_bandwidth),
    ):
        if name is None:
            continue
        if name not in catalogue.links:
            yield f"{key}.link", f"no link {name!r} in the catalogue."
            continue
        whole = catalogue.links[name].bandwidth
        several_ports = device.kind == "cpu"
        if whole and bandwidth and _same(bandwidth, 2 * whole) and not several_ports:
            yield f"{key}.bandwidth", f"is twice that of {name}; write one direction."


def lanes(link: Link, catalogue: Catalogue) -> Found:
    """Yield links whose lanes do not add up to their bandwidth."""
    if link.lanes and link.lane_bandwidth and link.bandwidth and link.kind != "switch":
        total = link.lanes * link.lane_bandwidth
        if not _same(total, link.bandwidth):
            doubled = " (both directions?)" if _same(link.bandwidth, 2 * total) else ""
            yield "bandwidth", f"is not lanes x lane_bandwidth = {show(total, 'bandwidth')}{doubled}."


def node_references(node: Node, catalogue: Catalogue) -> Found:
    """Yield names of devices and links that the catalogue does not hold."""
    if node.device is not None and node.device not in catalogue.devices:
        yield "devices.name", f"no device {node.device!r} in the catalogue."
    for key, name in (("fabric.link", node.fabric_link), ("nic.link", node.nic_link)):
        if name is not None and name not in catalogue.links:
            yield key, f"no link {name!r} in the catalogue."


def node_adapters(node: Node, catalogue: Catalogue) -> Found:
    """Yield nodes whose adapters do not add up to the bandwidth of all together."""
    link = _known(catalogue.links, node.nic_link)
    if link is None or not (link.bandwidth and node.nic_count and node.nic_bandwidth):
        return
    links = node.nic_bandwidth / link.bandwidth
    lanes = node.nic_bandwidth / (link.lane_bandwidth or link.bandwidth)
    if not any(_same(count, node.nic_count) for count in (links, lanes)) and not _same(links, 1):
        doubled = " (both directions?)" if _same(links, 2 * node.nic_count) else ""
        yield "nic.bandwidth", f"is {links:.3g} times that of {link.name}, with {node.nic_count} adapters{doubled}."


def node_fabric(node: Node, catalogue: Catalogue) -> Found:
    """Yield nodes whose fabric is faster than the devices' own ports, and domains that devices do not fill."""
    device = _known(catalogue.devices, node.device)
    port = device.scaleup_bandwidth if device and device.scaleup_link == node.fabric_link else None
    if device and port and node.fabric_bandwidth and node.fabric_bandwidth > port * (1 + _NEAR):
        yield "fabric.bandwidth", f"is above the scale-up bandwidth of {device.name}; write one direction, per device."
    if node.scaleup_domain and node.device_count > node.scaleup_domain and node.device_count % node.scaleup_domain:
        yield "fabric.domain", f"{node.device_count} devices do not fill domains of {node.scaleup_domain}."


def price_reference(price: Price, catalogue: Catalogue) -> Found:
    """Yield prices of devices that the catalogue does not hold."""
    if price.device is not None and price.device not in catalogue.devices:
        yield "device", f"no device {price.device!r} in the catalogue."


def price_order(price: Price, catalogue: Catalogue) -> Found:
    """Yield offers whose reserved price is above the one on demand."""
    for index, offer in enumerate(price.offers):
        for key, rent in (("reserved_1y", offer.reserved_1y_usd_per_s), ("reserved_3y", offer.reserved_3y_usd_per_s)):
            if rent and offer.on_demand_usd_per_s and rent > offer.on_demand_usd_per_s:
                yield f"offers[{index}].{key}", "is above on_demand."


def storage_rates(storage: Storage, catalogue: Catalogue) -> Found:
    """Yield drives faster than any."""
    if storage.per == "drive" and storage.read_bandwidth and storage.read_bandwidth > 32 * GIGA:
        yield "read_bandwidth", "no single drive reads as fast; say 'per: system'."


CHECKS: Final[Mapping[str, tuple[Callable[[Any, Catalogue], Found], ...]]] = MappingProxyType(
    {
        "device": (peak_ratios, sparse_above_dense, memory_sweep, power, ports),
        "link": (lanes,),
        "node": (node_references, node_adapters, node_fabric),
        "storage": (storage_rates,),
        "price": (price_reference, price_order),
    }
)


def lint_part(kind: str, part: Any, catalogue: Catalogue, file: str) -> list[Problem]:
    """Return every problem of one part."""
    found = [(key, "has no source; name one under 'sources' and 'source'.") for key in unsourced(part.figures)]
    if not part.figures and not (isinstance(part, Storage) and part.scaling):
        found.append((kind, "has no figure at all."))
    doubts = [doubt for check in CHECKS[kind] for doubt in check(part, catalogue)]
    found.extend(doubt for doubt in doubts if doubt[0] not in part.unusual)
    found.extend(
        (f"unusual.{key}", "nothing is unusual here; remove it.") for key in part.unusual if key not in dict(doubts)
    )
    return [Problem(part=kind, name=part.name, key=key, message=message, file=file) for key, message in found]


def lint_files(paths: Sequence[Path]) -> list[Problem]:
    """Return every problem of users' files, those that keep them from loading included; they may name each other."""
    parts: list[tuple[str, Any, Path]] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            kind = kind_of_file(path)
            parts.append((kind.part, load_part(kind, path), path))
        except InputError as error:
            problems.append(Problem(part="file", name=path.stem, key="", message=str(error), file=""))
    catalogue = load_catalogue(*(path for _, _, path in parts))
    for kind_name, part, path in parts:
        problems.extend(lint_part(kind_name, part, catalogue, str(path)))
    return problems


def lint_catalogue(catalogue: Catalogue) -> list[Problem]:
    """Return every problem of every part, and aliases that two parts claim."""
    problems: list[Problem] = []
    for kind, shelf in zip(PART_KINDS, catalogue.shelves(), strict=True):
        for name, path in shelf.paths.items():
            problems.extend(lint_part(kind.part, shelf[name], catalogue, str(path)))
        problems.extend(_claimed_twice(kind.part, shelf))
    return problems


def _claimed_twice(kind: str, shelf: Shelf[Any]) -> Iterator[Problem]:
    """Yield aliases that, as they are written, belong to two parts, or that are another part's name."""
    owners: dict[str, str] = {}
    names = {spelling(name): name for name in shelf}
    for name in shelf:
        for alias in shelf[name].aliases:
            other = owners.setdefault(alias, name)
            if other == name:
                other = names.get(spelling(alias), name)
            if other != name:
                message = f"{alias!r} is also {other}; a spelling belongs to one part."
                yield Problem(part=kind, name=name, key="aliases", message=message, file=str(shelf.paths[name]))
