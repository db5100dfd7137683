"""The loop around a fleet: look, wish, start, stop; and what happens to replicas from outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from simulator.engine.serving.fleet import layout as at
from simulator.engine.serving.fleet.run import FleetRun
from simulator.engine.serving.scaling.policies import Memory, Seen, autoscalers, options_of
from simulator.foundation.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class StartUp:
    """Seconds of the phases between the decision and the first request: they add up."""

    schedule_s: float = 2.0  # find a machine
    image_s: float = 0.0
    weights_s: float = 0.0
    compile_s: float = 0.0
    warm_up_s: float = 0.0

    @property
    def total_s(self) -> float:
        """From the decision to ready."""
        return self.schedule_s + self.image_s + self.weights_s + self.compile_s + self.warm_up_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """An autoscaler and its bounds; ``options`` as the policy names them."""

    policy: str = "fixed"
    minimum: int = 1
    maximum: int | None = None  # None: all that the cluster has room for
    look_every_s: float = 15.0
    options: Mapping[str, float] = field(default_factory=dict)
    start_up: StartUp = field(default_factory=StartUp)


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetEvent:
    """Something that happens to replicas from outside.

    ``loss``: ``count`` replicas are lost at once; they are back after ``repair_s``. ``reclaim``: a spot machine is
    taken back after ``notice_s`` of draining. ``rollout``: every replica is replaced, ``count`` at a time.
    """

    kind: str  # "loss", "reclaim", "rollout"
    at_s: float
    count: int = 1
    repair_s: float | None = None
    notice_s: float = 120.0


@dataclass(slots=True)
class Timeline:
    """Samples of a run, one row per look."""

    time_s: list[float] = field(default_factory=list)
    ready: list[int] = field(default_factory=list)
    wanted: list[int] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)
    running: list[int] = field(default_factory=list)
    cache_used: list[float] = field(default_factory=list)
    replica_seconds: float = 0.0  # paid for, starting and draining ones too


class ScaledRun:
    """Plays a fleet with its autoscaler and events, look by look."""

    def __init__(self, run: FleetRun, scaling: Scaling, events: Sequence[FleetEvent], *, horizon_s: float) -> None:
        self.run, self.scaling, self.horizon_s = run, scaling, horizon_s
        count = len(run.fleet.replicas)
        self.maximum = min(count, scaling.maximum or count)
        if scaling.minimum > self.maximum:
            raise InputError(f"at least {scaling.minimum} replicas are wanted; there is room for {self.maximum}.")
        self._policy = autoscalers[scaling.policy]
        self._options = options_of(scaling.policy, scaling.options)
        self._memory = Memory()
        self._ready_at: dict[int, float] = {}  # replicas that start
        self._gone_until: dict[int, float] = {}  # lost ones, and when they are back
        self._paid: set[int] = {r for r in range(count) if run.fleet.replicas[r, at.OPEN]}
        self._todo = sorted(self._unfold(events), key=lambda item: (item[0], item[1]))
        self.timeline = Timeline()

    def play(self, attainment: Callable[[], float], progress: Callable[[int], None] | None = None) -> Timeline:
        """Run to the end of the load; ``attainment`` tells the share of requests that lately met their limits."""
        now = 0.0
        while not (self.run.done or (now > self.horizon_s and self._stuck())):
            due = min([self._todo[0][0]] if self._todo else [], default=np.inf)
            nxt = min(now + self.scaling.look_every_s, due, min(self._ready_at.values(), default=np.inf),
                      min(self._gone_until.values(), default=np.inf))  # fmt: skip
            nxt = max(nxt, now + 1e-3)
            self.timeline.replica_seconds += len(self._paid) * (nxt - now)
            self.run.advance(nxt, progress=progress)
            now = nxt
            self._outside(now)
            self._become_ready(now)
            self._look(now, attainment())
        return self.timeline

    def _stuck(self) -> bool:
        """Whether requests are held and nothing will ever serve them."""
        return not self._ready_at and not self._todo and self._open().size == 0 and self.scaling.policy == "fixed"

    def _open(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        return np.flatnonzero(self.run.fleet.replicas[:, at.OPEN] == 1)

    def _unfold(self, events: Sequence[FleetEvent]) -> list[tuple[float, int, str, int]]:
        """Return (instant, order, what, replica) of every event; -1: whichever is open last."""
        found: list[tuple[float, int, str, int]] = []
        for event in events:
            if event.kind == "loss":
                found += [(event.at_s, i, f"loss {event.repair_s or 0:g}", -1) for i in range(event.count)]
            elif event.kind == "reclaim":
                found += [(event.at_s, i, "drain", -1) for i in range(event.count)]
                found += [(event.at_s + event.notice_s, i, "reclaimed", -1) for i in range(event.count)]
            elif event.kind == "rollout":
                step = self.scaling.start_up.total_s
                for wave, r in enumerate(range(len(self.run.fleet.replicas))):
                    found.append((event.at_s + (wave // event.count) * step, wave, "replace", r))
            else:
                raise InputError(f"no event {event.kind!r}. Known: loss, reclaim, rollout.")
        return found

    def _outside(self, now: float) -> None:
        while self._todo and self._todo[0][0] <= now + 1e-9:
            _, _, what, r = self._todo.pop(0)
            open_ = self._open()
            if r < 0:
                r = int(open_[-1]) if open_.size else -1
            if r < 0 or (what == "replace" and not self.run.fleet.replicas[r, at.OPEN]):
                continue
            if what.startswith("loss"):
                self.run.fail(r, now)
                self._paid.discard(r)
                self._gone_until[r] = now + float(what.split(" ")[1]) if what != "loss 0" else np.inf
            elif what == "drain":
                self.run.close(r)
            elif what == "reclaimed":
                closed = [i for i in sorted(self._paid) if not self.run.fleet.replicas[i, at.OPEN]]
                for i in closed[-1:]:
                    self.run.fail(i, now)
                    self._paid.discard(i)
                    self._gone_until[i] = np.inf
            else:
                self.run.close(r)
                self._ready_at[r] = now + self.scaling.start_up.total_s

    def _become_ready(self, now: float) -> None:
        for r in sorted(self._gone_until):
            if self._gone_until[r] <= now:
                del self._gone_until[r]
                self._ready_at[r] = now + self.scaling.start_up.total_s
                self._paid.add(r)
        for r in sorted(self._ready_at):
            if self._ready_at[r] <= now:
                del self._ready_at[r]
                self.run.open(r, now)

    def _look(self, now: float, attainment: float) -> None:
        rows, open_ = self.run.fleet.replicas, self._open()
        self._release()
        seats = sum(int(self.run.fleet.engines[rows[r, at.CLASS], at.MAX_SEQS]) for r in open_)
        blocks = sum(int(self.run.fleet.engines[rows[r, at.CLASS], at.BLOCKS]) for r in open_)
        held = int(self.run.fleet.world[at.INFLIGHT] - rows[:, at.OUTSTANDING].sum()) + self._held()
        seen = Seen(
            now_s=now,
            replicas=len(open_) + len(self._ready_at),
            ready=len(open_),
            concurrency=float(rows[:, at.OUTSTANDING].sum() + held),
            waiting=float(rows[:, at.WAITING].sum() + held),
            utilisation=float(rows[open_, at.OUTSTANDING].sum() / seats) if seats else 0.0,
            attainment=attainment,
        )
        wanted = self._policy(seen, self._memory, self._options)
        wanted = (
            min(self.maximum, max(self.scaling.minimum, wanted)) if self.scaling.policy != "fixed" else seen.replicas
        )
        self._scale_to(wanted, seen.replicas, now)
        line = self.timeline
        line.time_s.append(now)
        line.ready.append(len(open_))
        line.wanted.append(wanted)
        line.waiting.append(int(seen.waiting))
        line.running.append(int(rows[:, at.RUNNING].sum()))
        line.cache_used.append(float(rows[open_, at.USED].sum() / blocks) if blocks else 0.0)

    def _held(self) -> int:
        count, k = 0, int(self.run.fleet.world[at.HELD])
        while k != at.NOBODY:
            count, k = count + 1, int(self.run.fleet.facts[k, at.FOLLOWING])
        return count

    def _release(self) -> None:
        """Stop paying for closed replicas that have nothing left."""
        rows = self.run.fleet.replicas
        for r in sorted(self._paid):
            if not rows[r, at.OPEN] and r not in self._ready_at and rows[r, at.OUTSTANDING] == 0:
                self._paid.discard(r)

    def _scale_to(self, wanted: int, have: int, now: float) -> None:
        rows = self.run.fleet.replicas
        while wanted > have:
            free = [r for r in range(len(rows)) if not rows[r, at.OPEN] and r not in self._ready_at
                    and r not in self._gone_until and rows[r, at.OUTSTANDING] == 0]  # fmt: skip
            if not free:
                return
            self._ready_at[free[0]] = now + self.scaling.start_up.total_s
            self._paid.add(free[0])
            have += 1
        while wanted < have:
            starting = sorted(self._ready_at)
            if starting:
                del self._ready_at[starting[-1]]
                self._paid.discard(starting[-1])
            else:
                self.run.close(int(self._open()[-1]))
            have -= 1


def lately(run: FleetRun, met: Callable[[np.ndarray[tuple[int], np.dtype[np.int64]]], float]) -> Callable[[], float]:
    """Return a function that tells the share of the requests, settled since its last call, that met their limits."""
    seen = {"until": -1}

    def attainment() -> float:
        now = int(run.fleet.world[at.NOW])
        finish = run.fleet.times[:, at.FINISH]
        ended = np.flatnonzero((finish > seen["until"]) & (finish <= now) & (finish >= 0))
        seen["until"] = now
        return met(ended) if len(ended) else 1.0

    return attainment
