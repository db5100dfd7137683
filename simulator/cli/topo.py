"""``rackcast topo``: the wiring of a cluster, shown, drawn, cut in half, imported and exported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simulator.cli import options, output
from simulator.cli.machines import UNCHANGED, Nodes, Scenario, Wiring, cluster_from, described, with_wiring
from simulator.foundation.errors import InputError

if TYPE_CHECKING:
    from simulator.topology import Cluster, Tier
    from simulator.topology.bisection import Bisection
    from simulator.topology.importers import Imported

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    help="Show, draw, cut in half, import and export the wiring of a cluster.",
)


@app.command("show")
@with_wiring
def show_cluster(
    scenario: Scenario = None,
    nodes: Nodes = None,
    wiring: Wiring = UNCHANGED,
    overrides: options.Overrides = None,
    as_json: options.Json = False,
) -> None:
    """Show the tiers that a device sees, innermost first, and what the cluster is made of.

    example: rackcast topo show --nodes dgx-a100:128 --fabric fat-tree --oversubscription 2
    """
    one = cluster_from(scenario, nodes, overrides, wiring)
    views = [one.tiers] if one.homogeneous and one.wan is None else list(one.group_tiers)
    if as_json:
        output.json_document(_facts(one), warnings=one.assumptions)
        return
    output.line(f"{one.name}: {one.devices:,} devices in {one.nodes:,} nodes")
    for number, tiers in enumerate(views):
        title = "" if len(views) == 1 else f"as {one.groups[number][0].name} sees it"
        output.table(_TIER_COLUMNS, [_tier_row(tier) for tier in tiers], title=title)
    output.table(
        ["part", "name", "count", "capacity each", "latency"],
        [[part.kind, part.name, part.count, _rate(part.capacity), _time(part.latency)] for part in one.classes()],
    )
    for assumption in one.assumptions:
        output.warn(assumption)


_TIER_COLUMNS = ["tier", "shape", "devices", "each, all at once", "each, alone", "pair", "all-to-all", "latency"]


def _tier_row(tier: Tier) -> list[object]:
    torus = tier.torus
    shape = f"{tier.shape} {'x'.join(map(str, torus.dims))}{_rings(torus.wrap)}" if torus else tier.shape
    rates = (tier.bandwidth, tier.port_bandwidth, tier.pair_bandwidth, tier.uniform_bandwidth)
    return [tier.name, shape, tier.span, *map(_rate, rates), _time(tier.latency)]


def _rings(wrap: tuple[bool, ...]) -> str:
    return "" if all(wrap) else " (no rings)" if not any(wrap) else f" (rings on {sum(wrap)} axes)"


def _rate(value: float | None) -> str | None:
    from simulator.foundation.units import show

    return None if value is None else show(value, "bandwidth")


def _time(value: float | None) -> str | None:
    from simulator.foundation.units import show

    return None if value is None else show(value, "time")


def _facts(cluster: Cluster) -> dict[str, Any]:
    return {
        "name": cluster.name,
        "devices": cluster.devices,
        "nodes": cluster.nodes,
        "bisection_bytes_per_s": cluster.bisection(),
        "tiers": [_tier_facts(tier) for tier in cluster.tiers],
        "groups": [
            {"node": node.name, "device": device.name, "nodes": count, "tiers": [_tier_facts(tier) for tier in tiers]}
            for (node, device, count), tiers in zip(cluster.groups, cluster.group_tiers, strict=True)
        ],
        "parts": [
            {
                "kind": part.kind,
                "name": part.name,
                "count": part.count,
                "capacity_bytes_per_s": part.capacity,
                "latency_s": part.latency,
            }
            for part in cluster.classes()
        ],
    }


def _tier_facts(tier: Tier) -> dict[str, Any]:
    torus = tier.torus
    return {
        "name": tier.name,
        "shape": tier.shape,
        "span_devices": tier.span,
        "bandwidth_bytes_per_s": tier.bandwidth,
        "port_bandwidth_bytes_per_s": tier.port_bandwidth,
        "pair_bandwidth_bytes_per_s": tier.pair_bandwidth,
        "uniform_bandwidth_bytes_per_s": tier.uniform_bandwidth,
        "latency_s": tier.latency,
        "link": tier.link,
        "torus": {"dims": list(torus.dims), "wrap": list(torus.wrap)} if torus else None,
    }


@app.command("bisection")
@with_wiring
def bisection(
    scenario: Scenario = None,
    nodes: Nodes = None,
    wiring: Wiring = UNCHANGED,
    overrides: options.Overrides = None,
    as_json: options.Json = False,
) -> None:
    """Print the least capacity between two halves of each kind of domain, and its part of what half can send.

    example: rackcast topo bisection --nodes dgx-h100:256 --fabric rail
    """
    from simulator.topology.bisection import bisections

    one = cluster_from(scenario, nodes, overrides, wiring)
    found = bisections(one)
    if as_json:
        output.json_document({"name": one.name, "bisections": [_bisection_facts(item) for item in found]})
        return
    columns = ["domain", "halves of", "devices", "bisection", "half can send", "share"]
    rows = [
        [item.name, item.halves, item.devices, _rate(item.bandwidth), _rate(item.full), f"{item.share:.1%}"]
        for item in found
    ]
    output.table(columns, rows)


def _bisection_facts(item: Bisection) -> dict[str, Any]:
    return {
        "name": item.name,
        "halves": item.halves,
        "devices": item.devices,
        "bisection_bytes_per_s": item.bandwidth,
        "half_sends_bytes_per_s": item.full,
        "share": item.share,
    }


@app.command("path")
@with_wiring
def path(
    source: Annotated[int, typer.Option("--from", metavar="DEVICE", help="Number of the sending device.", min=0)],
    target: Annotated[int, typer.Option("--to", metavar="DEVICE", help="Number of the receiving device.", min=0)],
    scenario: Scenario = None,
    nodes: Nodes = None,
    wiring: Wiring = UNCHANGED,
    flow: Annotated[int, typer.Option(metavar="N", help="Number of the flow: chooses among equal paths.", min=0)] = 0,
    overrides: options.Overrides = None,
    as_json: options.Json = False,
) -> None:
    """Print the links that a flow between two devices crosses.

    example: rackcast topo path --nodes dgx-h100:256 --from 0 --to 2047
    """
    one = cluster_from(scenario, nodes, overrides, wiring)
    for device in (source, target):
        if device >= one.devices:
            raise InputError(f"there is no device {device}; the cluster has 0 to {one.devices - 1}.")
    steps = one.path(source, target, flow=flow)
    if as_json:
        keys = ("source", "target", "capacity_bytes_per_s", "latency_s")
        output.json_document({"steps": [dict(zip(keys, step, strict=True)) for step in steps]})
        return
    rows = [[step.source, step.target, _rate(step.capacity), _time(step.latency)] for step in steps]
    output.table(["from", "to", "capacity", "latency"], rows)
    output.line(f"{_time(sum(step.latency for step in steps))} one way, {len(steps)} links")


MAX_EXPORT = 50_000  # devices; beyond it the files are of no use to any viewer


@app.command("draw")
@with_wiring
def draw(
    scenario: Scenario = None,
    nodes: Nodes = None,
    wiring: Wiring = UNCHANGED,
    overrides: options.Overrides = None,
    out: options.OutDir = None,
    formats: Annotated[str, typer.Option("--formats", metavar="LIST", help="Of png, svg, graphml, dot.")] = "png",
) -> None:
    """Write a picture of the wiring (one page for any size), or every vertex and link for other tools.

    example: rackcast topo draw --nodes dgx-a100:2048 --out out --formats png,graphml
    """
    one = cluster_from(scenario, nodes, overrides, wiring)
    if out is None:
        raise InputError("--out DIR is needed: where the picture goes.")
    for kind in formats.split(","):
        output.line(str(_write(one, kind.strip(), out)))


def _write(cluster: Cluster, kind: str, out: Path) -> Path:
    from simulator.foundation.errors import UnknownName
    from simulator.foundation.files import write_atomic
    from simulator.topology.export import EXPORTERS

    target = out / f"topology.{kind}"
    if kind in ("png", "svg"):
        from simulator.results.style import save
        from simulator.results.topology_plot import plot_topology

        figure, _ = plot_topology(cluster)
        return save(figure, target)
    if kind not in EXPORTERS:
        raise UnknownName("format", kind, ("png", "svg", *EXPORTERS))
    if cluster.devices > MAX_EXPORT:
        raise InputError(f"{cluster.devices} devices; the graph of at most {MAX_EXPORT} is written. Use png or svg.")
    return write_atomic(target, EXPORTERS[kind](cluster.graph()))


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="nvidia-smi, NCCL, hwloc, Slurm or Kubernetes output.")],
    kind: Annotated[str, described("--format", metavar="NAME", help="If the text does not tell it by itself.")] = "",
    out: options.OutDir = None,
    as_json: options.Json = False,
) -> None:
    """Read the topology that another tool wrote: nested domains, parts and shape; --out writes GraphML and DOT.

    Formats: nvidia-smi topo -m, NCCL_TOPO_DUMP_FILE, lstopo --of xml, Slurm topology.conf and topology.yaml,
    kubectl get nodes -o json.

    example: rackcast topo import topology.conf --out out
    """
    from simulator.topology.importers import import_topology

    found = import_topology(file, kind)
    if out is not None:
        from simulator.foundation.files import write_atomic
        from simulator.topology.export import EXPORTERS

        for name in EXPORTERS:
            output.note(f"wrote {write_atomic(out / f'{file.stem}.{name}', EXPORTERS[name](found.graph))}")
    if as_json:
        output.json_document(_imported_facts(found), warnings=found.notes)
        return
    output.line(f"{found.kind}: {found.count:,} {found.members}{f', wired as {found.shape}' if found.shape else ''}")
    output.table(
        ["level", "domains", f"{found.members} in the smallest", "in the largest"],
        [[level.name, level.count, level.smallest, level.largest] for level in found.levels],
    )
    for note in found.notes:
        output.note(note)


def _imported_facts(found: Imported) -> dict[str, Any]:
    return {
        "format": found.kind,
        "members": found.members,
        "count": found.count,
        "shape": found.shape,
        "levels": [
            {"name": level.name, "domains": level.count, "smallest": level.smallest, "largest": level.largest}
            for level in found.levels
        ],
        "vertices": [{"name": name, **about} for name, about in found.graph.nodes(data=True)],
        "links": [{"source": one, "target": other, **about} for one, other, about in found.graph.edges(data=True)],
    }


@app.command("shapes")
def shapes(as_json: options.Json = False) -> None:
    """List the shapes that --fabric knows.

    example: rackcast topo shapes
    """
    from simulator.topology.shapes import SHAPES

    words = {name: (SHAPES[name].__doc__ or "").splitlines()[0].removeprefix("Return ") for name in SHAPES}
    if as_json:
        output.json_document({"shapes": words})
        return
    output.table(["shape", "what it is"], list(words.items()))
