"""Durations of every part of a training step, for every plan of a program.

``price`` is the one place where a program meets a machine, a framework and a network. The closed form (``estimate``)
and the engine both start from the ``StepTimes`` it returns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulator.costs.compute import Machine
from simulator.costs.gradients import copies_agree, exchanged
from simulator.costs.held import copies, held_parameters, mean_parameters
from simulator.costs.offload import Wait, load_of, wait
from simulator.costs.passes import Network, Passes, Work, block_passes
from simulator.mapping.plan import RECOMPUTE, SCHEDULES, SPLIT_BACKWARD
from simulator.mapping.program import Program
from simulator.profiles.framework import Framework
from simulator.workload.models.parameters import weight_tensors
from simulator.workload.optimizers import Optimizer, update_bytes_per_parameter

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: how much an exchange slows work beside it, over its own length: its kernels take compute units and bandwidth
CONTENTION: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTimes:
    """Seconds, shape (P,) or (P, K) for the columns of stages (``mapping.stages``); per micro-batch where said.

    Attributes:
        forward, backward: (P, K) what a stage is busy with one micro-batch, recomputation included in backward.
        boundary: moving one micro-batch's activation to the next stage.
        boundary_exposed: share of ``boundary`` during which both stages wait.
        weights: (P, K) the part of backward that makes weight gradients, for which no other stage waits; zero unless
            the schedule splits backward passes.
        joined: (P, K) what a forward and a backward pass save beside each other, each hiding what the other sends; zero
            unless the schedule joins them.
        gradients: exchange of gradients and sharded weights at the end of a step, the part that is not hidden.
        gradients_hidden: the part that runs beside the backward pass.
        optimizer: the update of the weights one rank holds, on the device or, offloaded, on its host.
        offload: transfers to and from what lies outside the device that nothing hides.
        host: time of the step that belongs to the host alone.
        products, elementwise, exchanged, gathered, waiting: (P, K) pass times of a stage's layers by where they go:
            arithmetic, memory traffic, collectives inside layers, weights awaited, device idle behind the host.
    """

    forward: Floats
    backward: Floats
    recomputed: Floats  # (P, K), the part of backward that repeats forward work
    weights: Floats
    joined: Floats
    boundary: Floats
    boundary_exposed: float
    gradients: Floats
    gradients_hidden: Floats
    optimizer: Floats
    offload: Floats
    host: Floats
    products: Floats
    elementwise: Floats
    exchanged: Floats
    gathered: Floats
    waiting: Floats


def price(program: Program, machine: Machine, framework: Framework, network: Network) -> StepTimes:
    """Return the durations of every plan's parts."""
    index, layers = program.index, program.stage_layers[program.layout_index]
    around = (program, machine, framework, network)
    layer = _mean_layer(program, [block_passes(block, *around) for block in program.blocks])
    forward, backward, recomputed, gathered = _layer_times(program, layer, machine, framework, _gathers(*around))
    first, last = (block_passes(block, *around) for block in (program.embedding, program.head))
    edge_forward = _edges(program, first.forward.busy(machine, framework)[0], last.forward.busy(machine, framework)[0])
    edge_backward = _edges(
        program, first.backward.busy(machine, framework)[0], last.backward.busy(machine, framework)[0]
    )
    host = framework.dispatch.micro_batch_s
    stage_forward = layers * forward[:, None] + edge_forward + host / 3
    stage_backward = layers * backward[:, None] + edge_backward + host * 2 / 3
    exchange, hidden = exchanged(program, over_stages(stage_backward), framework, network)
    exchange = exchange + copies_agree(program, framework, network)
    boundary = network.time("send_receive", program.boundary_bytes, program.groups["pp"])[program.layout_index]
    busy = layer.forward.add(layer.backward)
    waiting = layer.forward.busy(machine, framework)[1] + layer.backward.busy(machine, framework)[1]
    weights, joined = _splits(program, layer, last, layers)
    away = _away(program, machine, framework, over_stages(stage_forward), over_stages(stage_backward))
    return StepTimes(
        forward=stage_forward,
        backward=stage_backward,
        recomputed=layers * recomputed[:, None],
        weights=np.minimum(weights, stage_backward - layers * recomputed[:, None]),
        joined=joined,
        boundary=boundary,
        boundary_exposed=framework.boundary_exposed,
        gradients=exchange,
        gradients_hidden=hidden,
        optimizer=away.update,
        offload=away.transfers,
        host=np.full(len(program.table), framework.dispatch.step_s),
        products=layers * busy.products[index][:, None],
        elementwise=layers * busy.elementwise[index][:, None],
        exchanged=layers * busy.exchanged[index][:, None],
        gathered=layers * gathered[:, None],
        waiting=layers * waiting[index][:, None],
    )


