from __future__ import annotations

import numpy as np
import pytest

from simulator.foundation.errors import InputError
from simulator.workload.dataset import Dataset, SampleSize, kinds


@pytest.mark.parametrize("kind", list(kinds))
def test_drawn_sizes_have_the_moments_that_were_asked_for(kind):
    size = kinds[kind]
    drawn = size.draw(200_000, np.random.default_rng(3))
    assert drawn.min() >= 1
    assert drawn.mean() == pytest.approx(size.mean, rel=0.02)
    assert drawn.std() == pytest.approx(size.std, rel=0.05, abs=1.0)


def test_a_batch_of_independent_samples_varies_less_by_the_square_root():
    size = SampleSize(mean=100.0, std=50.0, shape="gamma")
    assert size.batch(25).mean == 2500
    assert size.batch(25).variation == pytest.approx(0.5 / 5)


@pytest.mark.parametrize("wrong", [
    {"mean": 0.0}, {"mean": 10.0, "std": 1.0}, {"mean": 10.0, "shape": "gamma"},
    {"mean": 10.0, "std": 6.0, "shape": "normal"}, {"mean": float("inf")},
])  # fmt: skip
def test_impossible_sizes_are_refused(wrong):
    with pytest.raises(InputError):
        SampleSize(**wrong)


def test_files_and_bytes_follow_from_samples():
    data = Dataset(samples=1001, size=SampleSize(mean=10.0), samples_per_file=100)
    assert (data.files, data.bytes, data.file_bytes) == (11, 10_010, 1000)


def test_keeping_half_the_data_halves_its_bytes():
    data = Dataset(samples=1000, size=SampleSize(mean=10.0), classes={"cat": 0.5, "dog": 0.5})
    assert data.part(0.5).bytes == data.bytes / 2
    with pytest.raises(InputError, match="above 0"):
        data.part(0.0)


def test_class_counts_sum_to_the_samples_and_keep_the_shares():
    data = Dataset(samples=10, size=SampleSize(mean=1.0), classes={"a": 1 / 3, "b": 1 / 3, "c": 1 / 3})
    counts = data.class_counts()
    assert sum(counts.values()) == 10
    assert all(abs(count - 10 / 3) < 1 for count in counts.values())


def test_shares_must_sum_to_one():
    with pytest.raises(InputError, match="sum to 1"):
        Dataset(samples=10, size=SampleSize(mean=1.0), classes={"a": 0.4})
