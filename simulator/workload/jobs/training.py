"""A training job: what is to be learned, independent of how it is split and of what it runs on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from simulator.foundation.errors import InputError
from simulator.workload.models.adapters import Targets, adapter_parameters
from simulator.workload.models.parameters import count_parameters
from simulator.workload.models.routing import Routing
from simulator.workload.models.transformer import Transformer
from simulator.workload.optimizers import Optimizer, optimizers
from simulator.workload.thrift import WHOLE, Thrift

#: precision of the matrix products -> (key of the peak rate, bytes of a weight, bytes of a stored activation)
_PRECISIONS: dict[str, tuple[str, float, float]] = {
    "fp32": ("fp32", 4, 4),
    "tf32": ("tf32", 4, 4),
    "fp16": ("fp16", 2, 2),
    "bf16": ("bf16", 2, 2),
    "fp8": ("fp8", 2, 2),
    "mxfp8": ("fp8", 2, 2),
    "nvfp4": ("fp4", 2, 2),
    "mxfp4": ("fp4", 2, 2),
    "int8": ("int8", 2, 2),
    # frozen weights, 4 bits in blocks of 64 with an fp32 scale each, unpacked for products (QLoRA, arXiv 2305.14314)
    "nf4-weights": ("bf16", 0.5 + 4 / 64, 2),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """Numbers used in training: the products' format, and the bytes weights and activations take in memory.

    Narrow formats (fp8, fp4) are those of the products alone; master copies and stored activations stay 16-bit.
    """

    name: str
    peak: str  # which peak rate of a device applies
    weight_bytes: float
    activation_bytes: float
    product_bytes: float  # bytes of one operand element of a product
    mixed: bool = False  # autocast: 16-bit products between operators that keep fp32

    @property
    def packed(self) -> bool:
        """Whether the matrices of products are held narrower than any format products take, and unpacked for each."""
        return self.weight_bytes < 1.0

    @staticmethod
    def of(name: str) -> Precision:
        """Return the precision called ``name``; ``-amp`` (mixed by autocast) means 16-bit products, fp32 weights."""
        base = name.removesuffix("-amp")
        if base not in _PRECISIONS:
            raise InputError(f"no training precision {name!r}. Known: {', '.join(_PRECISIONS)}, fp16-amp, bf16-amp.")
        peak, weight, activation = _PRECISIONS[base]
        product = {"fp8": 1.0, "int8": 1.0, "fp4": 0.5}.get(peak, activation)
        if name.endswith("-amp"):
            weight = 4.0
        return Precision(name=name, peak=peak, weight_bytes=weight, activation_bytes=activation, product_bytes=product,
                         mixed=name.endswith("-amp"))  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingJob:
    """One optimizer step repeated: the model, the tokens of a step and the numbers used.

    ``global_batch`` counts samples (sequences) of ``seq_len`` tokens. ``trained_share`` is the share of parameters
    that receive gradients (1 in full training; LoRA trains almost none but still back-propagates through all).
    ``teacher`` runs forward over each micro-batch for the student to imitate (distillation), on the same devices and
    split in the same way. ``routing`` says how unevenly tokens visit experts; None: as evenly as can be.
    """

    model: Transformer
    seq_len: int
    global_batch: int
    precision: Precision = field(default_factory=lambda: Precision.of("bf16"))
    optimizer: Optimizer = field(default_factory=lambda: optimizers["adamw"])
    trained_share: float = 1.0
    steps: int = 1
    thrift: Thrift = WHOLE
    teacher: TrainingJob | None = None
    routing: Routing | None = None

    @property
    def parameters(self) -> int:
        """Learned numbers of the model."""
        return count_parameters(self.model).total

    @property
    def widest(self) -> tuple[int, int]:
        """Rows and columns of a typical large matrix of the layers."""
        return self.model.hidden, self.model.ffn

    @property
    def tokens_per_step(self) -> int:
        """Tokens of one optimizer step over all ranks."""
        return self.global_batch * self.seq_len


def adapted(job: TrainingJob, rank: int, targets: Targets = "all") -> TrainingJob:
    """Return the job with low-rank adapters in place of its weights as what is trained.

    Raises:
        InputError: the adapters hold as many numbers as the model.
    """
    added = adapter_parameters(job.model, rank, targets)
    if added >= job.parameters:
        raise InputError(f"adapters of rank {rank} hold {added} numbers, the model {job.parameters}.")
    return replace(job, trained_share=added / job.parameters)
