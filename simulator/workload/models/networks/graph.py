"""Graph networks on sampled neighbourhoods."""

from __future__ import annotations

from simulator.foundation.errors import InputError
from simulator.workload.models.networks.canvas import Canvas
from simulator.workload.models.networks.network import FAMILIES, whole_numbers


@FAMILIES.register("graphsage")
def graphsage(size: int, *, features: int, hidden: int, classes: int, fanouts: str = "25-10") -> Canvas:
    """Draw GraphSAGE with mean aggregation (Hamilton et al. 2017, arXiv:1706.02216) for ``size`` target nodes.

    The features of all sampled nodes are gathered; each layer averages the neighbours of a node and multiplies node and
    mean by a matrix each. No two targets are taken to share a neighbour.

    Args:
        fanouts: neighbours sampled per node, nearest hop first, joined by hyphens.
    """
    hops = whole_numbers(fanouts, "fanouts")
    canvas = _gathered(size, features, hops)
    for left in reversed(range(len(hops))):
        canvas.neighbours(canvas.positions // (hops[left] + 1))
        last = left == 0
        out = classes if last else hidden
        with canvas.branch():
            canvas.linear(out, name="neighbours")
        canvas.linear(out, bias=False, name="self")
        canvas.add()
        if not last:
            canvas.act()
    return canvas


@FAMILIES.register("r-gat")
def r_gat(
    size: int, *, features: int, hidden: int, classes: int, heads: int, relations: int, fanouts: str = "15-10-5"
) -> Canvas:
    """Draw a relational graph attention network (Busbridge et al. 2019, arXiv:1904.05811) for ``size`` target nodes.

    In each layer every relation has a matrix for the sources, one for the targets, and two attention vectors; sampled
    edges spread over the relations, so that the products see each gathered node once.

    Args:
        fanouts: neighbours sampled per node over all relations, nearest hop first, joined by hyphens.
    """
    if hidden % heads:
        raise InputError(f"hidden ({hidden}) must be a multiple of heads ({heads}).")
    hops = whole_numbers(fanouts, "fanouts")
    canvas = _gathered(size, features, hops)
    for fanout in reversed(hops):
        entering = canvas.channels
        canvas.linear(hidden, bias=False, name="relation")
        others = (2 * relations - 1) * entering * hidden + relations * 3 * hidden  # matrices, two vectors, a bias
        canvas.learned("edge attention", others)
        canvas.act("leaky")
        canvas.neighbours(canvas.positions // (fanout + 1))
    canvas.linear(classes, name="classifier")
    return canvas


def _gathered(targets: int, features: int, hops: list[int]) -> Canvas:
    nodes = targets
    for fanout in hops:
        nodes *= fanout + 1
    canvas = Canvas(features, (nodes,))
    canvas.gather()
    return canvas
