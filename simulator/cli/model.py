"""``rackcast model``: the architectures that ship, their parameter counts, and the import of published ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simulator.cli import output
from simulator.cli.options import Csv, Json
from simulator.foundation.units import GIGA

if TYPE_CHECKING:
    from simulator.workload.models.files import ModelFile
    from simulator.workload.models.networks.network import NetworkRecipe
    from simulator.workload.models.parameters import Parameters
    from simulator.workload.models.transformer import Transformer

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="List, show and import model architectures.",
    epilog="example: rackcast model params llama-3-70b",
)

ModelName = Annotated[
    str, typer.Argument(metavar="MODEL", help="A name, an alias or a model file.", show_default=False)
]


@app.command(name="list")
def list_models(
    kind: Annotated[str, typer.Option("--kind", help="Only this kind, as in decoder, encoder, cnn.")] = "",
    family: Annotated[str, typer.Option("--family", help="Only this family, as in llama.")] = "",
    json: Json = False,
    csv: Csv = False,
) -> None:
    """List the models that ship, with their parameters and what is known of them."""
    from simulator.foundation.errors import UnknownName
    from simulator.workload.models.library import shipped_models

    models = list(output.progress(shipped_models().values(), label="models"))
    for wanted, option, known in (
        (kind, "kind", {model.kind for model in models}),
        (family, "family", {model.family for model in models}),
    ):
        if wanted and wanted not in known:
            raise UnknownName(f"model {option}", wanted, known)
    rows = [_listed(model) for model in models if kind in ("", model.kind) and family in ("", model.family)]
    columns = ("model", "kind", "family", "parameters", "active_parameters", "known_by")
    if json:
        output.json_document({"models": [dict(zip(columns, row, strict=True)) for row in rows]})
    elif csv:
        output.csv(columns, rows)
    else:
        headings = ("model", "kind", "family", "parameters (10^9)", "active (10^9)", "known by")
        output.table(headings, [(*row[:3], _billions(row[3]), _billions(row[4]), row[5]) for row in rows])


def _listed(model: ModelFile) -> tuple[Any, ...]:
    from simulator.workload.models.parameters import count_parameters

    known_by = " and ".join(
        word
        for word, there in (("shape", model.transformer), ("forward cost", model.forward), ("layers", model.network))
        if there
    )
    if model.transformer is None:
        return (model.name, model.kind, model.family, model.published.parameters, None, known_by)
    counts = count_parameters(model.transformer)
    active = counts.active if model.transformer.experts else None
    return (model.name, model.kind, model.family, counts.total, active, known_by)


def _billions(count: float | None) -> float | None:
    return None if count is None else count / GIGA


@app.command()
def show(name: ModelName, json: Json = False) -> None:
    """Show what a model file says: shape or cost, source, notes and what was assumed."""
    from dataclasses import asdict

    from simulator.workload.models.files import shape_keys
    from simulator.workload.models.library import find_model

    model = find_model(name)
    if json:
        output.json_document({"model": asdict(model)})
        return
    about = [
        ("kind", model.kind),
        ("family", model.family),
        ("also called", ", ".join(model.aliases) or None),
        ("source", f"{model.source} ({model.confidence})"),
        ("note", model.note or None),
        ("assumed", ", ".join(model.assumed) or None),
    ]
    output.table(("key", "value"), [row for row in about if row[1]], title=model.name)
    if model.transformer is not None:
        output.table(("shape", "value"), [(key, _shown(value)) for key, value in shape_keys(model.transformer).items()])
    if model.forward is not None:
        costs = [("sample", model.forward.sample), ("multiply-adds", f"{model.forward.macs:.4g}"),
                 ("image size (px)", model.forward.image_size),
                 ("activations", _whole(model.forward.activations)),
                 ("parameters", _whole(model.forward.parameters))]  # fmt: skip
        output.table(("one forward pass", "value"), [(key, str(value)) for key, value in costs if value is not None])
    if model.network is not None:
        _show_network(model.network)


def _whole(count: float | None) -> str | None:
    return None if count is None else f"{count:,.0f}"


def _show_network(recipe: NetworkRecipe) -> None:
    network = recipe.build()
    options = ", ".join(f"{key} {value}" for key, value in recipe.options)
    rows = [("family", recipe.family), ("size of a sample", str(network.size)), ("options", options),
            ("layers", str(len(network.layers))), ("parameters", f"{network.parameters:,}"),
            ("multiply-adds", f"{network.macs:.4g}"), ("activations", f"{network.activations:,}"),
            ("steps that wait for each other", str(network.steps) if network.steps else "")]  # fmt: skip
    output.table(("layer by layer", "value"), [row for row in rows if row[1]])


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(item)}" for key, item in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


@app.command()
def params(name: ModelName, json: Json = False, csv: Csv = False) -> None:
    """Count a model's parameters by part and hold the total against the published one."""
    from simulator.workload.models.library import find_model

    model = find_model(name)
    rows, total, active = _counts(model)
    published = model.published.parameters
    if json:
        output.json_document({"model": model.name, "parts": dict(rows), "total": total, "active": active,
                              "published": published})  # fmt: skip
        return
    if csv:
        output.csv(("part", "parameters"), rows)
        return
    shares = [(part, f"{count:,}", f"{count / total:.1%}") for part, count in rows]
    output.table(("part", "parameters", "share"), [*shares, ("total", f"{total:,}", "")], title=model.name)
    if active != total:
        output.line(f"active per token: {active:,} ({active / GIGA:.2f} billion)")
    if published:
        output.line(f"published: {published:,.0f}; counted is {total / published - 1:+.2%} off")


