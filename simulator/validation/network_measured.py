"""Published collectives of a like machine, to stand beside a prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from simulator.costs.collectives import Fabric, bus_factor
from simulator.foundation.errors import InputError
from simulator.foundation.units import GIGA, MICRO
from simulator.profiles.catalogue import Catalogue
from simulator.validation.network import operation_of
from simulator.validation.network_fit import fit_points

_LIBRARY: Final = ("", "NCCL auto", "RCCL")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One published time."""

    size: float
    seconds: float
    source: str


def measured_like(
    rows: Sequence[Mapping[str, str]], catalogue: Catalogue, *, operation: str, device: str, ranks: int, nodes: int
) -> tuple[Measured, ...]:
    """Return the times of a collective on equally many ranks of a device on equally many nodes, by size."""
    found = [
        Measured(size=float(row["message_bytes"]), seconds=_seconds(row, operation, ranks), source=row["source_group"])
        for row in rows
        if row.get("kind_of_work") in ("collective", "point-to-point")
        and row.get("usable") in ("yes", "partial")
        and operation_of(row) == operation
        and row.get("algorithm", "") in _LIBRARY
        and row.get("message_bytes")
        and row.get("device_id") in catalogue.devices
        and catalogue.devices[row["device_id"]].name == device
        and int(float(row["n_accel"])) == ranks
        and int(float(row.get("n_nodes") or 1)) == nodes
    ]
    return tuple(sorted(found, key=lambda one: (one.size, one.source)))


def _seconds(row: Mapping[str, str], operation: str, ranks: int) -> float:
    value = float(row["value"])
    if row["metric"] == "busbw_GBps":
        return float(row["message_bytes"]) * float(bus_factor(operation, ranks)) / (value * GIGA)
    return value * MICRO


def calibrate(
    fabric: Fabric, operation: str, sizes: Sequence[float], seconds: Sequence[float], *, ranks: int, rate: float
) -> Fabric:
    """Return a class of fabric with the constants that one log shows fitted to it: start, step, rate, chunk.

    Args:
        fabric: where the fit starts; constants that a log of one collective cannot show stay.
        ranks: of the run, all in one scale-up domain.
        rate: of a device over its link by the datasheet, B/s.

    Raises:
        InputError: fewer points than constants, or sizes within a factor of 100.
    """
    if len(sizes) < 6 or max(sizes) < 100 * min(sizes):
        raise InputError(
            f"{len(sizes)} sizes do not tell a start from a rate; measure from 1 KiB to 1 GiB (-b 1K -e 1G -f 2)."
        )
    return fit_points(fabric, operation, np.asarray(sizes, float), np.asarray(seconds, float), ranks, rate)
