"""``rackcast comm``: collectives by size and algorithm, beside measurements; jobs that share a network."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from simulator.cli import options, output
from simulator.cli.comm_table import COLUMNS, HEADINGS, doubts, measured_beside, named, rows_of, shown, write
from simulator.cli.machines import UNCHANGED, Wiring, cluster_from, with_wiring
from simulator.foundation.errors import InputError

if TYPE_CHECKING:
    from simulator.costs.collectives import Reach
    from simulator.topology import Cluster

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    help="Time collectives on a cluster, beside measurements; say which jobs slow each other on one network.",
)

#: the collectives, and what the size means (as nccl-tests counts)
COLLECTIVES: Final = {
    "all-reduce": "per-rank buffer",
    "all-gather": "gathered buffer, all ranks together",
    "reduce-scatter": "buffer before it is scattered",
    "all-to-all": "per-rank buffer",
    "broadcast": "buffer",
    "reduce": "per-rank buffer",
    "send-recv": "message",
}
_GLUED: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]+)")
On = Annotated[
    list[str],
    typer.Option("--on", metavar="NAME:COUNT[@SITE]", help="Machines, as in dgx-a100:16; repeatable.",
                 show_default=False),
]  # fmt: skip
Sizes = Annotated[str, typer.Option("--sizes", metavar="A..B", help="From A to B by doubling, or a list: 4KiB,1MiB.")]
Ranks = Annotated[
    int | None, typer.Option("--ranks", min=1, help="Devices that take part; all by default.", show_default=False)
]
Algorithm = Annotated[
    str | None, typer.Option("--algorithm", metavar="NAME", help="Instead of the library's.", show_default=False)
]
Protocol = Annotated[
    str | None, typer.Option("--protocol", metavar="NAME", help="ll, ll128 or simple.", show_default=False)
]
Engine = Annotated[
    str | None,
    typer.Option("--engine", metavar="NAME", help="Use its fused all-reduce: vllm, trtllm.", show_default=False),
]
Log = Annotated[
    Path | None, typer.Option("--log", metavar="FILE", help="Output of nccl-tests to set beside.", show_default=False)
]


def _collective(operation: str) -> None:
    def command(
        on: On,
        sizes: Sizes = "1KiB..1GiB",
        ranks: Ranks = None,
        algorithm: Algorithm = None,
        protocol: Protocol = None,
        engine: Engine = None,
        log: Log = None,
        wiring: Wiring = UNCHANGED,
        out: options.OutDir = None,
        as_json: options.Json = False,
        as_csv: options.Csv = False,
    ) -> None:
        from simulator.costs.collectives import collective_cost

        cluster = cluster_from(None, on, wiring=wiring)
        over, count = _reach(cluster, ranks)
        numbers = parse_sizes(sizes)
        cost = collective_cost(operation, numbers, over, algorithm=algorithm, protocol=protocol, engine=engine)
        measured = measured_beside(cluster, operation, count, log)
        rows = rows_of(numbers, cost, measured)
        if out is not None:
            write(operation, cluster, count, numbers, cost, measured, rows, out)
        if as_json:
            facts = {"operation": operation, "cluster": cluster.name, "ranks": count, "rows": named(rows)}
            output.json_document(facts, warnings=doubts(over))
        elif as_csv:
            output.csv(COLUMNS, rows)
        else:
            output.line(f"{operation} over {count} ranks of {cluster.name}; size: {COLLECTIVES[operation]}")
            output.table(HEADINGS, [shown(row) for row in rows])
            for doubt in doubts(over):
                output.warn(doubt)

    command.__doc__ = f"""Time {operation} by message size, with the algorithm that the library would take.

    example: rackcast comm {operation} --on dgx-a100:16 --sizes 1KiB..1GiB
    """
    app.command(operation)(with_wiring(command))


for _name in COLLECTIVES:
    _collective(_name)


def parse_sizes(text: str) -> list[float]:
    """Return sizes in bytes: ``1KiB..1GiB`` by doubling, or ``4KiB,1MiB``.

    Raises:
        InputError: no size, a range that runs backwards, or more than 64 sizes.
    """
    first, dots, last = text.partition("..")
    if dots:
        low, high = _size(first), _size(last)
        if high < low:
            raise InputError(f"--sizes {text!r} runs backwards; write the smaller size first.")
        found = [low]
        while found[-1] * 2 <= high * (1 + 1e-9):
            found.append(found[-1] * 2)
    else:
        found = [_size(part) for part in text.split(",")]
    if len(found) > 64:
        raise InputError(f"--sizes {text!r} are {len(found)} sizes; ask for at most 64.")
    return found


def _size(text: str) -> float:
    from simulator.foundation.units import parse

    glued = _GLUED.fullmatch(text.strip())
    size = parse(f"{glued[1]} {glued[2]}" if glued else text.strip(), "bytes")
    if size <= 0:
        raise InputError(f"a message of {text!r}; give more than 0 B.")
    return size


def _reach(cluster: Cluster, ranks: int | None) -> tuple[Reach, int]:
    from simulator.costs.collectives import reach, whole

    count = cluster.devices if ranks is None else ranks
    if count > cluster.devices:
        raise InputError(f"--ranks {count}: {cluster.name} has {cluster.devices} devices; name at most as many.")
    if count == 1:
        raise InputError("one rank has nobody to talk to; name at least 2 devices.")
    return reach(whole(cluster.tiers, count), cluster.tiers, alone=True), count


@app.command("share")
def share_fabric(
    scenario: options.ScenarioFile,
    routing: Annotated[
        str | None, typer.Option("--routing", metavar="NAME", help="ecmp, adaptive or single.", show_default=False)
    ] = None,
    overrides: options.Overrides = None,
    out: options.OutDir = None,
    as_json: options.Json = False,
) -> None:
    """Play the jobs of a shared-fabric scenario: who slows whom, by how much, over which link.

    example: rackcast comm share scenarios/two-jobs-fat-tree.yaml --routing adaptive
    """
    from simulator.engine.network.fabric import POLICIES
    from simulator.foundation.errors import UnknownName
    from simulator.foundation.units import MILLI
    from simulator.scenario import load_scenario
    from simulator.scenario.shared_fabric import SharedFabricWorkload

    asked = load_scenario(scenario, tuple(overrides or ()))
    ours = [one for one in asked.workloads if isinstance(one, SharedFabricWorkload)]
    if not ours:
        raise InputError(f"{scenario} has no workload of kind shared-fabric.")
    if routing is not None and routing not in POLICIES:
        raise UnknownName("routing policy", routing, POLICIES)
    shared = ours[0].run(asked.cluster, routing=routing)
    if out is not None:
        from simulator.results.collective_plot import plot_sharing
        from simulator.results.style import save

        figure, _ = plot_sharing(shared.step_alone, shared.step, shared.without, title=asked.name)
        output.note(str(save(figure, out / f"{asked.name}.png")))
    if as_json:
        output.json_document(shared.facts())
        return
    output.table(["job", "step alone (ms)", "together (ms)", "slower by", "over WAN (GB)", "WAN (USD/step)"],
                 shared.rows())  # fmt: skip
    if shared.slowdowns:
        output.table(
            ["job", "slowed by", "over", "ms per step"],
            [[one.job, one.by, " -> ".join(one.link), one.seconds / MILLI] for one in shared.slowdowns[:12]],
        )


@app.command("fit")
def fit_log(
    log: Annotated[Path, typer.Argument(metavar="LOG", help="Output of nccl-tests inside one node.")],
    on: On,
    operation: Annotated[str, typer.Option("--operation", metavar="NAME", help="If the log does not say.")] = "",
    as_json: options.Json = False,
) -> None:
    """Calibrate: fit the constants of a class of fabric to your own nccl-tests log, for hardware_profiles.

    example: rackcast comm fit all_reduce.log --on dgx-h100:1
    """
    from simulator.costs.collectives import collective_cost, fabrics_of, load_fabrics, reach
    from simulator.foundation.units import MICRO
    from simulator.validation.nccl_tests import read_nccl_log
    from simulator.validation.network_measured import calibrate

    cluster = cluster_from(None, on)
    told = read_nccl_log(log)
    name = told.operation or operation
    if not name:
        raise InputError(f"{log} does not say which collective it timed; add --operation all-reduce.")
    if told.nodes > 1:
        raise InputError(f"{log} was run on {told.nodes} nodes; the constants of a class come from one node.")
    tier, fabric = cluster.tiers[0], fabrics_of(cluster.tiers[:1])[0]
    ranks = told.ranks or cluster.devices
    fitted = calibrate(fabric, name, told.sizes, told.seconds, ranks=ranks, rate=tier.bandwidth)
    times = collective_cost(name, list(told.sizes), reach((ranks,), (tier,), (fitted,))).time
    errors = sorted(abs(float(time) / real - 1) for time, real in zip(times, told.seconds, strict=True))
    changed = {key: getattr(fitted, key) for key in load_fabrics().meanings
               if getattr(fitted, key) is not None and getattr(fitted, key) != getattr(fabric, key)}  # fmt: skip
    facts = {"class": fabric.name, "operation": name, "ranks": ranks, "median_error": errors[len(errors) // 2],
             "constants": changed}  # fmt: skip
    if as_json:
        output.json_document(facts)
        return
    output.line(f"# {name} on {ranks} ranks: median error {facts['median_error']:.1%} over {len(errors)} sizes")
    output.line(f"  - name: {fabric.name}-own\n    inherits: {fabric.name}\n    source: {log.name}\n    constants:")
    for key, value in changed.items():
        output.line(f"      {key}: {value:.3g}" if "fraction" in key else f"      {key}: {value / MICRO:.3g} us")
