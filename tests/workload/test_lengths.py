"""Laws of token counts keep their mean and their bounds."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.foundation.errors import InputError
from simulator.foundation.randomness import Streams
from simulator.workload.lengths import length_laws, lengths


@pytest.mark.parametrize("name", list(length_laws))
def test_every_law_keeps_its_mean_in_whole_positive_tokens(name: str) -> None:
    drawn = lengths(name, 200_000, mean=300.0, generator=Streams(1)[name])
    assert drawn.dtype == np.int32
    assert drawn.min() >= 1
    assert drawn.mean() == pytest.approx(300.0, rel=0.02)


def test_no_length_is_above_the_maximum() -> None:
    assert lengths("lognormal", 10_000, mean=300.0, generator=Streams(1)["a"], maximum=512, cv=2.0).max() == 512


def test_a_mean_above_the_maximum_is_refused() -> None:
    with pytest.raises(InputError, match="not between 1 and the maximum of 512"):
        lengths("fixed", 1, mean=1000.0, generator=Streams(1)["a"], maximum=512)
