"""The pytest plugin, run on small repositories of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.foundation.shipped import shipped
from simulator.pytest_plugin import report_text

pytest_plugins = ["pytester"]

#: a question that takes a moment: 6.7B on two nodes
SMALL = ("workloads[0].model=gpt3-6.7b", "workloads[0].batch.global=64", "cluster.nodes[0].count=2", "plan.confirm=1")
HUGE = ("workloads[0].model=gpt3-175b", "workloads[0].batch.global=64", "cluster.nodes[0].count=1")

GOLDEN = Path("plans") / "pretrain.yaml"


@pytest.fixture
def repository(pytester):
    (pytester.path / "pretrain.yaml").write_text((shipped("scenarios") / "gpt3-175b.yaml").read_text())
    _test(pytester, SMALL)
    return pytester


def _test(pytester, overrides, **options):
    more = "".join(f", {name}={value!r}" for name, value in options.items())
    pytester.makepyfile(f"""
        import pytest

        @pytest.mark.plan("pretrain.yaml", set={overrides!r}{more})
        def test_plan(): ...
    """)


def _run(pytester, *arguments):
    return pytester.runpytest_inprocess(
        "-p", "simulator.pytest_plugin", "-p", "no:randomly", "--strict-markers", *arguments
    )


@pytest.fixture
def held(repository):
    assert _run(repository, "--plan-update").ret == 0
    return repository


def _change(pytester, before, after):
    file = pytester.path / GOLDEN
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after, 1))


def _value(pytester, name):
    return (pytester.path / GOLDEN).read_text().partition(f"{name}: ")[2].partition(",")[0].strip("{}\n ")


def test_without_a_golden_file_the_test_fails_and_says_how_to_write_one(repository):
    result = _run(repository)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*write it with --plan-update*"])


def test_what_was_written_holds(held):
    _run(held).assert_outcomes(passed=1)


def test_a_changed_decision_fails_and_names_the_keys(held):
    _change(held, f"tp: {_value(held, 'tp')},", "tp: 16,")
    result = _run(held)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*changed: tp 16 -> *"])


def test_a_drift_is_reported_and_fails_only_where_it_should(held):
    _change(held, "step_time_s: {value: ", "step_time_s: {value: 9")
    result = _run(held, "--plan-report", "report.md")
    result.assert_outcomes(passed=1)
    report = (held.path / "report.md").read_text()
    assert "1 drift" in report
    assert "step_time_s drifted from 9" in report
    _test(held, SMALL, fail_on=("drift",))
    _run(held).assert_outcomes(failed=1)


def test_what_no_longer_fits_fails(held):
    _test(held, HUGE)
    result = _run(held)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*now-infeasible: a plan was expected, and now nothing fits*"])


def test_what_fits_now_is_reported(repository):
    _test(repository, HUGE)
    assert _run(repository, "--plan-update").ret == 0
    assert "decision: infeasible" in (repository.path / GOLDEN).read_text()
    _run(repository).assert_outcomes(passed=1)
    _test(repository, SMALL)
    result = _run(repository)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*now-feasible*"])


def test_the_fixture_plans_what_the_test_names_and_returns_it(held):
    held.makepyfile(f"""
        def test_plan(plan_golden):
            found = plan_golden("pretrain.yaml", set={SMALL!r})
            assert found.plan.ranks == 16
    """)
    _run(held).assert_outcomes(passed=1)


SERVICE = (
    "workloads[0].model=llama-3.1-8b", "workloads[0].traffic.seconds=10 s", "workloads[0].traffic.groups[0].rate=6 /s",
    "plan.choices.nodes=[aws-g6e.xlarge]", "plan.choices.count=[1, 2, 3, 4]", "plan.choices.max_num_seqs=[64]",
    "plan.choices.max_num_batched_tokens=[2048]", "plan.seeds=1",
)  # fmt: skip


def test_a_service_is_held_by_the_same_marker_under_workers(pytester):
    pytest.importorskip("xdist")
    (pytester.path / "chat.yaml").write_text((shipped("scenarios") / "plan-serve-70b.yaml").read_text())
    body = """
        import pytest

        @pytest.mark.parametrize("number", range(2))
        @pytest.mark.plan("chat.yaml", set={overrides!r})
        def test_plan(number): ...
    """
    pytester.makepyfile(body.format(overrides=SERVICE))
    assert _run(pytester, "--plan-update").ret == 0
    assert 'node: "aws-g6e.xlarge"' in (pytester.path / "plans" / "chat.yaml").read_text()
    result = _run(pytester, "-n", "2", "--plan-report", "report.md")
    result.assert_outcomes(passed=2)
    assert "2 same" in (pytester.path / "report.md").read_text()
    pytester.makepyfile(body.format(overrides=(*SERVICE, "workloads[0].traffic.groups[0].rate=24 /s")))
    result = _run(pytester)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*changed: nodes 1 -> *"])


def test_workers_report_to_one_file(held):
    pytest.importorskip("xdist")
    held.makepyfile(f"""
        import pytest

        @pytest.mark.parametrize("number", range(3))
        @pytest.mark.plan("pretrain.yaml", set={SMALL!r})
        def test_plan(number): ...
    """)
    result = _run(held, "-n", "2", "--plan-report", "report.md")
    result.assert_outcomes(passed=3)
    assert "3 same" in (held.path / "report.md").read_text()


def test_a_scenario_with_an_error_is_told_without_a_traceback(held):
    _test(held, (*SMALL, "cluster.nodes[0].profile=dgx-abacus"))
    result = _run(held)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*no node 'dgx-abacus'*"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_report_lists_what_moved_first():
    one = {"test": "t", "scenario": "s", "verdict": "same", "why": ""}
    text = report_text([one, {**one, "verdict": "changed", "why": "tp 8 -> 4"}])
    assert "1 changed, 1 same" in text
    assert text.index("| s | changed |") < text.index("| s | same |")
