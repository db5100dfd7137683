"""Operators after the split: what one rank does for one micro-batch.

The shapes are arrays with one value per plan; nothing here knows a device.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.mapping.plan import PlanTable
from simulator.workload.flop import kept_scores
from simulator.workload.operators import Attention, Cut, Elementwise, ExpertGemm, Gemm, Operator, Region, Scan

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalProduct:
    """``batch`` products of m x k by k x n; ``parameters`` of this rank stand in the right side."""

    name: str
    m: Floats
    k: Floats
    n: Floats
    batch: Floats  # independent products in one launch (experts, heads)
    weight: bool
    saved: Floats  # elements kept for the backward pass
    grouped: bool = False  # one launch over experts of unequal load
    inner: bool = False  # whether the k side is the cut one: its output is a partial sum


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalAttention:
    """Attention of ``samples`` sequences over ``heads`` local heads; queries of this rank against all keys."""

    name: str
    samples: Floats
    queries: Floats  # query tokens per sample on this rank
    keys: Floats  # key tokens per sample
    heads: Floats
    kv_heads: Floats
    qk_dim: int
    v_dim: int
    kept: Floats  # share of the score matrix that is not masked: 1/2 when causal
    relative: bool = False  # scores come from two products, the second shifted into place


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalScan:
    """A chunked state-space scan over ``tokens`` with ``inner`` local channels."""

    name: str
    tokens: Floats
    inner: Floats
    state: int
    chunk: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalTraffic:
    """Elements moved through memory by ``kernels`` launches."""

    name: str
    moved: Floats
    kernels: int
    backward_moved: float
    saved_bytes: Floats


LocalOperator = LocalProduct | LocalAttention | LocalScan | LocalTraffic


def split(operator: Operator, table: PlanTable, seq_len: int) -> LocalOperator:
    """Return the operator as one rank of each plan sees it, for one micro-batch."""
    tokens = table.micro_batch * seq_len / table.cp
    match operator:
        case Gemm():
            return _split_gemm(operator, table, tokens)
        case ExpertGemm():
            return _split_experts(operator, table, tokens)
        case Attention():
            return _split_attention(operator, table, seq_len)
        case Scan():
            return LocalScan(
                name=operator.name,
                tokens=tokens,
                inner=operator.inner / table.tp,
                state=operator.state,
                chunk=operator.chunk,
            )
        case Elementwise():
            share = region_share(operator.region, table)
            return LocalTraffic(
                name=operator.name,
                moved=operator.moved * tokens / share,
                kernels=operator.kernels,
                backward_moved=operator.backward_moved,
                saved_bytes=operator.saved_bytes * tokens / share,
            )


def region_share(region: Region, table: PlanTable) -> Floats:
    """Return over how many TP ranks a region's work is shared."""
    tp = table.tp.astype(float)
    if region is Region.TENSOR:
        return tp
    if region is Region.SEQUENCE:
        return np.where(table.sequence_parallel > 0, tp, 1.0)
    return np.ones_like(tp)


def _split_gemm(gemm: Gemm, table: PlanTable, tokens: Floats) -> LocalProduct:
    tp = table.tp.astype(float)
    one = np.ones_like(tp)
    # The input of a column-cut product is whole, but under sequence parallelism only its own slice is stored.
    stored = tp if gemm.cut is Cut.ROW else region_share(Region.SEQUENCE, table)
    return LocalProduct(
        name=gemm.name,
        m=tokens * gemm.rows,
        k=gemm.k / tp if gemm.cut is Cut.ROW else gemm.k * one,
        n=gemm.n / tp if gemm.cut is Cut.COLUMN else gemm.n * one,
        batch=gemm.repeats * one,
        weight=gemm.weight,
        saved=gemm.saved * tokens / stored,
        inner=gemm.cut is Cut.ROW,
    )


def _split_experts(gemm: ExpertGemm, table: PlanTable, tokens: Floats) -> LocalProduct:
    """Experts are whole (not cut by TP) and spread over EP; TP ranks bring their own slices of the tokens."""
    local = gemm.experts / table.ep
    rows = tokens / table.tp * gemm.active  # visits that this rank serves when routing is balanced
    one = np.ones_like(rows)
    return LocalProduct(
        name=gemm.name,
        m=rows / local,
        k=gemm.k * one,
        n=gemm.n * one,
        batch=local,
        weight=True,
        saved=gemm.saved * rows,
        grouped=True,
    )


def _split_attention(attention: Attention, table: PlanTable, seq_len: int) -> LocalAttention:
    queries = seq_len / table.cp
    return LocalAttention(
        name=attention.name,
        samples=table.micro_batch.astype(float),
        queries=queries,
        keys=np.full(len(table), seq_len * (1.0 + attention.memory_ratio)),
        heads=np.maximum(attention.heads / table.tp, 1.0),
        kv_heads=np.maximum(attention.kv_heads / table.tp, 1.0),
        qk_dim=attention.qk_dim,
        v_dim=attention.v_dim,
        kept=np.full(len(table), kept_scores(attention, seq_len)),
        relative=attention.relative,
    )
