from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.foundation import units
from simulator.foundation.errors import UnitError
from simulator.foundation.units import EXAMPLES, UNITS, parse, show


@pytest.mark.parametrize(
    ("text", "dimension", "value"),
    [
        ("80 GiB", "bytes", 80 * 1024**3),
        ("80 GB", "bytes", 80e9),
        ("400 Gb/s", "bandwidth", 50e9),
        ("400 GB/s", "bandwidth", 400e9),
        ("3.35 TB/s", "bandwidth", 3.35e12),
        ("989 TFLOP/s", "flop_rate", 989e12),
        ("1979 TOP/s", "flop_rate", 1979e12),
        ("5 us", "time", 5e-6),
        ("90 d", "time", 90 * 86400),
        ("1.41 GHz", "frequency", 1.41e9),
        ("700 W", "power", 700),
        ("2 kWh", "energy", 7.2e6),
        ("3.60 USD/h", "money_rate", 0.001),
        ("50 /s", "rate", 50),
        ("60 /min", "rate", 1),
        ("80 km", "distance", 80e3),
        ("+1e3 B", "bytes", 1000),
        (".5 s", "time", 0.5),
        ("  2 s ", "time", 2),
    ],
)
def test_a_quantity_is_read_in_its_base_unit(text: str, dimension: str, value: float) -> None:
    assert parse(text, dimension) == pytest.approx(value, rel=1e-15)


def test_a_bit_is_an_eighth_of_a_byte() -> None:
    assert parse("8 Gb/s", "bandwidth") == parse("1 GB/s", "bandwidth")


@pytest.mark.parametrize("dimension", sorted(UNITS))
def test_every_dimension_has_a_base_unit_and_an_example_that_parses(dimension: str) -> None:
    if dimension not in (
        "money_per_byte",
        "money_per_byte_time",
        "money_per_energy",
        "carbon_per_energy",
        "money_rate",
    ):
        assert 1.0 in UNITS[dimension].values()
    assert parse(EXAMPLES[dimension].split(" (")[0], dimension) > 0


@pytest.mark.parametrize(
    ("text", "dimension", "mend"),
    [
        ("400 Gbps", "bandwidth", "Did you mean '400 Gb/s'?"),
        ("400Gb/s", "bandwidth", "Did you mean '400 Gb/s'?"),
        ("400 GBps", "bandwidth", "Did you mean '400 GB/s'?"),
        ("312 TFLOPS", "flop_rate", "Did you mean '312 TFLOP/s'?"),
        ("312TFLOPS", "flop_rate", "Did you mean '312 TFLOP/s'?"),
        ("1979 TOPS", "flop_rate", "Did you mean '1979 TOP/s'?"),
        ("80 gib", "bytes", "Did you mean '80 GiB'?"),
        ("80gib", "bytes", "Did you mean '80 GiB'?"),
        ("3 Min", "time", "Did you mean '3 min'?"),
    ],
)
def test_a_common_slip_is_answered_with_the_mend(text: str, dimension: str, mend: str) -> None:
    with pytest.raises(UnitError) as caught:
        parse(text, dimension)
    assert mend in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["", " ", "80", "GiB", "80 GiB extra", "80  GiB", "eighty GiB", "nan GiB", "inf B", "1e999 B", "0x10 B", "1_000 B",
     "80 s", "8,0 GB", "80\tGiB", "80\u00a0GiB", "--5 B", "5- B", "\uff11\uff10 B", "1e3"],
)  # fmt: skip
def test_what_is_no_number_a_space_and_a_unit_is_refused(text: str) -> None:
    with pytest.raises(UnitError, match="Write a number, a space and a unit"):
        parse(text, "bytes")


@pytest.mark.parametrize("value", [80, 80.0, None, True, ["80 GiB"], {"a": 1}, float("nan")])
def test_a_bare_number_has_no_unit_and_is_refused(value: object) -> None:
    with pytest.raises(UnitError, match="has no unit"):
        parse(value, "bytes")


@pytest.mark.parametrize("dimension", sorted(UNITS))
@settings(derandomize=True, max_examples=40, deadline=None)
@given(value=st.floats(min_value=1e-15, max_value=1e21))
def test_what_is_shown_is_read_back(dimension: str, value: float) -> None:
    assert parse(show(value, dimension, digits=17), dimension) == pytest.approx(value, rel=1e-12)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(value=st.floats(min_value=1.0, max_value=9e17))
def test_shown_numbers_stand_between_1_and_1000(value: float) -> None:
    number = float(show(value, "bytes", digits=12).split()[0])
    assert 1 <= number < 1000 or value >= 1e18


@settings(derandomize=True, max_examples=100, deadline=None)
@given(text=st.text(max_size=30))
def test_any_text_is_a_quantity_or_a_unit_error(text: str) -> None:
    for dimension in UNITS:
        try:
            assert math.isfinite(parse(text, dimension))
        except UnitError as error:
            told = str(error)
        else:
            continue
        assert len(told.splitlines()) == 1


@settings(derandomize=True, max_examples=60, deadline=None)
@given(number=st.floats(min_value=1e-6, max_value=1e6), factor=st.sampled_from([2.0, 10.0, 1024.0]))
def test_parsing_is_linear_in_the_number(number: float, factor: float) -> None:
    one, many = parse(f"{number!r} GB/s", "bandwidth"), parse(f"{number * factor!r} GB/s", "bandwidth")
    assert many == pytest.approx(one * factor, rel=1e-14)


def test_not_finite_values_are_shown_as_such() -> None:
    assert show(math.inf, "bytes") == "inf"


def test_binary_prefixes_are_powers_of_1024() -> None:
    assert [1024.0**power for power in (1, 2, 3, 4)] == [units.KIBI, units.MEBI, units.GIBI, units.TEBI]
