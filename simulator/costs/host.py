"""Where a job keeps what its devices do not hold: the memory of their host, or the drives of the node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Place = Literal["host", "nvme"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offload:
    """What is kept outside the devices, and the rates of the way there.

    Attributes:
        optimizer: where the optimizer state lies; if anywhere, the host makes the update and holds the gradients.
        parameters: where the weights lie between their uses.
        activations: whether stored activations wait in host memory for the backward pass.
        devices: of one node, which share its memory and drives.
        link: B/s per direction between a device and its host.
        host_bandwidth, host_bytes: B/s and bytes of a node's memory.
        drive_read, drive_write, drive_bytes: B/s and bytes of a node's drives; zero if nothing lies there.
    """

    optimizer: Place | None = None
    parameters: Place | None = None
    activations: bool = False
    devices: int
    link: float
    host_bandwidth: float
    host_bytes: float
    drive_read: float = 0.0
    drive_write: float = 0.0
    drive_bytes: float = 0.0

    @property
    def lane(self) -> float:
        """B/s per direction of one device while all devices of the node use the host's memory."""
        return min(self.link, self.host_bandwidth / self.devices)

    @property
    def fetch(self) -> float:
        """B/s at which one device gets weights from where they lie."""
        return min(self.lane, self.drive_read / self.devices) if self.parameters == "nvme" else self.lane
