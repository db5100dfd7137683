"""What a scenario may add to an engine: guessed tokens, adapters."""

from __future__ import annotations

from pydantic import Field

from simulator.costs.serving.additions import Adapters, Speculation
from simulator.foundation.errors import InputError
from simulator.foundation.schema import Count, Fraction, Name, StrictModel
from simulator.scenario.kinds import Context
from simulator.workload.models.transformer import Transformer


class SpeculativeFile(StrictModel):
    """Tokens that are guessed and checked in one pass of the model."""

    tokens: Count = Field(description="guesses for one pass")
    acceptance: Fraction = Field(description="chance that a guess is right, independent of the others")
    draft: Name | None = Field(default=None, description="the model that guesses; left out: a free look-up")


class AdaptersFile(StrictModel):
    """LoRA adapters beside the weights, asked for equally often."""

    count: Count
    rank: Count = 16
    resident: Count | None = Field(default=None, description="on the device at once; left out: all")


def speculation_of(file: SpeculativeFile, model: Transformer, context: Context) -> Speculation:
    """Return how tokens are guessed; raises :class:`InputError` with its place."""
    draft = None
    if file.draft is not None:
        with context.at("draft"):
            found = context.model(file.draft)
            if not isinstance(found, Transformer) or found.vocab != model.vocab:
                raise InputError(f"{file.draft} does not speak the {model.vocab} tokens of {model.name}.")
            draft = found
    return Speculation(tokens=file.tokens, acceptance=file.acceptance, draft=draft)


def adapters_of(file: AdaptersFile, context: Context) -> Adapters:
    """Return the adapters; raises :class:`InputError` with its place."""
    with context.at("resident"):
        return Adapters(count=file.count, resident=file.resident or file.count, rank=file.rank)
