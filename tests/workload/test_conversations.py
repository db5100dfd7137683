"""Follow-up requests: closed loops and conversations."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.foundation.errors import InputError
from simulator.foundation.randomness import Streams
from simulator.workload.conversations import closed_loop, conversations
from simulator.workload.requests import Requests, merged


def test_in_a_closed_loop_each_request_but_a_users_last_has_one_successor() -> None:
    loop = closed_loop(4, 3, prompt=np.full(12, 9, np.int32), output=np.full(12, 5, np.int32), think_s=2.0)
    assert loop.given == 4
    assert loop.successor is not None
    assert sorted(loop.successor[loop.successor >= 0]) == list(range(4, 12))
    assert (loop.successor == -1).sum() == 4


def test_each_turn_of_a_conversation_repeats_what_was_said_before() -> None:
    question, answer = np.array([10, 20, 30, 40], np.int32), np.array([5, 6, 7, 8], np.int32)
    talk = conversations(np.array([0.0, 1.0]), turns=2, system_tokens=100, systems=1, question=question, answer=answer,
                         think_s=1.0, block_tokens=16, generator=Streams(0)["a"])  # fmt: skip
    assert talk.prompt.tolist() == [110, 120, 100 + 10 + 5 + 30, 100 + 20 + 6 + 40]


def test_conversations_share_the_system_prompt_and_turns_share_their_history() -> None:
    n = 3 * 4
    question, answer = np.full(n, 20, np.int32), np.full(n, 30, np.int32)
    talk = conversations(np.arange(3.0), turns=4, system_tokens=64, systems=1, question=question, answer=answer,
                         think_s=0.0, block_tokens=16, generator=Streams(0)["a"])  # fmt: skip
    assert talk.chains is not None
    chains = [
        set(talk.chains.blocks[a:b].tolist()) for a, b in zip(talk.chains.start, talk.chains.start[1:], strict=False)
    ]
    assert len(chains[0] & chains[1]) == 4
    assert chains[0] < chains[3]
    assert [len(chain) for chain in chains] == [p // 16 for p in talk.prompt]


def test_a_mix_keeps_every_request_in_order_of_time_under_its_name() -> None:
    parts = {
        name: Requests(arrival_s=np.array(times), prompt=np.full(2, 3, np.int32), output=np.full(2, 1, np.int32))
        for name, times in (("users", [0.0, 2.0]), ("attack", [1.0, 3.0]))
    }
    mix = merged(parts)
    assert mix.arrival_s.tolist() == [0, 1, 2, 3]
    assert mix.group is not None
    assert [mix.groups[i] for i in mix.group] == ["users", "attack", "users", "attack"]


def test_lengths_that_do_not_match_the_users_are_refused() -> None:
    with pytest.raises(InputError, match="4 users of 3 rounds make 12 requests"):
        closed_loop(4, 3, prompt=np.full(11, 9, np.int32), output=np.full(11, 5, np.int32))
