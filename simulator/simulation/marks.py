"""What devices are and what the scenario's events do to them: a condition by device number."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.foundation.errors import UnknownName
from simulator.mapping.unfolding import HEALTHY, Condition
from simulator.scenario import Scenario
from simulator.scenario.events import Event, SlowDevice
from simulator.simulation.setting import Setting


def marks_of(scenario: Scenario, setting: Setting) -> dict[int, Condition]:
    """Return the conditions of the devices that events touch, and on a mixed cluster of all.

    Raises :class:`UnknownName` for an unknown tier.
    """
    marks = {
        device: condition
        for number, kind in enumerate(setting.kinds)
        for condition in [Condition(machines=(number,))]
        for device in range(kind.first, kind.first + kind.count)
    }
    for device, found in conditions(scenario.events, [tier.name for tier in setting.tiers]).items():
        marks[device] = marks.get(device, HEALTHY).worse(found)
    return marks


def conditions(events: Sequence[Event], tiers: Sequence[str]) -> dict[int, Condition]:
    """Return what events do to devices that see these tiers, innermost first; a factor of 1 changes nothing.

    Raises:
        UnknownName: an event of an unknown tier.
    """
    marks: dict[int, Condition] = {}
    for event in events:
        if isinstance(event, SlowDevice):
            found = Condition(speed=event.factor)
        else:
            tier = event.tier or tiers[-1]
            if tier not in tiers:
                raise UnknownName("tier", tier, tiers)
            found = Condition(links=((tier, event.factor),))
        if event.factor == 1.0:
            continue
        marks[event.device] = marks.get(event.device, HEALTHY).worse(found)
    return marks
