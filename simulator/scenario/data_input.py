"""What the kinds ``data`` and ``batch-infer`` share: data set, storage and loaders, as they stand in a file."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import Field

from simulator.costs.input import Loader
from simulator.costs.placement import Placement
from simulator.costs.placement import local_share as share_of
from simulator.costs.storage import Redundancy, StorageSystem
from simulator.foundation.errors import InputError
from simulator.foundation.schema import Bandwidth, Bytes, Count, Fraction, Seconds, StrictModel, quantity
from simulator.profiles.node import Node
from simulator.profiles.storage import Storage
from simulator.scenario.kinds import Context
from simulator.workload.dataset import Dataset, SampleSize, kinds

Ratio = Annotated[float, Field(gt=0, le=1e6, strict=False)]
Rate: Any = quantity("rate", above=True)
Samples = Annotated[int, Field(ge=1, le=10**12)]


class DatasetFile(StrictModel):
    """How many samples, how large, how packed."""

    samples: Samples
    kind: str | None = Field(default=None, description="tabular, image, volume, field, audio, text, video")
    size: Bytes | None = Field(default=None, description="mean of one stored sample, instead of a kind")
    spread: Bytes | None = Field(default=None, description="standard deviation; left out: all alike")
    shape: Literal["normal", "lognormal", "gamma"] = Field(default="lognormal", description="of the spread")
    samples_per_file: Count = Field(default=1, description="1: a file each")
    growth: Ratio = Field(default=1.0, description="decoded bytes over stored bytes, before compression")
    compression: Ratio = Field(default=1.0, description="bytes of a sample over what is stored of it")
    decompress: Seconds = Field(default=0.0, description="of one core on one sample, beside the loader's decode")
    fraction: Fraction = Field(default=1.0, description="of the samples that are used")
    classes: dict[str, Fraction] = Field(default_factory=dict, description="share of each class, summing to 1")


class StorageFile(StrictModel):
    """The storage that all devices share; a profile of the catalogue, its figures changed where given."""

    profile: str | None = Field(default=None, description="of the catalogue; left out: the figures here")
    count: Count = Field(default=1, description="how many drives, servers, volumes or TiB; of local drives, per node")
    read: Bandwidth | None = Field(default=None, description="of one")
    write: Bandwidth | None = Field(default=None, description="of one")
    read_rate: Rate | None = Field(default=None, description="read requests of one, per second")
    latency: Seconds | None = Field(default=None, description="from a request to its first byte")
    stream: Bandwidth | None = Field(default=None, description="that one request can draw")
    copies: Count = Field(default=1, description="of every byte")
    data: Count = Field(default=1, description="blocks of an erasure code")
    parity: Annotated[int, Field(ge=0, le=100)] = Field(default=0, description="and what protects them")
    stripes: Count = Field(default=1, description="servers over which one file is spread")


class LoaderFile(StrictModel):
    """How one device is fed; what is left out comes from the node's profile."""

    workers: Count = 4
    cores: Ratio | None = Field(default=None, description="CPU cores per device; left out: the node's share")
    prefetch: Annotated[int, Field(ge=0, le=1000)] = Field(default=2, description="batches ahead per worker; 0: none")
    in_flight: Count = Field(default=1, description="read requests of one worker at a time")
    decode: Seconds = Field(default=0.0, description="of one core on one sample")
    network: Bandwidth | None = Field(default=None, description="into each node; left out: its adapters")
    host: Bandwidth | None = Field(default=None, description="from host memory to a device")
    memory: Bytes | None = Field(default=None, description="of each node's host; left out: the node's")
    cache: Bytes | None = Field(default=None, description="of each node")
    cache_policy: str = Field(default="page", description="page (the operating system's), lru, minio, fifo")
    shared_cache: bool = Field(default=False, description="nodes cache disjoint parts and serve each other")
    echo: Annotated[float, Field(ge=1, le=1000, strict=False)] = Field(default=1.0, description="steps per batch")
    shuffle: Literal["global", "shard-wise", "buffered", "none"] = "global"
    buffer: Annotated[int, Field(ge=0, le=10**9)] = Field(default=0, description="samples of it, per device")


