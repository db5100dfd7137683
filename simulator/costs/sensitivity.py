"""What more of each resource would buy: the step priced again with one resource ten per cent faster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from simulator.costs.compute import Machine
from simulator.costs.conditions import at_speed, with_bandwidth
from simulator.costs.estimate import estimate
from simulator.costs.network import AnalyticNetwork
from simulator.costs.programs import times_of
from simulator.mapping.lowering import AnyProgram
from simulator.profiles.framework import Framework
from simulator.topology.tiers import Tier

MORE: Final = 1.1  # how much faster a resource is made


def step_gains(
    program: AnyProgram, machine: Machine, framework: Framework, tiers: Sequence[Tier], *, scaleup: int, nodes: float
) -> dict[str, float]:
    """Return the share of the step time that ten per cent more of each resource saves, for a program of one plan.

    Args:
        program: of one plan.
        machine, framework, tiers: what it runs on and with.
        scaleup: devices of one scale-up domain: tiers that span no more are scale-up, the others scale-out.
        nodes: that wait for each other.

    Returns:
        By ``arithmetic``, ``memory_bandwidth``, ``scaleup``, ``scaleout`` (where there are such tiers) and ``host``.
    """
    assert len(program.table) == 1, "gains are those of one plan"

    def step(machine: Machine, framework: Framework, tiers: Sequence[Tier]) -> float:
        times = times_of(program, machine, framework, AnalyticNetwork.of(tiers))
        return float(estimate(times, program.table, nodes=nodes).step[0])

    now = step(machine, framework, tiers)
    inner = {tier.name: MORE for tier in tiers if tier.span <= scaleup}
    outer = {tier.name: MORE for tier in tiers if tier.span > scaleup}
    faster = {
        "arithmetic": step(at_speed(machine, arithmetic=MORE), framework, tiers),
        "memory_bandwidth": step(at_speed(machine, memory=MORE), framework, tiers),
        "host": step(machine, at_host_speed(framework, MORE), tiers),
    }
    if inner:
        faster["scaleup"] = step(machine, framework, with_bandwidth(tiers, inner))
    if outer:
        faster["scaleout"] = step(machine, framework, with_bandwidth(tiers, outer))
    return {name: (now - then) / now for name, then in sorted(faster.items())}


def at_host_speed(framework: Framework, times: float) -> Framework:
    """Return the framework on a host that launches work so many times as fast."""
    dispatch = framework.dispatch
    faster = replace(dispatch, kernel_s=dispatch.kernel_s / times, micro_batch_s=dispatch.micro_batch_s / times,
                     step_s=dispatch.step_s / times)  # fmt: skip
    return replace(framework, dispatch=faster)
