"""What the kernel must know of one kind of replica: its clockwork in ticks and its cache in blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.engine.clock import to_ticks
from simulator.engine.serving.fleet.layout import (
    BLOCK_SIZE,
    BLOCKS,
    CHECKED,
    CHUNKED,
    DECODE_CONTEXT,
    DECODE_SLOPE,
    DELAY,
    DENSE_SLOPE,
    DRAFT_ROW,
    ENGINE_COLUMNS,
    GROUP,
    HOST_FIXED,
    HOST_PER_SEQ,
    HOST_PROMPT,
    LINK_LATENCY,
    LINK_TICKS,
    MAX_SEQS,
    MIXED,
    NEVER,
    NOBODY,
    PAGED,
    PARTS,
    PIECES,
    POOL_TICKS,
    PREFILL_FIXED,
    PREFILL_PAIR,
    PREFIX_SLOTS,
    PROMPT_CONTEXT,
    SWAP,
    TAIL_ROW,
    TIER_SLOTS,
    TIER_TICKS,
    TIERS,
    TOKEN_BUDGET,
    YIELDED,
    Ints,
)
from simulator.foundation.errors import Infeasible, InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTimes:
    """Seconds of one iteration: ``max(host, dense[tokens] + attention)``.

    ``dense[m]`` is everything but attention for a step of ``m`` tokens (m = 0 .. last, then the last slope); attention
    is ``per_context`` for each cached token of the decoding requests, and ``per_pair`` for each (query, key) pair of a
    prompt, of which a causal prompt of n tokens after k cached ones has n (k + n / 2).

    Where a generated token does not cost what a pass costs (speculative decoding), ``decode`` stands for ``dense`` in
    steps without prompt tokens, and ``per_context_prompt`` for ``per_context`` in steps that hold some. In these each
    running request has ``guesses`` tokens checked beside its own and gets a mean of ``yields``; ``draft[m]`` is one
    pass of the model that guesses over m tokens.
    """

    dense: tuple[float, ...]
    per_context: float
    per_pair: float
    prefill_fixed: float = 0.0
    host_fixed: float = 0.0
    host_fixed_prompt: float = 0.0  # of an iteration that holds prompt tokens
    host_per_sequence: float = 0.0
    decode: tuple[float, ...] | None = None
    per_context_prompt: float | None = None
    guesses: int = 0
    yields: float = 1.0
    draft: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LowerTier:
    """Where a replica's prefixes go that leave device memory: so many tokens, so long to bring one back."""

    tokens: int
    seconds_per_token: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathering:
    """How batches come together in a class that answers in one pass.

    Attributes:
        delay_s: how long the first of a batch waits for others; None: until the batch is full.
        tail_s: by requests of a batch (0, 1, 2, ...), from the instant at which the device takes the next batch to the
            answers; None: there is no such time. A pipeline is free again before its results are out.
    """

    delay_s: float | None = 0.0
    tail_s: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedPool:
    """Where prefixes lie that several replicas find: what it holds and how fast it is read.

    Attributes:
        tokens: of the whole pool.
        seconds_per_token: over the reader's own link.
        pool_seconds_per_token: of the pool itself, for all its readers together; 0: it keeps nobody waiting.
        replicas: that share one pool, one after the other; None: all of the fleet.
    """

    tokens: int
    seconds_per_token: float
    pool_seconds_per_token: float = 0.0
    replicas: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineClass:
    """One kind of replica: times, cache and scheduler settings under vLLM's names."""

    times: StepTimes
    blocks: int  # KV blocks of one replica
    block_size: int = 16
    max_num_seqs: int = 256
    max_num_batched_tokens: int = 8192
    chunked_prefill: bool = True
    decode_first: bool = True  # prompts ride along with decode iterations; False: steps of prompts only, first
    preemption: str = "recompute"  # "recompute", "swap", or "never": reserve the whole request at admission
    swap_seconds_per_token: float = 0.0
    prefix_block_tokens: int = 0  # tokens of one prefix block; 0: no prefix cache
    lower_tiers: tuple[LowerTier, ...] = ()  # of the prefix cache, nearest first; two at the most
    pool: SharedPool | None = None  # of the prefix cache, beside those tiers
    load_pieces: int = 1  # in which a prefix is brought back beside computing (layers); 1: all of it before
    link_seconds_per_token: float = 0.0  # to send a cache to another replica
    link_latency: float = 0.0
    gathering: Gathering | None = None  # of a class that answers in one pass

    def __post_init__(self) -> None:
        if min(self.block_size, self.max_num_seqs, self.max_num_batched_tokens) < 1:
            raise InputError(f"block_size, max_num_seqs and max_num_batched_tokens must be at least 1, found {self}.")
        if self.blocks < 1:
            raise Infeasible(
                "no memory is left for the KV cache.",
                binding="device memory",
                relaxation="use more devices per replica, fewer bits per weight, or a larger memory fraction",
            )
        if self.preemption not in ("recompute", "swap", "never"):
            raise InputError(f"no preemption {self.preemption!r}. Known: recompute, swap, never.")
        if self.preemption == "swap" and self.swap_seconds_per_token <= 0:
            raise InputError("preemption by swap needs swap_seconds_per_token above 0.")
        if self.decode_first and not self.chunked_prefill and self.max_num_batched_tokens < self.max_num_seqs:
            raise InputError("decode first with whole prompts needs max_num_batched_tokens of at least max_num_seqs.")
        if self.prefix_block_tokens % self.block_size:
            raise InputError(
                f"prefix_block_tokens={self.prefix_block_tokens} is not a multiple of block_size={self.block_size}."
            )

        if (self.lower_tiers or self.pool) and not self.prefix_block_tokens:
            raise InputError("lower tiers keep prefixes; they need a prefix cache.")
        if self.pool is not None and self.pool.tokens < self.prefix_block_tokens:
            raise InputError(f"a pool of {self.pool.tokens} tokens holds no block of {self.prefix_block_tokens}.")
        if self.load_pieces < 1:
            raise InputError(f"prefixes come in at least one piece; found {self.load_pieces}.")
        if len(self.lower_tiers) >= TIERS:
            raise InputError(f"{len(self.lower_tiers)} tiers below device memory; there may be {TIERS - 1}.")

    @property
    def cache_tokens(self) -> int:
        """Tokens the cache of one replica holds."""
        return self.blocks * self.block_size

    @property
    def decoding_seqs(self) -> int:
        """Requests that may generate tokens at once on one replica."""
        return self.max_num_seqs if self.gathering is None else 1

    def row(self) -> Ints:
        """Return the kernel's row for this class."""
        times, row = self.times, np.zeros(ENGINE_COLUMNS, np.int64)
        row[MAX_SEQS], row[TOKEN_BUDGET] = self.max_num_seqs, self.max_num_batched_tokens
        row[BLOCKS], row[BLOCK_SIZE] = self.blocks, self.block_size
        row[CHUNKED], row[MIXED], row[PAGED] = self.chunked_prefill, self.decode_first, self.preemption != "never"
        row[SWAP] = to_ticks(self.swap_seconds_per_token) if self.preemption == "swap" else 0
        row[DECODE_CONTEXT], row[PREFILL_PAIR] = to_ticks(times.per_context), to_ticks(times.per_pair / 2)
        row[PREFILL_FIXED] = to_ticks(times.prefill_fixed)
        row[HOST_FIXED], row[HOST_PER_SEQ] = to_ticks(times.host_fixed), to_ticks(times.host_per_sequence)
        row[HOST_PROMPT] = max(0, to_ticks(times.host_fixed_prompt) - row[HOST_FIXED])
        row[LINK_TICKS], row[LINK_LATENCY] = to_ticks(self.link_seconds_per_token), to_ticks(self.link_latency)
        row[GROUP] = self.prefix_block_tokens // self.block_size
        row[PREFIX_SLOTS] = self.blocks // row[GROUP] if row[GROUP] else 0
        for i, tier in enumerate(self.lower_tiers):
            row[TIER_SLOTS + i] = tier.tokens // self.prefix_block_tokens
            row[TIER_TICKS + i] = to_ticks(tier.seconds_per_token * self.prefix_block_tokens)
        if self.pool is not None:
            row[POOL_TICKS] = to_ticks(self.pool.seconds_per_token * self.prefix_block_tokens)
        row[PIECES] = self.load_pieces
        row[CHECKED], row[YIELDED], row[DRAFT_ROW] = times.guesses + 1, round(times.yields * PARTS), NOBODY
        table = self.dense_ticks()
        row[DENSE_SLOPE] = _slope(table)
        row[DECODE_SLOPE] = _slope(self.decode_ticks())
        prompt = times.per_context if times.per_context_prompt is None else times.per_context_prompt
        row[PROMPT_CONTEXT] = to_ticks(prompt)
        row[TAIL_ROW] = NOBODY
        if self.gathering is not None:
            row[DELAY] = NEVER if self.gathering.delay_s is None else to_ticks(self.gathering.delay_s)
        return row

    def dense_ticks(self) -> Ints:
        """Return the table of ``times.dense`` in ticks, each at least one tick."""
        return _ticks(self.times.dense)

    def decode_ticks(self) -> Ints:
        """Return the table for steps without prompt tokens; ``DECODE_ROW`` of the row says where a fleet keeps it."""
        return self.dense_ticks() if self.times.decode is None else _ticks(self.times.decode)

    def tail_ticks(self) -> Ints | None:
        """Return the table of what passes between a step and its answers; ``TAIL_ROW`` says where a fleet keeps it."""
        tail = None if self.gathering is None else self.gathering.tail_s
        return None if tail is None else np.array([to_ticks(each) for each in tail], np.int64)

    def draft_ticks(self) -> Ints | None:
        """Return the table of a pass of the draft; ``DRAFT_ROW`` of the row says where a fleet keeps it."""
        return None if self.times.draft is None else _ticks(self.times.draft)


def _ticks(seconds: tuple[float, ...]) -> Ints:
    return np.array([max(1, to_ticks(each)) for each in seconds], np.int64)


def _slope(table: Ints) -> int:
    return int(max(table[-1] - table[-2], 0)) if len(table) > 1 else 0
