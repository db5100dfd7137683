"""Which model stands on which machines, exactly: several models with rates on several kinds of machine.

A *slot* is so many devices of one node that hold one replica, or several models that take turns. A slot that works
for a model all the time serves ``rate`` of its requests per second; the weights take ``weights`` of its memory and the
cache the rest. Models that share a slot have their weights there side by side, and each has the share of the time, and
of its cache, that it takes.

In an optimum few slots are shared: models and shared slots form a forest (a basic solution of the linear programme that
is left when the hosts are fixed), so for each kind and width one less than there are models is enough.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simulator.planner.integer_programme import Programme


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of machine: the price of a node, its devices, and how many nodes there are."""

    name: str
    price: float
    devices: int
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A model on a slot of ``width`` devices of a kind.

    Attributes:
        rate: requests per second of a slot that works for the model alone.
        weights: share of the slot's memory that the weights take, below 1.
    """

    model: str
    kind: str
    width: int
    rate: float
    weights: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedSlot:
    """A slot that several models share, and the share of its time of each."""

    kind: str
    width: int
    shares: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """What stands where: ``nodes`` by kind, whole ``replicas`` by option, shared slots, and the price of all nodes."""

    nodes: Mapping[str, int]
    replicas: tuple[tuple[Option, int], ...]
    shared: tuple[SharedSlot, ...]
    price: float
    proved: bool


def place_models(
    rates: Mapping[str, float],
    kinds: Sequence[Kind],
    options: Sequence[Option],
    *,
    share: bool,
) -> Pool | None:
    """Return the cheapest nodes and what stands on them so that every model's rate is served; None if nothing does.

    Of equals the one with the fewest slots. Widths of a kind divide each other and its devices, so that slots fill
    nodes without gaps.
    """
    problem = Programme()
    nodes = {kind.name: problem.variable(float(kind.most)) for kind in kinds}
    whole = {number: problem.variable() for number in range(len(options))}
    served: dict[str, dict[int, float]] = {model: {} for model in rates}
    taken: dict[str, dict[int, float]] = {kind.name: {} for kind in kinds}
    for number, option in enumerate(options):
        served[option.model][whole[number]] = option.rate
        taken[option.kind][whole[number]] = float(option.width)
    slots = _Shared(problem, options, most=len(rates) - 1 if share else 0, served=served, taken=taken)
    for model, rate in rates.items():
        if not served[model]:
            return None
        problem.keep(served[model], least=rate)
    for kind in kinds:
        problem.keep({**taken[kind.name], nodes[kind.name]: -float(kind.devices)}, most=0.0)
    cost = {nodes[kind.name]: kind.price for kind in kinds}
    found = problem.minimise([cost, dict.fromkeys([*whole.values(), *slots.used], 1.0)])
    if found is None:
        return None
    return Pool(
        nodes={name: found.whole(v) for name, v in nodes.items()},
        replicas=tuple((options[number], count) for number, v in whole.items() if (count := found.whole(v))),
        shared=tuple(
            SharedSlot(kind=kind, width=width, shares={model: float(found.values[turn])
                                                       for model, (there, turn) in turns.items() if found.whole(there)})
            for used, kind, width, turns in slots.all if found.whole(used)
        ),
        price=found.objectives[0],
        proved=found.proved,
    )  # fmt: skip


class _Shared:
    """Slots that several models may share: their variables and rows."""

    def __init__(
        self, problem: Programme, options: Sequence[Option], *, most: int, served: dict[str, dict[int, float]],
        taken: dict[str, dict[int, float]],
    ) -> None:  # fmt: skip
        self.all: list[tuple[int, str, int, dict[str, tuple[int, int]]]] = []  # used, kind, width, hosts
        for kind, width in dict.fromkeys((option.kind, option.width) for option in options):
            mine = [option for option in options if (option.kind, option.width) == (kind, width)]
            before: int | None = None
            for _ in range(most if len(mine) > 1 else 0):
                used = self._slot(problem, mine, served)
                taken[kind][used] = float(width)
                if before is not None:  # mirror images are left out
                    problem.keep({used: 1.0, before: -1.0}, most=0.0)
                before = used

    @property
    def used(self) -> list[int]:
        """Variables that are 1 where a slot is taken."""
        return [used for used, *_ in self.all]

    def _slot(self, problem: Programme, options: Sequence[Option], served: dict[str, dict[int, float]]) -> int:
        """Add a slot: of each model whether it is there, and its turn."""
        used, hosts = problem.variable(1.0), {}
        memory: dict[int, float] = {}
        for option in options:
            there, turn = problem.variable(1.0), problem.variable(1.0, whole=False)
            problem.keep({turn: 1.0, there: -1.0}, most=0.0)
            served[option.model][turn] = option.rate
            hosts[option.model] = there, turn
            memory |= {there: option.weights, turn: 1.0 - option.weights}
        problem.keep({**{turn: 1.0 for _, turn in hosts.values()}, used: -1.0}, most=0.0)
        problem.keep({**memory, used: -1.0}, most=0.0)
        self.all.append((used, options[0].kind, options[0].width, hosts))
        return used
