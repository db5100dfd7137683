"""Models on machines held against trying every number of nodes, every slot and every set of models on it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, combinations_with_replacement, product

import numpy as np
import pytest

from simulator.planner.placing.models import Kind, Option, Pool, place_models

Hosts = list[tuple[Option, ...]]


def _problem(seed: int, *, share: bool) -> tuple[dict[str, float], list[Kind], list[Option]]:
    draw = np.random.default_rng(seed)
    models = ["a", "b", "c"][: int(draw.integers(1, 4 if not share else 3))]
    kinds = [Kind(name=name, price=float(draw.integers(2, 12)), devices=int(draw.choice([1, 2])),
                  most=int(draw.integers(0, 3)))
             for name in ["x", "y"][: int(draw.integers(1, 3))]]  # fmt: skip
    options = []
    for model, kind in product(models, kinds):
        for width in [1, 2][: kind.devices]:
            if draw.random() < 0.8:
                options.append(Option(model=model, kind=kind.name, width=width, rate=width * float(draw.uniform(1, 5)),
                                      weights=float(draw.uniform(0.1, 0.8)) / width))  # fmt: skip
    return {model: float(draw.uniform(0.3, 5.0)) for model in models}, kinds, options


def _slots(kind: Kind, nodes: int) -> Iterator[tuple[int, ...]]:
    """Yield every way to cut so many nodes into slots of one and two devices, as widths."""
    for pairs in range(nodes * (kind.devices // 2) + 1):
        yield (2,) * pairs + (1,) * (nodes * kind.devices - 2 * pairs)


def _hostings(options: list[Option], kind: Kind, widths: tuple[int, ...], *, share: bool) -> Iterator[Hosts]:
    """Yield every choice of models for every slot, an empty slot too, each choice once for slots alike."""
    by_width = []
    for width in sorted(set(widths)):
        mine = [one for one in options if (one.kind, one.width) == (kind.name, width)]
        largest = len(mine) if share else min(1, len(mine))
        sets = [chosen for size in range(largest + 1) for chosen in combinations(mine, size)
                if sum(one.weights for one in chosen) <= 1.0]  # fmt: skip
        by_width.append(list(combinations_with_replacement(sets, widths.count(width))))
    for chosen in product(*by_width):
        yield [hosts for group in chosen for hosts in group]


def _serves(rates: dict[str, float], slots: Hosts) -> bool:
    """Return whether the slots serve the rates: by counting where none is shared, else by a linear programme."""
    if all(len(hosts) < 2 for hosts in slots):
        have = {model: sum(hosts[0].rate for hosts in slots if hosts and hosts[0].model == model) for model in rates}
        return all(have[model] >= rate - 1e-9 for model, rate in rates.items())
    from scipy.optimize import linprog

    turns = [(number, option) for number, hosts in enumerate(slots) for option in hosts]
    rows, bounds = [], []
    for number, hosts in enumerate(slots):
        mine = [one is number for one, _ in turns]
        rows += [[1.0 * held for held in mine],
                 [(1.0 - option.weights) * held for held, (_, option) in zip(mine, turns, strict=True)]]  # fmt: skip
        bounds += [1.0, 1.0 - sum(option.weights for option in hosts)]
    for model, rate in rates.items():
        rows.append([-option.rate * (option.model == model) for _, option in turns])
        bounds.append(-rate)
    return bool(linprog(np.zeros(len(turns)), A_ub=rows, b_ub=np.array(bounds) + 1e-9).status == 0)


def _brute_force(rates: dict[str, float], kinds: list[Kind], options: list[Option], *, share: bool) -> float | None:
    price = lambda nodes: sum(kind.price * count for kind, count in zip(kinds, nodes, strict=True))
    for nodes in sorted(product(*(range(kind.most + 1) for kind in kinds)), key=price):
        ways = [[hosting for widths in _slots(kind, count) for hosting in _hostings(options, kind, widths, share=share)]
                for kind, count in zip(kinds, nodes, strict=True)]  # fmt: skip
        if any(_serves(rates, [hosts for part in parts for hosts in part]) for parts in product(*ways)):
            return price(nodes)
    return None


def _checked(found: Pool, rates: dict[str, float], kinds: list[Kind], options: list[Option]) -> None:
    by_key = {(one.model, one.kind, one.width): one for one in options}
    served = dict.fromkeys(rates, 0.0)
    devices = dict.fromkeys([kind.name for kind in kinds], 0)
    for option, count in found.replicas:
        served[option.model] += count * option.rate
        devices[option.kind] += count * option.width
    for slot in found.shared:
        assert sum(slot.shares.values()) <= 1.0 + 1e-6
        mine = {model: by_key[model, slot.kind, slot.width] for model in slot.shares}
        held = sum(one.weights + (1.0 - one.weights) * slot.shares[model] for model, one in mine.items())
        assert held <= 1.0 + 1e-6
        devices[slot.kind] += slot.width
        for model, one in mine.items():
            served[model] += slot.shares[model] * one.rate
    assert all(served[model] >= rate - 1e-6 for model, rate in rates.items())
    assert all(devices[kind.name] <= kind.devices * found.nodes[kind.name] for kind in kinds)


@pytest.mark.parametrize(("start", "share"), [(0, False), (100, False), (1000, True), (1100, True)])
def test_nothing_is_cheaper_by_trying_every_slot_and_every_set_of_models(start: int, share: bool) -> None:
    answered = 0
    for seed in range(start, start + 100):
        rates, kinds, options = _problem(seed, share=share)
        best = _brute_force(rates, kinds, options, share=share)
        found = place_models(rates, kinds, options, share=share)
        assert (found is None) == (best is None), seed
        if found is not None:
            answered += 1
            assert found.price == pytest.approx(best), seed
            _checked(found, rates, kinds, options)
    assert answered >= 25


def test_sharing_never_costs_more_and_saves_where_models_are_small_and_rare() -> None:
    kinds = [Kind(name="x", price=5.0, devices=1, most=9)]
    options = [Option(model=model, kind="x", width=1, rate=10.0, weights=0.2) for model in "abcd"]
    rates = dict.fromkeys("abcd", 1.5)
    alone, together = (place_models(rates, kinds, options, share=share) for share in (False, True))
    assert alone is not None
    assert together is not None
    assert (alone.price, together.price) == (20.0, 10.0)  # weights of four and their caches need more than one device
