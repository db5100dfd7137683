"""The program of a training step: who computes what, who sends what to whom, in which order.

``lower`` turns a job (demand), a table of plans (decision) and the tiers of a cluster (where ranks sit) into one
immutable ``Program``. ``costs`` prices it; ``engine.training`` plays it. Cost follows what differs: the work of one
rank is lowered once per distinct (tp, cp, ep, micro-batch, sequence parallelism), and what stages and replicas send
each other once per distinct layout (degrees, virtual stages, micro-batch, order, layers by stage). Plans point at both
by index.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from simulator.mapping.placement import Group, place_group
from simulator.mapping.plan import ORDERS, PlanTable
from simulator.mapping.split import LocalOperator, LocalProduct, split
from simulator.mapping.stages import stage_layers
from simulator.topology.tiers import Tier
from simulator.workload.jobs.training import TrainingJob
from simulator.workload.operators import Attention, Block
from simulator.workload.transformer_blocks import blocks, embedding_operators, head_operators, total_layers

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A collective inside a block, per micro-batch and direction; ``size`` follows nccl-tests (bytes)."""

    operation: str  # "all_reduce", "all_gather", "reduce_scatter", "all_to_all", "ring_pass"
    axis: str  # "tp", "cp" or "ep"
    size: Floats
    forward: float  # times per forward pass
    backward: float  # times per backward pass, without recomputation
    once: Floats | float = 1.0  # share of the size left when each token goes to a rank once, not once per expert there


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalBlock:
    """Equal layers on one rank; ``parameters`` of dense weights and of experts that one rank holds per layer."""

    name: str
    count: int
    operators: tuple[LocalOperator, ...]
    exchanges: tuple[Exchange, ...]
    parameters: Floats
    expert_parameters: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A training step for every plan of a table. Shapes: P plans, O distinct layouts, U distinct local combinations."""

    job: TrainingJob
    table: PlanTable  # P plans
    local: PlanTable  # U combinations (only tp, cp, ep, micro_batch, sequence_parallel are meaningful)
    index: Ints  # P -> U
    layouts: PlanTable  # O combinations (only the degrees, vpp and micro_batch are meaningful)
    layout_index: Ints  # P -> O
    layout_local: Ints  # O -> U; sequence parallelism, which a layout leaves open, is that of its first plan
    blocks: tuple[LocalBlock, ...]  # arrays of U
    layers: int  # layers of the whole model; blocks are their halves
    embedding: LocalBlock  # on the first stage
    head: LocalBlock  # on the last stage
    stage_layers: Floats  # O x K: layers of each column of stages (see ``simulator.mapping.stages``)
    boundary_bytes: Floats  # O: activation sent from stage to stage, per micro-batch and rank
    groups: dict[str, Group]  # arrays of O: "dp", "edp", "pp"
    local_groups: dict[str, Group]  # arrays of U: "tp", "cp", "ep"

    teacher: Program | None = None  # whose forward passes the job's model learns to imitate

    def take(self, rows: Ints) -> Program:
        """Return the program of the chosen plans; what they point at stays."""
        return replace(self, table=self.table.take(rows), index=self.index[rows], layout_index=self.layout_index[rows],
                       teacher=None if self.teacher is None else self.teacher.take(rows))  # fmt: skip


#: columns on which the work of one rank and micro-batch depends
_LOCAL = ("tp", "cp", "ep", "micro_batch", "sequence_parallel")
#: columns on which that between stages and replicas depends
_LAYOUT = ("tp", "cp", "dp", "pp", "ep", "vpp", "micro_batch", "order")


def lower(job: TrainingJob, table: PlanTable, tiers: Sequence[Tier]) -> Program:
    """Return the program of each plan. Feasibility (memory, divisibility) is judged elsewhere."""
    local, index, _ = _distinct(table, _LOCAL)
    layouts, layout_index, first = _distinct(table, _LAYOUT)
    model = job.model
    lowered = tuple(_lower_block(job, local, block) for block in blocks(model))
    embedding = Block(
        name="embedding",
        count=1,
        operators=embedding_operators(model),
        width=model.hidden,
        tensor_collectives=1 if model.vocab else 0,
    )
    head = Block(name="head", count=1, operators=head_operators(model), width=model.hidden, tensor_collectives=0)
    layers = total_layers(model)
    return Program(
        job=job,
        table=table,
        local=local,
        index=index,
        blocks=lowered,
        layers=layers,
        layouts=layouts,
        layout_index=layout_index,
        teacher=None if job.teacher is None else lower(job.teacher, table, tiers),
        layout_local=index[first],
        embedding=_lower_block(job, local, embedding),
        head=_lower_block(job, local, head),
        stage_layers=stage_layers(layouts, layers),
        boundary_bytes=_boundary_bytes(job, layouts),
        groups=_groups(layouts, tiers),
        local_groups=_local_groups(local, tiers),
    )


def _distinct(table: PlanTable, names: Sequence[str]) -> tuple[PlanTable, Ints, Ints]:
    """Return the distinct combinations of some columns, per plan which one it uses, and a plan of each."""
    key = np.zeros(len(table), dtype=np.int64)
    for name in names:
        values, place = _ranked(getattr(table, name))
        key = key * len(values) + place
    if "pp" in names and table.layers_per_stage.shape[1]:
        cuts, place = np.unique(table.layers_per_stage, axis=0, return_inverse=True)
        key = key * len(cuts) + place.reshape(-1)
    _, first, index = np.unique(key, return_index=True, return_inverse=True)
    return table.take(first), index.astype(np.int64), first


def _ranked(column: Ints) -> tuple[Ints, Ints]:
    """Return the distinct values of a column of positive integers in order, and the place of each entry among them."""
    seen = np.zeros(int(column.max(initial=0)) + 1, dtype=bool)
    seen[column] = True
    return np.flatnonzero(seen), (np.cumsum(seen) - 1)[column]


def _lower_block(job: TrainingJob, local: PlanTable, block: Block) -> LocalBlock:
    parts = tuple(split(operator, local, job.seq_len) for operator in block.operators)
    busiest = _busiest(job, local) if block.routed else np.ones(len(local))
    dense = expert = np.zeros(len(local))
    for part in parts:
        if isinstance(part, LocalProduct) and part.weight:
            held = part.k * part.n * part.batch
            dense, expert = (dense, expert + held) if part.grouped else (dense + held, expert)
    return LocalBlock(
        name=block.name,
        count=block.count,
        operators=tuple(_on_busiest(part, busiest) for part in parts),
        parameters=dense,
        expert_parameters=expert,
        exchanges=_exchanges(job, local, block, busiest),
    )


def _busiest(job: TrainingJob, local: PlanTable) -> Floats:
    """Return what the busiest group of experts sees over the mean one; a step ends when it ends."""
    experts = job.model.experts
    if job.routing is None or experts is None:
        return np.ones(len(local))
    tokens = local.micro_batch * job.seq_len / local.cp * local.ep / local.tp
    pairs = zip(local.ep.tolist(), tokens.tolist(), strict=True)
    return np.array([job.routing.busiest(experts=experts.count, active=experts.active, groups=groups,
                                         tokens=max(count, 1.0)) for groups, count in pairs])  # fmt: skip


def _on_busiest(part: LocalOperator, busiest: Floats) -> LocalOperator:
    """Return an operator as the busiest rank has it: more rows for its experts, more kept of them."""
    if not isinstance(part, LocalProduct) or not part.grouped:
        return part
    return replace(part, m=part.m * busiest, saved=part.saved * busiest)


def _exchanges(job: TrainingJob, local: PlanTable, block: Block, busiest: Floats) -> tuple[Exchange, ...]:
    """Return the collectives of one block: TP all-reduce (or gather and scatter), EP all-to-all, CP ring passes."""
    item = job.precision.activation_bytes
    tokens = local.micro_batch * job.seq_len / local.cp
    found: list[Exchange] = []
    if block.tensor_collectives:
        times = float(block.tensor_collectives)
        size = np.where(local.tp > 1, tokens * block.width * item, 0.0)
        split_sequence = local.sequence_parallel > 0
        whole, sliced = np.where(split_sequence, 0.0, size), np.where(split_sequence, size, 0.0)
        found.append(Exchange(operation="all_reduce", axis="tp", size=whole, forward=times, backward=times))
        found.append(Exchange(operation="reduce_scatter", axis="tp", size=sliced, forward=times, backward=times))
        # backward gathers twice: the gradient of the scatter, and the input again for the weight gradient
        found.append(Exchange(operation="all_gather", axis="tp", size=sliced, forward=times, backward=2 * times))
    if block.routed:
        visits = np.where(local.ep > 1, tokens / local.tp * block.routed * block.routed_width * item, 0.0)
        visits = visits * busiest
        reached = local.ep * (1.0 - (1.0 - 1.0 / local.ep) ** block.routed)  # distinct ranks of a token's experts
        found.append(
            Exchange(
                operation="all_to_all", axis="ep", size=visits, forward=2.0, backward=2.0, once=reached / block.routed
            )
        )
    cached = sum(op.kv_heads * (op.qk_dim + op.v_dim) for op in block.operators if isinstance(op, Attention))
    if cached:
        keys = np.where(local.cp > 1, tokens * cached / local.tp * item, 0.0)
        found.append(Exchange(operation="ring_pass", axis="cp", size=keys, forward=1.0, backward=2.0))
    return tuple(found)


def _boundary_bytes(job: TrainingJob, table: PlanTable) -> Floats:
    """Activation that one rank sends to the next stage; the TP ranks send slices and gather them on arrival."""
    tokens = table.micro_batch * job.seq_len / table.cp
    return np.where(table.pp > 1, tokens * job.model.hidden * job.precision.activation_bytes / table.tp, 0.0)


def _groups(table: PlanTable, tiers: Sequence[Tier]) -> dict[str, Group]:
    """Gradients of dense weights are exchanged over DP and CP, those of experts over the ranks that EP leaves."""
    stage, replica = table.tp * table.cp * table.dp, table.tp * table.cp
    found = {
        "dp": place_group(table.dp * table.cp, table.tp, tiers),
        "edp": place_group(np.maximum(stage // table.ep, 1), table.ep, tiers),
        "pp": place_group(table.pp, stage, tiers),
    }
    apart = table.order == ORDERS.index("tp-cp-pp-dp")
    if not apart.any():
        return found
    across = place_group(table.dp, replica * table.pp, tiers)  # the same rank of all replicas
    others = {
        "dp": place_group(table.cp, table.tp, tiers).times(across),
        "edp": place_group(np.maximum(replica // table.ep, 1), table.ep, tiers).times(across),
        "pp": place_group(table.pp, replica, tiers),
    }
    return {name: group.where(~apart, others[name]) for name, group in found.items()}


def _local_groups(local: PlanTable, tiers: Sequence[Tier]) -> dict[str, Group]:
    one = np.ones_like(local.tp)
    return {
        "tp": place_group(local.tp, one, tiers),
        "cp": place_group(local.cp, local.tp, tiers),
        "ep": place_group(local.ep, one, tiers),
    }
