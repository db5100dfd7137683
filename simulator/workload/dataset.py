"""Data sets as demand: how many samples, how large each is, how they are packed into files, which classes they have."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from simulator.foundation.errors import InputError
from simulator.foundation.registry import Registry

Shape = Literal["constant", "normal", "lognormal", "gamma"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleSize:
    """Encoded bytes of one sample: a distribution by mean and standard deviation.

    Args:
        mean: bytes, above 0.
        std: bytes; 0 exactly for ``constant``.
        shape: ``normal`` is cut at one byte, so it needs a deviation below half the mean for its mean to hold;
            ``lognormal`` for documents and photographs (long right tail); ``gamma`` for durations.

    >>> SampleSize(mean=100.0, std=50.0, shape="lognormal").variation
    0.5
    """

    mean: float
    std: float = 0.0
    shape: Shape = "constant"

    def __post_init__(self) -> None:
        if not (self.mean > 0 and math.isfinite(self.mean) and self.std >= 0 and math.isfinite(self.std)):
            raise InputError(f"a sample of {self.mean:g} +- {self.std:g} B; both must be finite, the mean above 0.")
        if (self.std == 0) != (self.shape == "constant"):
            raise InputError(f"{self.shape} sizes with a deviation of {self.std:g} B; only constant sizes have none.")
        if self.shape == "normal" and self.std > self.mean / 2:
            raise InputError("normal sizes need a deviation of at most half the mean; use lognormal or gamma.")

    @property
    def variation(self) -> float:
        """Standard deviation over mean."""
        return self.std / self.mean

    def draw(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Return ``count`` sizes in whole bytes, each at least 1; shape (count,)."""
        return np.maximum(1, np.rint(self._draw(count, rng))).astype(np.int64)

    def _draw(self, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
        if self.shape == "constant":
            return np.full(count, self.mean)
        if self.shape == "normal":
            return rng.normal(self.mean, self.std, size=count)
        if self.shape == "lognormal":
            sigma = math.sqrt(math.log1p(self.variation**2))
            return rng.lognormal(math.log(self.mean) - sigma**2 / 2, sigma, size=count)
        return rng.gamma(1 / self.variation**2, self.mean * self.variation**2, size=count)

    def compressed(self, ratio: float) -> SampleSize:
        """The size of what is stored of a sample that is ``ratio`` times as large."""
        return SampleSize(mean=self.mean / ratio, std=self.std / ratio, shape=self.shape)

    def batch(self, samples: int) -> SampleSize:
        """The size of ``samples`` independent samples together; the sum keeps the shape, which is exact for gamma."""
        std = self.std * math.sqrt(samples)
        return SampleSize(mean=self.mean * samples, std=std, shape=self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A data set of samples packed into files.

    Args:
        samples: how many.
        size: encoded size of one.
        samples_per_file: 1 means a file each; more means records packed into shards (TFRecord, WebDataset, Parquet).
        growth: decoded bytes over encoded bytes, which is what crosses to the device.
        classes: share of each class, summing to 1; empty if there are none.

    >>> Dataset(samples=1_281_167, size=SampleSize(mean=114_660.0), samples_per_file=1251).files
    1025
    """

    samples: int
    size: SampleSize
    samples_per_file: int = 1
    growth: float = 1.0
    classes: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.samples < 1 or self.samples_per_file < 1:
            raise InputError(f"{self.samples} samples, {self.samples_per_file} per file; both must be at least 1.")
        if not self.growth > 0:
            raise InputError(f"growth {self.growth:g}; decoded over encoded bytes must be above 0.")
        if self.classes and not math.isclose(sum(self.classes.values()), 1.0, abs_tol=1e-6):
            raise InputError(f"class shares sum to {sum(self.classes.values()):g}; they must sum to 1.")

    @property
    def bytes(self) -> float:
        """Expected encoded bytes of the whole."""
        return self.samples * self.size.mean

    @property
    def files(self) -> int:
        """Number of files; the last may be partly filled."""
        return -(-self.samples // self.samples_per_file)

    @property
    def file_bytes(self) -> float:
        """Expected bytes of one full file."""
        return self.size.mean * self.samples_per_file

    def part(self, fraction: float) -> Dataset:
        """The data set reduced to a fraction of its samples: time and cost fall in proportion, accuracy is not said.

        Raises:
            InputError: a fraction outside (0, 1].
        """
        if not 0 < fraction <= 1:
            raise InputError(f"a fraction of {fraction:g} of the data; it must be above 0 and at most 1.")
        return Dataset(samples=max(1, round(self.samples * fraction)), size=self.size, growth=self.growth,
                       samples_per_file=self.samples_per_file, classes=dict(self.classes))  # fmt: skip

    def class_counts(self) -> dict[str, int]:
        """Samples of each class, by largest remainder: they sum to ``samples`` and each is within one of its share."""
        exact = {name: share * self.samples for name, share in self.classes.items()}
        counts = {name: math.floor(value) for name, value in exact.items()}
        left = self.samples - sum(counts.values()) if counts else 0
        for name in sorted(exact, key=lambda name: counts[name] - exact[name])[:left]:
            counts[name] += 1
        return counts


#: kind of data -> size of one sample. The last three spreads are assumptions of shape; give your own where you know.
kinds: Final[Registry[SampleSize]] = Registry("kind of data")
kinds.add("tabular", SampleSize(mean=512.0))  # a row of 128 fp32 columns
# mean of ImageNet-1k training JPEGs (MLPerf Storage v1.0 configuration of resnet50); the spread is assumed
kinds.add("image", SampleSize(mean=114_660.07, std=80_000.0, shape="lognormal"))
# MLPerf Storage v1.0 configuration of unet3d: mean and deviation printed
kinds.add("volume", SampleSize(mean=146_600_628.0, std=68_341_808.0, shape="gamma"))
# MLPerf Storage v1.0 configuration of cosmoflow: mean and deviation printed
kinds.add("field", SampleSize(mean=2_828_486.0, std=71_311.0, shape="normal"))
kinds.add("audio", SampleSize(mean=320_000.0, std=160_000.0, shape="gamma"))  # 10 s of 16 kHz, 16 bit
kinds.add("text", SampleSize(mean=4_000.0, std=8_000.0, shape="lognormal"))  # web documents: about 1,000 tokens
kinds.add("video", SampleSize(mean=6_000_000.0, std=6_000_000.0, shape="gamma"))  # 10 s clip at 5 Mb/s