def _counts(model: ModelFile) -> tuple[list[tuple[str, int]], int, int]:
    from simulator.foundation.errors import InputError

    if model.transformer is not None:
        return _transformer_counts(model.transformer)
    if model.network is not None:
        network = model.network.build()
        return network.parameters_by_kind(), network.parameters, network.parameters
    raise InputError(f"model {model.name!r} is known by its forward cost only, not by its layers; "
                     "see 'rackcast model show'.")  # fmt: skip


def _transformer_counts(model: Transformer) -> tuple[list[tuple[str, int]], int, int]:
    from simulator.workload.models.parameters import count_parameters

    counts: Parameters = count_parameters(model)
    return counts.parts(), counts.total, counts.active


@app.command(name="import")
def import_model(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG.json", help="A published config.json, or its folder.", show_default=False)
    ],
    name: Annotated[str, typer.Option("--name", help="Name of the model (default: the configuration's).")] = "",
    index: Annotated[
        Path | None,
        typer.Option("--index", help="model.safetensors.index.json, to check the size.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Write the model file there.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Turn a Hugging Face config.json into a model file; nothing is downloaded."""
    from simulator.foundation.files import write_atomic
    from simulator.workload.models.huggingface.importing import import_config, model_text
    from simulator.workload.models.parameters import count_parameters

    published = config / "config.json" if config.is_dir() else config
    imported = import_config(published, name=name or None, index=index)
    for warning in imported.warnings:
        output.warn(warning)
    text = model_text(imported, source=f"config.json of {imported.model.name}")
    counts = count_parameters(imported.model)
    output.note(f"{imported.model.name}: {imported.model_type}, {counts.total:,} parameters"
                + (f", {counts.active:,} active per token" if counts.active != counts.total else ""))  # fmt: skip
    path = None if out is None else write_atomic(out / f"{imported.model.name}.yaml", text)
    if path is not None:
        output.note(f"written: {path}")
    if json:
        output.json_document({"model": imported.model.name, "model_type": imported.model_type, "yaml": text,
                              "parameters": counts.total, "active_parameters": counts.active,
                              "quantization": imported.quantization or None, "weight_bits": imported.weight_bits,
                              "index_bytes": imported.index_bytes, "counted_bytes": imported.counted_bytes},
                             warnings=imported.warnings)  # fmt: skip
    elif path is None:
        for row in text.splitlines():
            output.line(row)
