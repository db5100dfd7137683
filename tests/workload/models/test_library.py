"""Every shipped model file is read, consistent with itself, and found by its names."""

from __future__ import annotations

import pytest

from simulator.foundation.errors import InputError, InvalidFile, UnknownName
from simulator.workload.models.facts import ForwardFacts
from simulator.workload.models.files import read_model, shape_keys
from simulator.workload.models.library import (
    ModelLibrary,
    find_model,
    load_forward,
    load_model,
    load_network,
    models_folder,
    shipped_models,
    spelling,
)
from simulator.workload.models.parameters import count_parameters
from simulator.workload.models.transformer import Transformer

SHIPPED = shipped_models()


def test_more_than_six_hundred_models_ship_and_each_file_is_named_as_its_model():
    assert len(SHIPPED) > 600
    for stem in SHIPPED:
        assert SHIPPED[stem].name == stem


def test_every_shape_has_the_published_count_within_what_its_source_rounds():
    off = []
    for model in SHIPPED.values():
        published = model.published
        if model.transformer is not None and published.parameters is not None:
            counted = count_parameters(model.transformer).total
            if abs(counted / published.parameters - 1) > published.tolerance:
                off.append((model.name, counted, published.parameters))
    assert not off


def test_counts_that_were_printed_to_the_last_digit_are_met_to_the_last_digit():
    exact = [model for model in SHIPPED.values() if (model.published.parameters or 0) % 1000]
    assert len(exact) > 50
    for model in exact:
        shape = model.transformer
        counted = model.network.build().parameters if shape is None else count_parameters(shape).total
        assert counted == model.published.parameters, model.name


def test_every_mixture_has_the_published_active_count():
    for model in SHIPPED.values():
        if model.published.active_parameters is not None:
            counts = count_parameters(model.transformer)
            active = counts.active - (0 if model.published.active_with_embedding else counts.embedding)
            assert active == pytest.approx(model.published.active_parameters, rel=0.08), model.name


# gnmt: published per token of either language, drawn per sentence pair; sdxl: published without attention's products;
# mask-rcnn-r50-fpn: published for an image in which nothing is found, drawn with the masks of a training sample
OTHER_UNIT = {"gnmt", "sdxl", "mask-rcnn-r50-fpn"}


def test_every_network_has_the_published_parameters_work_and_activations():
    off = []
    for model in SHIPPED.values():
        if model.network is None:
            continue
        network = model.network.build()
        if model.published.parameters is not None:
            off += _off(
                model.name, "parameters", network.parameters, model.published.parameters, model.published.tolerance
            )
        if model.forward is not None and model.name not in OTHER_UNIT:
            # published multiply-adds of timm count norms too, up to 6 % of a network of depthwise convolutions
            off += _off(model.name, "multiply-adds", network.macs, model.forward.macs, 0.06)
            if model.forward.activations is not None:
                off += _off(model.name, "activations", network.activations, model.forward.activations, 0.01)
    assert not off


def _off(name, what, counted, published, tolerance):
    return [] if abs(counted / published - 1) <= tolerance else [(name, what, counted, published)]


def test_no_alias_means_two_models():
    seen: dict[str, str] = {}
    for model in SHIPPED.values():
        for alias in {spelling(name) for name in (model.name, *model.aliases)}:
            assert seen.setdefault(alias, model.name) == model.name, alias


def test_a_source_and_a_confidence_stand_in_every_file():
    for model in SHIPPED.values():
        assert model.source
        assert model.confidence in ("read", "derived", "recalled")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("llama-3.1-405b", "llama-3.1-405b"),
        ("meta-llama/Llama-3.1-405B", "llama-3.1-405b"),
        ("gpt-3-175b", "gpt3-175b"),
        ("BERT-Large SQuAD", "bert-large"),
        ("ResNet-50", "resnet50-v1.5"),
        ("LLAMA_3_70B", "llama-3-70b"),
        ("mistral-7b", "mistral-7b-v0.1"),
    ],
)
def test_a_model_is_found_by_its_everyday_names(asked, found):
    assert find_model(asked).name == found


