"""Another exchange of gradients in place of a step's all-reduce: servers, steps apart, fewer bytes.

Times of the parts of a step are rewritten before anything is played, so that the closed form and the engine see the
same exchange. Asynchronous workers have no common step: a step is then the time of as many updates as there are
workers, and its waiting is what a worker waits between two batches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from simulator.costs.collectives import fabrics_of, reach
from simulator.costs.collectives.parameter_server import push_pull_time
from simulator.costs.collectives.reach import Level
from simulator.costs.estimate import estimate
from simulator.costs.gradients import HIDEABLE
from simulator.costs.network import AnalyticNetwork
from simulator.costs.programs import gradient_elements, replicas_of
from simulator.costs.step import StepTimes, over_stages
from simulator.costs.synchronization import server_time, steps_apart, update_rate_bound
from simulator.engine.training.parameter_server import ServerRun, Workers, play
from simulator.foundation.errors import InputError, UnknownName
from simulator.foundation.randomness import Streams
from simulator.mapping.lowering import AnyProgram
from simulator.mapping.placement import Group
from simulator.mapping.plan import Plan
from simulator.mapping.unfolding import Condition, ReplicaClass
from simulator.results.synchronization import Synchronization
from simulator.scenario.train_sync import AllReduce, LocalSteps, ParameterServers, Sync
from simulator.simulation.setting import Setting
from simulator.workload.compression import FULL, Compression

ROUNDS: Final = 60  # updates of each worker that are played
MOST_UPDATES: Final = 200_000

Times = dict[Condition, StepTimes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchanged:
    """A program whose exchange was rewritten.

    Attributes:
        times: of each condition, as they are played.
        told: figures of the exchange; None for a plain all-reduce.
        waiting_s: what a worker waits for servers and others in a step, played apart from the step; None: the step
            itself holds the exchange.
        compute_s: of a worker's batch in the mean, where ``waiting_s`` is given.
    """

    times: Times
    told: Synchronization | None = None
    waiting_s: float | None = None
    compute_s: float = 0.0

    def parts(self, alone: Mapping[str, float]) -> dict[str, float]:
        """Return the parts of a step with its exchange: a worker's own parts, then the waiting."""
        if self.waiting_s is None:
            return dict(alone)
        own = {name: 0.0 if name in ("gradients", "stragglers") else seconds for name, seconds in alone.items()}
        scale = self.compute_s / sum(own.values())
        return {name: seconds * scale for name, seconds in own.items()} | {"gradients": self.waiting_s}


