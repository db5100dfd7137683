"""How a training run is to be operated: how often it is saved, how many nodes stand by, how many loaders feed a device.

Each is the best of all numbers by a closed form, for the layout that was chosen: the checkpoint interval by the
expected time of the run between failures, spares by what they cost against what waiting for repairs costs, loaders as
the fewest with which no step waits.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np

from simulator.costs.reliability import expected_run, waiting_share
from simulator.foundation.units import show
from simulator.mapping.plan import Plan
from simulator.planner.domain_spares import waiting_share_of_domains
from simulator.planner.question import Question
from simulator.results.result import Result
from simulator.scenario.train import TrainWorkload
from simulator.scenario.train_input import TrainCheckpoint
from simulator.simulation.answer import resources_of
from simulator.simulation.feeding import checkpoint_times, data_job
from simulator.simulation.whole_run import domain_share, mtbf_of

#: spares tried: so many of the nodes, but always some
_MOST_SPARES: Final = 0.25
_SOME: Final = 8
#: and where domains fail as a whole, some of them beside four times what is under repair
_MOST_DOMAINS: Final = 3
#: without prices, waiting for nodes is ended where it takes less than this share of the time
_RARE: Final = 1e-3
#: loader workers tried for each reader
_MOST_WORKERS: Final = 256
#: a run that would be longer by less is not worth a word
_TOLD: Final = 1e-3
#: a step that waits for less than this share of itself does not wait
_WAITS: Final = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """How often to save: ``every`` steps, which is ``interval_s`` of work; ``write_s`` is what one takes.

    ``time_s`` is the expected time of the run then, waiting for nodes apart, and ``asked_s`` that with the scenario's
    own number (None where it leaves that open).
    """

    every: int
    interval_s: float
    write_s: float
    time_s: float
    asked_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standby:
    """How many nodes stand by.

    Attributes:
        spares: the number, and ``asked`` that of the scenario.
        domain: nodes that fail together at the most; 1: each fails alone.
        waiting: share of the time that the run waits for a repair.
        time_s: of the run then.
        usd: of all nodes, spares too; None where no rent is known.
        asked_usd: the same with the scenario's number.
    """

    spares: int
    asked: int
    waiting: float
    time_s: float
    usd: float | None
    asked_usd: float | None
    domain: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading:
    """How the devices are fed.

    Attributes:
        workers: of each rank that reads; None: no number of them ends the wait.
        asked: of the scenario.
        readers: ranks that read.
        per_node: workers on one node.
        shards: the fewest that give every worker one and every reader as many as any other.
        stall_s: that a step waits then.
        stage: what then bounds the feed, if a step still waits.
    """

    workers: int | None
    asked: int
    readers: int
    per_node: int | None
    shards: int | None
    stall_s: float
    stage: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What the scenario gives grounds for; None where it says nothing of failures, checkpoints or data."""

    saving: Saving | None = None
    standby: Standby | None = None
    loading: Loading | None = None

    def facts(self) -> dict[str, Any]:
        """Return everything as plain data, for JSON."""
        return asdict(self)


#: a run of which the scenario says nothing
UNSAID: Final = Operation()


def operation_of(question: Question, plan: Plan, result: Result) -> Operation:
    """Return how a run with the chosen layout is to be operated."""
    workload, alone = question.workload, result.step_time if result.feeding is None else result.feeding.alone_s
    faults, steps = workload.around.faults, workload.steps
    loading = None if workload.data is None else _loading(question, workload, plan, alone)
    if faults is None or steps is None:
        return Operation(loading=loading)
    nodes, count = question.setting.nodes, math.ceil(steps)
    step_s = alone + (0.0 if loading is None else loading.stall_s)
    mtbf = mtbf_of(faults, nodes)
    saved = workload.checkpoint
    write_s, read_s = (0.0, 0.0) if saved is None else checkpoint_times(saved, workload.job, nodes)
    restart = faults.restart + read_s
    saving = None if saved is None else _saving(saved, count, step_s, write_s, mtbf, restart)
    time_s = count * step_s if saving is None else saving.time_s
    rent = resources_of(question.scenario, question.setting).usd_per_s
    working = time_s / (1.0 + restart / mtbf)  # while a node can fail
    standby = standby_of(nodes, failed=working / time_s / mtbf * faults.repair, asked=faults.spares, time_s=time_s,
                         usd_per_node_s=None if rent is None else rent / nodes, domain=faults.domain,
                         together=domain_share(faults, nodes))  # fmt: skip
    return Operation(saving=saving, standby=standby, loading=loading)


def best_interval(steps: int, step_s: float, save_s: float, mtbf: float, restart: float) -> tuple[int, float]:
    """Return the steps between two checkpoints with which a run ends soonest, and its expected seconds.

    Every number of steps is tried that does not outlast many failures.
    """
    most = min(steps, max(1, math.ceil(20.0 * mtbf / step_s)))
    every = np.unique(np.concatenate([np.arange(1, min(most, 200_000) + 1), [most]]))
    times = expected_run(steps, every, step_s, save_s, mtbf, restart)
    best = int(np.argmin(times))
    return int(every[best]), float(times[best])


