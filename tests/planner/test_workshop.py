"""The workshop: whoever does the runs and in whatever order, a search is told the same."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from simulator.planner.workshop import Answer, Run, Workshop


class Memory:
    """Keeps answers in a dictionary, and counts the runs that were done."""

    def __init__(self) -> None:
        self.kept: dict[str, Answer] = {}
        self.done: list[int] = []

    def get(self, key: str) -> Answer | None:
        return self.kept.get(key)

    def put(self, key: str, answer: Answer) -> None:
        self.kept[key] = answer

    def run(self, number: int) -> Run:
        return Run(kind="square", known_by={"number": number}, do=self._square, arguments=(number,))

    def _square(self, number: int) -> Answer:
        self.done.append(number)
        return {"square": number**2}


def shuffled(seed: int) -> Callable[..., Iterator[tuple[int, Answer]]]:
    """Return a spread that is done in an order of its own."""

    def spread(calls: Sequence[tuple[Callable[..., Answer], tuple[Any, ...]]]) -> Iterator[tuple[int, Answer]]:
        order = list(range(len(calls)))
        random.Random(seed).shuffle(order)
        for number in order:
            do, arguments = calls[number]
            yield number, do(*arguments)

    return spread


@given(st.lists(st.integers(0, 9), max_size=12), st.integers(0, 2**16), st.integers(1, 4))
def test_answers_come_in_the_order_of_the_runs_and_none_is_done_twice(
    numbers: list[int], seed: int, width: int
) -> None:
    memory = Memory()
    shop = Workshop(keeper=memory, spread=shuffled(seed), width=width)
    for place in range(len(numbers)):
        shop.ahead(memory.run(number) for number in numbers[place:])
    assert [one["square"] for one in shop.all([memory.run(number) for number in numbers])] == [n**2 for n in numbers]
    assert sorted(memory.done) == sorted(set(numbers))
    again = Workshop(keeper=memory)
    assert [again.one(memory.run(number))["square"] for number in numbers] == [n**2 for n in numbers]
    assert len(memory.done) == len(set(numbers))


def test_no_more_is_done_ahead_than_there_are_workers() -> None:
    memory = Memory()
    Workshop(spread=shuffled(1), width=3).ahead(memory.run(number) for number in range(10))
    assert sorted(memory.done) == [0, 1, 2]
    memory.done.clear()
    Workshop(spread=shuffled(1), width=1).ahead(memory.run(number) for number in range(10))
    assert memory.done == []


def test_runs_are_told_apart_by_kind_and_by_what_describes_them() -> None:
    one = Memory().run(1)
    assert one.key != Memory().run(2).key
    assert one.key != Run(kind="cube", known_by={"number": 1}, do=one.do, arguments=one.arguments).key