def exchanged(
    sync: Sync,
    setting: Setting,
    program: AnyProgram,
    plan: Plan,
    times: Times,
    classes: tuple[ReplicaClass, ...],
    *,
    played: bool,
    streams: Streams,
) -> Exchanged:
    """Return the times of a step's parts under another synchronisation.

    Args:
        times: under an all-reduce, by condition.
        classes: of replicas; the workers of parameter servers.
        played: whether servers are played update by update; else their bound is told.

    Raises:
        InputError: a layout that this synchronisation does not know.
        UnknownName: no tier of the cluster is called as the islands' tier.
    """
    if isinstance(sync, AllReduce) and sync.compression is None:
        return Exchanged(times=times)
    if plan.zero or plan.ep > 1:
        raise InputError("only an uncompressed all-reduce knows shards and experts; write zero: 0 and ep: 1.")
    case = _Case(setting=setting, program=program, plan=plan)
    whole = case.all_reduce(case.size)
    if isinstance(sync, ParameterServers):
        return _served(sync, case, times, classes, whole, streams if played else None)
    if isinstance(sync, LocalSteps):
        return _apart(sync, case, times, whole)
    packed = case.packing(sync.compression)
    seconds = packed + case.combined(sync.compression, case.group)
    sent = case.size * plan.tp * plan.pp * case.share(sync.compression)
    told = Synchronization(kind=_words("an all-reduce", sync.compression), exchange_s=seconds, all_reduce_s=whole,
                           sent=2 * sent, compress_s=packed)  # fmt: skip
    return Exchanged(times=_with_exchange(times, setting, seconds - packed, shown=packed), told=told)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    setting: Setting
    program: AnyProgram
    plan: Plan

    @property
    def size(self) -> float:
        """Bytes of gradients of one rank."""
        return float(gradient_elements(self.program)[0]) * self.setting.framework.gradient_bytes

    @property
    def group(self) -> Group:
        return replicas_of(self.program)

    def share(self, compression: Compression | None) -> float:
        """Bytes sent over those of the plain gradient; the model's matrices are taken to be as its widest product."""
        if compression is None:
            return 1.0
        fp32 = compression.share(*self.program.job.widest) * FULL
        return min(1.0, fp32 / self.setting.framework.gradient_bytes)

    def packing(self, compression: Compression | None) -> float:
        """Seconds of one rank to compress its gradients and unpack what comes back: memory traffic."""
        if compression is None:
            return 0.0
        numbers = self.size / self.setting.framework.gradient_bytes
        return numbers * compression.moved(*self.program.job.widest) / self.setting.machine.stream

    def all_reduce(self, size: float, group: Group | None = None) -> float:
        return self._time("all_reduce", size, group or self.group)

    def combined(self, compression: Compression | None, group: Group) -> float:
        """Seconds until all ranks of a group have the sum; what does not add up is gathered from all."""
        size = self.size * self.share(compression)
        if compression is None or compression.adds_up:
            return self._time("all_reduce", size, group)
        return self._time("all_gather", size * float(group.size[0]), group)

    def _time(self, operation: str, size: float, group: Group) -> float:
        network = AnalyticNetwork.of(self.setting.tiers)
        return float(network.time(operation, np.array([size]), group)[0])

    def level(self) -> Level:
        """The outermost tier that the replicas span, as one replica sees it: all its ranks send."""
        members = [float(one[0]) for one in self.group.members]
        inside = [1.0, *members[:-1]]
        ranks = [one / below for one, below in zip(members, inside, strict=True)]
        last = max((position for position, count in enumerate(ranks) if count > 1), default=0)
        found = reach(tuple(ranks[: last + 1]), self.setting.tiers, fabrics_of(self.setting.tiers)).levels[-1]
        return replace(found, bandwidth=found.bandwidth * self.plan.tp)


def _apart(sync: LocalSteps, case: _Case, times: Times, whole: float) -> Exchanged:
    """Islands that exchange inside each step, and with each other every ``every`` steps, all waiting meanwhile."""
    inner = 0.0 if sync.within is None else case.all_reduce(case.size, _island(sync.within, case))
    packed = case.packing(sync.compression)
    outer = packed + case.combined(sync.compression, case.group)
    every = _with_exchange(times, case.setting, inner, shown=outer / sync.every)
    per_step = float(steps_apart(inner, outer, sync.every))
    size = case.size * case.plan.tp * case.plan.pp
    alone = 0.0 if sync.within is None else 2 * size
    words = f"an exchange every {sync.every} steps" + (
        "" if sync.within is None else f", inside each {sync.within} every step"
    )
    told = Synchronization(
        kind=_words(words, sync.compression), exchange_s=per_step, all_reduce_s=whole,
        sent=alone + 2 * size * case.share(sync.compression) / sync.every, compress_s=packed / sync.every,
        every=sync.every,
    )  # fmt: skip
    return Exchanged(times=every, told=told)


def _island(within: str, case: _Case) -> Group:
    """The replicas of one domain of a tier."""
    names = [tier.name for tier in case.setting.tiers]
    if within not in names:
        raise UnknownName("tier", within, names)
    position, members = names.index(within), case.group.members
    return replace(case.group, members=tuple(np.minimum(one, members[position]) for one in members))


