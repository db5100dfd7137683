"""Model files: one YAML per architecture, read strictly and handed over as dataclasses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from simulator.foundation.errors import InputError
from simulator.foundation.schema import Name, StrictModel, validate
from simulator.foundation.yaml_reader import read_yaml
from simulator.workload.models.facts import ForwardFacts, SizedCost
from simulator.workload.models.networks.network import Network, NetworkRecipe
from simulator.workload.models.transformer import Experts, LatentAttention, Recurrence, Transformer

Width = Annotated[int, Field(ge=1, le=10**9)]
Amount = Annotated[int, Field(ge=0, le=10**14)]
Positive = Annotated[float, Field(gt=0.0, le=1e18)]
Tolerance = Annotated[float, Field(ge=0.0, le=1.0)]
Architecture = Transformer | ForwardFacts | Network


class SourceText(StrictModel):
    """Where the facts were read, how sure they are, and on what terms."""

    ref: str
    confidence: Literal["read", "derived", "recalled"]
    licence: str = "architecture facts"
    date: str | None = None


class PublishedText(StrictModel):
    """Counts that others printed (learned numbers, not billions), for the law test."""

    parameters: Positive | None = None
    active_parameters: Positive | None = None
    active_with_embedding: bool = Field(default=True, description="whether the active count holds the input embedding")
    tolerance: Tolerance = Field(default=0.04, description="rounding of the printed count, as a fraction")


class LatentText(StrictModel):
    """Multi-head latent attention."""

    q_lora_rank: Width | None = None
    kv_lora_rank: Width
    qk_nope_head_dim: Width
    qk_rope_head_dim: Width
    v_head_dim: Width


class ExpertsText(StrictModel):
    """A mixture of experts."""

    count: Width
    active: Width
    ffn: Width
    shared: Amount = 0
    dense_layers: Amount = 0
    shared_ffn: Width | None = None
    latent: Width | None = None
    router_bias: bool = False
    bias: bool = False
    shared_gate: bool = False
    beside_dense: bool = False


class RecurrenceText(StrictModel):
    """Mamba-2 layers."""

    layers: Width
    heads: Width
    head_dim: Width
    state: Width
    groups: Width = 1
    conv: Width = 4


class TransformerText(StrictModel):
    """The shape of a transformer; every width in elements. See ``Transformer`` for the meaning of each key."""

    kind: Literal["decoder", "encoder", "encoder-decoder"]
    layers: Width
    hidden: Width
    heads: Width
    kv_heads: Width
    head_dim: Width
    ffn: Amount
    vocab: Amount
    max_seq: Width
    gated: bool = False
    tied_embeddings: bool = False
    learned_positions: bool = False
    bias: bool = False
    norm: Literal["rms", "layer", "plain"] = "rms"
    encoder_layers: Amount = 0
    sliding_window: Width | None = None
    window_every: Width = 1
    latent: LatentText | None = None
    experts: ExpertsText | None = None
    recurrence: RecurrenceText | None = None
    attention_layers: Amount | None = None
    ffn_layers: Amount | None = None
    qkv_bias: bool = False
    out_bias: bool = False
    ffn_bias: bool = False
    qk_norm: bool = False
    block_norms: Literal[1, 2, 4] = 2
    parallel: bool = False
    final_norm: bool = True
    embedding_norm: bool = False
    head: bool = True
    head_bias: bool = False
    pooler: bool = False
    token_types: Amount = 0
    position_rows: Width | None = None
    relative_buckets: Amount = 0
    relative_projection: bool = False
    embedding_width: Width | None = None
    memory_ratio: Annotated[float, Field(ge=0, le=64, strict=False)] = 0.0
    vocab_met: Amount | None = None
    embedding_parameters: Amount | None = None
    shared_layers: bool = False
    sinks: bool = False
    global_kv_heads: Width | None = None
    global_head_dim: Width | None = None
    extra_parameters: Amount = 0

    def shape(self, name: str) -> Transformer:
        """Return the dataclass; raises :class:`InputError` if the shape cannot be."""
        parts: dict[str, Any] = {field: getattr(self, field) for field in type(self).model_fields}
        if self.latent is not None:
            parts["latent"] = LatentAttention(**dict(self.latent))
        if self.experts is not None:
            parts["experts"] = Experts(**dict(self.experts))
        if self.recurrence is not None:
            parts["recurrence"] = Recurrence(**dict(self.recurrence))
        return Transformer(name=name, **parts)


class SizedCostText(StrictModel):
    """The cost at one more image size."""

    image_size: Width
    macs: Positive


class ForwardText(StrictModel):
    """The cost of one forward pass of one sample."""

    sample: str
    macs: Positive
    image_size: Width | None = None
    activations: Positive | None = None
    other_sizes: tuple[SizedCostText, ...] = Field(default=(), strict=False)


class NetworkText(StrictModel):
    """A network built layer by layer: ``rackcast model show`` and the family's docstring explain its options."""

    family: str
    size: Width = Field(description="size of one sample: pixels along an edge, frames or tokens, by family")
    training_size: Width | None = Field(default=None, description="the usual size in training, where it is another")
    options: dict[str, int | float | bool | str] = Field(default_factory=dict)


