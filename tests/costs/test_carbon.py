from __future__ import annotations

import pytest

from simulator.costs.carbon import Grid, grid_of
from simulator.foundation.errors import InputError
from simulator.foundation.units import HOUR, KILO
from simulator.profiles.catalogue import load_catalogue

CATALOGUE = load_catalogue()
PER_KWH = KILO * HOUR


def _node(name: str = "aws-p5.48xlarge"):  # type: ignore[no-untyped-def]
    return CATALOGUE.nodes[name]


def test_a_kilowatt_hour_emits_what_the_building_takes_from_the_grid() -> None:
    assert Grid(intensity=400 / PER_KWH, pue=1.25).grams_per_joule * PER_KWH == pytest.approx(500.0)


def test_the_grid_is_that_of_the_region_where_the_machine_is_rented() -> None:
    found = grid_of(CATALOGUE, _node())  # aws, us-east-1
    assert found.intensity * PER_KWH == pytest.approx(369.0)
    assert found.pue == pytest.approx(1.135)
    east = grid_of(CATALOGUE, _node("gcp-a3-highgpu-8g"), region="us-east4")
    assert east.intensity * PER_KWH == pytest.approx(322.0)
    assert east.pue == pytest.approx(1.1)


def test_what_is_given_stands_before_the_catalogue() -> None:
    french = grid_of(CATALOGUE, _node(), grid="fra")
    assert french.intensity < 0.25 * grid_of(CATALOGUE, _node()).intensity
    given = grid_of(CATALOGUE, _node(), grid="fra", intensity=1e-6, pue=2.0)
    assert given == Grid(intensity=1e-6, pue=2.0)


@pytest.mark.parametrize(("more", "key"), [({}, "prices.grid"), ({"grid": "atlantis", "pue": 1.1}, "prices.carbon"),
                                           ({"intensity": 1e-6}, "prices.pue")])  # fmt: skip
def test_what_nobody_gives_is_asked_for_by_its_key(more: dict[str, object], key: str) -> None:
    node = _node("atlas-950-superpod-64")  # of ones own, so that no provider says where it stands
    with pytest.raises(InputError, match=key):
        _ = grid_of(CATALOGUE, node, **more)  # type: ignore[arg-type]
