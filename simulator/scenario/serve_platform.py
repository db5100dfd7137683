"""What stands between the clients of a service and its replicas: router, gateway, limits, answers kept."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Final

from pydantic import Field

from simulator.engine.serving.fleet.build import Rules
from simulator.engine.serving.fleet.routing import ONE_QUEUE, ROUTERS
from simulator.engine.serving.front import Front
from simulator.foundation.errors import InputError, UnknownName
from simulator.foundation.schema import Count, Name, PositiveSeconds, Seconds, StrictModel, quantity
from simulator.scenario.kinds import Context

_Rate: Any = quantity("rate", above=True)


class OutageFile(StrictModel):
    """A time without a link: what is sent meanwhile comes when it is over."""

    at: Seconds
    length: PositiveSeconds


class PlatformFile(StrictModel):
    """What stands between clients and replicas."""

    router: str | None = Field(
        default=None,
        description="left out: least-requests if the model generates, else one-queue, from which whoever is free takes",
    )
    max_inflight: Count | None = None
    max_waiting: Count | None = None
    timeout: PositiveSeconds | None = None
    retries: Annotated[int, Field(ge=0, le=20)] = 0
    backoff: Seconds = 0.1
    rtt: Seconds = 0.0
    tls: bool = True
    keep_alive: bool = True
    gateway: Seconds = Field(default=0.0, description="validation and authentication of a request")
    gateway_workers: Count = 1
    gateway_room: Count | None = None
    intercept: list[Name] = Field(default_factory=list)
    rate_limit: _Rate | None = None
    burst: Annotated[float, Field(ge=1, strict=False)] = 1.0
    cache_entries: Annotated[int, Field(ge=0)] = 0
    cache_distinct: Annotated[int, Field(ge=0)] = 0
    cache_skew: Annotated[float, Field(ge=0, strict=False)] = 1.0
    cache_ttl: Seconds = 0.0
    post_processing: Seconds = 0.0
    outages: Annotated[list[OutageFile], Field(max_length=1000)] = Field(
        default_factory=list, description="of the link between clients and gateway, in order of time"
    )


#: keys that speak of the queues of a fleet of replicas
QUEUES_OF_REPLICAS: Final = frozenset({"router", "max_inflight", "max_waiting", "timeout", "retries", "backoff"})


def check_router(file: PlatformFile, context: Context, *, generates: bool) -> None:
    """Refuse a router that nobody knows, or that replicas of models which generate cannot have."""
    with context.at("router"):
        if file.router is not None and file.router not in ROUTERS:
            raise UnknownName("router", file.router, ROUTERS)
        if generates and file.router is not None and ROUTERS[file.router] == ONE_QUEUE:
            raise InputError("models that generate take requests one by one from queues of their own; name a router.")


def check_outages(file: PlatformFile, context: Context) -> None:
    """Refuse outages that are not in order of time and apart from each other."""
    for index, (one, other) in enumerate(pairwise(file.outages), start=1):
        with context.at("outages", index, "at"):
            if other.at < one.at + one.length:
                raise InputError(f"begins at {other.at:g} s, before the one above ends at {one.at + one.length:g} s.")


def rules_of(file: PlatformFile, *, router: str) -> Rules:
    """Return how requests are routed, held and tried again; by ``router`` where the file names none."""
    return Rules(
        router=file.router or router, max_inflight=file.max_inflight, max_waiting=file.max_waiting,
        timeout_s=file.timeout, retries=file.retries, backoff_s=file.backoff,
    )  # fmt: skip


def front_of(file: PlatformFile) -> Front:
    """Return the parts between clients and router."""
    return Front(
        rtt_s=file.rtt, tls=file.tls, keep_alive=file.keep_alive, gateway_s=file.gateway,
        gateway_workers=file.gateway_workers, gateway_room=file.gateway_room, intercept=tuple(file.intercept),
        rate_limit=file.rate_limit, burst=file.burst, cache_entries=file.cache_entries,
        cache_distinct=file.cache_distinct, cache_skew=file.cache_skew, cache_ttl_s=file.cache_ttl,
        outages=tuple((outage.at, outage.at + outage.length) for outage in file.outages),
    )  # fmt: skip
