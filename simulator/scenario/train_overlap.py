"""What runs beside what in a training step, where it differs from the framework's ways: the key ``overlap``."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from pydantic import Field

from simulator.foundation.errors import InputError
from simulator.foundation.schema import Fraction, StrictModel, TextOr
from simulator.profiles.framework import Framework
from simulator.scenario.kinds import Context


class OverlapFile(StrictModel):
    """Communication that runs beside computation; a key left out leaves it to the framework."""

    gradients: bool | None = Field(default=None, description="gradients are reduced beside the backward pass")
    gathers: bool | None = Field(default=None, description="sharded weights are gathered ahead of use")
    tensor: TextOr[Literal["none", "async"], Fraction] | None = Field(
        default=None,
        description="collectives of TP and CP: none; the share that is hidden; or async: cut into pieces that travel "
        "beside the products, which needs sequence parallelism",
    )
    pipeline: bool | None = Field(default=None, description="activations travel between stages beside the passes")


def overlapping(framework: Framework, file: OverlapFile, context: Context, *, sequence_parallel: bool) -> Framework:
    """Return the framework with its ways of overlapping changed.

    Args:
        framework: what it does by itself.
        file: what differs.
        context: the place of the key.
        sequence_parallel: whether TP gathers and scatters, so that there is something to cut.

    Raises:
        InputError: async TP without sequence parallelism.
    """
    if file.tensor == "async" and not sequence_parallel:
        with context.at("tensor"):
            raise InputError("async TP cuts gathers and scatters; it needs 'sequence_parallel: true'.")
    if file.gradients is not None:
        framework = replace(framework, overlaps_gradients=file.gradients)
    if file.gathers is not None:
        framework = replace(framework, overlaps_gathers=file.gathers)
    if file.tensor is not None:
        share = 0.0 if isinstance(file.tensor, str) else file.tensor
        framework = replace(framework, overlaps_tensor=share, decomposes_tensor=file.tensor == "async")
    if file.pipeline is not None:
        framework = replace(framework, boundary_exposed=0.0 if file.pipeline else 1.0)
    return framework
