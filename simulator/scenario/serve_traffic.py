"""``traffic:`` of a service: who asks, how often, how long; drawn or read from a trace."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from simulator.foundation.errors import InputError
from simulator.foundation.randomness import Streams
from simulator.foundation.schema import Count, Name, PositiveSeconds, Seconds, StrictModel, quantity
from simulator.scenario.kinds import Context
from simulator.scenario.paths import file_beside
from simulator.workload.arrivals import arrival_processes, arrivals, refuse_too_many
from simulator.workload.client_traces import client_stream
from simulator.workload.conversations import closed_loop, conversations
from simulator.workload.lengths import length_laws, lengths
from simulator.workload.request_stream import RequestStream
from simulator.workload.request_traces import read_trace
from simulator.workload.requests import Requests, merged
from simulator.workload.superposition import superposed

_Rate: Any = quantity("rate", above=True)
_Tokens = Annotated[float, Field(ge=1, le=2**24, strict=False)]


class LengthFile(StrictModel):
    """Token counts of one kind: a law and its mean."""

    mean: _Tokens
    law: str = "lognormal"
    cv: Annotated[float, Field(gt=0, le=10, strict=False)] | None = None
    spread: Annotated[float, Field(ge=0, le=1, strict=False)] | None = None
    maximum: Count = 131_072


class GroupFile(StrictModel):
    """A group of requests alike: users, a tenant, an attack."""

    name: Name = "users"
    rate: _Rate
    process: str = "poisson"
    options: dict[str, float] = Field(default_factory=dict, description="of the process, as in {cv: 2}")
    prompt: LengthFile | None = Field(default=None, description="for models that generate")
    output: LengthFile | None = Field(default=None, description="for models that generate")
    priority: Annotated[int, Field(ge=0, le=7)] = 0


class ConversationsFile(StrictModel):
    """Requests in turns: each prompt repeats what was said, and shares a system prompt."""

    rate: _Rate = Field(description="conversations that begin per second")
    turns: Count = 4
    think: Seconds = 20.0
    system_tokens: Annotated[int, Field(ge=0)] = 500
    systems: Count = 4
    question: LengthFile
    answer: LengthFile
    block_tokens: Count = 16


class ClosedFile(StrictModel):
    """So many users, each waiting for the answer before thinking of the next question."""

    users: Count
    rounds: Count = 10
    think: Seconds = 0.0
    prompt: LengthFile | None = Field(default=None, description="for models that generate")
    output: LengthFile | None = Field(default=None, description="for models that generate")


class TraceFile(StrictModel):
    """Recorded arrivals."""

    format: Literal["azure", "mooncake", "servegen", "csv"]
    path: str
    columns: dict[str, str] | None = None
    speed: Annotated[float, Field(gt=0, strict=False)] = Field(
        default=1.0, description="of the arrivals; of servegen: so many times the requests in the same time"
    )
    copies: Count = Field(default=1, description="of a replayed trace, laid over each other from instants of their own")
    repeats: Count = Field(default=1, description="of a replayed trace, one after another")
    limit: Count | None = None


class TrafficFile(StrictModel):
    """One of: groups over a time, conversations, a closed loop, a trace."""

    seconds: PositiveSeconds = 600.0
    groups: Annotated[list[GroupFile], Field(max_length=100)] = Field(default_factory=list)
    conversations: ConversationsFile | None = None
    closed: ClosedFile | None = None
    trace: TraceFile | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Draws the requests of one run; the same seed gives the same."""

    file: TrafficFile
    path: Path | None  # of the trace

    def windows(self, streams: Streams) -> RequestStream | None:
        """Return the requests in windows of time, where they can be drawn so: those of traces.

        Raises:
            InputError: a bad trace.
        """
        if self.file.trace is None:
            return None
        return _traced(self.file.trace, self.path, streams, self.file.seconds)

    def draw(self, streams: Streams) -> Requests:
        """Return the requests; raises :class:`InputError` for a bad trace or law, or more than memory holds."""
        windows = self.windows(streams)
        if windows is not None:
            refuse_too_many(windows.expected)
            return windows.whole()
        if self.file.closed is not None:
            return _closed(self.file.closed, streams)
        if self.file.conversations is not None:
            return _talks(self.file.conversations, self.file.seconds, streams)
        parts = {group.name: _group(group, self.file.seconds, streams.child(group.name)) for group in self.file.groups}
        return merged(parts)


