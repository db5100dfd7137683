from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.planner.flips import flips_of


@given(st.floats(1.02, 2.9), st.floats(0.35, 0.98))
def test_the_factor_found_is_where_the_decision_changes(above: float, below: float) -> None:
    def decide(factor: float) -> str:
        return "dear" if factor > above else "cheap" if factor < below else "now"

    up, down = flips_of("price", decide, str)
    assert up.becomes == "dear"
    assert up.factor == pytest.approx(above, rel=0.02)
    assert up.factor is not None
    assert up.factor > above
    assert down.becomes == "cheap"
    assert down.factor == pytest.approx(below, rel=0.02)


def test_what_never_changes_and_what_ends_are_told() -> None:
    (never,) = flips_of("price", lambda factor: "now", str)
    assert never.factor is None
    (ends,) = flips_of("rate", lambda factor: "now" if factor < 1.5 else None, str)
    assert ends.becomes == "nothing keeps the limits"
    assert ends.factor == pytest.approx(1.5, rel=0.02)
