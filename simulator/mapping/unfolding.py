"""Which data-parallel replicas behave alike: all of them, until something marks a device.

A mark on a device holds for the whole stage of its replica, whose TP and CP ranks wait for each other in every layer.
Where layers also wait for other replicas (weights sharded over DP, experts spread over it), it holds for those too.
Replicas with the same marks are one class, however many there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from simulator.mapping.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What is amiss in a stage: the speed left to its slowest device, and the share of bandwidth left per tier."""

    speed: float = 1.0
    links: tuple[tuple[str, float], ...] = ()

    def worse(self, other: Condition) -> Condition:
        """Return the condition of a stage that suffers from both."""
        left = dict(self.links)
        for tier, factor in other.links:
            left[tier] = min(factor, left.get(tier, 1.0))
        return Condition(speed=min(self.speed, other.speed), links=tuple(sorted(left.items())))


HEALTHY = Condition()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaClass:
    """Data-parallel replicas that behave alike: how many, the first of them, and the condition of each stage."""

    count: int
    first: int
    conditions: tuple[Condition, ...]


@dataclass(slots=True)
class _Member:
    """Replicas found so far with one tuple of conditions."""

    replicas: list[int] = field(default_factory=list)


def replica_classes(plan: Plan, marks: Mapping[int, Condition]) -> tuple[ReplicaClass, ...]:
    """Return the classes of replicas, the unmarked ones first.

    Args:
        plan: which device is which rank: device d is rank d, in the plan's order.
        marks: condition by device number; each below ``plan.ranks``.
    """
    stages: dict[int, list[Condition]] = {}
    for device, condition in sorted(marks.items()):
        stage, replica = seat_of(plan, device)
        for touched in coupled_replicas(plan, replica):
            found = stages.setdefault(touched, [HEALTHY] * plan.pp)
            found[stage] = found[stage].worse(condition)
    members: dict[tuple[Condition, ...], _Member] = {}
    for replica in sorted(stages):
        members.setdefault(tuple(stages[replica]), _Member()).replicas.append(replica)
    marked = tuple(
        ReplicaClass(count=len(member.replicas), first=member.replicas[0], conditions=conditions)
        for conditions, member in members.items()
    )
    rest = plan.dp - len(stages)
    if not rest:
        return marked
    first = next(number for number in range(plan.dp) if number not in stages)
    return (ReplicaClass(count=rest, first=first, conditions=(HEALTHY,) * plan.pp), *marked)


def seat_of(plan: Plan, device: int) -> tuple[int, int]:
    """Return (stage, replica) of a device that the job uses."""
    assert 0 <= device < plan.ranks, f"device {device} is no rank of {plan.ranks}"
    seat = device // (plan.tp * plan.cp)
    if plan.order == "tp-cp-pp-dp":
        replica, stage = divmod(seat, plan.pp)
        return stage, replica
    return divmod(seat, plan.dp)


def coupled_replicas(plan: Plan, replica: int) -> Sequence[int]:
    """Return the replicas whose layers wait for those of one: all under ZeRO-3, else the sharers of its experts."""
    if plan.zero == 3:
        return range(plan.dp)
    together = max(1, plan.ep // (plan.tp * plan.cp))
    start = replica // together * together
    return range(start, min(start + together, plan.dp))
