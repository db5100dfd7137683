"""Whether a plan fits: the memory account against the device, and the smallest change that would mend it."""

from __future__ import annotations

from typing import Final

from simulator.costs.memory import PARTS, account, usable_memory
from simulator.costs.relaxation import smallest_relaxation
from simulator.foundation.errors import Infeasible
from simulator.foundation.units import GIGA
from simulator.mapping.plan import Plan, PlanTable
from simulator.mapping.program import lower
from simulator.profiles.device import Device
from simulator.profiles.framework import Framework
from simulator.simulation.setting import Setting
from simulator.topology.tiers import Tier
from simulator.workload.jobs.training import TrainingJob

#: the mend where no change of the plan is enough
MORE: Final = "more devices, or devices with more memory"


def check_memory(setting: Setting, plan: Plan) -> dict[str, float]:
    """Return bytes on the fullest device by part; raises :class:`Infeasible` if they do not fit."""
    return fitting_memory(setting.job, plan, setting.smallest, setting.framework, setting.tiers)


def fitting_memory(
    job: TrainingJob, plan: Plan, device: Device, framework: Framework, tiers: tuple[Tier, ...]
) -> dict[str, float]:
    """Return bytes on the fullest device by part.

    Raises:
        Infeasible: they do not fit; with the account by part and the smallest relaxation.
    """
    program = lower(job, PlanTable.of([plan]), tiers)
    found = account(program, framework)
    parts = {name: float(found.parts[name][0]) for name in PARTS}
    needed, limit = sum(parts.values()), usable_memory(device)
    if needed <= limit:
        return parts
    relaxed = smallest_relaxation(job, plan, framework, tiers, limit)
    told = ", ".join(f"{name} {size / GIGA:.1f}" for name, size in parts.items() if size >= 0.05 * GIGA)
    raise Infeasible(
        f"{job.model.name} needs {needed / GIGA:.1f} GB on the fullest device; {device.name} has {limit / GIGA:.1f} GB "
        f"for tensors (GB: {told}).",
        binding="memory of a device",
        account={**parts, "needed": needed, "limit": limit},
        relaxation=f"{relaxed.text} ({relaxed.needed / GIGA:.1f} GB)" if relaxed else MORE,
    )
