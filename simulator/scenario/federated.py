"""``kind: federated``: a model trained on clients that keep their data, round by round."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from simulator.engine.training.federated import FederatedJob, FederatedRun, Spread, play_rounds
from simulator.foundation.errors import InputError
from simulator.foundation.randomness import Streams
from simulator.foundation.schema import Bandwidth, Bytes, Count, Name, PositiveSeconds, Seconds, StrictModel
from simulator.scenario.kinds import Context, WorkloadKind
from simulator.scenario.train_sync import CompressFile
from simulator.workload.compression import Compression
from simulator.workload.models.parameters import count_parameters
from simulator.workload.models.transformer import Transformer

Sigma = Annotated[float, Field(ge=0, le=5, strict=False)]
Dropout = Annotated[float, Field(ge=0, lt=1, strict=False)]


class ClientsFile(StrictModel):
    """The population: medians, and the standard deviation of the logarithm of each."""

    count: Annotated[int, Field(ge=1, le=10**7)]
    down: Bandwidth = Field(description="median of a client's link")
    up: Bandwidth = Field(description="median of a client's link")
    link_spread: Sigma = Field(default=0.0, description="of the logarithm of both; 1: a sixth is 2.7 times slower")
    compute: PositiveSeconds = Field(description="median of the local training of one round")
    compute_spread: Sigma = 0.0


class RoundFile(StrictModel):
    """Who takes part in a round, and when it ends."""

    sampled: Count = Field(description="clients that are asked")
    needed: Count | None = Field(default=None, description="answers that end it; left out: all that are asked")
    deadline: PositiveSeconds | None = Field(default=None, description="left out: none")
    dropout: Dropout = Field(default=0.0, description="share of the asked that never answer")
    aggregate: Seconds = Field(default=0.0, description="to add up the answers and check in the next clients")


class FederatedFile(StrictModel):
    """A federated job as it stands in a scenario; the cluster is the server."""

    id: Name
    kind: Literal["federated"]
    model: str | None = Field(default=None, description="sent in fp32, and its update back; or 'size'")
    size: Bytes | None = Field(default=None, description="of the model and of its update")
    compress: CompressFile | None = Field(default=None, description="of the update; left out: sent as it is")
    clients: ClientsFile
    round: RoundFile
    rounds: Annotated[int, Field(ge=1, le=100_000)] = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class FederatedWorkload:
    """One federated job with every name resolved."""

    id: str
    job: FederatedJob

    def run(self, streams: Streams) -> FederatedRun:
        """Play it."""
        return play_rounds(self.job, streams["federated"])


def build(file: FederatedFile, context: Context) -> FederatedWorkload:
    """Resolve a federated job; raises :class:`InputError` with its place."""
    size, update = _sizes(file, context)
    links = [(node.nic_bandwidth, count) for node, count in context.nodes]
    if any(bandwidth is None for bandwidth, _ in links):
        with context.at():
            raise InputError("no source gives the adapters of the server's node; take another node.")
    clients, around = file.clients, file.round
    with context.at("round"):
        job = FederatedJob(
            rounds=file.rounds, clients=clients.count, sampled=around.sampled,
            needed=around.sampled if around.needed is None else around.needed,
            deadline=math.inf if around.deadline is None else around.deadline, dropout=around.dropout,
            down=Spread(median=clients.down, sigma=clients.link_spread),
            up=Spread(median=clients.up, sigma=clients.link_spread),
            compute=Spread(median=clients.compute, sigma=clients.compute_spread), download=size, upload=update,
            server=sum((bandwidth or 0.0) * count for bandwidth, count in links), aggregate_s=around.aggregate,
        )  # fmt: skip
        if math.isinf(job.deadline) and job.dropout and job.needed == job.sampled:
            raise InputError("some never answer, and the round waits for all: write 'needed' or a 'deadline'.")
    return FederatedWorkload(id=file.id, job=job)


def _sizes(file: FederatedFile, context: Context) -> tuple[float, float]:
    """Bytes of the model in fp32 and of one update."""
    with context.at("model"):
        if (file.model is None) == (file.size is None):
            raise InputError("give the model or its size, as in 'size: 20 MB'; one of both.")
        if file.model is not None:
            model = context.model(file.model)
            if not isinstance(model, Transformer):
                raise InputError(f"{file.model!r} is no transformer; give its size, as in 'size: 20 MB'.")
            size, rows, columns = 4.0 * count_parameters(model).total, model.hidden, model.ffn
        else:
            assert file.size is not None
            size, rows, columns = file.size, 1, 1
    if file.compress is None:
        return size, size
    with context.at("compress", "kind"):
        if file.compress.kind == "power-sgd" and file.model is None:
            raise InputError("power-sgd factorises matrices; name the model that has them.")
    packed = Compression(method=file.compress.kind, keep=file.compress.keep, rank=file.compress.rank)
    return size, size * packed.share(rows, columns)


KIND = WorkloadKind(name="federated", file=FederatedFile, build=build)
