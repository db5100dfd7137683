"""Storage servers on nodes of the cluster: the reads of a data job cross the fabric together, link by link."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field, WithJsonSchema

from simulator.engine.data.job import DataJob
from simulator.engine.data.on_network import Reads, link_rates
from simulator.engine.network.fabric import POLICIES
from simulator.engine.network.jobs import place
from simulator.foundation.errors import InputError, UnknownName
from simulator.foundation.schema import StrictModel
from simulator.scenario.kinds import Context
from simulator.scenario.shared_fabric import NodeNumbers
from simulator.topology import Cluster

Places = Annotated[NodeNumbers, WithJsonSchema({"type": "string"})]


class NetworkFile(StrictModel):
    """Where the storage servers sit, so that every byte crosses the links of the cluster."""

    servers: Places = Field(description="numbers of the nodes that hold the storage, as in '6-7'; all others read")
    routing: str = Field(default="adaptive", description="ecmp, adaptive or single")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataNetwork:
    """The nodes that hold the storage's servers (dealt out in turn), and how reads are routed."""

    nodes: tuple[int, ...]
    routing: str

    def reads(self, job: DataJob, cluster: Cluster) -> Reads:
        """Who reads from where: every device of the nodes without servers, from every server."""
        readers = [node for node in range(cluster.nodes) if node not in self.nodes]
        places = place(cluster, self.nodes)
        servers = tuple(places[number % len(places)][0] for number in range(job.storage.servers))
        devices = tuple(device for ranks in place(cluster, readers) for device in ranks)
        return Reads(cluster=cluster, storage=job.storage, servers=servers, readers=devices, policy=self.routing)

    def over(self, job: DataJob, cluster: Cluster) -> DataJob:
        """Return the job whose nodes draw what the fabric gives the slowest reader, max-min fair, while all read."""
        slowest = float(link_rates(self.reads(job, cluster)).min())
        drawn = slowest * job.loader.devices_per_node
        return replace(job, loader=replace(job.loader, node_bandwidth=min(drawn, job.loader.node_bandwidth)))


def network_from(file: NetworkFile, context: Context, *, local: bool) -> DataNetwork:
    """Return where the servers sit; raises :class:`InputError` with its place."""
    count = sum(number for _, number in context.nodes)
    with context.at("routing"):
        if file.routing not in POLICIES:
            raise UnknownName("routing policy", file.routing, POLICIES)
    with context.at("servers"):
        if local:
            raise InputError("the nodes' own drives are read over no network; leave 'network' out.")
        if max(file.servers) >= count:
            raise InputError(f"node {max(file.servers)} is asked; the cluster has {count}, numbered from 0.")
        if len(set(file.servers)) != len(file.servers):
            raise InputError("a node stands here twice; name each once.")
        if len(file.servers) == count:
            raise InputError(f"all {count} nodes hold storage and none is left to read; name fewer.")
    return DataNetwork(nodes=file.servers, routing=file.routing)
