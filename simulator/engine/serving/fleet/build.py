"""From requests, engine classes and a router to the arrays of a fleet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from simulator.engine.clock import MAX_TICKS, TICKS_PER_SECOND, to_ticks
from simulator.engine.serving.fleet import layout as at
from simulator.engine.serving.fleet.engine_class import EngineClass
from simulator.engine.serving.fleet.gaps import BUCKETS
from simulator.engine.serving.fleet.routing import ROUTERS
from simulator.foundation.errors import InputError, UnknownName
from simulator.foundation.units import KILO
from simulator.workload.requests import Requests

ROLES: Final = {"both": at.BOTH, "prefill": at.PREFILL_ONLY, "decode": at.DECODE_ONLY}
NO_LIMIT: Final = 2**40


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicas:
    """So many replicas of one class."""

    engine: EngineClass
    count: int
    role: str = "both"  # "both", "prefill" or "decode"
    weight: float = 1.0  # for the weighted router
    first: int = 0  # number of the first one in its group of machines, which tells what pool of prefixes it shares
    open: int | None = None  # how many the router may use at the start; None: all


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the platform in front of the replicas does."""

    router: str = "round-robin"
    max_inflight: int | None = None  # requests inside at once; more are shed
    max_waiting: int | None = None  # requests waiting at one replica; more are refused
    timeout_s: float | None = None  # longest wait for the first admission
    retries: int = 0
    backoff_s: float = 0.1  # doubled at every retry
    keep_gaps: bool = True  # whether the distribution of inter-token gaps is kept
    elastic: bool = False  # whether replicas may be opened, closed or lost during the run


def build_fleet(requests: Requests, pools: Sequence[Replicas], rules: Rules, *, seed: int = 0) -> at.Fleet:
    """Return the arrays of a run at time zero.

    Raises:
        InputError: no replicas, an unknown router, roles without counterpart, or times beyond the clock.
    """
    _check(requests, pools, rules)
    count = sum(pool.count for pool in pools)
    disaggregated = any(pool.role == "prefill" for pool in pools)
    injects = rules.retries > 0 or rules.elastic or disaggregated or requests.successor is not None
    classes = requests.priority is not None or requests.session is not None or rules.timeout_s is not None
    caching = any(pool.engine.preemption != "never" or pool.engine.prefix_block_tokens for pool in pools)
    shared, caches = _shared(pools)
    return at.Fleet(
        **_world(requests, pools, rules, count, seed),
        **_replicas(pools, count, shared),
        **caches,
        **_requests(requests, rules, lean=not (injects or classes or caching), injects=injects),
        **_prefixes(requests, pools, count),
        gap_counts=np.zeros(BUCKETS if rules.keep_gaps else 0, np.int64),
    )


def _check(requests: Requests, pools: Sequence[Replicas], rules: Rules) -> None:
    if rules.router not in ROUTERS:
        raise UnknownName("router", rules.router, ROUTERS)
    if not pools or any(pool.count < 1 for pool in pools):
        raise InputError("a fleet needs at least one replica in every pool.")
    roles = {pool.role for pool in pools}
    for role in roles - set(ROLES):
        raise UnknownName("role", role, ROLES)
    if ("prefill" in roles) != ("decode" in roles) or ("prefill" in roles and "both" in roles):
        raise InputError(f"found roles {', '.join(sorted(roles))}; prefill and decode come together and alone.")
    priorities = np.zeros(1, np.int8) if requests.priority is None else requests.priority
    if len(priorities) and (priorities.min() < 0 or priorities.max() >= at.MAX_CLASSES):
        raise InputError(f"priorities must be 0 to {at.MAX_CLASSES - 1}; 0 is served first.")
    if requests.output.max(initial=1) > 1 and any(pool.engine.gathering is not None for pool in pools):
        raise InputError("a replica that answers in one pass generates one token of output; found more.")
    if len({pool.engine.gathering is None for pool in pools}) > 1:
        raise InputError("replicas that answer in one pass and replicas that generate are services of their own.")
    if rules.router == "one-queue" and any(pool.engine.gathering is None for pool in pools):
        raise InputError("one queue for all replicas is for models that answer in one pass; choose another router.")
    if rules.router == "session" and requests.session is None:
        raise InputError("the session router needs requests that name a session; choose another router.")
    within_the_clock(requests)


def within_the_clock(requests: Requests) -> None:
    """Raise :class:`InputError` for arrivals that the clock cannot tell."""
    given = requests.arrival_s[: requests.given]
    if len(given) and given[-1] * TICKS_PER_SECOND > MAX_TICKS // 2:
        raise InputError(f"the last arrival at {given[-1]:g} s is beyond 53 days; split the run into epochs.")


