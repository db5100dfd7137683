from __future__ import annotations

import pytest

from simulator.foundation.errors import (
    DecisionChanged,
    Infeasible,
    InputError,
    InvalidFile,
    OverBudget,
    Place,
    RackcastError,
    UnitError,
    UnknownName,
    suggestion,
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RackcastError, 1),
        (InputError, 2),
        (UnitError, 2),
        (UnknownName, 2),
        (InvalidFile, 2),
        (Infeasible, 3),
        (DecisionChanged, 5),
        (OverBudget, 6),
    ],
)
def test_every_kind_of_error_has_the_exit_code_that_users_script_against(error: type[RackcastError], code: int) -> None:
    assert error.exit_code == code


def test_a_place_reads_as_file_line_column_key() -> None:
    assert str(Place(file="a.yaml", line=3, column=5, key="cluster.nodes[0]")) == "a.yaml:3:5 cluster.nodes[0]"
    assert str(Place(key="model")) == "model"
    assert str(Place()) == ""


def test_the_first_place_an_error_is_given_stays() -> None:
    inner = Place(file="inner.yaml", line=1)
    error = InputError("wrong").at(inner).at(Place(file="outer.yaml"))
    assert error.place == inner
    assert str(error) == "inner.yaml:1: wrong"


def test_an_error_without_place_is_its_message() -> None:
    assert str(InputError("wrong")) == "wrong"


def test_an_unknown_name_offers_the_nearest_one() -> None:
    error = UnknownName("device", "h10O-sxm", ["h100-sxm", "a100-sxm", "tpu-v4"])
    assert "no device 'h10O-sxm'" in str(error)
    assert "Did you mean 'h100-sxm'" in str(error)


def test_a_suggestion_lists_few_names_of_many() -> None:
    text = suggestion("zzz", [f"name{i:02}" for i in range(40)])
    assert "Did you mean" not in text
    assert "(40 in all)" in text
    assert text.count("name") == 12


def test_nothing_known_suggests_nothing() -> None:
    assert suggestion("x", []) == ""


def test_a_suggestion_does_not_depend_on_the_order_of_the_known_names() -> None:
    names = ["ring", "tree", "rings", "bring"]
    assert suggestion("rin", names) == suggestion("rin", reversed(names))


def test_an_invalid_file_tells_every_problem_on_its_own_line() -> None:
    problems = [InputError("one", place=Place(file="f", line=1)), InputError("two", place=Place(file="f", line=2))]
    assert str(InvalidFile(problems)).splitlines() == ["f:1: one", "f:2: two"]


def test_infeasible_carries_what_binds_and_what_would_help() -> None:
    error = Infeasible("no", binding="memory", account={"weights": 3.0}, relaxation="tp: 16")
    assert (error.binding, error.account, error.relaxation) == ("memory", {"weights": 3.0}, "tp: 16")
    assert Infeasible("no").account == {}
