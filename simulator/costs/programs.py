"""Times and memory of a program, whether its job works on tokens or on samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulator.costs.compute import Machine
from simulator.costs.held import held_parameters
from simulator.costs.host import Offload
from simulator.costs.memory import MemoryAccount, stage_account
from simulator.costs.offload import lighten
from simulator.costs.passes import Network
from simulator.costs.sample_memory import account_samples
from simulator.costs.sample_step import exchanged_elements, price_samples
from simulator.costs.step import StepTimes, price
from simulator.mapping.lowering import AnyProgram
from simulator.mapping.placement import Group
from simulator.mapping.samples import SampleProgram
from simulator.profiles.framework import Framework

Floats = NDArray[np.float64]


def times_of(program: AnyProgram, machine: Machine, framework: Framework, network: Network) -> StepTimes:
    """Return the durations of the parts of a step under every plan."""
    if isinstance(program, SampleProgram):
        return price_samples(program, machine, framework, network)
    return price(program, machine, framework, network)


def memory_of(program: AnyProgram, framework: Framework, offload: Offload | None = None) -> MemoryAccount:
    """Return what one device holds under every plan, less what is offloaded (networks on samples offload nothing)."""
    if isinstance(program, SampleProgram):
        return account_samples(program, framework)
    return lighten(stage_account(program, framework), program, offload).fullest()


def replicas_of(program: AnyProgram) -> Group:
    """Return the ranks that exchange gradients, of each plan."""
    if isinstance(program, SampleProgram):
        return program.replicas
    return program.groups["dp"].take(program.layout_index)


def gradient_elements(program: AnyProgram) -> Floats:
    """Return how many gradients one rank exchanges in a step, of each plan; those of experts are left out."""
    if isinstance(program, SampleProgram):
        return exchanged_elements(program.job, program.table)
    return held_parameters(program)[0][program.layout_index] * program.job.trained_share
