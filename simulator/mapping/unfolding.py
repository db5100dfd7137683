"""Which data-parallel replicas behave alike: all of them, until something marks a device or their shares differ.

A mark on a device holds for the whole stage of its replica, whose TP and CP ranks wait for each other in every layer.
Where layers also wait for other replicas (weights sharded over DP, experts spread over it), it holds for those too.
Replicas with the same marks are one class, however many there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simulator.mapping.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What a stage stands on and what is amiss there.

    Attributes:
        speed: left to its slowest device.
        links: share of bandwidth left, by tier.
        machines: numbers of the kinds of machine in it, on a cluster of several; none where there is one kind.
    """

    speed: float = 1.0
    links: tuple[tuple[str, float], ...] = ()
    machines: tuple[int, ...] = ()

    @property
    def amiss(self) -> bool:
        """Whether something is slower than it was bought."""
        return self.speed < 1.0 or bool(self.links)

    def worse(self, other: Condition) -> Condition:
        """Return the condition of a stage that suffers from both."""
        left = dict(self.links)
        for tier, factor in other.links:
            left[tier] = min(factor, left.get(tier, 1.0))
        machines = tuple(sorted({*self.machines, *other.machines}))
        return Condition(speed=min(self.speed, other.speed), links=tuple(sorted(left.items())), machines=machines)


HEALTHY = Condition()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaClass:
    """Data-parallel replicas that behave alike.

    Attributes:
        count, first: how many, and the first of them.
        conditions: of each stage.
        share: micro-batches of each; None: those of the plan.
    """

    count: int
    first: int
    conditions: tuple[Condition, ...]
    share: int | None = None

    def micro_batches(self, plan: Plan) -> int:
        """Return the micro-batches that each of them does in a step."""
        return plan.micro_batches if self.share is None else self.share


def replica_classes(plan: Plan, marks: Mapping[int, Condition]) -> tuple[ReplicaClass, ...]:
    """Return the classes of replicas, the unmarked ones first.

    Args:
        plan: which device is which rank: device d is rank d, in the plan's order.
        marks: condition by device number; each below ``plan.ranks``.
    """
    healthy = (HEALTHY,) * plan.pp
    if not marks and not plan.shares:
        return (ReplicaClass(count=plan.dp, first=0, conditions=healthy),)
    members: dict[tuple[tuple[Condition, ...], int | None], list[int]] = {}
    for replica, conditions in enumerate(conditions_of(plan, marks)):
        share = plan.shares[replica] if plan.shares else None
        members.setdefault((conditions, share), []).append(replica)
    classes = [
        ReplicaClass(count=len(replicas), first=replicas[0], conditions=conditions, share=share)
        for (conditions, share), replicas in members.items()
    ]
    return tuple(sorted(classes, key=lambda one: one.conditions != healthy))


def conditions_of(plan: Plan, marks: Mapping[int, Condition]) -> list[tuple[Condition, ...]]:
    """Return the condition of each stage of each replica."""
    stages: dict[int, list[Condition]] = {}
    for device, condition in sorted(marks.items()):
        stage, replica = seat_of(plan, device)
        for touched in coupled_replicas(plan, replica):
            found = stages.setdefault(touched, [HEALTHY] * plan.pp)
            found[stage] = found[stage].worse(condition)
    return [tuple(stages.get(replica, [HEALTHY] * plan.pp)) for replica in range(plan.dp)]


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
