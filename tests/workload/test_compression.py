"""Bytes of compressed gradients."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.foundation.errors import InputError
from simulator.workload.compression import Compression

METHODS = ("8-bit", "1-bit", "top-k", "power-sgd")


@given(st.sampled_from(METHODS), st.integers(1, 10_000), st.integers(1, 10_000))
def test_no_method_sends_more_than_the_gradient(method, rows, columns):
    assert 0 < Compression(method=method).share(rows, columns) <= 1


def test_the_published_ratios():
    assert 1 / Compression(method="1-bit").share(4096, 4096) == pytest.approx(32, rel=0.02)
    assert 1 / Compression(method="8-bit").share(4096, 4096) == pytest.approx(4, rel=0.01)
    # ResNet-18's largest layer, 512 x 4608, rank 2: 230x in table 10 of arXiv 1905.13727
    assert 1 / Compression(method="power-sgd", rank=2).share(512, 4608) == pytest.approx(230, rel=0.01)


def test_a_share_of_nothing_is_refused():
    with pytest.raises(InputError, match="share above 0"):
        Compression(method="top-k", keep=0.0)
