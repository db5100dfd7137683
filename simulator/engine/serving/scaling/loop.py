"""The loop around a fleet: look, wish, start, stop; and what happens to replicas from outside."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.engine.serving.fleet import layout as at
from simulator.engine.serving.fleet.run import FleetRun
from simulator.engine.serving.scaling.outside import ANY, Act, FleetEvent, unfold
from simulator.engine.serving.scaling.policies import BY_ATTAINMENT, Memory, Seen, autoscalers, options_of
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


@dataclass(slots=True)
class Timeline:
    """Samples of a run, one row per look."""

    time_s: list[float] = field(default_factory=list)
    ready: list[int] = field(default_factory=list)
    wanted: list[int] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)
    running: list[int] = field(default_factory=list)  # in a batch, with their prompt or generating
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
        self._cut_off: set[int] = set()  # of the lost ones, those that only cannot be reached
        self._second: set[int] = set()  # those of the starting ones that will take another's place
        self._todo = unfold(events, count, scaling.start_up.total_s)
        if any(event.kind == "blue-green" for event in events) and len(self._paid) == count:
            raise InputError(
                f"a blue-green update starts a second fleet beside the first; all {count} replicas are open already. "
                "Begin with fewer (scale.start), or add nodes."
            )
        self.now_s = 0.0
        self.timeline = Timeline()

    def play(
        self,
        attainment: Attainment,
        progress: Callable[[int], None] | None = None,
        after_look: Callable[[ScaledRun], None] | None = None,
        before: Callable[[float], None] | None = None,
    ) -> Timeline:
        """Run to the end of the load, from wherever the run stands.

        Args:
            attainment: tells the share of requests that lately met their limits.
            progress: is told how many requests are settled.
            after_look: is shown the run at every look, where it may be saved.
            before: is told the instant to which the run goes next, so that it may bring the requests until then.
        """
        while not (self.run.done or (self.now_s > self.horizon_s and self._stuck())):
            last, self.now_s = self.now_s, self._next()
            self.timeline.replica_seconds += len(self._paid) * (self.now_s - last)
            if before is not None:
                before(self.now_s)
            self.run.advance(self.now_s, progress=progress)
            self._become_ready(self.now_s)
            self._outside(self.now_s)
            self._look(self.now_s, attainment(self.run) if self.scaling.policy in BY_ATTAINMENT else 1.0)
            if after_look is not None:
                after_look(self)
        return self.timeline

    def _next(self) -> float:
        """Return the next instant at which something outside the replicas may change."""
        due = self._todo[0].at_s if self._todo else np.inf
        soon = min(self.now_s + self.scaling.look_every_s, due, min(self._ready_at.values(), default=np.inf),
                   min(self._gone_until.values(), default=np.inf))  # fmt: skip
        return max(soon, self.now_s + 1e-3)

    def save(
        self,
        path: Path,
        attainment: Attainment,
        key: str,
        *,
        beside: Mapping[str, Any] | None = None,
        further: Mapping[str, npt.NDArray[Any]] | None = None,
    ) -> None:
        """Write the whole state; ``key`` names the question, so that no other run takes it for its own.

        ``beside`` (as JSON holds it) and ``further`` arrays are the caller's; :meth:`load` returns them.
        """
        state: dict[str, Any] = {
            "key": key,
            "beside": beside,
            "horizon_s": self.horizon_s,
            "now_s": self.now_s,
            "ended_until": attainment.until,
            "ready_at": sorted(self._ready_at.items()),
            "gone_until": sorted(self._gone_until.items()),
            "paid": sorted(self._paid),
            "second": sorted(self._second),
            "cut_off": sorted(self._cut_off),
            "todo": [list(act) for act in self._todo],
            "timeline": asdict(self.timeline),
            "memory": {name: list(value) if isinstance(value, deque) else value
                       for name, value in asdict(self._memory).items()},
        }  # fmt: skip
        self.run.save(path, beside=json.dumps(state), further=further)

    def load(self, path: Path, attainment: Attainment, key: str) -> tuple[Any, dict[str, npt.NDArray[Any]]]:
        """Go on from a saved state, to the same end bit for bit; return what the caller had put beside it.

        Raises:
            InputError: no state can be read, or it belongs to another question.
        """
        text, further = self.run.load(path, accept=lambda beside: bool(json.loads(beside)["key"] == key))
        state = json.loads(text)
        self.horizon_s = state["horizon_s"]
        self.now_s, attainment.until = state["now_s"], state["ended_until"]
        self._ready_at = {int(r): float(at_s) for r, at_s in state["ready_at"]}
        self._gone_until = {int(r): float(at_s) for r, at_s in state["gone_until"]}
        self._paid, self._second = set(state["paid"]), set(state["second"])
        self._cut_off = set(state["cut_off"])
        self._todo = [Act(*act) for act in state["todo"]]
        self.timeline = Timeline(**state["timeline"])
        kept = state["memory"]
        self._memory = Memory(
            wishes=deque((t, int(n)) for t, n in kept["wishes"]),
            loads=deque((t, load) for t, load in kept["loads"]),
            panic_until=kept["panic_until"],
            panic_peak=kept["panic_peak"],
        )
        return state["beside"], further

    def _stuck(self) -> bool:
        """Whether requests are held and nothing will ever serve them."""
        return not self._ready_at and not self._todo and self._open().size == 0 and self.scaling.policy == "fixed"

    def _open(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        return np.flatnonzero(self.run.fleet.replicas[:, at.OPEN] == 1)

    def _outside(self, now: float) -> None:
        while self._todo and self._todo[0].at_s <= now + 1e-9:
            act = self._todo.pop(0)
            if act.what == "take":
                self._take(now)
            elif act.what == "swap":
                self._swap(now)
            else:
                self._hit(act, now)

    def _hit(self, act: Act, now: float) -> None:
        """Do what an act does to one open replica; the last open one where none is named."""
        open_ = self._open()
        r = act.replica
        if r == ANY:
            r = int(open_[-1]) if open_.size else ANY
        if r == ANY or not self.run.fleet.replicas[r, at.OPEN]:
            return
        if act.what in ("lose", "cut"):
            self.run.fail(r, now)
            self._gone_until[r] = now + act.repair_s
            if act.what == "cut":
                self._cut_off.add(r)
            else:
                self._paid.discard(r)
            return
        place = self._free() if act.what == "move" else []
        if place:
            self._start(place[0], now)
            self._second.add(place[0])
            self._then(Act(now + self.scaling.start_up.total_s, 0, "drain", r))
            return
        self.run.close(r, now)
        if act.what in ("replace", "move"):
            self._ready_at[r] = now + self.scaling.start_up.total_s
        elif np.isfinite(act.repair_s):
            self._gone_until[r] = now + act.repair_s

    def _take(self, now: float) -> None:
        """The machine of the last closed replica goes, with what it still holds."""
        closed = [i for i in sorted(self._paid) if not self.run.fleet.replicas[i, at.OPEN]]
        for i in closed[-1:]:
            self.run.fail(i, now)
            self._paid.discard(i)
            self._gone_until[i] = np.inf

    def _swap(self, now: float) -> None:
        """Start a replica of the new version for every open one, and close the old ones when the new are ready.

        Where too few places are free, the update waits for the next look.
        """
        old, free = self._open().tolist(), self._free()
        if len(free) < len(old):
            self._then(Act(now + self.scaling.look_every_s, 0, "swap"))
            return
        for r in free[: len(old)]:
            self._start(r, now)
            self._second.add(r)
        for order, r in enumerate(old):
            self._then(Act(now + self.scaling.start_up.total_s, order, "drain", r))

    def _then(self, act: Act) -> None:
        self._todo = sorted([*self._todo, act], key=lambda act: (act.at_s, act.order))

    def _free(self) -> list[int]:
        """Return the replicas that could start now."""
        rows, inside = self.run.fleet.replicas, self.run.fleet.inside
        return [r for r in range(len(rows)) if not rows[r, at.OPEN] and r not in self._ready_at
                and r not in self._gone_until and inside[r] == 0]  # fmt: skip

    def _start(self, r: int, now: float) -> None:
        self._ready_at[r] = now + self.scaling.start_up.total_s
        self._paid.add(r)

    def _become_ready(self, now: float) -> None:
        for r in sorted(self._gone_until):
            if self._gone_until[r] <= now:
                del self._gone_until[r]
                self._ready_at[r] = now if r in self._cut_off else now + self.scaling.start_up.total_s
                self._cut_off.discard(r)
                self._paid.add(r)
        for r in sorted(self._ready_at):
            if self._ready_at[r] <= now:
                del self._ready_at[r]
                self._second.discard(r)
                self.run.open(r, now)

    def _look(self, now: float, attainment: float) -> None:
        rows, inside, open_ = self.run.fleet.replicas, self.run.fleet.inside, self._open()
        self._release()
        engines = self.run.fleet.engines[rows[open_, at.CLASS]]
        seats, blocks = int(engines[:, at.MAX_SEQS].sum()), int(engines[:, at.BLOCKS].sum())
        held = int(self.run.fleet.world[at.INFLIGHT] - inside.sum()) + self._held()
        waiting = int(rows[:, at.WAITING].sum()) - self.run.queued  # those of the one queue are held
        seen = Seen(
            now_s=now,
            replicas=len(open_) + len(self._ready_at) - len(self._second),
            ready=len(open_),
            concurrency=float(inside.sum() + held),
            waiting=float(waiting + held),
            utilisation=float((inside[open_].sum() + self.run.queued) / seats) if seats else 0.0,
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
        line.running.append(int(inside.sum()) - waiting)
        line.cache_used.append(float(rows[open_, at.USED].sum() / blocks) if blocks else 0.0)

    def _held(self) -> int:
        count, k = 0, int(self.run.fleet.world[at.HELD])
        while k != at.NOBODY:
            count, k = count + 1, int(self.run.fleet.facts[k, at.FOLLOWING])
        return count

    def _release(self) -> None:
        """Stop paying for closed replicas that have nothing left."""
        rows = self.run.fleet.replicas
        idle = np.flatnonzero((rows[:, at.OPEN] == 0) & (self.run.fleet.inside == 0)).tolist()
        self._paid.difference_update(r for r in idle if r not in self._ready_at and r not in self._cut_off)

    def _scale_to(self, wanted: int, have: int, now: float) -> None:
        while wanted > have:
            free = self._free()
            if not free:
                return
            self._start(free[0], now)
            have += 1
        while wanted < have:
            starting = sorted(self._ready_at.keys() - self._second)
            if starting:
                del self._ready_at[starting[-1]]
                self._paid.discard(starting[-1])
            else:
                self.run.close(int(self._open()[-1]), now)
            have -= 1


@dataclass(slots=True)
class Attainment:
    """Tells the share of the requests, settled since its last call, that met their limits.

    Attributes:
        met: the share among the requests of some rows.
        until: ticks of the last call.
    """

    met: Callable[[FleetRun, np.ndarray[tuple[int], np.dtype[np.int64]]], float]
    until: int = -1

    def __call__(self, run: FleetRun) -> float:
        """Return the share; 1 if none was settled."""
        now = int(run.fleet.world[at.NOW])
        finish = run.fleet.times[:, at.FINISH]
        ended = np.flatnonzero((finish > self.until) & (finish <= now) & (finish >= 0))
        self.until = now
        return self.met(run, ended) if len(ended) else 1.0