def _served(
    sync: ParameterServers,
    case: _Case,
    times: Times,
    classes: tuple[ReplicaClass, ...],
    whole: float,
    streams: Streams | None,
) -> Exchanged:
    """Parameter servers beside the cluster; they update the weights while bytes come in."""
    plan = case.plan
    if plan.pp > 1 or plan.cp > 1:
        raise InputError("workers of parameter servers are cut by tp alone; write pp: 1 and cp: 1.")
    none = np.zeros(1)
    bare = {name: replace(one, gradients=none, gradients_hidden=none, optimizer=none) for name, one in times.items()}
    batch = {name: float(estimate(one, case.program.table).step[0]) for name, one in bare.items()}
    packed = case.packing(sync.compression)
    compute = [batch[one.conditions[0]] + packed for one in classes for _ in range(one.count)]
    over, size = case.level(), case.size * plan.tp
    there = sync.bandwidth * over.fabric.link_fraction
    # pushed in full or compressed; what is pulled of the largest numbers is the union of all workers' choices
    share = case.share(sync.compression)
    back = share if sync.compression is None or sync.compression.adds_up else min(1.0, share * plan.dp)
    bytes_one_way = size * (share + back) / 2
    service = float(server_time(bytes_one_way, sync.servers, there))
    one_way = float(push_pull_time(bytes_one_way, 1, sync.servers, over, server_bandwidth=np.inf)) / 2
    own = 2 * bytes_one_way / (float(over.bandwidth) * over.fabric.link_fraction)
    workers = Workers(compute=compute, service=service, own=own, latency=2 * one_way - own, staleness=sync.staleness,
                      spread=sync.spread)  # fmt: skip
    bound = update_rate_bound(compute, service, 2 * one_way)
    if streams is None:
        round_s = _round_in_closed_form(sync, workers, bound, bytes_one_way, over)
        run = None
    else:
        run = play(workers, min(ROUNDS * plan.dp, MOST_UPDATES), streams["parameter servers"])
        round_s = run.round_s
    mean = float(np.mean(compute)) if run is None else run.compute_s
    mean = min(mean, round_s)
    told = Synchronization(
        kind=_words(_servers(sync), sync.compression),
        exchange_s=round_s - mean, all_reduce_s=whole, sent=bytes_one_way, compress_s=packed, servers=sync.servers,
        updates_per_s=plan.dp / round_s, bound_per_s=bound, server_busy=min(1.0, plan.dp * service / round_s),
        staleness=_shares(run),
    )  # fmt: skip
    return Exchanged(times=bare, told=told, waiting_s=round_s - mean, compute_s=mean)


def _servers(sync: ParameterServers) -> str:
    servers = "one parameter server" if sync.servers == 1 else f"{sync.servers} parameter servers"
    if sync.staleness is None:
        return f"{servers}, asynchronous"
    if sync.staleness == 0:
        return f"{servers}, synchronous"
    return f"{servers}, workers at most {sync.staleness} batches ahead"


def _round_in_closed_form(sync: ParameterServers, workers: Workers, bound: float, size: float, over: Level) -> float:
    """Seconds of a step: with all waiting, the slowest and then the exchange; else the bound of the rate."""
    count, slowest = len(workers.compute), max(workers.compute)
    exchange = float(push_pull_time(size, count, sync.servers, over, server_bandwidth=sync.bandwidth))
    if sync.staleness == 0:
        return slowest + exchange
    free = count / bound
    # in the long run nobody is faster than the slowest worker
    return free if sync.staleness is None else max(free, slowest + max(workers.service, workers.own) + workers.latency)


def _shares(run: ServerRun | None) -> dict[int, float]:
    if run is None:
        return {}
    pushes = sum(run.staleness.values())
    return {late: count / pushes for late, count in run.staleness.items()}


def _with_exchange(times: Times, setting: Setting, seconds: float, *, shown: float) -> Times:
    """Return the times with an exchange, beside the backward pass where the framework does that, and what all see."""
    found = {}
    for name, one in times.items():
        hidden = HIDEABLE * min(seconds, float(over_stages(one.backward)[0]))
        hidden = hidden if setting.framework.overlaps_gradients else 0.0
        found[name] = replace(one, gradients=np.array([shown + seconds - hidden]), gradients_hidden=np.array([hidden]))
    return found


def _words(kind: str, compression: Compression | None) -> str:
    return kind if compression is None else f"{kind}, gradients {compression.method}"
