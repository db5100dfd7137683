"""``rackcast fit`` of networks on samples and of compressed models: the account that a scenario of the same job has."""

from __future__ import annotations

import json

import pytest

from simulator.cli.app import main
from simulator.foundation.shipped import shipped
from simulator.results.result import Result
from simulator.scenario import load_scenario
from simulator.simulation import simulate

FOLDER = shipped("scenarios")


@pytest.mark.parametrize(
    ("scenario", "arguments"),
    [
        ("train-ssd-v100", "ssd300-resnet50 --micro-batch 32 --precision fp32 --optimizer momentum"),
        ("train-gnmt-v100", "gnmt --micro-batch 128 --precision fp16-amp --sample-size 50"),
        (
            "train-qlora-70b",
            (
                "llama-2-70b --micro-batches 8 --seq-len 2048 --precision nf4-weights --optimizer adam-8bit --lora 16 "
                "--recompute full --framework pytorch"
            ),
        ),
        (
            "train-distill-llama",
            (
                "llama-3.2-1b --micro-batch 2 --micro-batches 16 --seq-len 4096 --optimizer adamw --zero 1 "
                "--teacher llama-3.1-8b"
            ),
        ),
    ],
)
def test_it_counts_what_the_scenario_counts(capsys: pytest.CaptureFixture[str], scenario: str, arguments: str) -> None:
    found = simulate(load_scenario(FOLDER / f"{scenario}.yaml", ["run.fidelity=estimate"]))
    assert isinstance(found, Result)
    device = f"{found.hardware.device}:{found.hardware.devices}"
    assert main(["fit", *arguments.split(), "--on", device, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["memory_bytes"] == pytest.approx(dict(found.memory))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("resnet50-v1.5 --lora 16", "transformers only"),
        ("llama-2-7b --precision nf4-weights", "--lora 16"),
        ("llama-2-7b --teacher resnet50-v1.5", "not of one kind"),
        ("resnet50-v1.5 --sparsity 2:8", "2:4"),
        ("resnet50-v1.5 --tp 2", "by its batch"),
    ],
)
def test_what_a_kind_of_model_does_not_know_is_told(
    capsys: pytest.CaptureFixture[str], arguments: str, said: str
) -> None:
    assert main(["fit", *arguments.split(), "--on", "nvidia-a100-sxm4-80gb:8"]) == 2
    assert said in capsys.readouterr().err


def test_schedules_stages_and_offload_are_known(capsys):
    base = ["fit", "llama-3.1-8b", "--on", "h100-sxm:8", "--tp", "4", "--seq-len", "4096", "--micro-batches", "16"]

    def parts(*more):
        assert main([*base, "--json", *more]) == 0
        return json.loads(capsys.readouterr().out)["memory_bytes"]

    whole, staged = parts(), parts("--pp", "2")
    assert sum(parts("--pp", "2", "--layers-per-stage", "20,12").values()) > sum(staged.values())
    assert parts("--pp", "2", "--schedule", "gpipe")["activations"] > staged["activations"]
    assert parts("--offload", "optimizer")["optimizer"] == 0.0
    assert parts("--offload", "activations")["activations"] < whole["activations"]


@pytest.mark.parametrize(("more", "told"), [
    (("--offload", "gradients"), "write optimizer, parameters or activations"),
    (("--pp", "2", "--layers-per-stage", "20,10"), "adds up to 30 layers"),
    (("--pp", "2", "--layers-per-stage", "half,half"), "as in 17,15"),
])  # fmt: skip
def test_what_is_written_otherwise_is_answered_with_how(capsys, more, told):
    assert main(["fit", "llama-3.1-8b", "--on", "h100-sxm:8", "--tp", "4", *more]) == 2
    assert told in capsys.readouterr().err


def test_networks_on_samples_offload_and_shard_too(capsys):
    def optimizer(*more):
        code = main(["fit", "vgg16", "--on", "h100-sxm:8", *more, "--json"])
        assert code == 0
        return json.loads(capsys.readouterr().out)["memory_bytes"]["optimizer"]

    assert optimizer("--offload", "optimizer") == 0.0
    assert optimizer("--zero", "1") == pytest.approx(optimizer() / 8)