def _world(requests: Requests, pools: Sequence[Replicas], rules: Rules, count: int, seed: int) -> dict[str, Any]:
    world = np.zeros(at.WORLD_COLUMNS, np.int64)
    world[at.ROUTER], world[at.RANDOM] = ROUTERS[rules.router], seed % 2147483646 + 1
    world[at.MAX_INFLIGHT] = NO_LIMIT if rules.max_inflight is None else rules.max_inflight
    world[at.MAX_WAITING] = NO_LIMIT if rules.max_waiting is None else rules.max_waiting
    world[at.RETRIES], world[at.BACKOFF] = rules.retries, to_ticks(rules.backoff_s)
    world[at.TIMEOUT] = at.NEVER if rules.timeout_s is None else to_ticks(rules.timeout_s)
    world[at.HELD] = world[at.HELD_LAST] = world[at.GATHERER] = at.NOBODY
    world[at.CLASSES] = 1 if requests.priority is None else int(requests.priority.max(initial=0)) + 1
    world[at.PRIMARY] = requests.given
    open_ = np.zeros((2, count), np.int32)
    first = 0
    for pool in pools:
        line = 1 if pool.role == "decode" else 0
        opened = pool.count if pool.open is None else pool.open
        used = world[at.OPEN_COUNT + line]
        open_[line, used : used + opened] = np.arange(first, first + opened)
        world[at.OPEN_COUNT + line] += opened
        first += pool.count
    return {"world": world, "open_": open_}


def _shared(pools: Sequence[Replicas]) -> tuple[npt.NDArray[np.int64], dict[str, Any]]:
    """Return which pool of prefixes each replica reads, and these pools, empty.

    Raises:
        InputError: engines that are to share one pool with all describe it differently.
    """
    names: list[int] = []
    found: list[EngineClass] = []
    for one in pools:
        pool = one.engine.pool
        if pool is None:
            names += [at.NOBODY] * one.count
        elif pool.replicas is not None:
            for number in range(one.first, one.first + one.count):
                if number % pool.replicas == 0 or not found or found[-1].pool != pool:
                    found.append(one.engine)
                names.append(len(found) - 1)
        else:
            whole = next((p for p, other in enumerate(found) if _everyones(other)), len(found))
            found += [one.engine] * (whole == len(found))
            if _blocks_shared(found[whole]) != _blocks_shared(one.engine):
                raise InputError("all replicas are to share one pool, but it holds different blocks for their engines.")
            names += [whole] * one.count
    held = [_blocks_shared(engine) for engine in found]
    size = max(held, default=0)
    rows = np.zeros((len(found), at.POOL_COLUMNS), np.int64)
    rows[:, (at.POOL_HEAD, at.POOL_TAIL)] = at.NOBODY
    slots = np.full((len(found), size, at.POOL_SLOT_COLUMNS), at.NOBODY, np.int32)
    for p, (engine, blocks) in enumerate(zip(found, held, strict=True)):
        assert engine.pool is not None
        rows[p, at.POOL_BLOCK_TICKS] = to_ticks(engine.pool.pool_seconds_per_token * engine.prefix_block_tokens)
        slots[p, : blocks - 1, at.POOL_AFTER] = np.arange(1, blocks)
    table = np.full((len(found), 1 << max(0, (2 * size - 1).bit_length())), at.NOBODY, np.int32)
    return np.array(names, np.int64), {"pools": rows, "pool_slots": slots, "pool_table": table}


def _everyones(engine: EngineClass) -> bool:
    return engine.pool is not None and engine.pool.replicas is None


def _blocks_shared(engine: EngineClass) -> int:
    return 0 if engine.pool is None else engine.pool.tokens // engine.prefix_block_tokens


def _replicas(pools: Sequence[Replicas], count: int, shared: npt.NDArray[np.int64]) -> dict[str, Any]:
    engines, dense = _engines(pools)
    rows = np.zeros((count, at.REPLICA_COLUMNS), np.int64)
    first = 0
    for e, pool in enumerate(pools):
        mine = slice(first, first + pool.count)
        rows[mine, at.CLASS] = e
        rows[mine, at.ROLE] = ROLES[pool.role] if pool.engine.gathering is None else at.ONE_PASS
        rows[first : first + (pool.count if pool.open is None else pool.open), at.OPEN] = 1
        rows[mine, at.WEIGHT] = max(1, round(pool.weight * KILO))
        first += pool.count
    rows[:, at.POOL_OF] = shared
    for column in (at.JOINING, at.JOINING_LAST, at.PARTIAL):
        rows[:, column] = at.NOBODY
    rows[:, at.LRU_HEAD : at.LRU_TAIL + at.TIERS] = at.NOBODY
    rows[:, at.QUEUE_HEAD : at.QUEUE_HEAD + at.ENDS * at.MAX_CLASSES] = at.NOBODY
    names = np.arange(count)
    rows[:, at.IDLE_BEFORE] = np.append(names[1:], at.NOBODY)  # the first replica became idle last
    return {
        "engines": engines,
        "dense": dense,
        "replicas": rows,
        "inside": np.zeros(count, np.int32),
        "batch": np.zeros((count, max(pool.engine.decoding_seqs for pool in pools)), np.int64),
        "residue": np.zeros((count, max(pool.engine.block_size for pool in pools)), np.int32),
        "agenda": np.full((count, 2), at.NEVER, np.int64),
        "place": np.full(count, at.NOBODY, np.int32),
    }


