"""Two roads to the same weights: the operators of a layer, and the parameter count of its part."""

from __future__ import annotations

import dataclasses

import pytest

from simulator.workload.models.library import shipped_models
from simulator.workload.models.parameters import count_parameters
from simulator.workload.operators import ExpertGemm, Gemm
from simulator.workload.transformer_blocks import blocks

SHAPES = [model.transformer for model in shipped_models().values() if model.transformer is not None]


def weights(model):
    total = 0
    for block in blocks(model):
        for operator in block.operators:
            if isinstance(operator, ExpertGemm):
                total += block.count * operator.experts * operator.k * operator.n
            elif isinstance(operator, Gemm) and operator.weight:
                total += block.count * operator.k * operator.n
    return total


def test_the_operators_of_every_shipped_model_hold_its_weights_but_for_biases_and_norms():
    for model in SHAPES:
        counts = count_parameters(dataclasses.replace(model, shared_layers=False))
        layers = (
            counts.attention + counts.ffn + counts.experts + counts.shared_experts + counts.router + counts.recurrence
        )
        assert weights(model) == pytest.approx(layers, rel=0.003), model.name