def standby_of(
    nodes: int, *, failed: float, asked: int, time_s: float, usd_per_node_s: float | None, domain: int = 1,
    together: float = 0.0,
) -> Standby:  # fmt: skip
    """Return how many nodes are to stand by: with prices where run and spares cost least, else where waiting is rare.

    Args:
        failed: failures per second times seconds of a repair, as of :func:`waiting_share`.
        time_s: of the run that never waits for a node.
        domain: nodes that a failure of a domain takes.
        together: share of the failures that take one.
    """
    if domain > 1 and together > 0.0:
        gone = failed * (1.0 - together + domain * together)  # nodes under repair, in the mean
        most = max(asked, _SOME, math.ceil(4.0 * gone) + _MOST_DOMAINS * domain)
        waiting = waiting_share_of_domains(most, failed * (1.0 - together), failed * together, domain)
    else:
        most = max(asked, _SOME, math.ceil(_MOST_SPARES * nodes), math.ceil(4.0 * failed))
        waiting = waiting_share(most, failed)
    times = time_s / (1.0 - waiting)
    if usd_per_node_s is None:
        rare = np.flatnonzero(waiting < _RARE)
        spares = int(rare[0]) if len(rare) else most
        return Standby(spares=spares, asked=asked, waiting=float(waiting[spares]), time_s=float(times[spares]),
                       usd=None, asked_usd=None, domain=domain)  # fmt: skip
    usd = times * (nodes + np.arange(most + 1)) * usd_per_node_s
    spares = int(np.argmin(usd))
    return Standby(spares=spares, asked=asked, waiting=float(waiting[spares]), time_s=float(times[spares]),
                   usd=float(usd[spares]), asked_usd=float(usd[asked]), domain=domain)  # fmt: skip


def _saving(
    saved: TrainCheckpoint, steps: int, step_s: float, write_s: float, mtbf: float, restart: float
) -> Saving:  # fmt: skip
    if saved.mode == "async":  # nothing is held up, so the next begins when one is written
        every, held = max(1, math.ceil(write_s / step_s)), 0.0
        time_s = float(expected_run(steps, every, step_s, held, mtbf, restart))
    else:
        held = write_s
        every, time_s = best_interval(steps, step_s, write_s, mtbf, restart)
    asked = saved.every_steps
    asked_s = None if asked is None else float(expected_run(steps, asked, step_s, held, mtbf, restart))
    return Saving(every=every, interval_s=every * step_s, write_s=write_s, time_s=time_s, asked_s=asked_s)


def _loading(question: Question, workload: TrainWorkload, plan: Plan, alone: float) -> Loading:
    assert workload.data is not None, "asked only where data are read"
    job = data_job(workload.data, None, question.setting, plan, alone=alone, size=0.0)
    feed, asked = job.feed, job.feed.loader.workers
    for workers in range(1, _MOST_WORKERS + 1):
        account = replace(feed, loader=replace(feed.loader, workers=workers)).account()
        if account.stall_s <= _WAITS * alone or account.bottleneck != "workers":
            break
    waits = account.stall_s > _WAITS * alone
    return Loading(
        workers=None if waits else workers, asked=asked, readers=feed.devices,
        per_node=None if waits else workers * feed.loader.devices_per_node,
        shards=None if waits else workers * feed.devices,
        stall_s=account.stall_s if waits else 0.0, stage=account.bottleneck if waits else "",
    )  # fmt: skip


def sentences(found: Operation) -> Iterator[str]:
    """Yield how to operate the run, one sentence each."""
    if found.saving is not None:
        one = found.saving
        than = "" if one.asked_s is None or one.asked_s < one.time_s * (1.0 + _TOLD) else (
            f"; as the scenario has it the run would take {one.asked_s / one.time_s - 1.0:.1%} longer")  # fmt: skip
        yield (
            f"Save every {one.every:,} steps ({show(one.interval_s, 'time')}); writing takes "
            f"{show(one.write_s, 'time')}{than}."
        )
    if found.standby is not None:
        yield _standby(found.standby)
    if found.loading is not None:
        yield _loaders(found.loading)


def _standby(one: Standby) -> str:
    whole = f" ({one.domain} may fail at once)" if one.domain > 1 else ""
    text = f"Let {one.spares} nodes stand by{whole}: the run waits {one.waiting:.2%} of its time for a repair"
    if one.usd is None or one.asked_usd is None:
        return f"{text}; what they cost is not known, so waiting decides."
    saved = one.asked_usd - one.usd
    more = f"; {saved:,.0f} USD less than with {one.asked}" if one.asked != one.spares else ""
    return f"{text}, and run and spares cost {one.usd:,.0f} USD{more}."


def _loaders(one: Loading) -> str:
    if one.workers is None:
        return (
            f"No number of loader workers feeds the devices: {one.stage} bounds them, {one.stall_s:.3g} s of each step."
        )
    return (
        f"Feed each of {one.readers} readers by {one.workers} loader workers ({one.per_node} on a node; the scenario "
        f"has {one.asked}) from {one.shards:,} shards or a multiple: no step waits."
    )
