"""What a joule of a machine emits: the grid's intensity where it stands, times the facility's energy per IT energy.

Emissions of use only: what making the hardware emitted is in no figure of the catalogue.
"""

from __future__ import annotations

from dataclasses import dataclass

from simulator.foundation.errors import InputError
from simulator.profiles.catalogue import Catalogue
from simulator.profiles.node import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Where electricity comes from: ``intensity`` in g CO2e/J at the meter, ``pue`` facility energy over IT energy."""

    intensity: float
    pue: float

    @property
    def grams_per_joule(self) -> float:
        """Grams of CO2 equivalent per joule that the machine itself draws.

        >>> round(Grid(intensity=400 / 3.6e6, pue=1.5).grams_per_joule * 3.6e6)
        600
        """
        return self.intensity * self.pue


def grid_of(
    catalogue: Catalogue,
    node: Node,
    *,
    provider: str | None = None,
    region: str | None = None,
    grid: str | None = None,
    intensity: float | None = None,
    pue: float | None = None,
) -> Grid:
    """Return the grid of one node: what is given, else the catalogue's for the provider and region of its price.

    Args:
        provider, region: of the node's offer; its first one where they are not named.
        grid: a region or country of the ``grid-carbon`` prices, such as ``fra`` or ``gcp-us-east4``.
        intensity: g CO2e/J, instead of the catalogue's.
        pue: instead of the provider's.

    Raises:
        InputError: a figure that nobody gives; with the key that does.
    """
    if (intensity is None or pue is None) and node.name in catalogue.prices:
        offer = catalogue.prices[node.name].offer(provider=provider, region=region)
        provider, region = provider or offer.provider, region or offer.region
    if intensity is None:
        names = [f"grid-carbon-{grid}"] if grid is not None else [f"grid-carbon-{provider}-{region}",
                                                                  f"grid-carbon-{region}"]  # fmt: skip
        intensity = _figure(catalogue, names, "carbon_g_per_j")
    if intensity is None:
        raise InputError(
            f"how clean the electricity of {node.name} is, is not known ({grid or region or 'no region'}); write "
            "prices.grid, as in 'fra', or prices.carbon, as in '400 g/kWh'."
        )
    if pue is None:
        pue = _figure(catalogue, [f"pue-{provider}"], "pue")
    if pue is None:
        raise InputError(f"the energy that the building around {node.name} takes is not known; write prices.pue.")
    return Grid(intensity=intensity, pue=pue)


def _figure(catalogue: Catalogue, names: list[str], figure: str) -> float | None:
    for name in names:
        if name in catalogue.prices:
            found: float | None = getattr(catalogue.prices[name].offer(), figure)
            return found
    return None
