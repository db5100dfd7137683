"""A run of a fleet: advance it, change it while it runs, read it, stop and resume it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from simulator.engine.clock import TICKS_PER_SECOND, to_ticks
from simulator.engine.serving.compiled import COMPILED, interpreted, suited
from simulator.engine.serving.fleet import layout as at
from simulator.engine.serving.fleet import single
from simulator.engine.serving.fleet.advance import advance
from simulator.engine.serving.fleet.build import Replicas, Rules, build_fleet
from simulator.engine.serving.fleet.heaps import arrive_later, schedule
from simulator.engine.serving.fleet.life import context_of, leave_running, lose
from simulator.engine.serving.fleet.memory import give_memory
from simulator.engine.serving.fleet.outcome import FleetOutcome
from simulator.engine.serving.fleet.passes import call, rest
from simulator.engine.serving.fleet.renewal import RESIZED, renewed
from simulator.engine.serving.fleet.routing import ONE_QUEUE
from simulator.foundation.errors import InputError
from simulator.workload.requests import Requests

PLAIN_S: Final = 1.2e-4  # CPU seconds per request as plain Python (measured, docs/serving.md)
COMPILING_S: Final = 20.0  # CPU seconds to compile the kernels (measured there)
_BATCH: Final = 2_000_000  # events between two looks at the outside world

_call: Final = interpreted(call)
_rest: Final = interpreted(rest)


class FleetRun:
    """Requests being served by replicas; the instant ``now_s`` only grows.

    >>> # run = FleetRun(requests, [Replicas(engine=engine, count=8)], Rules(router="power-of-two"))
    >>> # run.finish()
    """

    def __init__(
        self,
        requests: Requests,
        pools: Sequence[Replicas],
        rules: Rules,
        *,
        seed: int = 0,
        expected: float = 0.0,
        compiled: bool | None = None,
    ) -> None:
        """Begin a run of these requests; of so many in all, where further ones will be brought (:meth:`renew`)."""
        self.pools, self.rules = tuple(pools), rules
        self.retired = 0  # settled requests that further ones took the place of
        self.more_to_come = False  # whether further requests will take the place of settled ones
        self.fleet = build_fleet(requests, pools, rules, seed=seed)
        if compiled is None:
            self._advance = suited(advance, PLAIN_S * max(expected, len(requests)), compiling_s=COMPILING_S)
        else:
            self._advance = advance if compiled else interpreted(advance)

    @property
    def now_s(self) -> float:
        """The instant of the last event."""
        return float(self.fleet.world[at.NOW]) / TICKS_PER_SECOND

    @property
    def one_queue(self) -> bool:
        """Whether all replicas take from one queue."""
        return bool(self.fleet.world[at.ROUTER] == ONE_QUEUE)

    @property
    def queued(self) -> int:
        """Requests in the one queue of all replicas; 0 where there is none."""
        return int(self.fleet.replicas[0, at.WAITING]) if self.one_queue else 0

    @property
    def settled(self) -> int:
        """Requests that have finished or were turned away for good."""
        return int(self.fleet.world[at.SETTLED])

    @property
    def done(self) -> bool:
        """Whether no request is left to settle."""
        return not self.more_to_come and self.settled == self.retired + len(self.fleet.times)

    def renew(self, further: Requests) -> npt.NDArray[np.int64]:
        """Let further requests take the place of the settled ones; return the rows that stay, in order.

        Afterwards the rows are those that stay, then the further ones; these arrive later than any request before them.
        """
        self.fleet, kept = renewed(self.fleet, further, self.rules)
        self.retired = self.settled - int((self.fleet.facts[:, at.OUTCOME] != at.PENDING).sum())
        return kept

    def result(self) -> FleetOutcome:
        """Return what the run shows so far."""
        return FleetOutcome(self.fleet)

    def advance(self, until_s: float, *, progress: Callable[[int], None] | None = None) -> None:
        """Run every event up to and at ``until_s``; ``progress`` is told now and then how many requests are settled."""
        self._run(to_ticks(until_s), progress)

    def finish(self, *, progress: Callable[[int], None] | None = None) -> None:
        """Run until nothing more happens; requests held for want of an open replica stay pending."""
        if not COMPILED and single.suits(self.fleet):
            single.finish(self.fleet)
        self._run(at.NEVER - 1, progress)

    def _run(self, until: int, progress: Callable[[int], None] | None) -> None:
        while self._advance(self.fleet, until, _BATCH):
            if progress is not None:
                progress(self.settled)
        if progress is not None:
            progress(self.settled)

    def open(self, replica: int, at_s: float) -> None:
        """Let the router use a replica from now on, and route what was held for want of one."""
        row = self.fleet.replicas[replica]
        if row[at.OPEN]:
            return
        row[at.OPEN] = 1
        if row[at.MODE] == at.DOWN:
            row[at.MODE] = at.IDLE
        self._list_open()
        world, now = self.fleet.world, to_ticks(at_s)
        if self.one_queue and row[at.MODE] == at.IDLE:
            _rest(self.fleet, replica)
            _call(self.fleet, now)
        while world[at.HELD] != at.NOBODY:
            k = int(world[at.HELD])
            world[at.HELD] = self.fleet.facts[k, at.FOLLOWING]
            arrive_later(self.fleet, k, now)

    def close(self, replica: int, at_s: float) -> None:
        """Stop routing to a replica; what it has, it finishes (draining)."""
        self.fleet.replicas[replica, at.OPEN] = 0
        self._list_open()
        if self.fleet.world[at.GATHERER] == replica:
            _rest(self.fleet, replica)
            _call(self.fleet, to_ticks(at_s))

    def fail(self, replica: int, at_s: float) -> None:
        """Lose a replica and its cache at once; its requests are routed again, their tokens so far as prompt."""
        f, row, now = self.fleet, self.fleet.replicas[replica], to_ticks(at_s)
        e = row[at.CLASS]
        self.close(replica, at_s)
        while row[at.RUNNING] > 0:
            place = int(row[at.RUNNING]) - 1
            k = int(f.batch[replica, place] % at.REQUESTS)
            f.facts[k, at.GENERATED] = context_of(f, replica, place) - f.facts[k, at.PROMPT] + 1
            leave_running(f, e, replica, place)
            lose(f, k, now)
        for k in self._waiting_or_computing(replica):
            lose(f, k, now)
        row[at.PARTIAL] = row[at.JOINING] = at.NOBODY
        row[at.USED] = row[at.CONTEXT] = 0
        if not self.one_queue:
            row[at.WAITING] = 0
            row[at.QUEUE_HEAD : at.QUEUE_HEAD + at.ENDS * at.MAX_CLASSES] = at.NOBODY
        row[at.LRU_HEAD : at.LRU_TAIL + at.TIERS] = at.NOBODY
        row[at.CACHED : at.CACHED + at.TIERS] = 0
        row[at.MODE] = at.DOWN
        self._empty_cache(replica)
        schedule(f, replica, at.NEVER)

    def _waiting_or_computing(self, replica: int) -> list[int]:
        f, row = self.fleet, self.fleet.replicas[replica]
        e = row[at.CLASS]
        found: list[int] = []
        computing = [int(row[at.PARTIAL])] if row[at.PARTIAL] != at.NOBODY else []
        k = int(row[at.JOINING]) if row[at.MODE] == at.PREFILL else at.NOBODY
        while k != at.NOBODY:
            computing.append(k)
            k = int(f.facts[k, at.FOLLOWING])
        for k in computing:
            give_memory(f, e, replica, k, f.facts[k, at.PROMPT] + f.facts[k, at.GENERATED])
        found.extend(computing)
        for c in range(0 if self.one_queue else at.MAX_CLASSES):
            k = int(row[at.QUEUE_HEAD + at.ENDS * c])
            while k != at.NOBODY:
                found.append(k)
                k = int(f.facts[k, at.FOLLOWING])
        return sorted(found)

    def _empty_cache(self, replica: int) -> None:
        size = self.fleet.slots.shape[1]
        self.fleet.slots[replica] = at.NOBODY
        self.fleet.slots[replica, :-1, at.AFTER], self.fleet.slots[replica, :, at.TIER] = np.arange(1, size), 0
        self.fleet.replicas[replica, at.FREE_SLOT] = 0
        self.fleet.table[replica] = at.NOBODY
        self.fleet.residue[replica] = 0

    def _list_open(self) -> None:
        f = self.fleet
        for pool in (0, 1):
            role = f.replicas[:, at.ROLE] == at.DECODE_ONLY
            names = np.flatnonzero((f.replicas[:, at.OPEN] == 1) & (role if pool else ~role))
            f.open_[pool, : len(names)] = names
            f.world[at.OPEN_COUNT + pool] = len(names)

    def save(
        self, path: str | Path, *, beside: str = "", further: Mapping[str, npt.NDArray[Any]] | None = None
    ) -> None:
        """Write the whole state, whole or not at all, with a text and arrays of the caller's; see :meth:`load`."""
        path = Path(path)
        part = path.with_name(f".{path.name}.part")
        arrays: dict[str, Any] = {"_beside": np.frombuffer(beside.encode(), np.uint8),
               "_counts": np.array([self.retired, self.more_to_come], np.int64)}  # fmt: skip
        arrays |= {f"_further_{name}": values for name, values in (further or {}).items()} | self.fleet._asdict()
        with part.open("wb") as stream:
            np.savez(stream, **arrays)
        part.replace(path)

    def load(
        self, path: str | Path, *, accept: Callable[[str], bool] = lambda beside: True
    ) -> tuple[str, dict[str, npt.NDArray[Any]]]:
        """Replace the state by a saved one of the same run, bit for bit; return the caller's text and arrays.

        Args:
            path: the file that :meth:`save` wrote.
            accept: judges the caller's text before anything is replaced.

        Raises:
            InputError: the file is not a saved run, one of another shape, or not accepted.
        """
        try:
            with np.load(path, allow_pickle=False) as saved:
                beside = bytes(saved["_beside"]).decode()
                found = {name: saved[name] for name in self.fleet._fields if name in saved}
                if not accept(beside) or not self._alike(found):
                    raise InputError(f"{path}: this is the saved state of another run; start anew without it.")
                further = {name.removeprefix("_further_"): saved[name] for name in saved if "_further_" in name}
                retired, more = saved["_counts"].tolist()
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            raise InputError(f"{path}: no saved state can be read; start anew without it.") from None
        self.fleet = at.Fleet(**found)
        self.retired, self.more_to_come = retired, bool(more)
        return beside, further

    def _alike(self, found: Mapping[str, npt.NDArray[Any]]) -> bool:
        """Whether arrays are those of a fleet like this one; rows of requests may be more or fewer."""
        for name, mine in self.fleet._asdict().items():
            other = found.get(name)
            if other is None or other.dtype != mine.dtype or other.ndim != mine.ndim:
                return False
            free = RESIZED.get(name)
            if any(a != b for axis, (a, b) in enumerate(zip(other.shape, mine.shape, strict=True)) if axis != free):
                return False
        return True


__all__ = ["FleetRun", "Replicas", "Rules"]