def over_stages(seconds: Floats) -> Floats:
    """Return the largest of all stages, shape (P, K) to (P,)."""
    return reduce(np.maximum, seconds.T)  # stages are few: one by one they are sooner done than by axis


def _mean_layer(program: Program, passes: Sequence[Passes]) -> Passes:
    """Return the average layer of a model whose layers are of several kinds: its blocks over its layers."""
    forward = backward = attention = Work.none(len(program.local))
    weights = np.zeros(len(program.local))
    for block, part in zip(program.blocks, passes, strict=True):
        share = block.count / program.layers
        forward = forward.add(part.forward, share)
        backward = backward.add(part.backward, share)
        attention = attention.add(part.attention, share)
        weights = weights + share * part.weights
    return Passes(forward=forward, backward=backward, attention=attention, weights=weights)


def _splits(program: Program, layer: Passes, head: Passes, layers: Floats) -> tuple[Floats, Floats]:
    """Return seconds of weight gradients, and what joined passes save, of each stage; zero where no plan asks."""
    table, index = program.table, program.index
    split, dual = table.schedule >= SPLIT_BACKWARD, table.schedule == SCHEDULES.index("dualpipe")
    if not split.any():
        nothing = np.zeros_like(layers)
        return nothing, nothing
    weights = layers * layer.weights[index][:, None] + _edges(program, np.zeros(len(program.local)), head.weights)
    both = layer.forward.add(layer.backward)
    saved = both.exchanged - beside(both.exchanged, both.products + both.elementwise)
    return np.where(split[:, None], weights, 0.0), np.where(dual[:, None], layers * saved[index][:, None], 0.0)


