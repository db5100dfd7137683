"""Folded Clos networks: levels of switches, each domain of a level joined to the next by a bundle of uplinks.

One crossbar, PCIe trees, leaf-spine, rails and fat-trees are all this, with other numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from simulator.topology.wiring import Ends, Hop, Level, LinkClass, Vertex, Wiring, backwards


class Stage(NamedTuple):
    """One level of switches.

    Attributes:
        name: of the level: ``leaf``, ``spine``, ``core``...
        fan: children of one domain: ends at the first level, domains of the level below elsewhere.
        switches: switches of one domain.
        oversubscription: capacity into a domain over capacity out of it upward (no meaning at the top).
    """

    name: str
    fan: int
    switches: int
    oversubscription: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Clos(Wiring):
    """Ends under levels of switches; the top level is one domain.

    Switches of the first level stand for rails (planes): port ``p`` of an end goes to the plane that its number gives.
    From the first level to the second every switch meets every switch above; higher up they are striped, so that the
    switches above switch ``j`` are its own, as in a k-ary fat-tree (Al-Fares et al. 2008, doi:10.1145/1402958.1402967).
    Where ports do not divide evenly, uplinks run a little below the rate of a port so that the asked ratio holds.
    """

    shape: str
    ends: Ends
    stages: tuple[Stage, ...]

    def span(self, stage: int) -> int:
        """Return the ends under one full domain."""
        return math.prod(level.fan for level in self.stages[: stage + 1])

    def domains(self, stage: int) -> int:
        """Return the number of domains of a level."""
        return -(-self.ends.count // self.span(stage))

    def uplink(self, stage: int) -> float:
        """Return bytes/s per direction from one domain to the level above."""
        ratio = math.prod(level.oversubscription for level in self.stages[: stage + 1])
        return self.span(stage) * self.ends.fastest / ratio

    def levels(self, bandwidth: float | None = None) -> tuple[Level, ...]:
        share = port = self.ends.bandwidth if bandwidth is None else bandwidth
        found = []
        for stage, level in enumerate(self.stages):
            latency = 2 * self.ends.latency + (2 * stage + 1) * self.ends.switch_latency
            found.append(Level(level.name, min(self.span(stage), self.ends.count), share, port, latency))
            port = min(port, self.uplink(stage))
            share = min(share, self.uplink(stage) / self.span(stage))
        return tuple(found)

    def bisection(self) -> float:
        if self.ends.count < 2:
            return self.ends.bandwidth
        return min(self._severed(self.ends.count // 2, len(self.stages) - 2), self.ends.slowest_half())

    def _severed(self, count: int, stage: int) -> float:
        """Return the least capacity to cut so that ``count`` ends part from the rest, by whole domains where cheaper.

        A larger domain never costs more per end than smaller ones (oversubscription is at least 1), so that only the
        nearest whole numbers of domains can be best; the last domain may be smaller and is tried both ways.
        """
        if stage < 0:
            return count * self.ends.fastest
        span, cost = self.span(stage), self.uplink(stage)
        full, rest = divmod(self.ends.count, span)
        best = math.inf
        for with_rest in (0, 1) if rest else (0,):
            left = count - with_rest * rest
            for taken in sorted({min(max(left // span + more, 0), full) for more in (0, 1)}):
                price = (taken + with_rest) * cost + self._severed(abs(left - taken * span), stage - 1)
                best = min(best, price)
        return best

    def switches(self) -> dict[str, int]:
        return {level.name: self.domains(stage) * level.switches for stage, level in enumerate(self.stages)}

    def _bundle(self, stage: int) -> int:
        """Return the number of links between a domain of ``stage`` and the one above."""
        below, above = self.stages[stage].switches, self.stages[stage + 1].switches
        return above if self._striped(stage) else below * above

    def _striped(self, stage: int) -> bool:
        return stage > 0 and self.stages[stage + 1].switches % self.stages[stage].switches == 0

    def _end_latency(self) -> float:
        return self.ends.latency + self.ends.switch_latency / 2

    def link_classes(self) -> tuple[LinkClass, ...]:
        first = self.stages[0].name
        found = [
            LinkClass(f"end-{first}", run.count * run.ports, run.bandwidth / run.ports, self._end_latency())
            for run in self.ends.runs
        ]
        for stage, (level, above) in enumerate(zip(self.stages, self.stages[1:], strict=False)):
            bundle = self._bundle(stage)
            found.append(
                LinkClass(
                    f"{level.name}-{above.name}",
                    self.domains(stage) * bundle,
                    self.uplink(stage) / bundle,
                    self.ends.switch_latency,
                )
            )
        return tuple(found)

    def links(self) -> Iterator[Hop]:
        end = 0
        for run in self.ends.runs:
            for _ in range(run.count):
                for port in range(run.ports):
                    yield self._attachment(Vertex("end", end, port))
                end += 1
        for stage in range(len(self.stages) - 1):
            for domain in range(self.domains(stage)):
                for above in range(self.stages[stage + 1].switches):
                    for below in self._below(stage, above):
                        yield self._up(stage, domain, below, above)

    def _below(self, stage: int, above: int) -> range:
        """Return the switches of one domain that switch ``above`` of the next level meets."""
        if not self._striped(stage):
            return range(self.stages[stage].switches)
        one = above // (self.stages[stage + 1].switches // self.stages[stage].switches)
        return range(one, one + 1)

    def _attachment(self, end: Vertex) -> Hop:
        run = self.ends.of(end.domain)
        leaf = Vertex(self.stages[0].name, end.domain // self.span(0), self.plane(end))
        return Hop(end, leaf, run.bandwidth / run.ports, self._end_latency())

    def _up(self, stage: int, domain: int, below: int, above: int) -> Hop:
        level, upper = self.stages[stage], self.stages[stage + 1]
        return Hop(
            Vertex(level.name, domain, below),
            Vertex(upper.name, domain // upper.fan, above),
            self.uplink(stage) / self._bundle(stage),
            self.ends.switch_latency,
        )

    def plane(self, port: Vertex) -> int:
        """Return the first-level switch of a port: neighbouring ports share one where there are fewer planes."""
        planes, ports = self.stages[0].switches, self.ends.of(port.domain).ports
        return port.number * planes // ports if ports >= planes else (port.domain + port.number) % planes

    def meeting(self, source: Vertex, target: Vertex) -> int:
        """Return the lowest level at which the paths up from two ports meet."""
        for stage in range(len(self.stages)):
            same_domain = source.domain // self.span(stage) == target.domain // self.span(stage)
            if same_domain and (stage > 0 or self.plane(source) == self.plane(target)):
                return stage
        raise AssertionError("rails without a spine do not meet")

    def paths(self, source: Vertex, target: Vertex) -> int:
        stage = self.meeting(source, target)
        return self.stages[stage].switches if stage else 1

    def route(self, source: Vertex, target: Vertex, pick: int) -> tuple[Hop, ...]:
        top = self.meeting(source, target)
        summit = self.plane(source) if top == 0 else pick % self.stages[top].switches
        return self._climb(source, top, summit) + backwards(self._climb(target, top, summit))

    def _climb(self, end: Vertex, top: int, summit: int) -> tuple[Hop, ...]:
        """Return the path from a port to switch ``summit`` of its domain at level ``top``."""
        hops, above = [], summit
        for stage in range(top - 1, -1, -1):
            below = self.plane(end) if stage == 0 else self._below(stage, above)[0]
            hops.append(self._up(stage, end.domain // self.span(stage), below, above))
            above = below
        return (self._attachment(end), *reversed(hops))

    def way_out(self, source: Vertex, pick: int) -> tuple[Hop, ...]:
        top = len(self.stages) - 1
        return self._climb(source, top, self.plane(source) if top == 0 else pick % self.stages[top].switches)

    def gates(self) -> tuple[Vertex, ...]:
        top = self.stages[-1]
        return tuple(Vertex(top.name, 0, switch) for switch in range(top.switches))

    def joins_planes(self) -> bool:
        return len(self.stages) > 1 or self.stages[0].switches == 1
