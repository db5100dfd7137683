"""Published training rates of networks, against their predictions."""

from __future__ import annotations

import pytest

from simulator.foundation.errors import InputError
from simulator.profiles.catalogue import load_catalogue
from simulator.validation.training import predict_training_row
from simulator.validation.training_networks import (
    is_priced_by_layers,
    network_of,
    predict_network_row,
    samples_to_converge,
)
from simulator.workload.models.networks.canvas import Canvas
from simulator.workload.operators import Elementwise

_CATALOGUE = load_catalogue()
_A100 = {"device_id": "nvidia-a100-sxm4-80gb", "node_id": "dgx-a100-640gb"}
_H100 = {"device_id": "nvidia-h100-sxm5-80gb", "node_id": "hgx-h100-8", "assumption": "mlperf-defaults"}


def predicted(**row: str) -> float:
    value = predict_network_row({"metric": "samples_per_s", "n_accel": "1", **row}, _CATALOGUE).value
    assert value is not None
    return value


def test_segmentation_on_one_hopper_server_is_as_published() -> None:
    # MLPerf Training v3.1, 3D U-Net on 8 H100: 562.9 samples/s in the logs (not an official result)
    rate = predicted(model_id="3d-unet-kits19", n_accel="8", global_batch_samples="56", **_H100)
    assert rate == pytest.approx(562.9, rel=0.15)


def test_image_classification_is_as_published() -> None:
    # MLPerf Training v3.1, ResNet-50 on 8 H100: 55,832 images/s in the logs (not an official result)
    rate = predicted(model_id="resnet50-v1.5", n_accel="8", global_batch_samples="3200", image_size_px="224", **_H100)
    assert rate == pytest.approx(55_832, rel=0.25)


def test_a_counted_die_is_half_a_card() -> None:
    # TensorFlow benchmarks, April 2017: Inception v3 on one K80 GPU, batch 32: 29.2 images/s
    row = {"model_id": "inception-v3", "device_id": "nvidia-k80-pcie-24gb", "devices_per_accel": "0.5",
           "precision": "fp32", "micro_batch_samples": "32", "image_size_px": "299"}  # fmt: skip
    assert predicted(**row) == pytest.approx(29.2, rel=0.3)
    assert predicted(**row) < predicted(**{**row, "devices_per_accel": "1"})


def test_a_whole_run_is_its_samples_over_its_rate() -> None:
    row = {"model_id": "resnet50-v1.5", "n_accel": "8", "global_batch_samples": "3200", **_H100}
    minutes = predicted(**{**row, "metric": "time_to_train_min", "assumption": "converge=45600000(36)"})
    assert minutes == pytest.approx(45_600_000 / predicted(**row) / 60.0)


def test_a_run_of_unknown_length_is_not_predicted() -> None:
    with pytest.raises(InputError, match="how many samples"):
        samples_to_converge({"assumption": "mlperf-defaults"})


def test_models_with_layers_are_told_from_transformers_of_text() -> None:
    assert is_priced_by_layers({"model_id": "resnet50-v1.5"})
    assert is_priced_by_layers({"model_id": "vit-b16-224"})
    assert not is_priced_by_layers({"model_id": "bert-large"})


def test_a_network_cut_inside_its_layers_is_refused_with_the_reason() -> None:
    with pytest.raises(InputError, match="inside the layers"):
        predicted(model_id="resnet101", n_accel="8", tp="8", global_batch_samples="64", precision="fp32", **_A100)


def test_a_network_in_four_stages_is_as_published() -> None:
    # torchgpipe, ResNet-101 on 4 Tesla P40, 256 micro-batches of 22 images: 265.958 samples/s
    row = {"model_id": "resnet101", "device_id": "nvidia-p40-pcie-24gb", "engine": "torchgpipe", "precision": "fp32",
           "recompute": "full", "image_size_px": "224", "n_accel": "4"}  # fmt: skip
    rate = predicted(**row, pp="4", micro_batch_samples="22", global_batch_samples="5632")
    assert rate == pytest.approx(265.958, rel=0.15)
    assert predicted(**row, pp="4", micro_batch_samples="5632", global_batch_samples="5632") < rate / 2.5