def test_an_unknown_model_is_refused_with_near_names():
    with pytest.raises(UnknownName, match=r"no model 'llama-3-71b'.*llama-3-70b"):
        load_model("llama-3-71b")
    with pytest.raises(InputError, match="needs a name"):
        load_model("  ")


def test_the_library_can_be_asked_whether_it_holds_a_model():
    assert "gpt-3-175b" in SHIPPED
    assert "gpt-3-176b" not in SHIPPED
    assert 175 not in SHIPPED


def test_a_model_is_a_shape_or_the_cost_of_a_sample():
    assert isinstance(load_model("llama-3-8b"), Transformer)
    assert isinstance(load_model("resnet50-v1.5"), ForwardFacts)
    assert isinstance(load_model("vit-b16-224"), Transformer)
    assert find_model("vit-b16-224").forward is not None
    assert load_network("resnet50-v1.5").parameters == 25_557_032


def test_the_cost_of_a_sample_is_the_published_one_or_counted_from_the_layers():
    assert load_forward("resnet50-v1.5").macs == 4.11e9
    assert load_forward("quartznet-15x5").macs == load_network("quartznet-15x5").macs
    with pytest.raises(InputError, match="depends on the tokens"):
        load_forward("llama-3-8b")


def test_layers_are_refused_where_none_are_known():
    with pytest.raises(InputError, match="no layers"):
        load_network("llama-3-8b")


def test_a_shape_written_out_is_read_back_the_same(tmp_path):
    for name in ("deepseek-v3", "nemotron-3-super", "t5-base", "gpt-oss-20b", "albert-large-v2", "gemma-2-9b"):
        model = SHIPPED[name].transformer
        body = "\n".join(f"  {key}: {_yaml(value)}" for key, value in shape_keys(model).items())
        file = tmp_path / f"{name}.yaml"
        file.write_text(
            f"name: {name}\nfamily: x\nkind: x\nsource: {{ref: x, confidence: read}}\ntransformer:\n{body}\n"
        )
        assert read_model(file).transformer == model


def _yaml(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_yaml(item)}" for key, item in value.items()) + "}"
    return str(value).lower() if isinstance(value, bool) else str(value)


HEAD = "name: m\nfamily: f\nkind: decoder\nsource: {ref: here, confidence: read}\n"
SHAPE = (
    "transformer: {kind: decoder, layers: 2, hidden: 8, heads: 4, kv_heads: 3, head_dim: 2, ffn: 8, "
    "vocab: 9, max_seq: 9}\n"
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD, "needs 'transformer'"),
        (HEAD + SHAPE, r"m\.yaml:5:1 transformer: .*multiple of kv_heads \(3\)"),
        (HEAD + SHAPE.replace("kv_heads: 3", "kvheads: 4"), "unknown key. Did you mean 'kv_heads'"),
        (HEAD + SHAPE.replace("layers: 2", "layers: -2"), "layers"),
        (HEAD + SHAPE.replace("layers: 2", "layers: two"), "layers"),
        (HEAD.replace("confidence: read", "confidence: sure") + SHAPE, "confidence"),
        (HEAD + "forward: {sample: image, macs: 0}\n", "macs"),
    ],
)
def test_a_broken_file_is_refused_with_its_place_and_mend(tmp_path, text, message):
    file = tmp_path / "m.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        find_model(file)
    assert str(file) in str(caught.value)


def test_all_problems_of_a_file_are_told_at_once(tmp_path):
    file = tmp_path / "m.yaml"
    file.write_text(HEAD + SHAPE.replace("layers: 2", "layers: 0").replace("ffn: 8", "ffn: -1"))
    with pytest.raises(InvalidFile) as caught:
        read_model(file)
    assert len(caught.value.problems) == 2


def test_a_new_file_in_a_folder_is_a_new_model(tmp_path):
    (tmp_path / "mine.yaml").write_text(
        HEAD.replace("name: m", "name: mine\naliases: [My Model]") + SHAPE.replace("kv_heads: 3", "kv_heads: 4")
    )
    library = ModelLibrary(tmp_path)
    assert list(library) == ["mine"]
    assert library["my model"] is library["mine"]


def test_the_folder_of_models_lies_beside_the_package():
    assert (models_folder() / "llama-3-70b.yaml").is_file()
