"""What devices are and what the scenario's events do to them: a condition by device number."""

from __future__ import annotations

from simulator.foundation.errors import UnknownName
from simulator.mapping.unfolding import HEALTHY, Condition
from simulator.scenario import Scenario
from simulator.scenario.events import SlowDevice
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
    names = [tier.name for tier in setting.tiers]
    for event in scenario.events:
        if isinstance(event, SlowDevice):
            found = Condition(speed=event.factor)
        else:
            tier = event.tier or names[-1]
            if tier not in names:
                raise UnknownName("tier", tier, names)
            found = Condition(links=((tier, event.factor),))
        marks[event.device] = marks.get(event.device, HEALTHY).worse(found)
    return marks
