"""The verb ``model``: what it prints, writes and refuses."""

from __future__ import annotations

import json

from simulator.cli.app import main

CONFIG = {"model_type": "llama", "num_hidden_layers": 32, "hidden_size": 4096, "num_attention_heads": 32,
          "num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 128256,
          "max_position_embeddings": 8192, "torch_dtype": "bfloat16"}  # fmt: skip


def test_list_tells_kind_family_and_parameters_of_each_model(capsys):
    assert main(["model", "list", "--family", "mixtral", "--json"]) == 0
    models = json.loads(capsys.readouterr().out)["models"]
    assert [model["model"] for model in models] == ["mixtral-8x22b", "mixtral-8x7b"]
    assert models[1]["parameters"] == 46_702_792_704
    assert models[1]["active_parameters"] == 12_879_925_248


def test_list_as_csv_has_a_line_per_model(capsys):
    assert main(["model", "list", "--kind", "encoder", "--csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "model,kind,family,parameters,active_parameters,known_by"
    assert len(lines) > 10


def test_list_refuses_an_unknown_kind_with_near_names(capsys):
    assert main(["model", "list", "--kind", "decodr"]) == 2
    assert "Did you mean" in capsys.readouterr().err


def test_show_tells_shape_source_and_aliases(capsys):
    assert main(["model", "show", "deepseek-ai/DeepSeek-V3"]) == 0
    shown = capsys.readouterr().out
    for text in ("deepseek-v3", "kv_lora_rank 512", "256", "source"):
        assert text in shown
    assert main(["model", "show", "resnet50", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["model"]["forward"]["macs"] == 4.11e9


def test_params_adds_the_parts_up_and_holds_them_against_the_published_count(capsys):
    assert main(["model", "params", "llama-3-70b", "--json"]) == 0
    counts = json.loads(capsys.readouterr().out)
    assert counts["total"] == sum(counts["parts"].values()) == 70_553_706_496
    assert main(["model", "params", "mixtral-8x7b"]) == 0
    assert "active per token: 12,879,925,248" in capsys.readouterr().out
    assert main(["model", "params", "vgg16"]) == 0
    assert "138,357,544" in capsys.readouterr().out


def test_params_of_a_model_known_by_its_cost_only_is_refused(capsys):
    assert main(["model", "params", "timm-ghostnet-100"]) == 2
    assert "forward cost only" in capsys.readouterr().err


def test_an_unknown_model_ends_with_code_2_and_near_names(capsys):
    assert main(["model", "show", "lama-3-70b"]) == 2
    assert "llama-3-70b" in capsys.readouterr().err


def test_import_writes_a_file_that_the_other_verbs_read(tmp_path, capsys):
    config = tmp_path / "config.json"
    config.write_text(json.dumps(CONFIG))
    assert main(["model", "import", str(config), "--name", "mine", "--out", str(tmp_path)]) == 0
    talk = capsys.readouterr()
    assert talk.out == ""
    assert "8,030,261,248 parameters" in talk.err
    assert main(["model", "params", str(tmp_path / "mine.yaml"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["total"] == 8_030_261_248


def test_import_prints_the_file_where_no_folder_is_named(tmp_path, capsys):
    config = tmp_path / "config.json"
    config.write_text(json.dumps(CONFIG))
    assert main(["model", "import", str(config), "--name", "mine"]) == 0
    assert capsys.readouterr().out.startswith("name: mine\n")
    assert main(["model", "import", str(tmp_path), "--name", "mine"]) == 0  # the folder that holds it
    assert capsys.readouterr().out.startswith("name: mine\n")
    assert main(["model", "import", str(config), "--name", "mine", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["parameters"] == 8_030_261_248


def test_import_of_an_unknown_architecture_lists_the_known_ones(tmp_path, capsys):
    config = tmp_path / "config.json"
    config.write_text(json.dumps(CONFIG | {"model_type": "perceptron"}))
    assert main(["model", "import", str(config)]) == 2
    assert "bart, bert" in capsys.readouterr().err