def traffic_from(file: TrafficFile, context: Context, beside: Path, *, generates: bool = True) -> Traffic:
    """Return the traffic that an entry describes, for a model that ``generates`` tokens or answers in one pass.

    Raises:
        InputError: with its place.
    """
    given = [name for name in ("groups", "conversations", "closed", "trace") if getattr(file, name)]
    with context.at():
        if len(given) != 1:
            raise InputError(f"found {' and '.join(given) or 'nothing'}; give groups, conversations, closed or trace.")
    for index, group in enumerate(file.groups):
        with context.at("groups", index, "process"):
            _ = arrival_processes[group.process]
        for kind in ("prompt", "output"):
            law: LengthFile | None = getattr(group, kind)
            with context.at("groups", index, *((kind,) if law else ())):
                if generates and law is None:
                    raise InputError(f"no {kind}; a model that generates needs its tokens, as in {{mean: 500}}.")
            with context.at("groups", index, kind, "law"):
                _ = law and length_laws[law.law]
    with context.at("conversations"):
        if file.conversations is not None and not generates:
            raise InputError("what was said is repeated to models that generate; give closed for users who wait.")
    for kind in ("prompt", "output"):
        with context.at("closed"):
            if file.closed is not None and generates and getattr(file.closed, kind) is None:
                raise InputError(f"no {kind}; a model that generates needs its tokens, as in {{mean: 500}}.")
    names = [group.name for group in file.groups]
    with context.at("groups"):
        if len(set(names)) != len(names):
            raise InputError(f"two groups have one name: {', '.join(names)}.")
    path = None
    if file.trace is not None:
        with context.at("trace", "path"):
            path = file_beside(beside, file.trace.path)
    return Traffic(file=file, path=path)


def _tokens(law: LengthFile | None, n: int, generator: np.random.Generator) -> Any:
    """Return the tokens of ``n`` requests; one each where nothing is generated."""
    if law is None:
        return np.ones(n, np.int32)
    given = {name: getattr(law, name) for name in ("cv", "spread") if getattr(law, name) is not None}
    return lengths(law.law, n, mean=law.mean, generator=generator, maximum=law.maximum, **given)


def _group(group: GroupFile, seconds: float, streams: Streams) -> Requests:
    times = arrivals(group.process, rate=group.rate, seconds=seconds, generator=streams["arrivals"], **group.options)
    n = len(times)
    return Requests(
        arrival_s=times,
        prompt=_tokens(group.prompt, n, streams["prompt"]),
        output=_tokens(group.output, n, streams["output"]),
        priority=np.full(n, group.priority, np.int8),
    )


def _closed(file: ClosedFile, streams: Streams) -> Requests:
    n = file.users * file.rounds
    think = streams["think"].exponential(file.think, n) if file.think else 0.0
    return closed_loop(
        file.users,
        file.rounds,
        prompt=_tokens(file.prompt, n, streams["prompt"]),
        output=_tokens(file.output, n, streams["output"]),
        think_s=think,
    )


def _talks(file: ConversationsFile, seconds: float, streams: Streams) -> Requests:
    start = arrivals("poisson", rate=file.rate, seconds=seconds, generator=streams["arrivals"])
    n = len(start) * file.turns
    return conversations(
        start,
        turns=file.turns,
        system_tokens=file.system_tokens,
        systems=file.systems,
        question=_tokens(file.question, n, streams["prompt"]),
        answer=_tokens(file.answer, n, streams["output"]),
        think_s=streams["think"].exponential(file.think, n) if file.think else 0.0,
        block_tokens=file.block_tokens,
        generator=streams["systems"],
    )


def _traced(file: TraceFile, path: Path | None, streams: Streams, seconds: float) -> RequestStream:
    assert path is not None, "a trace has a path"
    if file.format == "servegen":
        if file.copies > 1 or file.repeats > 1:
            raise InputError("servegen's clients are drawn, not replayed; write their rate as speed.")
        return client_stream(path, streams=streams.child("trace"), seconds=seconds, scale=file.speed)
    options: dict[str, Any] = {"limit": file.limit}
    if file.format == "csv":
        options["columns"] = file.columns
    found = read_trace(file.format, path, **options).faster(file.speed)
    return superposed(found, copies=file.copies, repeats=file.repeats, streams=streams.child("trace"))
