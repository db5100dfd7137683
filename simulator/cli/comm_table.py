"""The table of ``rackcast comm``: predictions by size, with a log and published measurements beside."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from simulator.cli import output
from simulator.foundation.errors import InputError

if TYPE_CHECKING:
    from simulator.costs.collectives import Cost, Reach
    from simulator.topology import Cluster

Beside = tuple[float, float, float, str]

HEADINGS: Final = (
    "size", "time", "algorithm", "protocol", "size / time", "bus bandwidth", "measured", "off", "source",
)  # fmt: skip
COLUMNS: Final = (
    "size_B", "time_us", "algorithm", "protocol", "algorithm_bandwidth_GBps", "bus_bandwidth_GBps", "measured_us",
    "predicted_over_measured", "source",
)  # fmt: skip


def measured_beside(
    cluster: Cluster, operation: str, ranks: int, log: Path | None
) -> list[tuple[float, float, float, str]]:
    """Return (B, s, B/s of bus bandwidth, source) of a log and of published runs on like machines."""
    from simulator.costs.collectives import bus_factor
    from simulator.profiles.catalogue import load_catalogue
    from simulator.validation.measurements import read_tables, shipped_tables
    from simulator.validation.nccl_tests import read_nccl_log
    from simulator.validation.network_measured import measured_like

    found: list[tuple[float, float, str]] = []
    if log is not None:
        told = read_nccl_log(log)
        if told.operation not in ("", operation):
            raise InputError(f"{log} holds {told.operation}, not {operation}.")
        if told.ranks not in (0, ranks):
            raise InputError(f"{log} was run on {told.ranks} ranks, not {ranks}; add --ranks {told.ranks}.")
        found += [(size, seconds, log.name) for size, seconds in zip(told.sizes, told.seconds, strict=True)]
    files = [path for path in shipped_tables() if path.name.startswith("network")]
    if cluster.homogeneous and files:
        node, device, _ = cluster.groups[0]
        nodes = -(-ranks // max(node.device_count, 1))
        rows = [row.cells for table in read_tables(files) for row in table.rows]
        like = measured_like(
            rows, load_catalogue(), operation=operation, device=device.name, ranks=ranks, nodes=nodes
        )  # fmt: skip
        found += [(one.size, one.seconds, one.source) for one in like]
    factor = float(bus_factor(operation, ranks))
    return [(size, seconds, size * factor / seconds, source) for size, seconds, source in sorted(found)]


def rows_of(sizes: Sequence[float], cost: Cost, measured: Sequence[Beside]) -> list[tuple[Any, ...]]:
    """Return the rows of :data:`COLUMNS`, one per size and measurement beside it."""
    from simulator.foundation.units import GIGA, MICRO

    rows: list[tuple[Any, ...]] = []
    for index, size in enumerate(sizes):
        time = float(cost.time[index])
        head = (int(size), time / MICRO, str(cost.algorithm[index]), str(cost.protocol[index]), size / time / GIGA,
                float(cost.bus_bandwidth[index]) / GIGA)  # fmt: skip
        beside = [(one[1] / MICRO, time / one[1], one[3]) for one in measured if abs(one[0] - size) < 0.5]
        rows += [(*head, *one) for one in beside] or [(*head, None, None, None)]
    return rows


def shown(row: tuple[Any, ...]) -> list[object]:
    """Return the cells of a row as people read them."""
    from simulator.foundation.units import GIGA, MICRO, show

    size, time, algorithm, protocol, rate, bus, measured, ratio, source = row
    beside = (show(measured * MICRO, "time"), f"{ratio - 1:+.1%}", source) if measured is not None else (None,) * 3
    rates = (show(rate * GIGA, "bandwidth"), show(bus * GIGA, "bandwidth"))
    return [_binary(size), show(time * MICRO, "time"), algorithm, protocol, *rates, *beside]


def _binary(size: float) -> str:
    from simulator.foundation.units import GIBI, KIBI, MEBI

    for unit, text in ((GIBI, "GiB"), (MEBI, "MiB"), (KIBI, "KiB")):
        if size >= unit:
            return f"{size / unit:g} {text}"
    return f"{size:g} B"


def named(rows: Sequence[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Return the rows as objects, for JSON."""
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows]


def doubts(over: Reach) -> list[str]:
    """Say which constants of the tiers in use were not measured, each once."""
    from simulator.costs.collectives import load_fabrics

    table = load_fabrics()
    assumed = [one.fabric for one in over.levels if one.ranks > 1 and one.fabric.origin("link_fraction") == "assumed"]
    names = dict.fromkeys(fabric.name for fabric in assumed)
    return [f"the constants of {name} are assumed: {table.sources[name]}." for name in names]


def write(
    operation: str, cluster: Cluster, ranks: int, sizes: Sequence[float], cost: Cost,
    measured: Sequence[Beside], rows: Sequence[tuple[Any, ...]], out: Path,
) -> None:  # fmt: skip
    """Write picture and table of a collective to a folder."""
    from simulator.foundation.files import write_atomic
    from simulator.results.collective_plot import plot_collective
    from simulator.results.style import save

    title = f"{operation}, {ranks} ranks: {cluster.name}"
    algorithms = [str(name) for name in cost.algorithm]
    figure, _ = plot_collective(
        sizes, cost.time.tolist(), cost.bus_bandwidth.tolist(), algorithms, measured=measured, title=title
    )
    output.note(str(save(figure, out / f"{operation}.png")))
    output.note(str(write_atomic(out / f"{operation}.csv", output.csv_text(COLUMNS, rows))))
