"""The obvious twin of replicas that answer in one pass: lists, one look at every replica after every event."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

NEVER = 2**62


@dataclass(eq=False)
class Request:
    k: int
    arrival: int
    priority: int = 0
    successor: int = -1
    think: int = 0
    deadline: int = NEVER
    attempts: int = 0
    start: int = -1
    finish: int = -1
    outcome: int = 0


@dataclass
class Settings:
    occupied: list[int]  # by batch; the first is of none
    latency: list[int]
    delay: int
    replicas: int
    one_queue: bool
    max_waiting: int = NEVER
    max_inflight: int = NEVER
    timeout: int = NEVER
    retries: int = 0
    backoff: int = 0

    @property
    def largest(self) -> int:
        return len(self.latency) - 1


@dataclass
class Service:
    requests: list[Request]
    s: Settings
    queues: list[list[Request]] = field(default_factory=list)
    busy: list[int] = field(default_factory=list)
    batches: list[list[Request]] = field(default_factory=list)
    later: list[tuple[int, int]] = field(default_factory=list)
    inflight: int = 0
    turn: int = 0
    given: int = 0
    now: int = 0

    def run(self) -> None:
        s = self.s
        self.queues = [[] for _ in range(1 if s.one_queue else s.replicas)]
        self.busy, self.batches = [NEVER] * s.replicas, [[] for _ in range(s.replicas)]
        first = [q for q in self.requests if q.arrival < NEVER]
        while True:
            dues = [self.due(r) for r in range(s.replicas)]
            arrival = first[self.given].arrival if self.given < len(first) else NEVER
            later = min(self.later, default=(NEVER, -1))
            step = min(dues)
            self.now = max(self.now, min(arrival, later[0], step))
            if min(arrival, later[0], step) == NEVER:
                return
            if arrival <= min(later[0], step):
                self.given += 1
                self.arrive(first[self.given - 1])
            elif later[0] <= step:
                self.later.remove(later)
                self.arrive(self.requests[later[1]])
            else:
                self.look(dues.index(step))

    def queue(self, r: int) -> list[Request]:
        return self.queues[0 if self.s.one_queue else r]

    def due(self, r: int) -> int:
        """When something happens at a replica."""
        s, queue = self.s, self.queue(r)
        if self.busy[r] < NEVER:
            return self.busy[r]
        if not queue or (s.one_queue and any(other == NEVER for other in self.busy[:r])):
            return NEVER
        if len(queue) >= s.largest or (s.delay == NEVER and self.given_all() and not self.later):
            return self.now
        return max(self.now, min(NEVER, first_of(queue) + s.delay, queue[0].deadline + 1))

    def given_all(self) -> bool:
        return self.given == sum(q.arrival < NEVER and not self.follows(q) for q in self.requests)

    def follows(self, q: Request) -> bool:
        return any(other.successor == q.k for other in self.requests)

    def arrive(self, q: Request) -> None:
        s = self.s
        if q.arrival == NEVER:
            q.arrival = self.now
        if q.deadline == NEVER and s.timeout < NEVER:
            q.deadline = q.arrival + s.timeout
        if self.inflight >= s.max_inflight:
            self.refuse(q, 5)
            return
        if not s.one_queue:
            self.turn += 1
        r = 0 if s.one_queue else (self.turn - 1) % s.replicas
        queue = self.queue(r)
        if len(queue) >= s.max_waiting:
            self.drop(queue)
        if len(queue) >= s.max_waiting:
            self.refuse(q, 2)
            return
        self.inflight += 1
        place = sum(1 for other in queue if other.priority <= q.priority)
        queue.insert(place, q)

    def refuse(self, q: Request, outcome: int) -> None:
        if q.attempts < self.s.retries:
            self.later.append((self.now + (self.s.backoff << q.attempts), q.k))
            q.attempts += 1
        else:
            self.settle(q, self.now, outcome)

    def settle(self, q: Request, time: int, outcome: int) -> None:
        q.finish, q.outcome = time, outcome
        if q.successor >= 0:
            self.later.append((max(time + q.think, self.now), q.successor))

    def drop(self, queue: list[Request]) -> None:
        while queue and queue[0].deadline < self.now:
            q = queue.pop(0)
            self.inflight -= 1
            self.settle(q, q.deadline, 3)

    def look(self, r: int) -> None:
        """End the batch of a replica, and begin the next one if there is one to begin."""
        s, queue = self.s, self.queue(r)
        if self.busy[r] < NEVER:
            size = len(self.batches[r])
            for q in self.batches[r]:
                self.inflight -= 1
                self.settle(q, self.now + s.latency[size] - s.occupied[size], 1)
            self.busy[r], self.batches[r] = NEVER, []
        self.drop(queue)
        full = len(queue) >= s.largest or (s.delay == NEVER and self.given_all() and not self.later)
        if queue and (full or first_of(queue) + s.delay <= self.now):
            while queue and len(self.batches[r]) < s.largest:
                q = queue.pop(0)
                q.start = self.now
                self.batches[r].append(q)
                self.drop(queue)
            self.busy[r] = self.now + s.occupied[len(self.batches[r])]


def first_of(queue: list[Request]) -> int:
    """Return the earliest arrival among those at the front of each class."""
    fronts: dict[int, int] = {}
    for q in queue:
        fronts.setdefault(q.priority, q.arrival)
    return min(fronts.values())


def serve(requests: list[Request], **settings: Any) -> Service:
    """Serve by round robin, or from one queue; the requests carry the answers."""
    service = Service(requests, Settings(**settings))
    service.run()
    return service
