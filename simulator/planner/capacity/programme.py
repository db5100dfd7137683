"""Regions and ways to pay for demands that come and go, exactly: an integer programme.

A demand is a number of nodes in each period of the day. It runs in one region that its owner allows and its clients
reach in time, or is split over several: whole nodes in each, other ones from period to period. In a region nodes are
owned, reserved for a term, or rented by the hour, on demand or spot; what is committed to is there in every period.
Spot nodes may carry the part of a demand that can be interrupted, and are more by what is done again after they are
taken away.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from simulator.planner.integer_programme import Programme, Solved, total
from simulator.scenario.capacity import Way

Measure = Literal["cost", "carbon", "energy"]

#: stands between the regions of a demand that is split
AND: Final = " + "
#: ways that are paid for whether they work or not
COMMITTED: Final[tuple[Way, ...]] = ("owned", "reserved-3y", "reserved-1y")
#: ways that are paid for by the hour
HOURLY: Final[tuple[Way, ...]] = ("on-demand", "spot")
#: by how much a share of nodes may miss a whole number through rounding
_ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """How a demand may be split: over how many ``regions`` at most, and what ``share`` of it one of them may hold."""

    regions: int
    share: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Work that needs machines.

    Attributes:
        nodes: in each period.
        interruptible: the share of them that may stand on spot nodes.
        moved: USD over the horizon for what is moved to it where it stands, by region; a region that is missing is not
            allowed.
        sent: USD over the horizon for what it sends to clients if all of it stands there, by region; a part of it sends
            its share of the node-hours. Missing: nothing.
        split: None: it stands in one region.
    """

    name: str
    nodes: tuple[float, ...]
    interruptible: float
    moved: Mapping[str, float]
    sent: Mapping[str, float] = field(default_factory=dict)
    split: Split | None = None

    def most(self, period: int) -> int:
        """Return the most whole nodes of a split demand that one region may hold in a period."""
        assert self.split is not None, "asked of a demand that is split"
        return math.ceil(self.split.share * self.nodes[period] - _ROUNDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """What a node costs in one region, over the whole horizon.

    Attributes:
        committed: USD of a node by way, over the horizon.
        hourly: USD/s of a node by way, while it works.
        running: USD/s on top of what is owned, while it works (electricity).
        most: nodes there are of each way; missing: no end.
        again: nodes of spot that do the work of one that is never taken away.
        watts: of a node at work, building included.
        grams: CO2e/s of a node at work.
    """

    name: str
    committed: Mapping[Way, float]
    hourly: Mapping[Way, float]
    running: float = 0.0
    most: Mapping[Way, float] | None = None
    again: float = 1.0
    watts: float = 0.0
    grams: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What to take.

    Attributes:
        parts: nodes in each period by (demand, region), for the regions in which a demand stands.
        committed: nodes by (region, way).
        hourly: nodes by (region, way, period).
        usd, joules, grams: over the horizon.
    """

    parts: Mapping[tuple[str, str], tuple[float, ...]]
    committed: Mapping[tuple[str, Way], int]
    hourly: Mapping[tuple[str, Way, int], int]
    usd: float
    joules: float
    grams: float

    @property
    def regions(self) -> Mapping[str, str]:
        """Region of each demand; those of one that is split with :data:`AND` between."""
        found: dict[str, str] = {}
        for demand, region in self.parts:
            found[demand] = f"{found[demand]}{AND}{region}" if demand in found else region
        return found


def cheapest_capacity(
    demands: Sequence[Demand],
    regions: Sequence[Region],
    seconds: Sequence[float],
    *,
    measures: Sequence[Measure] = ("cost",),
    limits: Mapping[Measure, float] | None = None,
) -> Capacity | None:
    """Return what to take; None if some demand has no region with enough nodes, or a limit cannot be kept.

    Args:
        seconds: of each period, over the whole horizon.
        measures: what is minimised, one after another.
        limits: USD, joules or grams that may not be exceeded.
    """
    model = _Model(demands, regions, seconds)
    for measure, limit in (limits or {}).items():
        model.programme.keep(model.weights(measure), most=limit)
    found = model.programme.minimise([model.weights(measure) for measure in measures])
    return None if found is None else model.read(found)


class _Model:
    """The programme and the numbers of its variables."""

    def __init__(self, demands: Sequence[Demand], regions: Sequence[Region], seconds: Sequence[float]) -> None:
        self.demands, self.regions, self.seconds, self.programme = demands, regions, seconds, Programme()
        self.runs: dict[tuple[str, str], int] = {}  # (demand, region): 1 if it runs there
        self.fixed: dict[tuple[str, Way], int] = {}  # (region, way): nodes committed to
        self.rented: dict[tuple[str, Way, int], int] = {}  # (region, way, period): nodes by the hour
        self.busy: dict[tuple[str, int], int] = {}  # (region, period): owned nodes that work
        self.parts: dict[tuple[str, str, int], int] = {}  # (demand, region, period): nodes of a demand that is split
        for demand in demands:
            for region in regions:
                self.runs[demand.name, region.name] = self.programme.variable(float(region.name in demand.moved))
            mine = dict.fromkeys([self.runs[demand.name, region.name] for region in regions], 1.0)
            self.programme.keep(mine, least=1.0, most=float(1 if demand.split is None else demand.split.regions))
            if demand.split is not None:
                self._split(demand)
        for region in regions:
            self._add_region(region)

    def _split(self, demand: Demand) -> None:
        """Give a demand whole nodes in every region where it stands, enough of them together in each period."""
        for period, nodes in enumerate(demand.nodes):
            most, mine = float(demand.most(period)), []
            for region in self.regions:
                part = self.parts[demand.name, region.name, period] = self.programme.variable(most)
                self.programme.keep({part: 1.0, self.runs[demand.name, region.name]: -most}, most=0.0)
                mine.append(part)
            self.programme.keep(dict.fromkeys(mine, 1.0), least=nodes)

    def _nodes(self, demand: Demand, region: Region, period: int, weight: float) -> dict[int, float]:
        """Return a weight on each node of a demand in a region and period, as weights of variables."""
        if demand.split is not None:
            return {self.parts[demand.name, region.name, period]: weight}
        return {self.runs[demand.name, region.name]: weight * demand.nodes[period]}

    def _add_region(self, region: Region) -> None:
        problem, most = self.programme, region.most or {}
        for way in region.committed:
            self.fixed[region.name, way] = problem.variable(most.get(way, math.inf))
        for period in range(len(self.seconds)):
            for way in region.hourly:
                self.rented[region.name, way, period] = problem.variable(most.get(way, math.inf))
            if "owned" in region.committed:
                busy = self.busy[region.name, period] = problem.variable(whole=False)
                problem.keep({busy: 1.0, self.fixed[region.name, "owned"]: -1.0}, most=0.0)
            self._cover(region, period)

    def _cover(self, region: Region, period: int) -> None:
        """Give every demand that runs here its nodes, and spot ones only to what can be interrupted."""
        have = {self.fixed[region.name, way]: 1.0 for way in region.committed if way != "owned"}
        have |= {self.rented[region.name, way, period]: self._work(region, way) for way in region.hourly}
        if (region.name, period) in self.busy:
            have[self.busy[region.name, period]] = 1.0
        asked = _sum(self._nodes(one, region, period, -1.0) for one in self.demands)
        self.programme.keep({**have, **asked}, least=0.0)
        if "spot" in region.hourly:
            soft = _sum(self._nodes(one, region, period, -one.interruptible) for one in self.demands)
            spot = self.rented[region.name, "spot", period]
            self.programme.keep({spot: self._work(region, "spot"), **soft}, most=0.0)

    @staticmethod
    def _work(region: Region, way: Way) -> float:
        return 1.0 / region.again if way == "spot" else 1.0

    def weights(self, measure: Measure) -> dict[int, float]:
        """Return a measure over the horizon as weights of variables."""
        found: dict[int, float] = {}
        for region in self.regions:
            for period, seconds in enumerate(self.seconds):
                each = seconds * {"cost": 0.0, "energy": region.watts, "carbon": region.grams}[measure]
                found = _sum([found, *(self._nodes(one, region, period, each) for one in self.demands)])
                if "spot" in region.hourly:  # what is done again takes energy too
                    found[self.rented[region.name, "spot", period]] = each * (1.0 - self._work(region, "spot"))
        if measure != "cost":
            return found
        for demand in self.demands:
            found |= {self.runs[demand.name, one.name]: demand.moved.get(one.name, 0.0) for one in self.regions}
            found = _sum([found, *self._sent(demand)])
        for region in self.regions:
            found |= {self.fixed[region.name, way]: usd for way, usd in region.committed.items()}
            for period, seconds in enumerate(self.seconds):
                for way, rate in region.hourly.items():
                    found[self.rented[region.name, way, period]] = rate * seconds
                if (region.name, period) in self.busy:
                    found[self.busy[region.name, period]] = region.running * seconds
        return found

    def _sent(self, demand: Demand) -> Iterator[dict[int, float]]:
        """Yield what a demand sends to clients, each region in the proportion of its node-hours."""
        work = sum(nodes * time for nodes, time in zip(demand.nodes, self.seconds, strict=True))
        for region in self.regions if work > 0.0 else ():
            usd = demand.sent.get(region.name, 0.0)
            for period, seconds in enumerate(self.seconds):
                yield self._nodes(demand, region, period, usd * seconds / work)

    def read(self, found: Solved) -> Capacity:
        """Return what the variables say."""
        return Capacity(
            parts=dict(self._stood(found)),
            committed={key: count for key, v in self.fixed.items() if (count := found.whole(v))},
            hourly={key: count for key, v in self.rented.items() if (count := found.whole(v))},
            usd=total(self.weights("cost"), found.values),
            joules=total(self.weights("energy"), found.values),
            grams=total(self.weights("carbon"), found.values),
        )

    def _stood(self, found: Solved) -> Iterator[tuple[tuple[str, str], tuple[float, ...]]]:
        """Yield demand and region with its nodes there in each period, where there are any."""
        for demand in self.demands:
            for region in self.regions:
                if not found.whole(self.runs[demand.name, region.name]):
                    continue
                nodes = demand.nodes if demand.split is None else tuple(
                    float(found.whole(self.parts[demand.name, region.name, period]))
                    for period in range(len(self.seconds))
                )  # fmt: skip
                if demand.split is None or any(nodes) or not any(demand.nodes):
                    yield (demand.name, region.name), nodes


def _sum(parts: Iterable[Mapping[int, float]]) -> dict[int, float]:
    """Return the sum of weights."""
    found: dict[int, float] = {}
    for part in parts:
        for variable, weight in part.items():
            found[variable] = found.get(variable, 0.0) + weight
    return found
