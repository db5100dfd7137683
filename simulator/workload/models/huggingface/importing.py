"""From a published ``config.json`` to a model file of ours."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from simulator.foundation.errors import InputError
from simulator.workload.models.files import shape_keys
from simulator.workload.models.huggingface import decoders, encoders, mixtures
from simulator.workload.models.huggingface.config import ARCHITECTURES, Config, read_json
from simulator.workload.models.parameters import count_parameters
from simulator.workload.models.transformer import Transformer

READERS: Final = (decoders, encoders, mixtures)  # importing them fills ARCHITECTURES
BYTES_PER_NUMBER: Final = {"float32": 4, "float16": 2, "bfloat16": 2, "float8_e4m3fn": 1}
LARGEST_FILES: Final = 10**15  # bytes of all weight files of one model
INDEX_TOLERANCE: Final = 0.02  # of the bytes in the index: above it the import says so

_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9._+-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A shape read from a configuration, with what the configuration says beside it.

    ``weight_bits`` is None where the weights are not quantised. ``index_bytes`` is the size that the index of the
    weight files prints (None without one), ``counted_bytes`` what the counted parameters need in the printed type.
    """

    model: Transformer
    model_type: str
    data_type: str
    quantization: str
    weight_bits: int | None
    counted_bytes: int | None
    index_bytes: int | None
    warnings: tuple[str, ...]


def import_config(path: str | Path, *, name: str | None = None, index: str | Path | None = None) -> Imported:
    """Read a Hugging Face ``config.json``.

    Args:
        name: name of the model; otherwise the configuration's ``_name_or_path``, or the folder's name.
        index: a ``model.safetensors.index.json``; otherwise the one beside the configuration, if there is one.

    Raises:
        InputError: not such a file, a key that is missing or of the wrong type, an architecture that is not known
            (the message lists the known ones), or a shape that cannot be.
    """
    whole = Config(read_json(path), str(path))
    config, warnings = _text_part(whole)
    model_type = config.text("model_type")
    if not model_type:
        raise whole.error("model_type", f"this key is needed. Known: {', '.join(ARCHITECTURES)}.")
    if model_type not in ARCHITECTURES:
        raise whole.error("model_type", f"architecture {model_type!r} is not known. Known: {', '.join(ARCHITECTURES)}.")
    shape = ARCHITECTURES[model_type](config)
    try:
        model = Transformer(name=_name(whole, path, name), **shape)
    except InputError as error:
        raise whole.error("", error.message) from None
    return _checked(whole, config, model, Path(path), index, warnings)


def _text_part(whole: Config) -> tuple[Config, list[str]]:
    """Return the language part of a configuration that nests it, and a warning about what is left out."""
    for key in ("text_config", "llm_config", "language_config"):
        if whole.has(key):
            part = whole.part(key)
            known = part.text("model_type")
            return part, [f"only {key} ({known}) is read: image or audio towers are not counted."]
    return whole, []


def _name(whole: Config, path: str | Path, name: str | None) -> str:
    found = name or whole.text("_name_or_path").rstrip("/").rsplit("/", 1)[-1] or Path(path).resolve().parent.name
    return _NOT_IN_NAMES.sub("-", found).strip("-.") or "imported"


def _checked(
    whole: Config, config: Config, model: Transformer, path: Path, index: str | Path | None, warnings: list[str]
) -> Imported:
    data_type = config.text("torch_dtype") or config.text("dtype") or whole.text("torch_dtype") or whole.text("dtype")
    method, bits = _quantization(whole)
    per_number = BYTES_PER_NUMBER.get(data_type)
    counted = None if per_number is None or method else count_parameters(model).total * per_number
    beside = path.parent / "model.safetensors.index.json"
    if index is None and beside.is_file():
        index = beside
    printed = None if index is None else _total_size(index)
    if printed is not None and counted is not None and abs(counted / printed - 1) > INDEX_TOLERANCE:
        warnings.append(
            f"the index prints {printed} B of weights, the shape needs {counted} B ({counted / printed - 1:+.1%}): "
            "the model holds parts that its configuration does not describe, or the type differs."
        )
    return Imported(model=model, model_type=config.text("model_type"), data_type=data_type, quantization=method,
                    weight_bits=bits, counted_bytes=counted, index_bytes=printed, warnings=tuple(warnings))  # fmt: skip


def _quantization(whole: Config) -> tuple[str, int | None]:
    part = whole.part("quantization_config")
    method = part.text("quant_method")
    if not method:
        return "", None
    if part.flag("load_in_4bit", default=False):
        return method, 4
    if part.flag("load_in_8bit", default=False):
        return method, 8
    known = {"fp8": 8, "mxfp4": 4, "fbgemm_fp8": 8, "bitnet": 2}
    return method, part.maybe("bits", "w_bit") or known.get(method)


def _total_size(index: str | Path) -> int:
    return Config(read_json(index), str(index)).part("metadata").integer("total_size", most=LARGEST_FILES)


def model_text(imported: Imported, *, source: str) -> str:
    """Return the YAML of an imported model; reading it back gives the same shape."""
    model = imported.model
    kind = "moe-decoder" if model.experts and model.kind == "decoder" else model.kind
    lines = [
        f"name: {_plain(model.name)}",
        f"family: {_plain(imported.model_type)}",
        f"kind: {kind}",
        "source:",
        f"  ref: {_plain(source)}",
        "  confidence: read",
    ]
    if imported.quantization:
        bits = f", {imported.weight_bits} bits" if imported.weight_bits else ""
        lines.append(f"note: {_plain(f'published weights are quantised: {imported.quantization}{bits}')}")
    lines += ["transformer:", *_shape_lines(model)]
    return "\n".join(lines) + "\n"


def _shape_lines(model: Transformer) -> list[str]:
    return [f"  {key}: {_plain(value)}" for key, value in shape_keys(model).items()]


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_plain(item)}" for key, item in value.items()) + "}"
    if isinstance(value, str) and not re.fullmatch(r"[A-Za-z][A-Za-z0-9 ._+-]*", value):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)
