"""``plan:``, ``slo:``, ``prices:`` and ``run:`` what is wanted of the answer, and how it is found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from simulator.foundation.schema import Count, Fraction, PositiveSeconds, StrictModel, quantity
from simulator.scenario.hardware import PriceKind
from simulator.scenario.train_layout import Degree

Objective = Literal["time", "cost", "energy", "carbon", "memory"]
Fidelity = Literal["estimate", "engine"]
Money: Any = quantity("money", above=True)
EnergyPrice: Any = quantity("money_per_energy")
Carbon: Any = quantity("carbon_per_energy")
Zero = Annotated[int, Field(ge=0, le=3)]


class ChoicesFile(StrictModel):
    """What the planner may choose from; a key left out leaves it free."""

    tp: list[Degree] | None = None
    pp: list[Degree] | None = None
    cp: list[Degree] | None = None
    ep: list[Degree] | None = None
    vpp: list[Degree] | None = None
    micro: list[Degree] | None = None
    zero: list[Zero] | None = None
    sequence_parallel: list[bool] | None = None
    recompute: list[Literal["none", "selective", "full"]] | None = None
    schedule: list[Literal["gpipe", "1f1b", "zb-h1", "dualpipe"]] | None = None
    nodes: list[str] | None = Field(default=None, description="machines of the catalogue; left out: the cluster's")
    count: list[Count] | None = Field(default=None, description="how many of the machines")
    precision: list[str] | None = Field(default=None, description="number formats of a service's weights")
    prefill: list[Annotated[int, Field(ge=0, le=1000)]] | None = Field(
        default=None, description="replicas of each node of a service that compute prompts only; 0: all do both"
    )
    max_num_seqs: list[Count] | None = None
    max_num_batched_tokens: list[Count] | None = None


class PlanFile(StrictModel):
    """What the planner looks for, and among what."""

    objective: Objective | None = Field(default=None, description="left out: time for training, cost for a service")
    choices: ChoicesFile = ChoicesFile()
    top: Count = Field(default=5, description="how many plans are shown")
    confirm: Count = Field(default=5, description="how many of the best estimates are simulated before one is chosen")
    mix: bool = Field(default=False, description="of a service: several kinds of machine may stand together")
    share: bool = Field(default=False, description="of several services: models may take turns on the same devices")
    seeds: Count = Field(default=3, description="of a service: draws of its traffic that must all keep the limits")
    further_seeds: Annotated[int, Field(ge=0, le=1000)] = Field(
        default=7, description="of a service: draws on which only what kept those is played; the interval is over all"
    )
    simulations: Count = Field(default=2000, description="of a service: most runs before the search stops")


class SloFile(StrictModel):
    """Limits that the answer is held against."""

    step_time: PositiveSeconds | None = None
    finish: PositiveSeconds | None = Field(default=None, description="of the whole run; needs 'tokens'")
    cost: Money | None = Field(default=None, description="of the whole run; needs 'tokens'")
    mfu: Fraction | None = Field(default=None, description="least model FLOP utilisation")


class PricesFile(StrictModel):
    """Which of the catalogue's prices count."""

    kind: PriceKind = "on-demand"
    provider: str | None = None
    region: str | None = None
    electricity: EnergyPrice | None = None
    grid: str | None = Field(
        default=None, description="whose electricity is burnt, as in fra or gcp-us-east4; left out: that of the region"
    )
    carbon: Carbon | None = Field(default=None, description="instead of the grid's, as in '400 g/kWh'")
    pue: Annotated[float, Field(ge=1, le=10, strict=False)] | None = Field(
        default=None, description="facility energy over IT energy; left out: the provider's"
    )


class RunFile(StrictModel):
    """How the answer is computed."""

    fidelity: Fidelity = Field(default="engine", description="estimate: closed forms only; engine: events in time")
    seed: Annotated[int, Field(ge=0, le=2**53)] = 0
    seeds: Annotated[int, Field(ge=1, le=1000)] = Field(default=1, description="how many runs, each with its own seed")
    window: Count | None = Field(
        default=None,
        description="of a service: requests brought at once, figures counted as requests end; a trace's windows "
        "of time stand instead. Left out: all requests, or windows where they are above ten million",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanWishes:
    """What the planner looks for; ``choices`` holds only the keys that are narrowed, each with its values in order."""

    objective: Objective | None
    choices: dict[str, tuple[int | str | bool, ...]]
    top: int
    confirm: int
    mix: bool
    share: bool
    seeds: int
    further_seeds: int
    simulations: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Slo:
    """Limits, each None if there is none; times in s, cost in USD, MFU between 0 and 1."""

    step_time_s: float | None
    finish_s: float | None
    cost_usd: float | None
    mfu: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceWishes:
    """Which of the catalogue's prices count; what is None is the catalogue's, by provider and region.

    Attributes:
        grid: a name of the catalogue's grids.
        carbon_g_per_j: grams of CO2 equivalent per joule at the meter.
        pue: facility energy over IT energy.
    """

    kind: PriceKind
    provider: str | None
    region: str | None
    energy_usd_per_j: float | None
    grid: str | None = None
    carbon_g_per_j: float | None = None
    pue: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """How the answer is computed."""

    fidelity: Fidelity
    seed: int
    seeds: int
    window: int | None = None


def plan_from(file: PlanFile) -> PlanWishes:
    """Return what the planner looks for."""
    narrowed = {name: getattr(file.choices, name) for name in ChoicesFile.model_fields}
    choices = {name: tuple(values) for name, values in narrowed.items() if values is not None}
    return PlanWishes(
        objective=file.objective, choices=choices, top=file.top, confirm=file.confirm, mix=file.mix, share=file.share,
        seeds=file.seeds, further_seeds=file.further_seeds, simulations=file.simulations,
    )  # fmt: skip


def slo_from(file: SloFile) -> Slo:
    """Return the limits."""
    return Slo(step_time_s=file.step_time, finish_s=file.finish, cost_usd=file.cost, mfu=file.mfu)


def prices_from(file: PricesFile) -> PriceWishes:
    """Return which prices count."""
    return PriceWishes(
        kind=file.kind, provider=file.provider, region=file.region, energy_usd_per_j=file.electricity,
        grid=file.grid, carbon_g_per_j=file.carbon, pue=file.pue,
    )  # fmt: skip


def run_from(file: RunFile) -> RunSettings:
    """Return how the answer is computed."""
    return RunSettings(fidelity=file.fidelity, seed=file.seed, seeds=file.seeds, window=file.window)