def _engines(pools: Sequence[Replicas]) -> tuple[at.Ints, at.Ints]:
    """Return the rows of the engines and their tables, those that only some classes have last."""
    engines = np.stack([pool.engine.row() for pool in pools])
    engines[:, at.DECODE_ROW] = np.arange(len(pools))
    tables = [(pool.engine.dense_ticks(), int(row[at.DENSE_SLOPE])) for pool, row in zip(pools, engines, strict=True)]
    for e, pool in enumerate(pools):
        if pool.engine.times.decode is not None:
            engines[e, at.DECODE_ROW] = len(tables)
            tables.append((pool.engine.decode_ticks(), int(engines[e, at.DECODE_SLOPE])))
        tail = pool.engine.tail_ticks()
        if tail is not None:
            engines[e, at.TAIL_ROW] = len(tables)
            tables.append((tail, 0))
        draft = pool.engine.draft_ticks()
        if draft is not None:
            engines[e, at.DRAFT_ROW] = len(tables)
            tables.append((draft, int(draft[-1] - draft[-2])))
    longest = max(len(table) for table, _ in tables)
    dense = [
        np.concatenate([table, table[-1] + np.arange(1, longest - len(table) + 1) * slope]) for table, slope in tables
    ]
    return engines, np.stack(dense)


def _requests(requests: Requests, rules: Rules, *, lean: bool, injects: bool) -> dict[str, Any]:
    times, facts = request_rows(requests, rules, lean=lean)
    return {"later": np.zeros((2, len(facts) if injects else 0), np.int64), "times": times, "facts": facts}


def request_rows(requests: Requests, rules: Rules, *, lean: bool) -> tuple[at.Ints, at.Shorts]:
    """Return the rows of instants and of integers of requests that have not arrived yet."""
    n, given = len(requests), requests.given
    times = np.full((n, at.LEAN_TIMES if lean else at.TIME_COLUMNS), -1, np.int64)
    times[:, at.ARRIVAL] = at.NEVER
    times[:given, at.ARRIVAL] = np.rint(requests.arrival_s[:given] * TICKS_PER_SECOND)
    facts = np.zeros((n, at.LEAN if lean else at.FACT_COLUMNS), np.int32)
    facts[:, at.PROMPT], facts[:, at.OUTPUT] = requests.prompt, requests.output
    facts[:, at.FOLLOWING] = facts[:, at.HOME] = at.NOBODY
    if not lean:
        times[:, at.DEADLINE], times[:, at.THINK] = at.NEVER, 0
        if rules.timeout_s is not None:
            times[:given, at.DEADLINE] = times[:given, at.ARRIVAL] + to_ticks(rules.timeout_s)
        if requests.think_s is not None:
            times[:, at.THINK] = np.rint(requests.think_s * TICKS_PER_SECOND)
        facts[:, at.SUCCESSOR] = at.NOBODY if requests.successor is None else requests.successor
        facts[:, at.AFFINITY] = 0 if requests.session is None else requests.session
        facts[:, at.PRIORITY] = 0 if requests.priority is None else requests.priority
    return times, facts


def _prefixes(requests: Requests, pools: Sequence[Replicas], count: int) -> dict[str, Any]:
    chains = requests.chains
    caching = [pool.engine for pool in pools if pool.engine.prefix_block_tokens]
    for engine in caching:
        if chains is not None and engine.prefix_block_tokens != chains.block_tokens:
            raise InputError(
                f"prefix_block_tokens is {engine.prefix_block_tokens}, but the requests' prefixes come in blocks "
                f"of {chains.block_tokens} tokens; set it to that."
            )
    held = (at.PREFIX_SLOTS, at.TIER_SLOTS, at.TIER_SLOTS + 1)
    size = max((int(engine.row()[list(held)].sum()) for engine in caching), default=0)
    start = np.zeros(len(requests) + 1 if caching else 0, np.int64)
    blocks = np.zeros(0, np.int32)
    if caching and chains is not None:
        start, blocks = chains.start.astype(np.int64), chains.blocks.astype(np.int32)
    slots = np.full((count, size, at.SLOT_COLUMNS), at.NOBODY, np.int32)
    slots[:, :-1, at.AFTER], slots[:, :, at.TIER] = np.arange(1, size), 0
    return {
        "chain_start": start,
        "chain": blocks,
        "slots": slots,
        "table": np.full((count, 1 << max(0, (2 * size - 1).bit_length())), at.NOBODY, np.int32),
    }
