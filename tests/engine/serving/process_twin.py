"""One replica as SimPy processes: a source, and a server that sleeps from one change of its batch to the next.

As one would write it with a general event engine: whole reservations, prompts first, one queue. It gives the kernel's
ticks and shows what such an engine costs.
"""

from __future__ import annotations

from collections.abc import Generator
from heapq import heappop, heappush
from typing import Any

import simpy

from simulator.engine.serving.stepping import span, steps_until
from tests.engine.serving.slow_twin import Request, Settings

Process = Generator[simpy.Event, Any, None]


def serve(requests: list[Request], settings: Settings) -> None:
    """Serve requests that all fit the cache; their instants are written into them."""
    replica = Replica(requests, settings)
    replica.clock.process(replica.source())
    replica.clock.process(replica.server())
    replica.clock.run()


class Replica:
    """The two processes and what they share."""

    def __init__(self, requests: list[Request], settings: Settings) -> None:
        self.clock = simpy.Environment()
        self.requests, self.s = requests, settings
        self.blocks = [-(-(q.prompt + q.output) // settings.block_size) for q in requests]
        self.running: list[tuple[int, int]] = []  # (last iteration, request)
        self.arrived = self.head = self.context = self.iteration = self.used = 0
        self.idle: simpy.Event | None = None  # set while the server waits for somebody

    def source(self) -> Process:
        """Wake the server at each arrival."""
        for request in self.requests:
            if request.arrival > self.clock.now:
                yield self.clock.timeout(request.arrival - self.clock.now)
            if self.idle is not None:
                self.idle.succeed()
                self.idle = None

    def server(self) -> Process:
        """Compute prompts while any can be admitted, then decode until the batch changes."""
        n = len(self.requests)
        while self.head < n or self.running:
            while self.arrived < n and self.requests[self.arrived].arrival <= self.clock.now:
                self.arrived += 1
            begin = self.head
            step = self.admit()
            if step:
                yield self.clock.timeout(step)
                self.begin_decoding(begin)
            elif self.running:
                steps, ticks = self.until_the_batch_changes()
                yield self.clock.timeout(ticks)
                self.decode(steps)
            else:
                self.idle = self.clock.event()
                yield self.idle

    def admit(self) -> int:
        """Admit whom tokens, sequences and memory allow; return the ticks of their prompts, 0 if there are none."""
        s, tokens, pairs, sequences = self.s, 0, 0, len(self.running)
        while self.head < self.arrived and sequences < s.max_seqs and tokens < s.budget:
            request, blocks = self.requests[self.head], self.blocks[self.head]
            if self.used + blocks > s.blocks or (tokens and request.prompt > s.budget - tokens):
                break
            request.scheduled = self.clock.now
            self.used += blocks
            tokens, pairs, sequences = tokens + request.prompt, pairs + request.prompt**2, sequences + 1
            self.head += 1
        if not tokens:
            return 0
        return max(s.host + s.host_seq + s.host_prompt, s.dense(tokens) + s.prefill_fixed + pairs * s.per_pair)

    def begin_decoding(self, begin: int) -> None:
        """Give those whose prompts are computed their first token."""
        for k in range(begin, self.head):
            request = self.requests[k]
            request.first = self.clock.now
            if request.output == 1:
                self.end(k)
            else:
                heappush(self.running, (self.iteration + request.output - 1, k))
                self.context += request.prompt

    def until_the_batch_changes(self) -> tuple[int, int]:
        """Return the iterations until a request ends or can be admitted, and their ticks."""
        s, running = self.s, len(self.running)
        first = s.decode(running) + s.per_context * (self.context + running)
        grow, floor = s.per_context * running, s.host + s.host_seq * running
        steps = self.running[0][0] - self.iteration
        if self.head == self.arrived < len(self.requests) and running < s.max_seqs:
            steps = min(steps, steps_until(self.requests[self.head].arrival - self.clock.now, first, grow, floor))
        return steps, span(steps, first, grow, floor)

    def decode(self, steps: int) -> None:
        """Give every running request its tokens, and let those that are complete go."""
        self.iteration += steps
        self.context += len(self.running) * steps
        while self.running and self.running[0][0] == self.iteration:
            k = heappop(self.running)[1]
            self.context -= self.requests[k].prompt + self.requests[k].output - 1
            self.end(k)

    def end(self, k: int) -> None:
        """Let a request go, with its memory."""
        self.requests[k].finish = self.clock.now
        self.used -= self.blocks[k]
