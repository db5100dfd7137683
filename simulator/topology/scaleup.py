"""What joins the devices of one node, or of one scale-up domain: taken from the parts, or as the user says."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from simulator.foundation.errors import InputError
from simulator.profiles.device import Device
from simulator.profiles.link import Link
from simulator.profiles.node import Node
from simulator.topology.fabric import Fabric
from simulator.topology.latency import HOST_BUS, device_latency
from simulator.topology.shapes import SHAPES
from simulator.topology.shapes.torus import cubic
from simulator.topology.wiring import Ends, Run, Wiring

#: words in a node's or link's description of its wiring -> shape, the first that is found; anything else is a crossbar
_WORDS: Final = (
    (re.compile(r"3D torus", re.I), "torus-3d"),
    (re.compile(r"2D torus", re.I), "torus-2d"),
    (re.compile(r"cube mesh(?! or)", re.I), "cube-mesh"),
    (re.compile(r"switch|NVL\d", re.I), "nvswitch"),
    (
        re.compile(r"fully connected|all-to-all|pairwise|hive|xGMI|Infinity Fabric|Xe Link|RoCE", re.I),
        "full-mesh",
    ),
)
_POD: Final = re.compile(r"pod (\d+)x(\d+)(?:x(\d+))?")
_TORUS_AXES: Final = {"torus-2d": 2, "torus-3d": 3}
#: slices of 3D pods get wrap-around links when they are whole cubes of 4x4x4 (Jouppi et al. 2023, arXiv 2304.01433)
_CUBE_SIDE: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleUp:
    """How the devices of a group are joined.

    Attributes:
        size: devices of one whole domain.
        whole: its wiring.
        rest: the wiring of the last domain, where the group does not fill it.
        over_host: whether the domain is only the host's own bus (no scale-up links).
        link: name of the link's profile; empty if it has none.
    """

    size: int
    whole: Wiring
    rest: Wiring | None
    over_host: bool
    link: str = ""

    def wiring(self, devices_left: int) -> Wiring:
        """Return the wiring of a domain that has at most so many devices."""
        return self.whole if devices_left >= self.size or self.rest is None else self.rest


def devices_per_node(node: Node) -> int:
    """Return the devices of a node; a node of CPUs counts as one device."""
    return max(1, node.device_count)


def scale_up(node: Node, device: Device, count: int, fabric: Fabric, links: Mapping[str, Link]) -> ScaleUp:
    """Return how the devices of ``count`` equal nodes are joined inside their scale-up domains.

    Raises:
        InputError: several devices in a node and no figure for what joins them; dims that do not divide the devices.
    """
    own, total = devices_per_node(node), devices_per_node(node) * count
    link = _link(node, device, links)
    bandwidth = node.fabric_bandwidth or device.scaleup_bandwidth
    size = node.scaleup_domain or (own if bandwidth else 1)
    if bandwidth is None or size == 1:
        return _over_host(own, device, node, link)
    shape = fabric.scaleup or _shape(node, link)
    if shape in _TORUS_AXES:
        dims = _slice_dims(shape, min(size, total), total, fabric)
        size = math.prod(dims)
        fabric = replace(fabric, dims=dims, wrap=_wrap(dims, link) if fabric.wrap is None else fabric.wrap)
    size = min(size, total)
    sizes = (size, total % size) if total % size else (size,)
    latency = device_latency(link, torus=shape in _TORUS_AXES)
    wirings = [_wire(shape, devices, bandwidth, latency, link, fabric) for devices in sizes]
    rest = wirings[1] if len(wirings) > 1 else None
    return ScaleUp(size=size, whole=wirings[0], rest=rest, over_host=False, link=link.name if link else "")


def _wire(shape: str, devices: int, bandwidth: float, latency: float, link: Link | None, fabric: Fabric) -> Wiring:
    name = (link.family if link else shape).lower().rpartition("/")[2].replace("tpu ", "").replace(" ", "-")
    direct = shape in _TORUS_AXES or shape.endswith("mesh")
    ends = Ends(
        runs=(Run(devices, bandwidth, 1),),
        latency=latency if direct else latency / 2,  # up to the switch and down from it
        name="nvlink" if name == "nvswitch" else name,
    )
    if shape == "cube-mesh" and devices != 8:
        shape = "full-mesh"  # a part of the eight
    return SHAPES[shape](ends, fabric)


def _over_host(devices: int, device: Device, node: Node, link: Link | None) -> ScaleUp:
    bandwidth = device.host_bandwidth
    if bandwidth is None:
        if devices > 1:
            raise InputError(
                f"no source gives the bandwidth between the {devices} devices of {node.name!r}: neither scale-up links "
                f"nor the host link of {device.name!r}. Add 'fabric.bandwidth' to the node or 'host.bandwidth' to the "
                "device."
            )
        bandwidth = node.nic_bandwidth or device.memory_bandwidth or math.inf
    ends = Ends(runs=(Run(devices, bandwidth, 1),), latency=HOST_BUS / 2, name="pcie")
    tree = SHAPES["pcie-tree"](ends, Fabric())
    bus = link.name if link is not None and link.kind == "host-bus" else device.host_link  # the node knows better
    return ScaleUp(size=devices, whole=tree, rest=None, over_host=True, link=bus or "")


def _link(node: Node, device: Device, links: Mapping[str, Link]) -> Link | None:
    for name in (node.fabric_link, device.scaleup_link):
        if name is not None and name in links:
            return links[name]
    return None


def _shape(node: Node, link: Link | None) -> str:
    for text in (node.fabric, node.notes if "torus" in node.notes else "", link.topology if link else ""):
        for words, shape in _WORDS:
            if words.search(text):
                return shape
    return "nvswitch"


def _slice_dims(shape: str, size: int, total: int, fabric: Fabric) -> tuple[int, ...]:
    dims = fabric.dims if fabric.dims and "torus" not in fabric.shape else cubic(size, _TORUS_AXES[shape])
    if total % math.prod(dims):
        raise InputError(
            f"{total} devices are no whole number of slices of {'x'.join(map(str, dims))} = {math.prod(dims)}; "
            "change 'dims' or the number of nodes."
        )
    return dims


def _wrap(dims: tuple[int, ...], link: Link | None) -> tuple[bool, ...]:
    """Return which axes are rings: in 3D all of whole 4x4x4 cubes, in 2D those as long as the pod, if that is known."""
    pod = _POD.search(link.topology) if link else None
    if len(dims) == 3:
        whole = all(size % _CUBE_SIDE == 0 for size in dims)
        return (whole,) * 3
    longest = max(int(side) for side in pod.groups() if side) if pod else 0
    return tuple(size >= longest for size in dims)