def _layer_times(
    program: Program, layer: Passes, machine: Machine, framework: Framework, gathers: tuple[Floats, Floats]
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return forward, backward, recomputed and weight-awaiting seconds of the mean layer per plan.

    Recomputed work joins the backward pass. Fully sharded weights are gathered beside the passes where the framework
    prefetches them, else before.
    """
    index, recompute = program.index, program.table.recompute
    ahead = layer.forward.busy(machine, framework)[0]
    plain = layer.backward.busy(machine, framework)[0]
    selective = layer.backward.add(layer.attention).busy(machine, framework)[0]
    full = layer.backward.add(layer.forward).busy(machine, framework)[0]
    ahead, back = ahead[index], np.stack([plain, selective, full])[recompute, index]
    repeated = (back - plain[index]) * recomputed_share(framework, program.table.micro_batches)
    back = plain[index] + repeated
    forward_gather, backward_gather = gathers
    if framework.overlaps_gathers:
        forward_gather = beside(forward_gather, ahead)
        backward_gather = beside(backward_gather, back)
    return ahead + forward_gather, back + backward_gather, repeated, forward_gather + backward_gather


def recomputed_share(framework: Framework, micro_batches: Ints) -> Floats:
    """Return the share of a step's micro-batches that are recomputed where a plan asks for it."""
    spared = 0.0 if framework.recomputes_last else 1.0
    return np.where(micro_batches > 1, 1.0 - spared / np.maximum(micro_batches, 1), 1.0)


def beside(exchange: Floats, work: Floats) -> Floats:
    """Return the seconds that an exchange adds to work it runs beside: it slows the work down, and may outlast it."""
    slowed = work + CONTENTION * np.minimum(exchange, work)
    return np.maximum(exchange, slowed) - work


def _edges(program: Program, first: Floats, last: Floats) -> Floats:
    """Return what the embedding and the head, each of shape (U,), add to the stages, shape (P, K)."""
    added = np.zeros((len(program.table), program.stage_layers.shape[1]))
    added[:, 0] += first[program.index]
    added[:, -1] += last[program.index]
    single = program.table.pp == 1
    return np.where(single[:, None], (first + last)[program.index][:, None], added)


def _gathers(program: Program, machine: Machine, framework: Framework, network: Network) -> tuple[Floats, Floats]:
    """Return seconds per layer that fully sharded weights (ZeRO-3) are on the wire, forward and backward.

    Forward gathers the weights; backward gathers them again and scatters the gradients. Gathered ahead of use, they
    only matter where they take longer than the layer; otherwise the layer waits for its part of the exchange. A
    framework that fetches and releases tensor by tensor pulls each through a rank's own adapter, and once more for
    the recomputed forward pass.
    """
    sharded = program.table.zero == 3
    if not sharded.any():
        none = np.zeros(len(program.table))
        return none, none
    dense, expert = mean_parameters(program)
    item = min(machine.precision.weight_bytes, 2.0) if machine.precision.peak != "fp32" else 4.0
    size = (dense + expert) * item
    layout, group = program.layout_index, program.groups["dp"]
    if framework.gathers_by_tensor:
        group = group.apart()
    gather = np.where(sharded, network.time("all_gather", size, group)[layout], 0.0)
    scatter = np.where(sharded, network.time("reduce_scatter", size, group)[layout], 0.0)
    again = framework.gathers_by_tensor & (program.table.recompute == RECOMPUTE.index("full"))
    return gather, np.where(again, 2.0, 1.0) * gather + scatter


def _away(program: Program, machine: Machine, framework: Framework, forward: Floats, backward: Floats) -> Wait:
    """Return the update of the weights, and transfers to and from the host that nothing hides."""
    own = _optimizer(program, machine, framework)
    if machine.offload is None:
        return Wait(update=own, transfers=np.zeros(len(program.table)))
    found = wait(load_of(program, framework), framework, machine.offload, forward=forward, backward=backward)
    return replace(found, update=found.update if machine.offload.optimizer else own)


def _optimizer(program: Program, machine: Machine, framework: Framework) -> Floats:
    """Return seconds of the update of the weights that one rank owns: bound by memory, or by launching its kernels.

    Products of the update rule itself come on top of its memory traffic.
    """
    job = program.job
    moved = update_bytes_per_parameter(
        job.optimizer, weight_bytes=job.precision.weight_bytes, gradient_bytes=framework.gradient_bytes
    ) + job.thrift.update_bytes(job.precision.activation_bytes)
    dense, expert = held_parameters(program)
    data, expert_data = program.groups["dp"].size, program.groups["edp"].size
    owned = np.stack([dense + expert, dense / data + expert / expert_data])  # whole, and sharded from ZeRO-1 on
    updated = owned[np.minimum(program.table.zero, 1), program.layout_index]
    updated = updated * np.where(program.table.zero == 0, copies(program.table), 1.0)  # else the copies share it
    launches = framework.update_kernels * framework.dispatch.kernels * weight_tensors(job.model) / program.table.pp
    per_parameter = moved / machine.stream + update_products(job.optimizer, machine)
    return np.maximum(updated * job.trained_share * per_parameter, launches * framework.dispatch.kernel_s)


def update_products(optimizer: Optimizer, machine: Machine) -> float:
    """Return seconds per parameter of an update rule's own matrix products, which run in 16 bits."""
    return optimizer.products / (machine.peak16 * machine.efficiency.product16)
