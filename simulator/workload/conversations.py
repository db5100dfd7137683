"""Requests that depend on others: users who wait and think, and conversations that repeat their history as prompt."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from simulator.foundation.errors import InputError
from simulator.workload.requests import Chains, Requests

Shorts = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]


def closed_loop(
    users: int, rounds: int, *, prompt: Shorts, output: Shorts, think_s: Floats | float = 0.0, ramp_s: float = 0.0
) -> Requests:
    """Return ``users * rounds`` requests: each user sends the next one ``think_s`` after the end of the last.

    Args:
        users: requests in flight, at most.
        rounds: requests of each user.
        prompt: tokens of request ``round * users + user``.
        output: the same for outputs.
        think_s: one pause, or one per request.
        ramp_s: users start evenly over this time.
    """
    if users < 1 or rounds < 1:
        raise InputError(f"a closed loop needs at least one user and one round; found {users} and {rounds}.")
    n = users * rounds
    if len(prompt) != n or len(output) != n:
        raise InputError(f"{users} users of {rounds} rounds make {n} requests; {len(prompt)} lengths were given.")
    arrival = np.full(n, np.inf)
    arrival[:users] = np.arange(users) * (ramp_s / users)
    successor = np.arange(n, dtype=np.int32) + users
    successor[-users:] = -1
    return Requests(
        arrival_s=arrival,
        prompt=prompt,
        output=output,
        session=np.tile(np.arange(users, dtype=np.int32), rounds),
        successor=successor,
        think_s=np.broadcast_to(np.asarray(think_s, np.float64), n).copy(),
    )


def conversations(
    start_s: Floats,
    *,
    turns: int,
    system_tokens: int,
    systems: int,
    question: Shorts,
    answer: Shorts,
    think_s: Floats | float,
    block_tokens: int,
    generator: np.random.Generator,
) -> Requests:
    """Return conversations of ``turns`` requests each; every prompt is a system prompt and all said so far.

    The first ``system_tokens`` are shared by all conversations with the same one of ``systems`` prompts, the rest by
    the turns of one conversation: that is what a prefix cache can find.

    Args:
        start_s: first arrival of each conversation, in order.
        turns: requests of each conversation.
        system_tokens: length of the shared beginning.
        systems: different shared beginnings.
        question: new prompt tokens of turn ``turn * conversations + conversation``.
        answer: output tokens of the same.
        think_s: one pause between turns, or one per request.
        block_tokens: size of the blocks in which prefixes are shared.
        generator: draws which system prompt each conversation has.
    """
    count = len(start_s)
    n = count * turns
    if turns < 1 or systems < 1 or len(question) != n or len(answer) != n:
        raise InputError(
            f"{count} conversations of {turns} turns make {n} requests; {len(question)} lengths were given."
        )
    history = system_tokens + np.cumsum(question.reshape(turns, count), axis=0, dtype=np.int64)
    history[1:] += np.cumsum(answer.reshape(turns, count), axis=0, dtype=np.int64)[:-1]
    prompt = history.reshape(-1).astype(np.int32)
    arrival = np.full(n, np.inf)
    arrival[:count] = start_s
    successor = np.arange(n, dtype=np.int32) + count
    successor[-count:] = -1
    whose = np.tile(np.arange(count, dtype=np.int32), turns)
    return Requests(
        arrival_s=arrival,
        prompt=prompt,
        output=answer.astype(np.int32),
        session=whose,
        successor=successor,
        think_s=np.broadcast_to(np.asarray(think_s, np.float64), n).copy(),
        chains=_chains(
            prompt, whose, generator.integers(0, systems, count), system_tokens, systems, block_tokens, count
        ),
    )


def _chains(
    prompt: Shorts,
    whose: Shorts,
    system: npt.NDArray[np.int64],
    system_tokens: int,
    systems: int,
    block_tokens: int,
    count: int,
) -> Chains:
    """Number the full blocks of every prompt: those inside the system prompt by it, the others by the conversation."""
    shared = system_tokens // block_tokens
    blocks = prompt // block_tokens
    start = np.concatenate([[0], np.cumsum(blocks, dtype=np.int64)])
    place = np.arange(start[-1]) - np.repeat(start[:-1], blocks)
    owner = np.repeat(whose, blocks)
    longest = int(blocks.max(initial=0)) + 1
    if systems * shared + count * longest >= 2**31:
        raise InputError(f"{count} conversations of up to {longest} blocks are too many to number; use larger blocks.")
    own = systems * shared + owner.astype(np.int64) * longest + place
    numbers = np.where(place < shared, system[owner] * shared + place, own)
    return Chains(start=start, blocks=numbers.astype(np.int32), block_tokens=block_tokens)
