"""Text to SI numbers and back. The only place that knows prefixes.

A quantity is a number, one space and a unit: ``3.35 TB/s``, ``400 Gb/s``, ``80 GiB``, ``989 TFLOP/s``,
``3.90 USD/h``. ``b`` is a bit and ``B`` a byte; decimal prefixes are powers of 1000, ``Ki``-like ones of 1024.
Inside the program every quantity is a plain float in the base unit of its dimension.
"""

from __future__ import annotations

import math
import re
from typing import Final

from simulator.foundation.errors import UnitError

KILO: Final = 1e3
MEGA: Final = 1e6
GIGA: Final = 1e9
TERA: Final = 1e12
PETA: Final = 1e15
MILLI: Final = 1e-3
MICRO: Final = 1e-6
NANO: Final = 1e-9
PICO: Final = 1e-12
KIBI: Final = 2.0**10
MEBI: Final = 2.0**20
GIBI: Final = 2.0**30
TEBI: Final = 2.0**40
BITS_PER_BYTE: Final = 8
MINUTE: Final = 60.0
HOUR: Final = 3600.0
DAY: Final = 86400.0
YEAR: Final = 365 * DAY

_DECIMAL: Final = {"": 1.0, "k": KILO, "M": MEGA, "G": GIGA, "T": TERA, "P": PETA, "E": 1e18}
_BINARY: Final = {"Ki": KIBI, "Mi": MEBI, "Gi": GIBI, "Ti": TEBI, "Pi": 2.0**50}
_SMALL: Final = {"m": MILLI, "u": MICRO, "n": NANO, "p": PICO}


def _prefixed(unit: str, prefixes: dict[str, float], scale: float = 1.0) -> dict[str, float]:
    return {prefix + unit: factor * scale for prefix, factor in prefixes.items()}


_BYTE_COUNTS: Final = _prefixed("B", _DECIMAL | _BINARY) | _prefixed("b", _DECIMAL, 1 / BITS_PER_BYTE)

#: dimension -> unit text -> factor to the base unit (the base unit itself has factor 1)
UNITS: Final[dict[str, dict[str, float]]] = {
    "bytes": _BYTE_COUNTS,
    "bandwidth": {f"{unit}/s": factor for unit, factor in _BYTE_COUNTS.items()},
    "flop": _prefixed("FLOP", _DECIMAL),
    "flop_rate": {f"{unit}/s": factor for unit, factor in _prefixed("FLOP", _DECIMAL).items()}
    | {f"{unit}/s": factor for unit, factor in _prefixed("OP", _DECIMAL).items()},
    "time": _prefixed("s", {"": 1.0} | _SMALL) | {"min": MINUTE, "h": HOUR, "d": DAY, "y": YEAR},
    "frequency": _prefixed("Hz", _DECIMAL),
    "power": _prefixed("W", _DECIMAL),
    "energy": _prefixed("J", _DECIMAL) | {"Wh": HOUR, "kWh": KILO * HOUR, "MWh": MEGA * HOUR},
    "money": {"USD": 1.0},
    "money_rate": {"USD/h": 1 / HOUR, "USD/d": 1 / DAY, "USD/mo": 12 / YEAR, "USD/y": 1 / YEAR},
    "money_per_byte": {"USD/GB": 1 / GIGA, "USD/TB": 1 / TERA, "USD/GiB": 1 / GIBI},
    "money_per_byte_time": {
        "USD/GB/mo": 12 / YEAR / GIGA,
        "USD/TB/mo": 12 / YEAR / TERA,
        "USD/GiB/mo": 12 / YEAR / GIBI,
    },
    "money_per_energy": {"USD/kWh": 1 / (KILO * HOUR), "USD/MWh": 1 / (MEGA * HOUR)},
    "carbon_per_energy": {"g/kWh": 1 / (KILO * HOUR), "kg/kWh": KILO / (KILO * HOUR)},
    "rate": {"/s": 1.0, "/min": 1 / MINUTE, "/h": 1 / HOUR, "/d": 1 / DAY},
    "distance": {"m": 1.0, "km": KILO},
}

