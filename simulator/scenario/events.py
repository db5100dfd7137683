"""``events:`` what goes wrong while the scenario runs: slow devices and slow links."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from simulator.foundation.schema import StrictModel

Factor = Annotated[float, Field(gt=0.0, le=1.0)]
Index = Annotated[int, Field(ge=0, le=10**9)]


class SlowDeviceFile(StrictModel):
    """One device computes at a fraction of its speed."""

    kind: Literal["slow-device"]
    device: Index = Field(description="number of the device in the cluster, from 0")
    factor: Factor = Field(description="speed left, above 0, at most 1")


class SlowLinkFile(StrictModel):
    """The links of one device or node carry a fraction of their bandwidth."""

    kind: Literal["slow-link"]
    device: Index = Field(description="number of the device whose links slow down, from 0")
    tier: str | None = Field(default=None, description="name of a tier (`rackcast topo show`); else the outermost")
    factor: Factor = Field(description="bandwidth left, above 0, at most 1")


EventFile = Annotated[SlowDeviceFile | SlowLinkFile, Field(discriminator="kind")]


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowDevice:
    """Device number ``device`` computes at ``factor`` of its speed."""

    device: int
    factor: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowLink:
    """The links of device number ``device`` in ``tier`` (None: the outermost) carry ``factor`` of their bandwidth."""

    device: int
    tier: str | None
    factor: float


Event = SlowDevice | SlowLink


def event_from(file: SlowDeviceFile | SlowLinkFile) -> Event:
    """Return the event that an entry describes."""
    if isinstance(file, SlowDeviceFile):
        return SlowDevice(device=file.device, factor=file.factor)
    return SlowLink(device=file.device, tier=file.tier, factor=file.factor)
