"""The cheapest way out of a stall: which setting, layout or hardware, and how much of it.

Mends are tried in the order of what they cost: settings are free, packing files costs one rewrite, then memory for a
cache, then CPU cores, then faster storage and links. Each is sized to what the step needs and judged by the same
account that found the stall.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

from simulator.costs.input import Hits, Loader, Sample, StallAccount, account, hits_of
from simulator.costs.storage import StorageSystem
from simulator.foundation.units import show

Kind = Literal["setting", "layout", "memory", "cores", "hardware"]
KINDS: Final[tuple[Kind, ...]] = ("setting", "layout", "memory", "cores", "hardware")

_ROUNDS: Final = 6  # one for each stage that may come to the front
_MARGIN: Final = 1.001  # so that a mended stage is not a hair short
_HALVINGS: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A loader at work: everything that :func:`simulator.costs.input.account` needs."""

    sample: Sample
    loader: Loader
    storage: StorageSystem
    batch: float
    compute_s: float
    devices: int = 1
    dataset_bytes: float = math.inf

    def account(self) -> StallAccount:
        """The stall account of a steady step."""
        return account(self.sample, self.loader, self.storage, batch=self.batch, compute_s=self.compute_s,
                       devices=self.devices, dataset_bytes=self.dataset_bytes)  # fmt: skip

    @property
    def nodes(self) -> int:
        """Nodes that read."""
        return -(-self.devices // self.loader.devices_per_node)

    def hits(self) -> Hits:
        """Where its reads are served from."""
        return hits_of(self.loader, self.dataset_bytes, self.nodes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mend:
    """One change, and what the step takes with it.

    Attributes:
        stage: the bottleneck that it widens.
        action: what to do, with its size, in words.
        kind: what it costs, by rank of :data:`KINDS`.
        step_s: of the step afterwards.
        stall_s: left afterwards.
    """

    stage: str
    action: str
    kind: Kind
    step_s: float
    stall_s: float


def mends(feed: Feed) -> tuple[Mend, ...]:
    """Return the cheapest sequence of changes after which the step no longer waits (or nothing helps any more).

    Empty if it does not wait now.
    """
    found: list[Mend] = []
    for _ in range(_ROUNDS):
        now = feed.account()
        if not now.bottleneck:
            break
        best = _cheapest(feed, now)
        if best is None:
            break
        feed, mend = best
        found.append(mend)
    return tuple(found)


def _cheapest(feed: Feed, now: StallAccount) -> tuple[Feed, Mend] | None:
    """The first change, in the order of cost, that takes the bottleneck away; else the one that helps most."""
    tried: list[tuple[Feed, Mend]] = []
    for kind, action, changed in _candidates(feed, now):
        after = changed.account()
        if after.step_s >= now.step_s * (1 - 1e-9):
            continue
        mend = Mend(stage=now.bottleneck, action=action, kind=kind, step_s=after.step_s, stall_s=after.stall_s)
        if after.rates[now.bottleneck] >= now.needed and (feed.loader.prefetch or changed.loader.prefetch):
            return changed, mend
        tried.append((changed, mend))
    return min(tried, key=lambda pair: pair[1].step_s) if tried else None


Candidate = tuple[Kind, str, Feed]


def _candidates(feed: Feed, now: StallAccount) -> Iterator[Candidate]:
    """Changes that widen the bottleneck, cheapest first."""
    if feed.loader.prefetch == 0:
        yield "setting", "prefetch 2 batches, so that loading overlaps computing", _with_loader(feed, prefetch=2)
    yield from _BY_STAGE[now.bottleneck](feed, now)


def _with_loader(feed: Feed, **changes: float | str | bool) -> Feed:
    return replace(feed, loader=replace(feed.loader, **changes))  # type: ignore[arg-type]


def _needed(now: StallAccount) -> float:
    return now.needed * _MARGIN


def _storage(feed: Feed, now: StallAccount) -> Iterator[Candidate]:
    yield from _caching(feed, now)
    yield _more_servers(feed, _needed(now) / now.rates["storage"])


def _more_servers(feed: Feed, factor: float) -> Candidate:
    grown = feed.storage.grown(factor)
    text = f"{grown.servers} storage servers instead of {feed.storage.servers}"
    return "hardware", text, replace(feed, storage=grown)


def _requests(feed: Feed, now: StallAccount) -> Iterator[Candidate]:
    packed = math.ceil(feed.sample.per_request * _needed(now) / now.rates["requests"])
    sample = replace(feed.sample, per_request=float(packed))
    text = f"{packed} samples with each request: pack files, or read packed files through"
    yield "layout", text, replace(feed, sample=sample)
    yield from _caching(feed, now)
    yield _more_servers(feed, _needed(now) / now.rates["requests"])


def _network(feed: Feed, now: StallAccount) -> Iterator[Candidate]:
    yield from _caching(feed, now)
    bandwidth = feed.loader.node_bandwidth * _needed(now) / now.rates["network"]
    yield "hardware", f"{show(bandwidth, 'bandwidth')} into each node", _with_loader(feed, node_bandwidth=bandwidth)


def _caching(feed: Feed, now: StallAccount) -> Iterator[Candidate]:
    """A better policy for the cache there is; sharing it; then as much memory as it takes."""
    if math.isinf(feed.dataset_bytes):
        return
    minio = _with_loader(feed, cache_policy="minio")
    if feed.loader.cache_bytes > 0 and feed.loader.cache_policy != "minio":
        yield "setting", "keep what is cached instead of replacing it (MinIO)", minio
    if feed.loader.cache_bytes > 0 and feed.nodes > 1 and not feed.loader.shared_cache:
        shared = _with_loader(minio, shared_cache=True)
        yield "setting", "let nodes serve each other from their caches", shared
    enough = _enough_cache(minio, now)
    if enough is not None:
        text = f"{show(enough.loader.cache_bytes, 'bytes')} of cache on each node"
        yield "memory", text, enough


def _enough_cache(feed: Feed, now: StallAccount) -> Feed | None:
    """The least cache with which the bottleneck keeps up, by bisection; None if not even all of it does."""

    def keeps_up(size: float) -> bool:
        return _with_loader(feed, cache_bytes=size).account().rates[now.bottleneck] >= now.needed

    low, high = feed.loader.cache_bytes, feed.dataset_bytes
    if not keeps_up(high):
        return None
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if keeps_up(middle) else (middle, high)
    return _with_loader(feed, cache_bytes=high)


def _workers(feed: Feed, now: StallAccount) -> Iterator[Candidate]:
    more = math.ceil(feed.loader.workers * _needed(now) / now.rates["workers"])
    within = min(more, max(feed.loader.workers, math.floor(feed.loader.cores)))
    yield "setting", f"{within} loader workers for each device", _with_loader(feed, workers=within)
    yield "setting", f"{more} loader workers for each device", _with_loader(feed, workers=more)
    flights = math.ceil(feed.loader.in_flight * _needed(now) / now.rates["workers"])
    yield "setting", f"{flights} reads in flight per worker", _with_loader(feed, in_flight=flights)
    cores = math.ceil(_needed(now) * feed.sample.decode_s)
    both = _with_loader(feed, cores=float(max(cores, more)), workers=more)
    yield "cores", f"{both.loader.cores:g} CPU cores and {more} workers for each device", both


def _decode(feed: Feed, now: StallAccount) -> Iterator[Candidate]:
    cores = math.ceil(_needed(now) * feed.sample.decode_s)
    grown = _with_loader(feed, cores=float(cores), workers=max(cores, feed.loader.workers))
    yield "cores", f"{cores} CPU cores for each device (or decode on the device)", grown


def _cache(feed: Feed, now: StallAccount) -> Iterator[Candidate]:
    bandwidth = feed.loader.cache_bandwidth * _needed(now) / now.rates["cache"]
    yield "hardware", f"{show(bandwidth, 'bandwidth')} from each cache", _with_loader(feed, cache_bandwidth=bandwidth)


def _host(feed: Feed, now: StallAccount) -> Iterator[Candidate]:
    decoded = feed.sample.decoded * now.rates["host"] / _needed(now)
    smaller = replace(feed, sample=replace(feed.sample, decoded=decoded))
    yield "layout", f"{show(decoded, 'bytes')} a sample to the device (narrower type, decode there)", smaller


_BY_STAGE: Final[dict[str, Callable[[Feed, StallAccount], Iterator[Candidate]]]] = {
    "storage": _storage,
    "requests": _requests,
    "network": _network,
    "decode": _decode,
    "workers": _workers,
    "cache": _cache,
    "host": _host,
}