#: one example per dimension, for error messages and documentation
EXAMPLES: Final[dict[str, str]] = {
    "bytes": "80 GiB",
    "bandwidth": "3.35 TB/s (bytes) or 400 Gb/s (bits)",
    "flop": "1 PFLOP",
    "flop_rate": "989 TFLOP/s",
    "time": "5 us",
    "frequency": "1.41 GHz",
    "power": "700 W",
    "energy": "2 kWh",
    "money": "30000 USD",
    "money_rate": "3.90 USD/h",
    "money_per_byte": "0.09 USD/GB",
    "money_per_byte_time": "0.023 USD/GB/mo",
    "money_per_energy": "0.08 USD/kWh",
    "carbon_per_energy": "400 g/kWh",
    "rate": "50 /s",
    "distance": "80 km",
}

_NUMBER: Final = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_MENDS: Final = {"bps": "b/s", "Bps": "B/s", "FLOPS": "FLOP/s", "FLOPs": "FLOP/s", "TOPS": "TOP/s", "OPS": "OP/s"}


def parse(text: object, dimension: str) -> float:
    """Return the quantity in the base unit of its dimension.

    Args:
        text: a number, one space and a unit, such as ``"400 Gb/s"``.
        dimension: a key of :data:`UNITS`.

    Raises:
        UnitError: not text, not finite, no unit, or a unit of another dimension; the message gives the mend.

    >>> parse("400 Gb/s", "bandwidth")
    50000000000.0
    >>> parse("80 GiB", "bytes") == 80 * 2**30
    True
    """
    units = UNITS[dimension]
    need = f"Write a number, a space and a unit, as in '{EXAMPLES[dimension]}'."
    if not isinstance(text, str):
        raise UnitError(f"{text!r} has no unit. {need}")
    number, _, unit = text.strip().partition(" ")
    if not _NUMBER.fullmatch(number) or unit not in units:
        raise UnitError(f"{text!r} is no {dimension.replace('_', ' ')}.{_mend(number, unit, units)} {need}")
    value = float(number) * units[unit]
    if not math.isfinite(value):
        raise UnitError(f"{text!r} is not finite. {need}")
    return value


def _mend(number: str, unit: str, units: dict[str, float]) -> str:
    """Return a hint for the commonest slips: no space, ``Gbps``, ``TFLOPS``, lower-case units."""
    if not unit and (glued := _NUMBER.match(number)) and number[glued.end() :]:
        number, unit = glued.group(), number[glued.end() :]
    for wrong, right in _MENDS.items():
        if unit.endswith(wrong) and unit[: -len(wrong)] + right in units:
            unit = unit[: -len(wrong)] + right
            break
    if unit in units and _NUMBER.fullmatch(number):
        return f" Did you mean '{number} {unit}'?"
    same = [known for known in units if known.lower() == unit.lower()]
    return f" Did you mean '{number} {same[0]}'?" if same else ""


#: units shown for each dimension, largest first
_SHOWN: Final[dict[str, tuple[str, ...]]] = {
    "bytes": ("PB", "TB", "GB", "MB", "kB", "B"),
    "bandwidth": ("PB/s", "TB/s", "GB/s", "MB/s", "kB/s", "B/s"),
    "flop": ("EFLOP", "PFLOP", "TFLOP", "GFLOP", "MFLOP", "FLOP"),
    "flop_rate": ("EFLOP/s", "PFLOP/s", "TFLOP/s", "GFLOP/s", "MFLOP/s", "FLOP/s"),
    "time": ("d", "h", "min", "s", "ms", "us", "ns", "ps"),
    "frequency": ("GHz", "MHz", "kHz", "Hz"),
    "power": ("MW", "kW", "W"),
    "energy": ("MWh", "kWh", "kJ", "J"),
    "money": ("USD",),
    "money_rate": ("USD/h",),
    "rate": ("/s",),
    "distance": ("km", "m"),
}


def show(value: float, dimension: str, digits: int = 4) -> str:
    """Return the quantity as text that :func:`parse` reads back, in the largest unit that keeps it at 1 or more.

    >>> show(50e9, "bandwidth")
    '50 GB/s'
    >>> show(80 * 2**30, "bytes")
    '85.9 GB'
    """
    if not math.isfinite(value):
        return str(value)
    shown = _SHOWN.get(dimension) or tuple(sorted(UNITS[dimension], key=UNITS[dimension].__getitem__, reverse=True))
    unit = next((known for known in shown if abs(value) >= UNITS[dimension][known]), shown[-1])
    return f"{value / UNITS[dimension][unit]:.{digits}g} {unit}"
