"""When no plan fits: what binds, the account of the leanest plan, and the smallest changes that would let one fit."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np

from simulator.costs.memory import CONTEXT_BYTES, FRAGMENTATION
from simulator.foundation.errors import Infeasible, InputError
from simulator.foundation.units import GIGA
from simulator.planner.constraints import ORDER, REASONS
from simulator.planner.objectives import objectives
from simulator.planner.question import Question, question_of
from simulator.planner.search import Found, search
from simulator.profiles.device import Device
from simulator.topology import build_cluster

#: how many times the nodes are tried when more of them are looked for
_TIMES: Final = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)


def infeasible(question: Question, found: Found) -> Infeasible:
    """Return the answer that nothing fits."""
    setting = question.setting
    told = "; ".join(f"{REASONS[name]}: {found.rejected[name]}" for name in ORDER if found.rejected[name])
    head = f"no way to split {question.job.model.name} over {setting.devices} x {setting.device.name} is possible"
    if not found.rejected["memory"]:
        binding = next(name for name in reversed(ORDER) if found.rejected[name])
        return Infeasible(
            f"{head}. Of {found.considered} plans, by the first reason: {told}.",
            binding=REASONS[binding],
            relaxation=" or ".join(_without_memory(question, binding)),
        )
    leanest = found.beyond.take(np.array([len(found.beyond) - 1]))
    parts = {name: float(values[0]) for name, values in leanest.memory.parts.items()}
    needed = sum(parts.values())
    account = ", ".join(f"{name} {size / GIGA:.1f}" for name, size in parts.items() if size >= 0.05 * GIGA)
    return Infeasible(
        f"{head}: the leanest plan needs {needed / GIGA:.1f} GB per device and has {question.capacity / GIGA:.1f} GB "
        f"(GB: {account}). Of {found.considered} plans, by the first reason: {told}.",
        binding="memory of a device",
        account={**parts, "needed": needed, "limit": question.capacity},
        relaxation=" or ".join(_relaxations(question, needed)),
    )


def _relaxations(question: Question, needed: float) -> Iterator[str]:
    """Yield the smallest change of each kind that lets a plan fit: choices, devices, memory of a device."""
    for name in question.choices:
        freed = replace(question, choices={key: values for key, values in question.choices.items() if key != name})
        if (smallest := _leanest(freed)) <= question.capacity:
            yield f"leave {name} free ({smallest / GIGA:.1f} GB)"
            break
    for more in _larger_clusters(question):
        if _leanest(more) <= question.capacity:
            yield f"take {more.setting.nodes} nodes ({more.setting.devices} devices)"
            break
    if (device := _roomier(question, needed)) is not None:
        yield f"take devices with {_sold(needed) / GIGA:.0f} GB or more, such as {device.name}"


def _without_memory(question: Question, binding: str) -> Iterator[str]:
    """Yield what would let a plan pass the constraints before memory."""
    for name in question.choices:
        freed = replace(question, choices={key: values for key, values in question.choices.items() if key != name})
        if search(freed, objectives["memory"], keep=1).priced:
            yield f"leave {name} free"
            return
    if binding == "batch":
        yield f"a global batch that is a multiple of {question.setting.devices}"


def _larger_clusters(question: Question) -> Iterator[Question]:
    """Yield the same question on more and more nodes; none where the fabric's size is fixed."""
    scenario = question.scenario
    for times in _TIMES:
        groups = tuple(replace(group, count=group.count * times) for group in scenario.groups)
        try:
            cluster = build_cluster(nodes=[(group.node, group.device, group.count) for group in groups],
                                    fabric=scenario.cluster.fabric, links=scenario.catalogue.links)  # fmt: skip
        except (InputError, Infeasible):  # a torus of given dimensions, a fat-tree of given levels
            return
        yield question_of(replace(scenario, groups=groups, cluster=cluster), question.workload.id)


def _leanest(question: Question) -> float:
    """Return the least bytes of any plan that only memory could reject; infinity if there is none."""
    try:
        question.space()
    except InputError:  # the choices do not divide the devices
        return math.inf
    found = search(question, objectives["memory"], keep=1)
    if len(found.best):
        return float(found.best.memory.total[0])
    return float(found.beyond.memory.total[-1]) if len(found.beyond) else math.inf


def _sold(needed: float) -> float:
    """Return the memory of a device of which ``needed`` bytes can be used for tensors."""
    return needed / (1.0 - FRAGMENTATION) + CONTEXT_BYTES


def _roomier(question: Question, needed: float) -> Device | None:
    """Return the smallest device of the same kind and maker with room and the job's precision, in nodes as large."""
    now, peak, catalogue = question.setting.smallest, question.job.precision.peak, question.scenario.catalogue
    nodes = catalogue.nodes.values()
    held = {node.device for node in nodes if node.device_count >= question.setting.devices_per_node}
    fitting = [
        device
        for device in catalogue.devices.values()
        if (device.vendor, device.kind, device.status) == (now.vendor, now.kind, "shipping")
        and device.name in held
        and peak in device.peak
        and (device.memory_limit_bytes or 0.0) >= _sold(needed)
    ]
    return min(fitting, key=lambda device: (device.memory_limit_bytes, device.name), default=None)
