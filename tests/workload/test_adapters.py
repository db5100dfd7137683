"""Low-rank adapters: as many numbers as the training codes print."""

from __future__ import annotations

import pytest

from simulator.workload.models.adapters import Targets, adapter_parameters
from simulator.workload.models.library import load_model
from simulator.workload.models.parameters import count_parameters
from simulator.workload.models.transformer import Transformer


def shape(name: str) -> Transformer:
    found = load_model(name)
    assert isinstance(found, Transformer)
    return found


@pytest.mark.parametrize(
    ("name", "rank", "targets", "printed"),
    [
        ("llama-2-7b", 8, "query-value", 4_194_304),  # "trainable params" of Hugging Face PEFT's Llama 7B examples
        ("llama-2-7b", 16, "all", 39_976_960),
        ("llama-3-8b", 16, "all", 41_943_040),
        ("gpt3-175b", 4, "query-value", 18_874_368),  # Hu et al. 2021, arXiv 2106.09685: "4.7M" at rank 1, 4 times it
    ],
)
def test_adapters_hold_the_numbers_that_were_printed(name: str, rank: int, targets: Targets, printed: int) -> None:
    assert adapter_parameters(shape(name), rank, targets) == printed


@pytest.mark.parametrize("name", ["llama-3-8b", "mixtral-8x7b", "deepseek-v2-lite", "bert-large"])
def test_they_grow_with_the_rank_and_with_what_they_stand_beside(name: str) -> None:
    model = shape(name)
    for targets in ("query-value", "attention", "all"):
        assert adapter_parameters(model, 32, targets) == 32 * adapter_parameters(model, 1, targets)
    few, some, all_ = (adapter_parameters(model, 8, targets) for targets in ("query-value", "attention", "all"))
    assert 0 < few < some < all_ < count_parameters(model).total
