"""A training job on samples (images, utterances, user-item pairs), however it is split and whatever it runs on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from simulator.foundation.units import GIGA
from simulator.workload.jobs.training import Precision, TrainingJob
from simulator.workload.models.networks.network import Network
from simulator.workload.operators import Gemm
from simulator.workload.optimizers import Optimizer, optimizers
from simulator.workload.thrift import WHOLE, Thrift

#: bytes of embedding tables up to which they are copied to every rank
COPIED_TABLES: Final = 1.0 * GIGA
#: bytes of a number in a table
TABLE_ITEM: Final = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleJob:
    """One optimizer step repeated: the network, the samples of a step and the numbers used.

    Embedding tables that fit beside the rest are copied to every rank; larger ones are dealt out over the ranks.
    """

    network: Network
    global_batch: int = 1
    precision: Precision = field(default_factory=lambda: Precision.of("bf16-amp"))
    optimizer: Optimizer = field(default_factory=lambda: optimizers["momentum"])
    thrift: Thrift = WHOLE
    teacher: SampleJob | None = None  # runs forward over each micro-batch for the student to imitate

    @property
    def model(self) -> Network:
        """What is trained."""
        return self.network

    @property
    def parameters(self) -> int:
        """Learned numbers, tables included."""
        return self.network.parameters

    @property
    def tables(self) -> float:
        """Learned numbers in embedding tables."""
        return float(sum(table.parameters for table in self.network.tables))

    @property
    def looked_up(self) -> float:
        """Elements that one sample reads from the tables."""
        return sum(table.lookups * table.width for table in self.network.tables)

    @property
    def pooled(self) -> float:
        """Elements that the tables hand on per sample: rows of one table are summed."""
        return float(sum(table.width for table in self.network.tables))

    @property
    def copies_tables(self) -> bool:
        """Whether every rank holds all tables."""
        return self.tables * TABLE_ITEM <= COPIED_TABLES

    @property
    def held(self) -> float:
        """Learned numbers that every rank holds."""
        return self.network.parameters - (0.0 if self.copies_tables else self.tables)

    @property
    def widest(self) -> tuple[int, int]:
        """Rows and columns of the largest matrix of the layers; (1, 1) without any."""
        shapes = [(layer.operator.k, layer.operator.n) for layer in self.network.layers
                  if isinstance(layer.operator, Gemm) and layer.parameters]  # fmt: skip
        return max(shapes, key=lambda shape: shape[0] * shape[1], default=(1, 1))


#: what can be trained
Job = TrainingJob | SampleJob
