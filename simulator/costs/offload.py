"""Offload: what a device keeps outside its memory, and what moving it costs a step.

ZeRO-Offload (Ren et al. 2021, arXiv 2101.06840): gradients go to the host as they are made, the host updates weights
and sends them back. ZeRO-Infinity (Rajbhandari et al. 2021, arXiv 2104.07857): state and weights may lie on drives, and
are fetched ahead of use. Each direction of a device's link carries its own traffic beside the passes; a step pays for
what outlasts them, and for the update, which the host's memory bandwidth bounds. Left out: pinned buffers, and the
traffic of adding up the gradients of several micro-batches in host memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulator.costs.held import held_parameters
from simulator.costs.host import Offload
from simulator.costs.memory import MemoryAccount, in_flight, stage_account
from simulator.mapping.program import Program
from simulator.profiles.framework import Framework
from simulator.workload.jobs.samples import Job
from simulator.workload.optimizers import state_bytes_per_parameter, update_bytes_per_parameter

Floats = NDArray[np.float64]

#: layers that a device holds of what lies elsewhere: one at work and one on its way
AT_HAND: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """Bytes that one device keeps outside its memory, per plan: in its host's memory and on the node's drives."""

    host: Floats
    drives: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What one device has to move in a step, per plan.

    Attributes:
        micro_batches: of the step.
        held: parameters that it holds between two uses.
        updated: parameters whose update is its part.
        activations: bytes that one micro-batch keeps for its backward pass.
        scattered: whether gradients leave it as they are made, those of each micro-batch.
    """

    job: Job
    micro_batches: Floats
    held: Floats
    updated: Floats
    activations: Floats
    scattered: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Seconds of a step, per plan: the update on the host, and transfers that nothing hides."""

    update: Floats
    transfers: Floats


def load_of(program: Program, framework: Framework) -> Load:
    """Return what a device of the fullest stage has to move; experts and dense parameters have groups of their own."""
    owned, held = _shares(program)
    return Load(
        job=program.job, micro_batches=program.table.micro_batches.astype(float), held=held,
        updated=owned * program.job.trained_share, activations=_activations(program, framework),
        scattered=_scattered(program),
    )  # fmt: skip


def wait(load: Load, framework: Framework, offload: Offload, *, forward: Floats, backward: Floats) -> Wait:
    """Return what a step waits for; ``forward`` and ``backward`` are the busiest stage's seconds per micro-batch.

    In the forward pass weights come in and activations go out; in the backward pass weights and activations come in and
    gradients go out. Gradients that ZeRO does not scatter (stages 0 and 1, with replicas) go out once, at the end.
    """
    m, width, none = load.micro_batches, load.job.precision.weight_bytes, np.zeros_like(load.micro_batches)
    weights = m * load.held * width if offload.parameters else none
    activations = m * load.activations if offload.activations else none
    updated = load.updated if offload.optimizer else none
    gradients = updated * min(framework.gradient_bytes, width)
    streamed = np.where(load.scattered, m * gradients, 0.0)
    ahead = np.maximum(weights / offload.fetch, activations / offload.lane) - m * forward
    come = weights / offload.fetch + activations / offload.lane
    back = np.maximum(come, streamed / offload.lane) - m * backward
    late = np.where(load.scattered, 0.0, gradients) / offload.lane
    return Wait(update=_update(load.job, framework, offload, updated),
                transfers=np.maximum(ahead, 0.0) + np.maximum(back, 0.0) + late)  # fmt: skip


def _update(job: Job, framework: Framework, offload: Offload, updated: Floats) -> Floats:
    """Return seconds of the host's update of ``updated`` parameters per device: its memory, the way back, the drives.

    The three run beside each other in tiles (arXiv 2101.06840, section 5). Drives read, then write.
    """
    width = job.precision.weight_bytes
    moved = update_bytes_per_parameter(job.optimizer, weight_bytes=width, gradient_bytes=framework.gradient_bytes)
    node = offload.devices * updated
    memory = node * moved / offload.host_bandwidth
    back = updated * width / offload.lane
    state = state_bytes_per_parameter(job.optimizer, weight_bytes=width) if offload.optimizer == "nvme" else 0.0
    written = state + (width if offload.parameters == "nvme" else 0.0)
    drives = np.zeros_like(updated)
    if written:
        drives = node * (state / offload.drive_read + written / offload.drive_write)
    return np.maximum(np.maximum(memory, back), drives)


def lighten(found: MemoryAccount, program: Program, offload: Offload | None) -> MemoryAccount:
    """Return the account by stage of what stays on the device: of what lies elsewhere, two layers."""
    if offload is None:
        return found
    parts = dict(found.parts)
    layers = program.stage_layers[program.layout_index]
    left, scattered = np.minimum(1.0, AT_HAND / np.maximum(layers, 1.0)), _scattered(program)[:, None]
    if offload.parameters:
        parts["weights"] = parts["weights"] * left
    if offload.optimizer:
        parts["optimizer"] = parts["optimizer"] * 0.0
        parts["gradients"] = parts["gradients"] * np.where(scattered, left, 1.0)
    if offload.activations:
        left = np.minimum(1.0, AT_HAND / np.maximum(layers * in_flight(program), 1.0))
        parts["activations"] = parts["activations"] * left
    return MemoryAccount(parts=parts)


def elsewhere(program: Program, framework: Framework, offload: Offload) -> Elsewhere:
    """Return what one device keeps in its host's memory and on the node's drives."""
    whole = stage_account(program, framework)
    return taken_away(whole, lighten(whole, program, offload), offload)


def taken_away(whole: MemoryAccount, left: MemoryAccount, offload: Offload) -> Elsewhere:
    """Return what lies elsewhere of the fullest stage, of accounts by stage of all and of what stays on the device."""
    moved = ("weights", "gradients", "optimizer", "activations")
    gone = {name: whole.parts[name] - left.parts[name] for name in moved}
    host, drives = gone["gradients"] + gone["activations"], np.zeros_like(gone["weights"])
    for name, place in (("optimizer", offload.optimizer), ("weights", offload.parameters)):
        if place == "nvme":
            drives = drives + gone[name]
        else:
            host = host + gone[name]
    return Elsewhere(host=host.max(axis=1), drives=drives.max(axis=1))


def _shares(program: Program) -> tuple[Floats, Floats]:
    """Return parameters that a device updates, and those that it holds between two uses, per plan."""
    zero, layout = program.table.zero, program.layout_index
    dense, expert = held_parameters(program)
    sharded = dense / program.groups["dp"].size + expert / program.groups["edp"].size
    owned = np.stack([dense + expert, sharded])
    return owned[np.minimum(zero, 1), layout], owned[(zero == 3).astype(np.int64), layout]


def _scattered(program: Program) -> NDArray[np.bool_]:
    """Return whether the gradients of a micro-batch leave the device as they are made: ZeRO-2 and 3, or no replicas."""
    alone = program.groups["dp"].size[program.layout_index] == 1
    return np.asarray((program.table.zero >= 2) | alone)


def _activations(program: Program, framework: Framework) -> Floats:
    """Return stored activations of one micro-batch on the fullest stage."""
    stored = stage_account(program, framework).parts["activations"] / in_flight(program)
    return np.asarray(stored.max(axis=1))
