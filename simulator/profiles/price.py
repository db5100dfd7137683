"""A price: what renting, buying, storing or powering something costs, in money or in carbon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field, model_validator

from simulator.foundation.errors import InputError, suggestion
from simulator.foundation.schema import Name, StrictModel
from simulator.profiles.source import (
    AmountFigure,
    CarbonFigure,
    EnergyPriceFigure,
    Figure,
    MoneyFigure,
    PartFile,
    RatioFigure,
    RentFigure,
    Sourced,
    StorageRentFigure,
    figures_of,
    value_of,
)

PriceKind = Literal["instance", "chip", "purchase", "storage", "electricity", "grid_carbon", "pue"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One provider's price in one region. A figure that no source gives, or that does not apply, is None.

    Attributes:
        date: when the figures were read, in words where they differ.
        carbon_g_per_j: grams of CO2 equivalent per joule.
        pue: power usage effectiveness, facility energy over IT energy.
    """

    provider: str
    region: str
    date: str
    on_demand_usd_per_s: float | None
    spot_usd_per_s: float | None
    reserved_1y_usd_per_s: float | None
    reserved_3y_usd_per_s: float | None
    purchase_usd: float | None
    storage_usd_per_byte_s: float | None
    energy_usd_per_j: float | None
    carbon_g_per_j: float | None
    pue: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What one thing costs, with every offer known.

    The price of a rented node carries the node's name, a purchase that of the device; ``device_count`` is how many
    devices it buys (below 1 for a share of one).
    """

    name: str
    kind: PriceKind
    device: str | None
    device_count: float | None
    offers: tuple[Offer, ...]
    aliases: tuple[str, ...]
    figures: tuple[Figure, ...]
    unusual: Mapping[str, str]
    notes: str

    def offer(self, *, provider: str | None = None, region: str | None = None) -> Offer:
        """Return the first offer of the provider and region; the file's first one if neither is named.

        Raises:
            InputError: there is none; the message names those there are.
        """
        for offer in self.offers:
            if provider in (None, offer.provider) and region in (None, offer.region):
                return offer
        known = [f"{offer.provider}/{offer.region}" for offer in self.offers]
        asked = f"{provider or '*'}/{region or '*'}"
        raise InputError(f"no offer {asked!r} of the price {self.name!r}.{suggestion(asked, known)}")


class OfferFile(StrictModel):
    """An offer; keys that do not apply to the kind of price are left out."""

    provider: str
    region: str = ""
    date: str = ""
    on_demand: RentFigure | None = None
    spot: RentFigure | None = None
    reserved_1y: RentFigure | None = None
    reserved_3y: RentFigure | None = None
    purchase: MoneyFigure | None = None
    storage: StorageRentFigure | None = None
    energy: EnergyPriceFigure | None = None
    carbon: CarbonFigure | None = None
    pue: RatioFigure | None = None

    @model_validator(mode="after")
    def _has_a_figure(self) -> OfferFile:
        if not any(isinstance(getattr(self, name), Sourced) for name in OfferFile.model_fields):
            raise ValueError("an offer needs a figure, such as 'on_demand: 3.90 USD/h'.")
        return self


class PriceFile(PartFile):
    """``prices/<name>.yaml``."""

    part: Literal["price"]
    kind: PriceKind
    device: Name | None = None
    device_count: AmountFigure | None = None
    offers: Annotated[list[OfferFile], Field(min_length=1)]


def _offer_from(file: OfferFile) -> Offer:
    return Offer(
        provider=file.provider,
        region=file.region,
        date=file.date,
        on_demand_usd_per_s=value_of(file.on_demand),
        spot_usd_per_s=value_of(file.spot),
        reserved_1y_usd_per_s=value_of(file.reserved_1y),
        reserved_3y_usd_per_s=value_of(file.reserved_3y),
        purchase_usd=value_of(file.purchase),
        storage_usd_per_byte_s=value_of(file.storage),
        energy_usd_per_j=value_of(file.energy),
        carbon_g_per_j=value_of(file.carbon),
        pue=value_of(file.pue),
    )


def price_from(name: str, file: PriceFile) -> Price:
    """Return the price that a file describes; raises :class:`InputError` for a source that it does not describe."""
    return Price(
        name=name,
        kind=file.kind,
        device=file.device,
        device_count=value_of(file.device_count),
        offers=tuple(_offer_from(offer) for offer in file.offers),
        aliases=tuple(file.aliases),
        figures=figures_of(file),
        unusual=MappingProxyType(dict(file.unusual)),
        notes=file.notes,
    )
