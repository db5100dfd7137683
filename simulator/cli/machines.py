"""The machines that a verb is about: a scenario's, or those that a few options name."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from simulator.foundation.errors import InputError

if TYPE_CHECKING:
    from simulator.topology import Cluster, Wan


def described(*names: str, metavar: str, help: str) -> Any:  # noqa: A002  (typer's word)
    """Return an option whose help shows what to write and hides the default."""
    return typer.Option(*names, metavar=metavar, help=help, show_default=False)


Scenario = Annotated[Path | None, typer.Argument(metavar="[SCENARIO]", help="A scenario file; or use --nodes.")]
Nodes = Annotated[
    list[str] | None,
    described(
        "--nodes", metavar="NAME:COUNT[@SITE]", help="Machines, as in dgx-a100:128 or dgx-h100:8@north; repeatable."
    ),
]
FabricName = Annotated[
    str, typer.Option("--fabric", metavar="SHAPE", help="How nodes are joined; 'rackcast topo shapes' lists them.")
]
Link = Annotated[
    str | None, described("--link", metavar="NAME", help="Link of the adapters instead of the nodes' own.")
]
Oversubscription = Annotated[float, typer.Option(metavar="RATIO", help="Capacity into a leaf over capacity out of it.")]
Radix = Annotated[int, typer.Option(metavar="PORTS", help="Ports of one switch.")]
Levels = Annotated[int | None, described("--levels", metavar="N", help="Levels of switches; by default as few as fit.")]
Rails = Annotated[int | None, described("--rails", metavar="N", help="Rails; by default one per adapter.")]
Dims = Annotated[str, described("--dims", metavar="AxB[xC]", help="Axes of a torus, sizes of a dragonfly.")]
WanLink = Annotated[
    list[str] | None,
    described(
        "--wan", metavar="'RTT, RATE'", help="Link between all sites, as in '30 ms, 10 Gb/s'; or 'a-b: 30 ms, 10 Gb/s'."
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """How the named machines are joined: one field per option."""

    fabric: FabricName = "fat-tree"
    link: Link = None
    oversubscription: Oversubscription = 1.0
    radix: Radix = 64
    levels: Levels = None
    rails: Rails = None
    dims: Dims = ""
    wan: WanLink = None


UNCHANGED: Final = Wiring()  # no option given


def with_wiring(command: Callable[..., None]) -> Callable[..., None]:
    """Return the command with an option per field of :class:`Wiring` where it takes ``wiring``."""
    fields = inspect.signature(Wiring, eval_str=True).parameters

    @functools.wraps(command)
    def run(**given: Any) -> None:
        wiring = Wiring(**{name: given.pop(name) for name in fields})
        command(**given, wiring=wiring)

    flags: list[inspect.Parameter] = []
    for parameter in inspect.signature(command, eval_str=True).parameters.values():
        flags += fields.values() if parameter.name == "wiring" else [parameter]
    keywords = [flag.replace(kind=inspect.Parameter.KEYWORD_ONLY) for flag in flags]
    run.__signature__ = inspect.Signature(keywords)  # type: ignore[attr-defined]  # typer reads it
    run.__annotations__ = {flag.name: flag.annotation for flag in flags}
    return run


def cluster_from(
    scenario: Path | None,
    nodes: Sequence[str] | None,
    overrides: Sequence[str] | None = None,
    wiring: Wiring = UNCHANGED,
) -> Cluster:
    """Return the cluster of a scenario file, or the one that the options describe."""
    if (scenario is None) == (not nodes):
        raise InputError("name a scenario file or --nodes, one of them, as in --nodes dgx-a100:128.")
    if scenario is not None:
        from simulator.scenario import load_scenario

        return load_scenario(scenario, tuple(overrides or ())).cluster
    from simulator.profiles.catalogue import load_catalogue
    from simulator.topology import Fabric, build_cluster

    catalogue = load_catalogue()
    groups = [_group(text) for text in nodes or ()]
    machines = [catalogue.nodes[name] for name, _, _ in groups]
    for machine in machines:
        if machine.device is None:
            raise InputError(f"{machine.name} holds no device that computes; name a node with devices.")
    sites = tuple(site or "site" for _, _, site in groups)
    fabric = Fabric(
        shape=wiring.fabric,
        link=catalogue.links[wiring.link] if wiring.link else None,
        oversubscription=wiring.oversubscription,
        radix=wiring.radix,
        levels=wiring.levels,
        rails=wiring.rails,
        dims=_dims(wiring.dims),
        sites=sites if any(site for _, _, site in groups) else (),
        wan=tuple(_wan(text) for text in wiring.wan or ()),
    )
    parts = [
        (machine, catalogue.devices[machine.device or ""], count)
        for machine, (_, count, _) in zip(machines, groups, strict=True)
    ]
    return build_cluster(nodes=parts, fabric=fabric, links=catalogue.links)


def _group(text: str) -> tuple[str, int, str]:
    """Return name, count and site of ``NAME:COUNT@SITE``."""
    machine, _, site = text.partition("@")
    name, _, count = machine.partition(":")
    if not name or not (count or "1").isdecimal() or len(count) > 9:
        raise InputError(f"--nodes {text!r}: write NAME:COUNT, as in dgx-a100:128, or NAME:COUNT@SITE.")
    return name, int(count or "1"), site


def _dims(text: str) -> tuple[int, ...]:
    parts = text.lower().split("x") if text else []
    if any(not part.isdecimal() or len(part) > 9 for part in parts):
        raise InputError(f"--dims {text!r}: write whole numbers and 'x' between them, as in 4x4x8.")
    return tuple(int(part) for part in parts)


def _wan(text: str) -> Wan:
    from simulator.foundation.units import parse
    from simulator.topology import Wan

    sites, colon, figures = text.rpartition(":")
    rtt, comma, rate = figures.partition(",")
    one, dash, other = sites.strip().partition("-")
    if not comma or (colon and not dash):
        raise InputError(f"--wan {text!r}: write round trip and rate, as in '30 ms, 10 Gb/s' or 'a-b: 30 ms, 10 Gb/s'.")
    between = (one.strip(), other.strip()) if colon else ()
    return Wan(rtt=parse(rtt.strip(), "time"), bandwidth=parse(rate.strip(), "bandwidth"), between=between)
