"""The wiring as a tree of nested domains, folded: at each level only the first domain is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from simulator.foundation.units import show
from simulator.results.style import INK, MUTED, cycle_color, new_figure, styled
from simulator.topology import Cluster, Tier

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_BOXES: Final = 6  # in one row of one group; a row of more shows the first ones, dots, and the last
_MOST_GROUPS: Final = 3
_BOX_HEIGHT: Final = 0.42
_GROUP_WIDTH: Final = 6.2  # inches
_TEXT_WIDTH: Final = 3.4  # inches, for the figures beside a group
_ROW_HEIGHT: Final = 1.05  # inches
_GAP: Final = -1  # stands for the boxes that are left out


def plot_topology(cluster: Cluster, *, title: str = "") -> tuple[Figure, Any]:
    """Draw a column per group of nodes: a row per tier, outermost on top, the first domain of each opened below it.

    Beside each row stands how many domains there are, what each device may send across it, and how long that takes.
    A cluster of any size fills one page; groups beyond the third are counted in the title.
    """
    groups = cluster.group_tiers[:_MOST_GROUPS]
    rows = 1 + max(len(tiers) for tiers in groups)
    with styled():
        width = len(groups) * (_GROUP_WIDTH + _TEXT_WIDTH)
        figure, axes = new_figure(width, 0.9 + _ROW_HEIGHT * rows)
        for number in range(len(groups)):
            _draw_group(axes, cluster, number, rows, number * (_GROUP_WIDTH + _TEXT_WIDTH))
        axes.set(xlim=(0.0, width), ylim=(-0.3, rows - (0.0 if len(cluster.groups) > 1 else 0.4)))
        axes.axis("off")
        axes.set_title(title or _title(cluster))
    return figure, axes


def _title(cluster: Cluster) -> str:
    hidden = len(cluster.groups) - _MOST_GROUPS
    more = f" (and {hidden} more groups)" if hidden > 0 else ""
    name = cluster.name if len(cluster.name) < 60 else f"{cluster.name[:57]}..."
    return f"{name}{more}: {cluster.devices:,} devices, bisection {show(cluster.bisection(), 'bandwidth')}"


def _draw_group(axes: Any, cluster: Cluster, group: int, rows: int, left: float) -> None:
    node, device, count = cluster.groups[group]
    tiers = cluster.group_tiers[group]
    own = max(1, node.device_count) * count
    names = dict.fromkeys(tier.name for view in cluster.group_tiers for tier in view)
    colors = {name: cycle_color(position) for position, name in enumerate(names)}
    parent = left + _GROUP_WIDTH / 2
    reach = own
    for row, tier in enumerate(reversed(tiers)):
        height = rows - 1 - row
        spans = min(tier.span, own)
        domains = max(1, -(-reach // spans))
        places = _boxes(axes, left, height, domains, _domain_text(tier, spans), colors[tier.name])
        if row:
            _join(axes, parent, height + 1, places, height)
        _figures(axes, left, height, tier, -(-own // spans))
        parent, reach = places[0], spans
    _devices(axes, left, parent, rows - 1 - len(tiers), reach, cluster.start(group).device, device.name)
    if len(cluster.groups) > 1:
        site = cluster.sites[cluster.spot(cluster.start(group).device).site].name
        place = f" in {site}" if len(cluster.sites) > 1 else ""
        axes.text(left + 0.1, rows - 0.35, f"{count} x {node.name}{place}", weight="bold", va="bottom", color=INK)


def _domain_text(tier: Tier, devices: int) -> str:
    if tier.torus is not None:
        return f"{tier.name} torus {'x'.join(map(str, tier.torus.dims))}"
    return f"{tier.name}\n{devices:,} devices" if devices > 1 else tier.name


def _slots(count: int) -> list[int]:
    """Return the numbers of the boxes to show; a gap stands for those left out."""
    if count <= _MOST_BOXES:
        return list(range(count))
    return [*range(_MOST_BOXES - 3), _GAP, count - 1]


def _boxes(axes: Any, left: float, height: float, count: int, text: str, color: str) -> list[float]:
    """Draw a row of equal domains and return the middles of those that are drawn."""
    from matplotlib.patches import FancyBboxPatch

    slots = _slots(count)
    pitch = _GROUP_WIDTH / len(slots)
    wide = min(pitch - 0.14, 2.6)
    middles: list[float] = []
    for place, slot in enumerate(slots):
        middle = left + (place + 0.5) * pitch
        if slot == _GAP:
            hidden = f"... {count - _MOST_BOXES + 2:,} more"
            axes.text(middle, height + _BOX_HEIGHT / 2, hidden, ha="center", va="center", color=MUTED, fontsize=8)
            continue
        opened = not middles
        axes.add_patch(
            FancyBboxPatch(
                (middle - wide / 2, height),
                wide,
                _BOX_HEIGHT,
                boxstyle="round,pad=0.02",
                facecolor=color,
                edgecolor="white",
                alpha=0.9 if opened else 0.45,
            )
        )
        ink = "white" if opened else INK
        axes.text(middle, height + _BOX_HEIGHT / 2, text, ha="center", va="center", fontsize=7.5, color=ink)
        middles.append(middle)
    return middles


def _join(axes: Any, parent: float, parent_height: float, middles: list[float], height: float) -> None:
    for middle in middles:
        axes.plot([parent, middle], [parent_height, height + _BOX_HEIGHT + 0.02], color=MUTED, linewidth=0.9, zorder=0)


def _devices(axes: Any, left: float, parent: float, height: float, count: int, first: int, name: str) -> None:
    slots = _slots(count) if count > 8 else list(range(count))
    pitch = min(0.75, _GROUP_WIDTH / len(slots))
    start = min(max(left, parent - pitch * len(slots) / 2), left + _GROUP_WIDTH - pitch * len(slots))
    top = height + _BOX_HEIGHT - 0.02
    for place, slot in enumerate(slots):
        middle = start + (place + 0.5) * pitch
        if slot == _GAP:
            axes.text(middle, height + 0.25, "...", ha="center", va="center", color=MUTED)
            continue
        axes.plot([parent, middle], [height + 1, top], color=MUTED, linewidth=0.9, zorder=0)
        number = axes.text(middle, height + 0.25, f"{first + slot}", ha="center", va="center", fontsize=8, color=INK)
        number.set_bbox({"boxstyle": "square,pad=0.28", "facecolor": "white", "edgecolor": INK, "linewidth": 0.9})
    axes.text(start, height - 0.02, name, ha="left", va="top", fontsize=8, color=MUTED)


def _figures(axes: Any, left: float, height: float, tier: Tier, domains: int) -> None:
    lines = [
        f"{domains:,} {'domain' if domains == 1 else 'domains'} of {tier.span:,}, {tier.shape}",
        f"{show(tier.bandwidth, 'bandwidth')} per device{_alone(tier)}",
        f"{show(tier.latency, 'time')}{' per hop' if tier.torus else ''} one way",
    ]
    beside = left + _GROUP_WIDTH + 0.12
    axes.text(beside, height + _BOX_HEIGHT / 2, "\n".join(lines), ha="left", va="center", fontsize=8, color=INK)


def _alone(tier: Tier) -> str:
    more = tier.port_bandwidth > tier.bandwidth * 1.001
    return f", {show(tier.port_bandwidth, 'bandwidth')} alone" if more else ""
