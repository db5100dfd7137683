"""What a training job keeps outside its devices, as it stands in a scenario: the key ``offload``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from simulator.costs.host import Offload
from simulator.foundation.errors import InputError
from simulator.foundation.schema import Bandwidth, Bytes, StrictModel
from simulator.scenario.data import one_kind_of_node
from simulator.scenario.kinds import Context


class DrivesFile(StrictModel):
    """The drives of one node, together."""

    read: Bandwidth
    write: Bandwidth
    capacity: Bytes | None = Field(default=None, description="left out: what the node's profile says")


class OffloadFile(StrictModel):
    """What lies in the host's memory or on the node's drives instead of on the devices."""

    optimizer: Literal["host", "nvme"] | None = Field(
        default=None, description="state, with the update on the host (ZeRO-Offload; nvme: ZeRO-Infinity)"
    )
    parameters: Literal["host", "nvme"] | None = Field(default=None, description="weights between their uses")
    activations: Literal["host"] | None = Field(default=None, description="stored activations until the backward pass")
    host_bandwidth: Bandwidth = Field(description="of the memory of one node, all sockets together")
    host_memory: Bytes | None = Field(default=None, description="of one node; left out: what its profile says")
    link: Bandwidth | None = Field(
        default=None,
        description="from a device to its host, one direction; left out: what the device's profile says",
    )
    drives: DrivesFile | None = Field(default=None, description="needed where something lies on nvme")


def offload_from(file: OffloadFile, context: Context) -> Offload:
    """Resolve the key ``offload``; raises :class:`InputError` with its place."""
    node, _ = one_kind_of_node(context)
    places = (file.optimizer, file.parameters)
    with context.at():
        if not any((*places, file.activations)):
            raise InputError("nothing is offloaded: name a place, as in 'optimizer: host', or leave the key out.")
        if "nvme" in places and file.drives is None:
            raise InputError("something lies on nvme: say how fast, as in 'drives: {read: 25 GB/s, write: 12 GB/s}'.")
        link = file.link or (context.catalogue.devices[node.device].host_bandwidth if node.device else None)
        if link is None:
            raise InputError(f"no source gives the host link of {node.device}: write it, as in 'link: 55 GB/s'.")
        memory = file.host_memory or node.host_memory_bytes
        if memory is None:
            raise InputError(f"no source gives the host memory of {node.name}: write it, as in 'host_memory: 2 TB'.")
    drives = file.drives
    capacity = 0.0 if drives is None else drives.capacity or node.storage_bytes or float("inf")
    return Offload(
        optimizer=file.optimizer, parameters=file.parameters, activations=file.activations is not None,
        devices=node.device_count, link=link, host_bandwidth=file.host_bandwidth, host_bytes=memory,
        drive_read=drives.read if drives else 0.0, drive_write=drives.write if drives else 0.0, drive_bytes=capacity,
    )  # fmt: skip
