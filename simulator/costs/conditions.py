"""A machine, a network and a host that are not as bought: slower or faster devices, links and launches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from simulator.costs.compute import Machine
from simulator.foundation.errors import UnknownName
from simulator.profiles.framework import Framework
from simulator.topology.tiers import Tier


def at_speed(machine: Machine, *, arithmetic: float = 1.0, memory: float = 1.0) -> Machine:
    """Return the machine with its peaks and its memory bandwidth times a factor."""
    return replace(machine, peak=machine.peak * arithmetic, peak16=machine.peak16 * arithmetic,
                   vector=machine.vector * arithmetic, bandwidth=machine.bandwidth * memory)  # fmt: skip


def with_bandwidth(tiers: Sequence[Tier], factors: Mapping[str, float]) -> tuple[Tier, ...]:
    """Return the tiers with the bandwidths of the named ones times a factor; raises :class:`UnknownName`."""
    known = [tier.name for tier in tiers]
    for name in factors:
        if name not in known:
            raise UnknownName("tier", name, known)
    return tuple(_scaled(tier, factors.get(tier.name, 1.0)) for tier in tiers)


def _scaled(tier: Tier, factor: float) -> Tier:
    def times(rate: float | None) -> float | None:
        return None if rate is None else rate * factor

    torus = tier.torus and replace(tier.torus, link_bandwidth=tier.torus.link_bandwidth * factor)
    return replace(tier, bandwidth=tier.bandwidth * factor, port_bandwidth=tier.port_bandwidth * factor,
                   pair_limit=times(tier.pair_limit), uniform_limit=times(tier.uniform_limit), torus=torus)  # fmt: skip


def at_host_speed(framework: Framework, times: float) -> Framework:
    """Return the framework on a host that launches work so many times as fast."""
    dispatch = framework.dispatch
    faster = replace(dispatch, kernel_s=dispatch.kernel_s / times, micro_batch_s=dispatch.micro_batch_s / times,
                     step_s=dispatch.step_s / times)  # fmt: skip
    return replace(framework, dispatch=faster)