def dataset_from(file: DatasetFile, context: Context) -> Dataset:
    """Return the data set as it is stored, compressed; raises :class:`InputError` with its place."""
    if (file.kind is None) == (file.size is None):
        with context.at():
            raise InputError("give the kind of the samples, or their size; one of the two.")
    with context.at("kind"):
        size = (kinds[file.kind] if file.kind is not None else _size(file)).compressed(file.compression)
    with context.at("classes"):
        whole = Dataset(samples=file.samples, size=size, samples_per_file=file.samples_per_file,
                        growth=file.growth * file.compression, classes=dict(file.classes))  # fmt: skip
    with context.at("fraction"):
        return whole.part(file.fraction)


def _size(file: DatasetFile) -> SampleSize:
    assert file.size is not None
    if file.spread is None:
        return SampleSize(mean=file.size)
    return SampleSize(mean=file.size, std=file.spread, shape=file.shape)


def storage_from(
    file: StorageFile, context: Context, nodes: int, placement: Placement | None = None
) -> tuple[StorageSystem, bool]:
    """Return the storage of the whole cluster and whether it consists of the nodes' own drives.

    Those of a local profile do; figures without a profile do where the placement says that shards lie on the nodes.
    """
    profile: Storage | None = None
    if file.profile is not None:
        with context.at("profile"):
            profile = context.catalogue.storage[file.profile]
    read = file.read or (profile.read_bandwidth if profile else None)
    rate = file.read_rate or (profile.read_rate if profile else None)
    if read is None and rate is None:
        with context.at("read"):
            raise InputError("no bandwidth and no request rate is known of this storage; write 'read' or 'read_rate'.")
    on_nodes = placement in ("local", "random")
    local = on_nodes if profile is None else profile.tier == "local"
    if profile and on_nodes and not local:
        with context.at("profile"):
            raise InputError(
                f"{profile.name} is storage of the whole cluster, but placement {placement!r} puts shards on the "
                "nodes' own drives; name a local drive, or leave 'placement' out."
            )
    latency = file.latency if file.latency is not None else (profile.read_latency_s if profile else None)
    write = file.write or (profile.write_bandwidth if profile else None)
    with context.at():
        system = StorageSystem(
            name=profile.name if profile else "storage",
            servers=file.count * (nodes if local else 1),
            read_bandwidth=read or math.inf,
            write_bandwidth=write or read or math.inf,
            read_rate=rate or math.inf,
            latency=latency or 0.0,
            stream_bandwidth=file.stream or math.inf,
            redundancy=Redundancy(copies=file.copies, data=file.data, parity=file.parity),
            stripes=file.stripes,
        )
    return system, local


def share_at_home(
    placement: Placement | None, file: LoaderFile, system: StorageSystem, *, local: bool, nodes: int
) -> float:
    """Share of the reads that a node's own drives serve; without a placement all if data lie there, else none."""
    if placement is None:
        return 1.0 if local else 0.0
    copies = system.redundancy.copies
    return share_of(placement, everywhere=file.shuffle == "global", copies=copies, nodes=nodes)


def loader_from(file: LoaderFile, node: Node, context: Context, *, local_share: float) -> Loader:
    """Return the loader of one device on a node; raises :class:`InputError` that names what the node does not say."""
    devices = max(1, node.device_count)
    with context.at("network"):
        network = file.network or (math.inf if local_share >= 1 else node.nic_bandwidth)
        if network is None:
            raise InputError(f"no source gives the adapters of {node.name}; write their bandwidth, as in '200 Gb/s'.")
    with context.at("cores"):
        cores = file.cores or (node.host_vcpus / devices if node.host_vcpus else None)
        if cores is None:
            raise InputError(f"no source gives the cores of {node.name}; write how many each device has.")
    with context.at("cache_policy"):
        return Loader(
            workers=file.workers, cores=cores, prefetch=file.prefetch, in_flight=file.in_flight,
            host_bandwidth=file.host or _host_bandwidth(node, context), node_bandwidth=network,
            devices_per_node=devices, cache_bytes=file.cache or 0.0, cache_policy=file.cache_policy,
            shared_cache=file.shared_cache,
            same_order=file.shuffle in ("buffered", "none"), local_share=local_share, echo=file.echo,
        )  # fmt: skip


def host_memory(file: LoaderFile, node: Node) -> float:
    """Bytes of a node's host memory; infinite where nobody says."""
    return file.memory or node.host_memory_bytes or math.inf


def _host_bandwidth(node: Node, context: Context) -> float:
    device = context.catalogue.devices[node.device] if node.device else None
    return (device.host_bandwidth if device else None) or math.inf