class ModelText(StrictModel):
    """One model: what it is called, what it is, and who says so."""

    name: Name
    aliases: tuple[str, ...] = Field(default=(), strict=False)
    family: str
    kind: str
    source: SourceText
    note: str | None = None
    assumed: tuple[str, ...] = Field(default=(), strict=False, description="keys that no source printed")
    published: PublishedText = PublishedText()
    transformer: TransformerText | None = None
    forward: ForwardText | None = None
    network: NetworkText | None = None

    @model_validator(mode="after")
    def _says_what_it_is(self) -> ModelText:
        if self.transformer is None and self.forward is None and self.network is None:
            raise ValueError(
                "a model needs 'transformer' (its shape), 'forward' (what one sample costs) or 'network' (its layers)."
            )
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """Counts that others printed."""

    parameters: float | None
    active_parameters: float | None
    active_with_embedding: bool
    tolerance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """All that a model file says; ``architecture`` is what the program computes with."""

    name: str
    aliases: tuple[str, ...]
    family: str
    kind: str
    source: str
    confidence: str
    licence: str
    note: str
    assumed: tuple[str, ...]
    published: Published
    transformer: Transformer | None
    forward: ForwardFacts | None
    network: NetworkRecipe | None

    @property
    def architecture(self) -> Architecture:
        """The shape if it is known, else the published cost of one sample, else the layers.

        A ViT is known in all three ways: as a shape its samples are ``max_seq`` tokens long.
        """
        known = self.transformer or self.forward
        if known is not None:
            return known
        assert self.network is not None
        return self.network.build()

    @property
    def by_layers(self) -> Architecture:
        """The shape if it is known, else the layers, else the cost of one sample: what a pass is best priced from."""
        if self.transformer is None and self.network is not None:
            return self.network.build()
        return self.architecture


def read_model(path: str | Path) -> ModelFile:
    """Read one model file; raises :class:`InputError` or :class:`InvalidFile` with every problem and its place."""
    document = read_yaml(path)
    text = validate(ModelText, document)
    try:
        shape = None if text.transformer is None else text.transformer.shape(text.name)
    except InputError as error:
        raise error.at(document.place(("transformer",))) from None
    return _handed_over(text, shape)


def _handed_over(text: ModelText, shape: Transformer | None) -> ModelFile:
    return ModelFile(
        name=text.name,
        aliases=text.aliases,
        family=text.family,
        kind=text.kind,
        source=text.source.ref,
        confidence=text.source.confidence,
        licence=text.source.licence,
        note=text.note or "",
        assumed=text.assumed,
        published=Published(**dict(text.published)),
        transformer=shape,
        forward=_forward(text),
        network=_network(text),
    )


def _network(text: ModelText) -> NetworkRecipe | None:
    if text.network is None:
        return None
    return NetworkRecipe(name=text.name, family=text.network.family, size=text.network.size,
                         options=tuple(sorted(text.network.options.items())),
                         training_size=text.network.training_size)  # fmt: skip


def _forward(text: ModelText) -> ForwardFacts | None:
    if text.forward is None:
        return None
    forward = dict(text.forward)
    forward["other_sizes"] = tuple(SizedCost(**dict(cost)) for cost in text.forward.other_sizes)
    return ForwardFacts(name=text.name, kind=text.kind, family=text.family,
                        parameters=text.published.parameters, **forward)  # fmt: skip


def shape_keys(model: Transformer) -> dict[str, Any]:
    """Return the keys under ``transformer:`` that describe a shape, those with their default value left out."""
    needed = {field for field, info in TransformerText.model_fields.items() if info.is_required()}
    return {
        field: _part_keys(value) if isinstance(value, (Experts, LatentAttention, Recurrence)) else value
        for field, info in TransformerText.model_fields.items()
        if (value := getattr(model, field)) != info.default or field in needed
    }


def _part_keys(part: Experts | LatentAttention | Recurrence) -> dict[str, Any]:
    texts: dict[type, type[StrictModel]] = {
        Experts: ExpertsText,
        LatentAttention: LatentText,
        Recurrence: RecurrenceText,
    }
    fields = texts[type(part)].model_fields
    return {field: value for field, info in fields.items()
            if (value := getattr(part, field)) != info.default or info.is_required()}  # fmt: skip
