"""One thing that goes wrong or is changed, as words, made into keys of the scenario.

========================  =========================================================================  ===============
word                      meaning                                                                    kinds
========================  =========================================================================  ===============
``slow-node=3:0.7``       node 3 computes at 0.7 of its speed                                        train, serve, ...
``link=leaf3:0.5``        what leaves leaf 3 (node 3, device 3) has half of its bandwidth            train, serve
``link=clients:0.5``      a round trip between clients and gateway takes twice as long               serve, predict
``lose-link=node3@1m:9s`` node 3 cannot be reached for 9 s after 1 min                               serve, predict
``lose-link=clients@...`` the same of clients and gateway: requests and answers wait                 serve, predict
``lose-node=12``          the cluster without one node of the group of node 12                       train, data, ...
``lose-node=12@2h:6h``    the replicas of one node stop after 2 h, and start again 6 h later         serve, predict
``gpu=a100:50%``          half of the nodes are nodes with A100                                      all but rounds, rl
``by-speed=shares``       replicas do micro-batches in proportion to speed; ``stages``: layers       train
``surge=5x@1h:10m``       five times the requests after 1 h, for 10 min                              serve, predict
``attack=300/s@1m:30s``   300 further requests per second after 1 min, for 30 s                      serve, predict
========================  =========================================================================  ===============

``serve`` are services that generate, ``predict`` (or ``...``) those that answer in one pass. Nodes,
devices and switches are numbered from 0. A change by the factor 1 changes nothing, to the byte.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from simulator.foundation.errors import InputError, UnknownName
from simulator.foundation.registry import Registry
from simulator.foundation.units import parse
from simulator.profiles.node import Node
from simulator.scenario import Scenario
from simulator.scenario.data import DataWorkload
from simulator.scenario.serve import ServeWorkload
from simulator.scenario.serve_predict import PredictWorkload
from simulator.scenario.train import TrainWorkload
from simulator.simulation import chosen_workload
from simulator.simulation.serving import replicas_by_group
from simulator.topology.scaleup import devices_per_node

_NUMBER: Final = r"[0-9]+(?:\.[0-9]+)?"
_TIME: Final = rf"{_NUMBER} ?[a-z]+"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change in words, and the assignments that make it: ``cause`` says what the difference comes from."""

    cause: str
    overrides: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One kind of change.

    Attributes:
        form: how its value is written, for errors.
        pattern: of the value; its named groups are what ``compile`` gets.
        kinds: classes of workload that can express it.
        compile: makes the change of the scenario, the index of the workload in it, and the groups.
    """

    form: str
    pattern: str
    kinds: tuple[type, ...]
    compile: Callable[[Scenario, int, dict[str, str]], Change]


words: Final[Registry[Word]] = Registry("what-if")


def compiled(scenario: Scenario, text: str, *, workload: str | None = None) -> Change:
    """Return the change that a word makes to a scenario; raises :class:`InputError` if it cannot be expressed."""
    name, _, value = text.partition("=")
    word = words[name]
    match = re.fullmatch(word.pattern, value.strip())
    if match is None:
        raise InputError(f"{text!r}: write {name}={word.form}.")
    chosen: Any = chosen_workload(scenario, workload)
    workload_id = chosen.id
    if not isinstance(chosen, word.kinds):
        able = [other for other, one in words.items() if isinstance(chosen, one.kinds)]
        raise InputError(
            f"{text!r}: a workload of kind {_kind(type(chosen))} cannot express {name}; "
            f"{', '.join(map(_kind, word.kinds))} can. For this one: {', '.join(able) or 'nothing yet'}."
        )
    index = [one.id for one in scenario.workloads].index(workload_id)
    groups = {key: found for key, found in match.groupdict().items() if found is not None}
    return word.compile(scenario, index, groups)


def _kind(workload: type) -> str:
    return workload.__name__.removesuffix("Workload").lower()


def _assigned(key: str, value: Any) -> str:
    """Return ``key=value`` with the value as JSON, which YAML reads too."""
    return f"{key}={json.dumps(value, ensure_ascii=False)}"


def _seconds(text: str) -> float:
    """Read ``2h``, ``90 s`` or ``10m``."""
    match = re.fullmatch(rf"({_NUMBER}) ?([a-z]+)", text)
    assert match is not None, "the pattern of the word holds a time"
    number, unit = match.groups()
    return parse(f"{number} {'min' if unit == 'm' else unit}", "time")


def _node(scenario: Scenario, number: int) -> tuple[int, range]:
    """Return the group of a node and the numbers of its devices."""
    first = seen = 0
    for index, group in enumerate(scenario.groups):
        each = devices_per_node(group.node)
        if number < seen + group.count:
            start = first + (number - seen) * each
            return index, range(start, start + each)
        seen, first = seen + group.count, first + group.count * each
    raise InputError(f"there is no node {number}; the cluster has 0 to {seen - 1}.")


def _events(scenario: Scenario, further: list[dict[str, Any]]) -> str:
    return _assigned("events", [*scenario.resolved.get("events", []), *further])


def _share(text: str) -> float:
    factor = float(text)
    if not 0.0 < factor <= 1.0:
        raise InputError(f"{text} of what there is; write a share above 0 and at most 1, as in 0.7.")
    return factor


def _slow_node(scenario: Scenario, index: int, said: dict[str, str]) -> Change:
    node, factor = int(said["node"]), _share(said["factor"])
    workload = scenario.workloads[index]
    if isinstance(workload, PredictWorkload) and not workload.has_replicas:
        raise InputError(
            "devices of stages, catalogues and sliced time are alike; those of one model in batches have speeds."
        )
    _, devices = _node(scenario, node)
    slow = [{"kind": "slow-device", "device": device, "factor": factor} for device in devices]
    return Change(cause=f"node {node} computes at {factor:g} of its speed", overrides=(_events(scenario, slow),))


def _link(scenario: Scenario, index: int, said: dict[str, str]) -> Change:
    if said["place"] == _CLIENTS:
        return _link_of_clients(scenario, index, said)
    workload, share = scenario.workloads[index], said["factor"]
    if isinstance(workload, PredictWorkload):
        raise InputError(f"devices that answer in one pass talk to nobody; write link={_CLIENTS}:{share}.")
    if "number" not in said:
        raise InputError(f"which {said['place']}? Write its number, as in link={said['place']}0:{share}.")
    place, number, factor = said["place"], int(said["number"]), _share(share)
    tiers = scenario.cluster.tiers
    spans = {tier.name: int(tier.span) for tier in tiers}
    if place == "node":
        _, devices = _node(scenario, number)
    elif place == "device" or place in spans:
        span = spans.get(place, 1)
        last = -(-scenario.devices // span) - 1
        if number > last:
            raise InputError(f"there is no {place} {number}; the cluster has 0 to {last}.")
        devices = range(number * span, min((number + 1) * span, scenario.devices))
    else:
        raise UnknownName("place of a link", place, ("device", "node", *spans))
    outside = [name for name, span in spans.items() if span > len(devices)]
    if not outside:
        raise InputError(f"{place}{number} holds the whole cluster; nothing leaves it.")
    slow = [{"kind": "slow-link", "device": device, "tier": tier, "factor": factor}
            for device in devices for tier in outside]  # fmt: skip
    cause = f"what leaves {place} {number} has {factor:g} of its bandwidth"
    return Change(cause=cause, overrides=(_events(scenario, slow),))


def _lose_node(scenario: Scenario, index: int, said: dict[str, str]) -> Change:
    node = int(said["node"])
    group, _ = _node(scenario, node)
    workload = scenario.workloads[index]
    if isinstance(workload, ServeWorkload) or (isinstance(workload, PredictWorkload) and "at" in said):
        return _lose_replicas(scenario, index, said)
    if "at" in said:
        raise InputError(f"a {_kind(type(workload))} scenario plays no hours; write lose-node={node} without a time.")
    count = scenario.groups[group].count
    if count == 1:
        raise InputError(f"node {node} is the only one of its group; there must be one left.")
    return Change(
        cause=f"node {node} is lost: {count - 1} nodes of {scenario.groups[group].node.name} are left",
        overrides=(f"cluster.nodes[{group}].count={count - 1}",),
    )


def _link_of_clients(scenario: Scenario, index: int, said: dict[str, str]) -> Change:
    factor = _share(said["factor"])
    rtt = parse(scenario.resolved["workloads"][index].get("platform", {}).get("rtt", "0 s"), "time")
    if rtt == 0:
        raise InputError("clients and gateway are not apart; write platform.rtt, as in '20 ms'.")
    return Change(
        cause=f"a round trip of clients takes {1 / factor:g} times as long",
        overrides=(_assigned(f"workloads[{index}].platform.rtt", f"{rtt / factor!r} s"),),
    )


def _lose_link(scenario: Scenario, index: int, said: dict[str, str]) -> Change:
    begin, length = _seconds(said["at"]), _seconds(said["for"])
    when = f"is lost at {said['at']} for {said['for']}"
    if "number" not in said:
        key = f"workloads[{index}].platform.outages"
        kept = scenario.resolved["workloads"][index].get("platform", {}).get("outages", [])
        further = {"at": f"{begin:g} s", "length": f"{length:g} s"}
        outages = sorted([*kept, further], key=lambda outage: parse(outage["at"], "time"))
        return Change(cause=f"the link of clients {when}", overrides=(_assigned(key, outages),))
    replicas = _replicas_on(scenario, index, int(said["number"]))
    cut = {"kind": "cut-off", "at": f"{begin:g} s", "repair": f"{length:g} s", "count": len(replicas),
           "first": replicas.start}  # fmt: skip
    return Change(cause=f"the link of node {said['number']} with {len(replicas)} replicas {when}",
                  overrides=(_service_event(scenario, index, cut),))  # fmt: skip


def _replicas_on(scenario: Scenario, index: int, node: int) -> range:
    """Return the replicas that stand on a node, wholly or in part; raises :class:`InputError` if there is none."""
    workload: ServeWorkload | PredictWorkload = scenario.workloads[index]
    if isinstance(workload, PredictWorkload) and not workload.has_replicas:
        raise InputError("nodes of stages, catalogues and sliced time are not told apart; one model in batches is.")
    if workload.partition:
        raise InputError("the replicas of a node are told apart where its devices are cut into equal slices only.")
    group, devices = _node(scenario, node)
    counts = replicas_by_group(scenario, workload)
    begin = devices.start - sum(other.devices for other in scenario.groups[:group])
    each, slices = workload.layout.devices, workload.slices
    first, last = begin * slices // each, -(-(begin + len(devices)) * slices // each)
    if first >= counts[group]:
        raise InputError(f"no replica stands on node {node}; {workload.id} has {sum(counts)} of them.")
    before = sum(counts[:group])
    return range(before + first, before + min(last, counts[group]))


def _service_event(scenario: Scenario, index: int, event: dict[str, Any]) -> str:
    kept = scenario.resolved["workloads"][index].get("events", [])
    return _assigned(f"workloads[{index}].events", [*kept, event])


def _lose_replicas(scenario: Scenario, index: int, said: dict[str, str]) -> Change:
    if "at" not in said:
        raise InputError(f"a service runs for a while; say when, as in lose-node={said['node']}@2h.")
    replicas = _replicas_on(scenario, index, int(said["node"]))
    count = len(replicas)
    loss: dict[str, Any] = {"kind": "loss", "at": f"{_seconds(said['at']):g} s", "count": count,
                            "first": replicas.start}  # fmt: skip
    after = ""
    if "repair" in said:
        loss["repair"] = f"{_seconds(said['repair']):g} s"
        after = f", back {said['repair']} later"
    return Change(
        cause=f"node {said['node']} with {count} replicas is lost at {said['at']}{after}",
        overrides=(_service_event(scenario, index, loss),),
    )


def _gpu(scenario: Scenario, index: int, said: dict[str, str]) -> Change:
    groups = scenario.resolved["cluster"]["nodes"]
    if len(groups) != 1:
        raise InputError(f"the cluster is mixed already ({len(groups)} groups); set cluster.nodes itself instead.")
    group, share = scenario.groups[0], float(said["share"])
    count = round(group.count * share / 100.0)
    if not 0 < count <= group.count:
        raise InputError(f"{said['share']} % of {group.count} nodes is {count}; it must be 1 to {group.count}.")
    node = _node_with(scenario, said["gpu"], devices_per_node(group.node))
    kept = [{**groups[0], "count": group.count - count}] if count < group.count else []
    new = {key: value for key, value in groups[0].items() if key != "price"} | {"profile": node.name, "count": count}
    return Change(
        cause=f"{count} of {group.count} nodes are {node.name} instead of {group.node.name}",
        overrides=(_assigned("cluster.nodes", [*kept, new]),),
    )


def _node_with(scenario: Scenario, wanted: str, devices: int) -> Node:
    """Return a node by its name, or the first by name that has as many devices of a kind."""
    nodes = scenario.catalogue.nodes
    if wanted in nodes:
        return nodes[wanted]
    for name in sorted(nodes):
        node = nodes[name]
        if node.device is None or devices_per_node(node) != devices:
            continue
        if wanted.casefold() in node.device.casefold().split("-"):
            return node
    raise UnknownName(f"node with {devices} devices of the kind", wanted, nodes)


def _by_speed(scenario: Scenario, index: int, said: dict[str, str]) -> Change:
    if scenario.workloads[index].plan is None:
        raise InputError("nothing is decided yet; write the degrees, or let `rackcast plan` choose them by speed.")
    key, what = {"shares": ("shares", "micro-batches"), "stages": ("layers_per_stage", "layers")}[said["what"]]
    cause = f"{what} are dealt out in proportion to speed"
    return Change(cause=cause, overrides=(_assigned(f"workloads[{index}].parallelism.{key}", "speed"),))


def _surge(scenario: Scenario, index: int, said: dict[str, str]) -> Change:
    groups = _groups(scenario, index)
    other = [group.get("name", "users") for group in groups if group.get("process", "poisson") != "poisson"]
    if other:
        raise InputError(f"a surge is laid on Poisson arrivals; {', '.join(other)} of this service arrive otherwise.")
    start, length, factor = _seconds(said["at"]), _seconds(said["for"]), float(said["factor"])
    options = {"factor": factor, "start_s": start, "length_s": length}
    raised = [{**group, "process": "surge", "options": options} for group in groups]
    return Change(
        cause=f"{factor:g} times the requests from {said['at']} on for {said['for']}",
        overrides=(_assigned(f"workloads[{index}].traffic.groups", raised),),
    )


def _attack(scenario: Scenario, index: int, said: dict[str, str]) -> Change:
    groups = _groups(scenario, index)
    if any(group.get("name") == _ATTACK for group in groups):
        raise InputError(f"the service is under {_ATTACK} already; change its group instead.")
    start, length, rate = _seconds(said["at"]), _seconds(said["for"]), float(said["rate"])
    flood = {
        **groups[0],
        "name": _ATTACK,
        "process": "surge",
        "rate": f"{rate * _QUIET:g} /s",
        "options": {"factor": 1.0 / _QUIET, "start_s": start, "length_s": length},
    }
    return Change(
        cause=f"{rate:g} further requests per second from {said['at']} on for {said['for']}",
        overrides=(_assigned(f"workloads[{index}].traffic.groups", [*groups, flood]),),
    )


_CLIENTS: Final = "clients"
_ATTACK: Final = "attack"
_QUIET: Final = 1e-6  # of an attack's rate that comes outside its time: no request in any run


def _groups(scenario: Scenario, index: int) -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = scenario.resolved["workloads"][index]["traffic"].get("groups", [])
    if not groups:
        raise InputError("the traffic is no groups of users; a surge or an attack needs them.")
    return groups


_PERIOD: Final = rf"@(?P<at>{_TIME}):(?P<for>{_TIME})"

words.add("slow-node", Word(form="NODE:SHARE, as in slow-node=3:0.7", compile=_slow_node,
                            kinds=(TrainWorkload, ServeWorkload, PredictWorkload),
                            pattern=rf"(?P<node>[0-9]+):(?P<factor>{_NUMBER})"))  # fmt: skip
words.add("link", Word(form="PLACE:SHARE, as in link=leaf3:0.5, link=node3:0.5 or link=clients:0.5", compile=_link,
                       kinds=(TrainWorkload, ServeWorkload, PredictWorkload),
                       pattern=rf"(?P<place>[a-z][a-z-]*?)(?P<number>[0-9]+)?:(?P<factor>{_NUMBER})"))  # fmt: skip
words.add("lose-link", Word(form="PLACE@START:LENGTH, as in lose-link=node3@1m:30s or lose-link=clients@1m:30s",
                            compile=_lose_link, kinds=(ServeWorkload, PredictWorkload),
                            pattern=rf"(?:node(?P<number>[0-9]+)|{_CLIENTS}){_PERIOD}"))  # fmt: skip
words.add("lose-node", Word(form="NODE or NODE@TIME[:REPAIR], as in lose-node=12@2h:6h", compile=_lose_node,
                            kinds=(TrainWorkload, ServeWorkload, DataWorkload, PredictWorkload),
                            pattern=rf"(?P<node>[0-9]+)(?:@(?P<at>{_TIME})(?::(?P<repair>{_TIME}))?)?"))  # fmt: skip
words.add("gpu", Word(form="NAME:SHARE%, as in gpu=a100:50%", compile=_gpu,
                      kinds=(TrainWorkload, ServeWorkload, DataWorkload, PredictWorkload),
                      pattern=rf"(?P<gpu>[\w.-]+):(?P<share>{_NUMBER}) ?%"))  # fmt: skip
words.add("by-speed", Word(form="shares or by-speed=stages", kinds=(TrainWorkload,), compile=_by_speed,
                           pattern=r"(?P<what>shares|stages)"))  # fmt: skip
words.add("surge", Word(form="FACTORx@START:LENGTH, as in surge=5x@1h:10m", kinds=(ServeWorkload, PredictWorkload),
                        compile=_surge, pattern=rf"(?P<factor>{_NUMBER})x{_PERIOD}"))  # fmt: skip
words.add("attack", Word(form="RATE/s@START:LENGTH, as in attack=300/s@1m:30s", kinds=(ServeWorkload, PredictWorkload),
                         compile=_attack, pattern=rf"(?P<rate>{_NUMBER}) ?/s{_PERIOD}"))  # fmt: skip
