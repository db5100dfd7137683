"""Several services on one pool in sentences and rows."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.planner.serving.service_pool import ServicePool

#: columns of the table of replicas
COLUMNS = ("service", "node", "tp", "replicas", "shared", "per_s", "max_num_seqs", "max_num_batched_tokens")


def rows(found: ServicePool) -> list[tuple[object, ...]]:
    """Return what stands where as rows of :data:`COLUMNS`."""
    return [tuple(row.values()) for row in found.rows()]


def sentences(found: ServicePool) -> Iterator[str]:
    """Yield the placement in sentences, the decision first."""
    taken = [f"{count} x {name}" for name, count in found.pool.nodes.items() if count]
    yield f"Take {' and '.join(taken)} for {len(found.rates)} services: {found.pool.price:,.2f} {found.unit}."
    yield (
        "By the steady rates no placement is cheaper: the programme is solved exactly."
        + (f" Rates were lowered {found.lowered} times until all limits were kept." if found.lowered else "")
    )
    if found.attainments:
        worst = "; ".join(f"{name} {min(shares):.1%}" for name, shares in found.attainments.items())
        yield f"Played on their replicas, of the requests inside the limits on the worst draw: {worst}."
    else:
        yield "Models take turns on shared devices; that is priced by their rates, and not played."
    spare = [f"{name} {have / found.rates[name] - 1.0:.0%}" for name, have in _served(found).items()]
    yield f"Binding constraint: whole replicas and whole nodes; rates to spare: {', '.join(spare)}."


def _served(found: ServicePool) -> dict[str, float]:
    served = dict.fromkeys(found.rates, 0.0)
    for row in found.rows():
        served[str(row["service"])] += float(row["per_s"])
    return served


def alone(found: ServicePool) -> Iterator[tuple[str, str]]:
    """Yield what the pool would cost of each kind of machine alone."""
    for name in found.pool.nodes:
        other = found.again([name])
        yield name, "cannot" if other is None else f"{other.price:,.2f} {found.unit}"
