"""Times and memory of a program, whether its job works on tokens or on samples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from simulator.costs.compute import Machine
from simulator.costs.held import held_parameters
from simulator.costs.host import Offload
from simulator.costs.memory import MemoryAccount, stage_account
from simulator.costs.offload import Elsewhere, elsewhere, lighten, taken_away
from simulator.costs.passes import Network
from simulator.costs.sample_memory import account_samples
from simulator.costs.sample_shards import copied_tables, sharded
from simulator.costs.sample_step import exchanged_elements, price_samples
from simulator.costs.step import StepTimes, price
from simulator.mapping.lowering import AnyProgram
from simulator.mapping.placement import Group
from simulator.mapping.program import Program
from simulator.mapping.samples import SampleProgram
from simulator.profiles.framework import Framework

Floats = NDArray[np.float64]


def times_of(program: AnyProgram, machine: Machine, framework: Framework, network: Network) -> StepTimes:
    """Return the durations of the parts of a step under every plan, a teacher's forward passes among the own ones."""
    if isinstance(program, SampleProgram):
        own = price_samples(program, machine, framework, network)
    else:
        own = price(program, machine, framework, network)
    if program.teacher is None:
        return own
    return _taught(own, times_of(program.teacher, replace(machine, sparse=1.0, rounded=False), framework, network))


def _taught(own: StepTimes, teacher: StepTimes) -> StepTimes:
    """Return the times of a student that waits for its teacher's forward pass in each of its own."""
    ahead, back = teacher.forward.max(axis=1), (teacher.backward - teacher.recomputed).max(axis=1)
    share = (ahead / (ahead + back))[:, None]  # of what a teacher's step spends in passes
    return replace(
        own, forward=own.forward + teacher.forward, products=own.products + share * teacher.products,
        elementwise=own.elementwise + share * teacher.elementwise, exchanged=own.exchanged + share * teacher.exchanged,
        waiting=own.waiting + share * teacher.waiting,
    )  # fmt: skip


def memory_of(program: AnyProgram, framework: Framework, offload: Offload | None = None) -> MemoryAccount:
    """Return what one device holds under every plan, less what is offloaded.

    A teacher's weights lie beside the student's, as wide as activations; of a teacher of tokens also what it says.
    """
    if not isinstance(program, SampleProgram):
        return stage_memory_of(program, framework, offload).fullest()
    found = account_samples(program, framework, offload).fullest()
    if program.teacher is None:
        return found
    weights, said = _of_teacher(program.teacher)
    return _beside(found, weights, said)


def elsewhere_of(program: AnyProgram, framework: Framework, offload: Offload) -> Elsewhere:
    """Return what one device keeps in its host's memory and on the node's drives."""
    if not isinstance(program, SampleProgram):
        return elsewhere(program, framework, offload)
    return taken_away(account_samples(program, framework), account_samples(program, framework, offload), offload)


def stage_memory_of(program: Program, framework: Framework, offload: Offload | None = None) -> MemoryAccount:
    """Return what a device of each column of stages holds under every plan of a job on tokens, as :func:`memory_of`."""
    found = lighten(stage_account(program, framework), program, offload)
    if program.teacher is None:
        return found
    weights, said = _of_teacher(program.teacher)
    return _beside(found, weights[:, None], said[:, None])


def _beside(own: MemoryAccount, weights: Floats, said: Floats) -> MemoryAccount:
    beside = {"weights": own.parts["weights"] + weights, "logits": own.parts["logits"] + said}
    return MemoryAccount(parts=own.parts | beside)


def _of_teacher(program: AnyProgram) -> tuple[Floats, Floats]:
    """Return bytes of the weights of a model that only runs forward, and of what it says, on one device."""
    width, table = program.job.precision.activation_bytes, program.table
    if isinstance(program, SampleProgram):
        layers = (program.job.parameters - program.job.tables) / sharded(table, 3)
        return (layers + copied_tables(program.job)) / table.pp * width, np.zeros(len(table))
    ranks = np.where(table.zero == 3, program.groups["dp"].size[program.layout_index], 1)
    held = np.sum(held_parameters(program), axis=0)[program.layout_index] / ranks
    tokens = table.micro_batch * program.job.seq_len / table.cp
    return held * width, tokens * program.job.model.vocab * width / table.tp


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
