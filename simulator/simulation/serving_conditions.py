"""What the scenario's events do to the replicas of a service: which devices each stands on, and what is amiss there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby

from simulator.costs.serving.iteration import Replica
from simulator.mapping.unfolding import HEALTHY, Condition
from simulator.profiles.throttled import throttled
from simulator.scenario import Scenario
from simulator.scenario.serve import ServeWorkload
from simulator.scenario.serve_predict import PredictWorkload
from simulator.simulation.marks import conditions


def conditions_of(
    scenario: Scenario, workload: ServeWorkload | PredictWorkload, group: int, count: int, *, slices: int
) -> list[Condition]:
    """Return what is amiss in each of the first ``count`` replicas on a group of machines, from its first device on.

    ``slices`` replicas stand on each device where it is cut.

    The devices of a replica work in step, so the worst of each counts. An event at a tier that the group lacks touches
    nothing.

    Raises:
        UnknownName: an event of a tier that no group has.
    """
    first = sum(other.devices for other in scenario.groups[:group])
    names = list(dict.fromkeys(tier.name for tier in scenario.cluster.tiers)) or [""]
    marks = conditions(scenario.events, names)
    each = workload.layout.devices
    found = []
    for replica in range(count):
        condition = HEALTHY
        for device in range(
            replica * each // slices, max(replica * each // slices + 1, (replica + 1) * each // slices)
        ):
            condition = condition.worse(marks.get(first + device, HEALTHY))
        found.append(condition)
    return found


def runs_of(values: list[Condition]) -> Iterator[tuple[Condition, int]]:
    """Yield equal neighbours as one, with how many they are."""
    for value, members in groupby(values):
        yield value, len(list(members))


def touched(replica: Replica, condition: Condition) -> Replica:
    """Return a replica under a condition: slower devices, narrower links."""
    if condition == HEALTHY:
        return replica
    left = dict(condition.links)
    return replace(
        replica,
        device=throttled(replica.device, condition.speed),
        tiers=tuple(tier.narrowed(left.get(tier.name, 1.0)) for tier in replica.tiers),
    )
