from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.validation.report import report_of
from simulator.validation.score import errors_of, groups_of, headline, memory_of, out_of_memory_of
from tests.validation.by_hand import measured, scored


def test_the_headline_is_the_mean_over_sources_of_their_medians():
    rows = [scored(10 * (1 + error), id=error, source_group="a") for error in (0.1, -0.2, 0.6)]
    rows += [scored(13.0, source_group="b")]
    found = headline(rows)
    assert found.median_ape == pytest.approx((0.2 + 0.3) / 2)
    assert found.p90_ape == pytest.approx((0.2 + 0.8 * 0.4 + 0.3) / 2)  # linear between the 2nd and 3rd of 3
    assert found.within_20pct == pytest.approx((2 / 3 + 0.0) / 2)


def test_memory_stays_out_of_the_headline_and_has_its_own_block():
    rows = [scored(11.0), scored(30.0, metric="memory_gb"), scored(None, metric="memory_gb")]
    assert headline(rows).median_ape == pytest.approx(0.1)
    memory = memory_of(rows)
    assert (memory.rows, memory.predicted, memory.median_ape) == (2, 1, pytest.approx(2.0))


def test_partial_rows_are_told_apart_and_enter_no_group():
    rows = [scored(11.0), scored(15.0, usable="partial"), scored(None, usable="partial")]
    report = report_of([one.row for one in rows], rows)
    assert report.headline.median_ape == pytest.approx(0.1)
    assert (report.partial.rows, report.partial.predicted) == (2, 1)
    assert report.partial.errors.median_ape == pytest.approx(0.5)
    assert [group.rows for group in report.groups] == [1]


def test_coverage_is_predicted_over_usable_and_rows_counts_all():
    rows = [scored(11.0), scored(None), scored(9.0, metric="memory_gb"), scored(9.0, usable="partial")]
    report = report_of([*(one.row for one in rows), measured(usable="no")], rows)
    assert (report.rows, report.usable, report.predicted) == (5, 3, 2)
    assert report.coverage == pytest.approx(2 / 3)


def test_nothing_predicted_is_no_error_of_zero():
    report = report_of([measured()], [scored(None)])
    assert report.coverage == 0.0
    assert report.headline.median_ape is None
    assert report.groups[0].median_ape is report.groups[0].bias is None
    assert report_of([], []).coverage is None


@pytest.mark.parametrize(("budget", "over"), [(None, False), (0.25, True), (0.3, False), (0.5, False)])
def test_a_headline_at_the_budget_is_within_it(budget, over):
    rows = [scored(13.0, value=10)]
    report = report_of([one.row for one in rows], rows)
    assert report.over(budget if budget != 0.3 else report.headline.median_ape) is over


def test_a_budget_is_not_met_by_predicting_nothing():
    assert report_of([measured()], [scored(None)]).over(0.5)


def test_a_group_is_a_source_a_kind_of_work_and_a_metric():
    rows = [scored(12.0, source_group="b"), scored(8.0, source_group="b"), scored(None, source_group="b")]
    rows += [scored(11.0, source_group="a"), scored(11.0, source_group="a", kind_of_work="cnn-train")]
    found = groups_of(rows)
    assert [(group.source_group, group.kind_of_work) for group in found] == [
        ("a", "cnn-train"), ("a", "llm-pretrain"), ("b", "llm-pretrain"),
    ]  # fmt: skip
    last = found[-1]
    assert (last.rows, last.predicted) == (3, 2)
    assert last.median_ape == pytest.approx(0.2)
    assert last.mape == pytest.approx(0.2)
    assert last.bias == pytest.approx(0.0)
    assert last.within_20pct == pytest.approx(1.0)


def test_the_confusion_counts_fitting_runs_with_a_full_layout_and_every_run_that_did_not_fit():
    rows = [
        scored(10.0, fits=True),
        scored(10.0, fits=False),
        scored(10.0, fits=False, pp=""),  # no full layout: no case
        scored(None, fits=None),
        scored(None, fits=True, outcome="oom", value="", usable="partial"),
        scored(None, fits=False, outcome="oom", value="", usable="no"),
        scored(None, fits=None, outcome="oom", value="", usable="no"),  # no verdict: nobody was warned
    ]
    found = out_of_memory_of(rows)
    assert (found.fits, found.fits_called_oom, found.oom, found.oom_called_fits) == (3, 1, 3, 2)


def test_a_verdict_answers_a_run_that_ran_out_of_memory():
    assert scored(None, fits=True, outcome="oom", value="").answered
    assert not scored(None, fits=None, outcome="oom", value="").answered
    assert not scored(None, fits=True).answered


def test_the_control_is_scored_on_the_rows_that_are_predicted():
    rows = [scored(10.0, baseline=15.0), scored(None, baseline=90.0)]
    assert report_of([one.row for one in rows], rows).baseline.median_ape == pytest.approx(0.5)


positive = st.floats(min_value=1e-3, max_value=1e6)
pairs = st.lists(st.tuples(positive, positive, st.sampled_from("abc")), min_size=1, max_size=20)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(pairs, st.floats(min_value=0.01, max_value=100.0), st.randoms(use_true_random=False))
def test_errors_know_neither_units_nor_the_order_of_rows(rows, unit, order):
    plain = [scored(p, value=repr(m), source_group=g) for p, m, g in rows]
    shuffled = [scored(p * unit, value=repr(m * unit), source_group=g) for p, m, g in rows]
    order.shuffle(shuffled)
    assert headline(shuffled).median_ape == pytest.approx(headline(plain).median_ape, rel=1e-9, abs=1e-9)
    assert headline(shuffled).p90_ape == pytest.approx(headline(plain).p90_ape, rel=1e-9, abs=1e-9)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.lists(st.floats(min_value=-0.99, max_value=50.0), min_size=1, max_size=30))
def test_a_median_is_no_larger_than_the_90th_percentile(signed):
    found = errors_of(signed)
    assert 0.0 <= found.median_ape <= found.p90_ape
    assert 0.0 <= found.within_20pct <= 1.0
