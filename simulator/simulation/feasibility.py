"""Whether a plan fits: the memory account against the device, and the smallest change that would mend it."""

from __future__ import annotations

from typing import Final

from simulator.costs.host import Offload
from simulator.costs.memory import PARTS, usable_memory
from simulator.costs.programs import elsewhere_of, memory_of
from simulator.costs.relaxation import smallest_relaxation
from simulator.foundation.errors import Infeasible
from simulator.foundation.units import GIGA
from simulator.mapping.lowering import AnyProgram, lower_job
from simulator.mapping.plan import Plan, PlanTable
from simulator.profiles.device import Device
from simulator.profiles.framework import Framework
from simulator.simulation.setting import Setting
from simulator.topology.tiers import Tier
from simulator.workload.jobs.samples import Job

#: the mend where no change of the plan is enough
MORE: Final = "more devices, or devices with more memory"


def check_memory(setting: Setting, plan: Plan) -> dict[str, float]:
    """Return bytes on the fullest device by part; raises :class:`Infeasible` if they do not fit."""
    offload = setting.machine.offload
    parts = fitting_memory(setting.job, plan, setting.smallest, setting.framework, setting.tiers, offload=offload)
    if offload is not None:
        _check_node(lower_job(setting.job, PlanTable.of([plan]), setting.tiers), setting.framework, offload)
    return parts


def _check_node(program: AnyProgram, framework: Framework, offload: Offload) -> None:
    """Raise :class:`Infeasible` if a node does not hold what its devices leave to it."""
    away = elsewhere_of(program, framework, offload)
    kept = (("host memory", away.host, offload.host_bytes), ("drives", away.drives, offload.drive_bytes))
    for name, bytes_per_device, limit in kept:
        needed = offload.devices * float(bytes_per_device[0])
        if needed > limit:
            raise Infeasible(
                f"{program.job.model.name} leaves {needed / GIGA:.1f} GB to the {name} of a node of {offload.devices} "
                f"devices, which has {limit / GIGA:.1f} GB.",
                binding=f"{name} of a node",
                account={"needed": needed, "limit": limit},
                relaxation="offload less, or more to the drives; more nodes with zero: 3; a node with more of it",
            )


def fitting_memory(
    job: Job, plan: Plan, device: Device, framework: Framework, tiers: tuple[Tier, ...],
    *, offload: Offload | None = None,
) -> dict[str, float]:  # fmt: skip
    """Return bytes on the fullest device by part.

    Raises:
        Infeasible: they do not fit; with the account by part and the smallest relaxation.
    """
    program = lower_job(job, PlanTable.of([plan]), tiers)
    found = memory_of(program, framework, offload)
    parts = {name: float(found.parts[name][0]) for name in PARTS}
    needed, limit = sum(parts.values()), usable_memory(device)
    if needed <= limit:
        return parts
    relaxed = None if offload else smallest_relaxation(job, plan, framework, tiers, limit)
    told = ", ".join(f"{name} {size / GIGA:.1f}" for name, size in parts.items() if size >= 0.05 * GIGA)
    raise Infeasible(
        f"{job.model.name} needs {needed / GIGA:.1f} GB on the fullest device; {device.name} has {limit / GIGA:.1f} GB "
        f"for tensors (GB: {told}).",
        binding="memory of a device",
        account={**parts, "needed": needed, "limit": limit},
        relaxation=f"{relaxed.text} ({relaxed.needed / GIGA:.1f} GB)" if relaxed else MORE,
    )
