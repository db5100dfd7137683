"""What is fitted to measured training steps: constants of device classes and of ways of dispatching."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from simulator.profiles.device import Device
from simulator.profiles.efficiency import Efficiency, efficiency_of
from simulator.profiles.framework import Dispatch, Framework


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConstants:
    """Efficiency classes and ways of dispatching by name; others are as shipped."""

    efficiencies: Mapping[str, Efficiency]
    dispatches: Mapping[str, Dispatch]

    def of(self, device: Device, framework: Framework) -> tuple[Efficiency, Framework]:
        """Return the class of a device and a framework with these constants in place."""
        shipped = efficiency_of(device)
        dispatch = self.dispatches.get(framework.dispatch.name, framework.dispatch)
        return self.efficiencies.get(shipped.name, shipped), replace(framework, dispatch=dispatch)


AS_SHIPPED: Final = TrainingConstants(efficiencies={}, dispatches={})