def test_encoder_submissions_compute_no_padding() -> None:
    # MLPerf Training v3.1, BERT-large on 8 H100: 7,545 samples/s in the logs (not an official result)
    row = {"model_id": "bert-large", "kind_of_work": "encoder-train", "metric": "samples_per_s", "n_accel": "8",
           "global_batch_samples": "768", "seq_len_tokens": "512", **_H100}  # fmt: skip
    value = predict_training_row(row, _CATALOGUE).value
    assert value == pytest.approx(7_545, rel=0.25)


def test_a_norm_over_channels_moves_more_than_one_over_a_batch() -> None:
    def moved(norm: str) -> float:
        canvas = Canvas(64, (16,))
        getattr(canvas, norm)()
        (layer,) = canvas.layers
        assert isinstance(layer.operator, Elementwise)
        assert layer.parameters == 2 * 64
        return layer.operator.moved

    assert moved("layer_norm") > moved("norm")


def test_both_sides_of_an_encoder_decoder_count_with_their_own_length() -> None:
    row = {"model_id": "t5-v1.1-large", "engine": "jax", "precision": "bf16", "n_accel": "8", "dp": "8", **_A100,
           "micro_batch_samples": "32", "global_batch_samples": "256", "seq_len_tokens": "512",
           "metric": "samples_per_s", "kind_of_work": "encdec-train"}  # fmt: skip
    told = predict_training_row({**row, "notes": "encoder-decoder, input 512/target 114"}, _CATALOGUE).value
    alike = predict_training_row({**row, "notes": "encoder-decoder, input 512/target 512"}, _CATALOGUE).value
    silent = predict_training_row(row, _CATALOGUE).value
    assert told is not None
    assert alike is not None
    assert alike == silent
    assert 1.3 * alike < told < 512 / 114 * alike


def test_training_takes_the_size_it_is_usually_done_at_unless_the_row_prints_one() -> None:
    row = {"model_id": "yolov3", "kind_of_work": "detection-train"}
    assert network_of(row).size == 480
    assert network_of({**row, "image_size_px": "416"}).size == 416


def test_speech_rows_count_masked_positions_or_letters_of_pieces_of_audio() -> None:
    """wav2vec 2.0 of DeepLearningExamples on one A100, tf32: 28,045 and 34,813 tokens/s."""
    row = {"kind_of_work": "speech-train", "engine": "pytorch", "precision": "tf32", "micro_batch_samples": "8",
           "source": "PyTorch/SpeechRecognition/wav2vec2/README.md", "model_id": "wav2vec2-base", **_A100}  # fmt: skip
    pretrained = predicted(**{**row, "global_batch_samples": "64"})
    tuned = predicted(**{**row, "global_batch_samples": "8"})
    assert pretrained == pytest.approx(28_045, rel=0.5)
    assert tuned == pytest.approx(34_813, rel=0.5)


def test_a_vision_transformer_of_the_papers_recipe_drops_and_adapts() -> None:
    # JAX-Toolbox, ViT-B/16 on 8 A100, 512 images a GPU: 7200.38 images/s
    row = {"model_id": "vit-b16-224", "engine": "jax", "precision": "bf16", "n_accel": "8", "image_size_px": "224",
           "micro_batch_samples": "512", "global_batch_samples": "4096", **_A100}  # fmt: skip
    recipe = predicted(**row, source="NVIDIA/JAX-Toolbox rosetta/rosetta/projects/vit/README.md")
    assert recipe == pytest.approx(7200.38, rel=0.2)
    assert recipe < predicted(**row) < 1.2 * recipe
