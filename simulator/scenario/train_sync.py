"""How replicas of a training job come to the same weights: the key ``sync``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from simulator.costs.estimate import NODE_SPREAD
from simulator.foundation.errors import InputError
from simulator.foundation.schema import Bandwidth, Count, StrictModel
from simulator.scenario.kinds import Context
from simulator.workload.compression import Compression, Method

Spread = Annotated[float, Field(ge=0, le=10, strict=False)]


class CompressFile(StrictModel):
    """Fewer bytes for the same gradients, at a price in time and accuracy; only time is told here."""

    kind: Method = Field(description="8-bit and 1-bit round, top-k leaves out, power-sgd factorises")
    keep: Annotated[float, Field(gt=0, le=1, strict=False)] = Field(default=0.01, description="of top-k: share sent")
    rank: Annotated[int, Field(ge=1, le=10_000)] = Field(default=4, description="of power-sgd's factors")


class AllReduceFile(StrictModel):
    """Every step, all replicas add up their gradients."""

    kind: Literal["all-reduce"]
    compress: CompressFile | None = None


class ServersFile(StrictModel):
    """Workers push gradients to servers and pull weights from them."""

    kind: Literal["ps"]
    servers: Count = Field(description="each holds its part of the weights")
    mode: Literal["sync", "async", "ssp"] = Field(default="sync", description="whether workers wait for each other")
    staleness: Annotated[int, Field(ge=0, le=10**6)] | None = Field(
        default=None, description="of ssp: batches that a worker may be ahead of the slowest"
    )
    bandwidth: Bandwidth | None = Field(default=None, description="of one server; left out: a node's adapters")
    spread: Spread = Field(
        default=NODE_SPREAD, description="standard deviation of a batch's time over its mean, from batch to batch"
    )
    compress: CompressFile | None = None


class LocalFile(StrictModel):
    """Islands train apart and come together every so many steps (local SGD, DiLoCo)."""

    kind: Literal["local"]
    every: Count = Field(description="steps between two exchanges of all")
    within: str | None = Field(
        default=None, description="tier of the cluster whose domains are islands that exchange each step, as leaf in "
        "a cluster of several sites; left out: each replica is alone"
    )  # fmt: skip
    compress: CompressFile | None = Field(default=None, description="of the exchange of all")


SyncFile: Any = Annotated[AllReduceFile | ServersFile | LocalFile, Field(discriminator="kind")]


@dataclass(frozen=True, slots=True, kw_only=True)
class AllReduce:
    """Every step, all replicas add up their gradients, which ``compression`` makes smaller if there is one."""

    compression: Compression | None = None


#: the plain all-reduce of each step
EVERY_STEP: Final = AllReduce()


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterServers:
    """Workers push gradients to servers and pull weights.

    Attributes:
        staleness: batches that a worker may be ahead of the slowest: 0 is synchronous, None any number.
        bandwidth: B/s of one server, each direction.
        spread: standard deviation of a batch's time over its mean.
    """

    servers: int
    staleness: int | None
    bandwidth: float
    spread: float
    compression: Compression | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSteps:
    """Islands, the domains of the tier ``within`` (None: single replicas), exchange with each other ``every`` steps."""

    every: int
    within: str | None
    compression: Compression | None = None


Sync = AllReduce | ParameterServers | LocalSteps


def sync_from(file: AllReduceFile | ServersFile | LocalFile, context: Context) -> Sync:
    """Resolve the key ``sync``; raises :class:`InputError` with its place."""
    packed = file.compress
    compression = None if packed is None else Compression(method=packed.kind, keep=packed.keep, rank=packed.rank)
    if isinstance(file, LocalFile):
        return LocalSteps(every=file.every, within=file.within, compression=compression)
    if isinstance(file, AllReduceFile):
        return AllReduce(compression=compression)
    with context.at("staleness"):
        if (file.staleness is not None) != (file.mode == "ssp"):
            raise InputError(
                f"staleness belongs to 'mode: ssp', which needs one, as in 'staleness: 3'; mode: {file.mode}."
            )
    return ParameterServers(
        servers=file.servers, staleness={"sync": 0, "async": None, "ssp": file.staleness}[file.mode],
        bandwidth=_server_bandwidth(file, context), spread=file.spread, compression=compression,
    )  # fmt: skip


def _server_bandwidth(file: ServersFile, context: Context) -> float:
    known = file.bandwidth or context.nodes[0][0].nic_bandwidth
    if known is None:
        with context.at():
            raise InputError(
                "no source gives the adapters of the node; write a server's, as in 'bandwidth: 12.5 GB/s'."
            )
    return known
