"""Parts as rows and as facts, for tables and JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from simulator.foundation.units import GIGA, HOUR, MICRO, MILLI, TERA
from simulator.profiles.device import Device
from simulator.profiles.link import Link
from simulator.profiles.node import Node
from simulator.profiles.price import Price
from simulator.profiles.storage import Storage

#: shelf -> columns of its table, with units
COLUMNS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "devices": (
            "name",
            "kind",
            "vendor",
            "year",
            "fp32_tflop_per_s",
            "bf16_tflop_per_s",
            "fp8_tflop_per_s",
            "memory_gb",
            "memory_gb_per_s",
            "scaleup_gb_per_s",
            "tdp_w",
        ),
        "links": ("name", "kind", "family", "gb_per_s", "latency_us", "achieved_fraction"),
        "nodes": ("name", "kind", "provider", "device", "devices", "domain", "nic", "nic_gb_per_s", "memory_gb"),
        "storage": ("name", "kind", "tier", "per", "read_gb_per_s", "write_gb_per_s", "read_latency_ms"),
        "prices": ("name", "kind", "device", "devices", "offers", "provider", "usd_per_h", "usd"),
    }
)


#: last words of a column's name -> how people write the unit, and what such a figure is if the name says no more
_UNITS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "tflop_per_s": ("TFLOP/s", "peak"),
        "gb_per_s": ("GB/s", "speed"),
        "usd_per_h": ("USD/h", "rent"),
        "usd": ("USD", "price"),
        "gb": ("GB", "size"),
        "us": ("us", "time"),
        "ms": ("ms", "time"),
        "w": ("W", "power"),
    }
)


def headings(shelf: str) -> list[str]:
    """Return the columns of a shelf as people read them.

    >>> headings("links")
    ['name', 'kind', 'family', 'speed (GB/s)', 'latency (us)', 'achieved fraction']
    """
    return [_heading(column) for column in COLUMNS[shelf]]


def _heading(column: str) -> str:
    for end, (unit, what) in _UNITS.items():
        if f"_{column}".endswith(f"_{end}"):
            return f"{column.removesuffix(end).replace('_', ' ').strip() or what} ({unit})"
    return column.replace("_", " ")


def maker_of(part: Any) -> str:
    """Return who makes or rents the part: vendor, provider or family."""
    if isinstance(part, Price):
        return part.offers[0].provider
    return str(getattr(part, "vendor", None) or getattr(part, "provider", None) or getattr(part, "family", ""))


def _over(value: float | None, scale: float) -> float | None:
    return None if value is None else value / scale


def summary_of(part: Any) -> tuple[object, ...]:
    """Return the row of a part in the table of its shelf."""
    if isinstance(part, Device):
        rates = (_over(part.peak.get(precision), TERA) for precision in ("fp32", "bf16", "fp8"))
        memory = (part.memory_bytes, part.memory_bandwidth, part.scaleup_bandwidth)
        sizes = (_over(value, GIGA) for value in memory)
        return (part.name, part.kind, part.vendor, part.year, *rates, *sizes, part.tdp_w)
    if isinstance(part, Link):
        speed = part.bandwidth if part.bandwidth is not None else part.lane_bandwidth
        latency = _over(part.latency_s, MICRO)
        return (part.name, part.kind, part.family, _over(speed, GIGA), latency, part.achieved_fraction)
    if isinstance(part, Node):
        held = (part.name, part.kind, part.provider, part.device, part.device_count, part.scaleup_domain)
        return (*held, part.nic, _over(part.nic_bandwidth, GIGA), _over(part.host_memory_bytes, GIGA))
    if isinstance(part, Storage):
        latency = _over(part.read_latency_s, MILLI)
        speeds = (_over(part.read_bandwidth, GIGA), _over(part.write_bandwidth, GIGA))
        return (part.name, part.kind, part.tier, part.per, *speeds, latency)
    assert isinstance(part, Price)
    first = part.offers[0]
    rent = None if first.on_demand_usd_per_s is None else first.on_demand_usd_per_s * HOUR
    about = (part.name, part.kind, part.device, part.device_count, len(part.offers), first.provider)
    return (*about, rent, first.purchase_usd)


def facts_of(part: Any) -> dict[str, Any]:
    """Return what a part says beside its figures: names, kinds, words."""
    worded: dict[str, Any] = {}
    for field in dataclasses.fields(part):
        value = getattr(part, field.name)
        if field.name in ("figures", "offers") or isinstance(value, (int, float)):
            continue
        if isinstance(value, Mapping):
            value = {key: item for key, item in value.items() if isinstance(item, str)}
        worded[field.name] = list(value) if isinstance(value, tuple) else value
    return worded
