from __future__ import annotations

import pytest

from simulator.foundation.errors import UnknownName
from simulator.foundation.registry import Registry


def greetings() -> Registry[str]:
    registry: Registry[str] = Registry("greeting")
    registry.add("plain", "hello")
    registry.add("formal", "good day")
    return registry


def test_names_come_in_sorted_order_whatever_the_order_of_arrival() -> None:
    assert list(greetings()) == ["formal", "plain"]
    assert list(greetings().values()) == ["good day", "hello"]


def test_an_unknown_name_is_the_users_fault_and_gets_near_names() -> None:
    with pytest.raises(UnknownName, match=r"no greeting 'plane'. Did you mean 'plain'"):
        _ = greetings()["plane"]


def test_two_things_under_one_name_are_our_own_fault() -> None:
    with pytest.raises(AssertionError, match="two greetings are named 'plain'"):
        greetings().add("plain", "hi")


def test_a_decorator_adds_what_it_decorates_and_returns_it() -> None:
    registry: Registry[object] = Registry("function")

    @registry.register("answer")
    def answer() -> int:
        return 42

    assert registry["answer"] is answer
    assert "answer" in registry
    assert len(registry) == 1
