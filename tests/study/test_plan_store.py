"""Plans with a store: a search that was stopped goes on, and finds to the byte what it finds in one go."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from functools import cache
from pathlib import Path

import pytest

from simulator.cli import main
from simulator.foundation.errors import InputError
from simulator.foundation.files import canonical_json
from simulator.foundation.shipped import shipped
from simulator.planner.decide import Answer, decide
from simulator.scenario import Scenario, load_scenario
from simulator.study.plan_runs import workshop_of
from simulator.study.plan_store import PlanStore
from tests.planner.questions import scenario as training
from tests.planner.serving.small_services import scenario as service
from tests.planner.serving.test_scaling_plan import _asked
from tests.planner.serving.test_service_pool import FILE as POOL
from tests.planner.serving.test_service_pool import SMALL


def _mix() -> Scenario:
    small = ("workloads[0].traffic.seconds=20 s", "plan.choices.nodes=[aws-g6.xlarge, aws-g6e.xlarge]",
             "plan.choices.max_num_seqs=[64]", "plan.choices.max_num_batched_tokens=[2048]",
             "plan.seeds=2")  # fmt: skip
    return load_scenario(shipped("scenarios") / "plan-serve-mix.yaml", small)


def _cluster() -> Scenario:
    small = ("plan.choices.nodes=[aws-p4d.24xlarge, aws-p5.48xlarge]", "plan.choices.count=[1, 2]",
             "workloads[0].model=gpt2-124m", "workloads[0].seq_len=1024", "workloads[0].batch.global=64",
             "workloads[0].tokens=300e9", "slo.finish=9 d", "plan.confirm=2")  # fmt: skip
    return load_scenario(shipped("scenarios") / "plan-train-7b-deadline.yaml", small)


QUESTIONS: dict[str, Callable[[], Scenario]] = {
    "layout": cache(lambda: training("plan.confirm=3")),
    "cluster": cache(_cluster),
    "service": cache(service),
    "scaling": cache(_asked),
    "mix": cache(_mix),
    "pool": cache(lambda: load_scenario(POOL, SMALL)),
}


@pytest.fixture(params=QUESTIONS)
def asked(request: pytest.FixtureRequest) -> Scenario:
    return QUESTIONS[request.param]()


def _told(found: Answer) -> str:
    return canonical_json(found.facts())


def _with_store(asked: Scenario, file: Path, *, jobs: int = 1) -> tuple[str, int]:
    """Return the answer, and how many runs the store holds then."""
    with PlanStore(file, asked) as kept:
        return _told(decide(asked, workshop=workshop_of(kept, jobs=jobs))), len(kept)


def test_a_search_with_a_store_or_half_of_one_finds_what_one_without_finds(asked: Scenario, tmp_path: Path) -> None:
    plain = _told(decide(asked))
    whole, runs = _with_store(asked, tmp_path / "s.db")
    assert whole == plain
    assert runs > 1
    with closing(sqlite3.connect(tmp_path / "s.db")) as base, base:
        base.execute("DELETE FROM runs WHERE number > ?", (runs // 2,))
    assert _with_store(asked, tmp_path / "s.db") == (plain, runs)


def test_runs_that_are_kept_are_not_done_again(asked: Scenario, tmp_path: Path, monkeypatch) -> None:
    _, runs = _with_store(asked, tmp_path / "s.db")
    monkeypatch.setattr(PlanStore, "put", lambda self, key, answer: pytest.fail(f"{key} was done again"))
    assert _with_store(asked, tmp_path / "s.db")[1] == runs


@pytest.mark.parametrize("kind", ["layout", "service", "scaling", "mix"])
def test_processes_find_what_one_finds(kind: str, tmp_path: Path) -> None:
    asked = QUESTIONS[kind]()
    assert _with_store(asked, tmp_path / "s.db", jobs=2)[0] == _told(decide(asked))


def test_another_question_or_version_is_told(tmp_path: Path, monkeypatch) -> None:
    file = tmp_path / "s.db"
    with PlanStore(file, QUESTIONS["service"]()):
        pass
    with pytest.raises(InputError, match=r"another question .*plan-serve-70b, changed since"):
        PlanStore(file, service("plan.seeds=1"))
    monkeypatch.setattr("simulator.study.plan_store.__version__", "9.9")
    with pytest.raises(InputError, match="holds runs of rackcast 0"):
        PlanStore(file, QUESTIONS["service"]())
    (tmp_path / "text").write_text("no database, but long enough to be looked at as one " * 99)
    with pytest.raises(InputError, match="cannot be used as a store"):
        PlanStore(tmp_path / "text", QUESTIONS["service"]())


def test_the_table_of_runs_has_a_row_for_each_whoever_did_them(tmp_path: Path) -> None:
    asked = QUESTIONS["service"]()
    _, runs = _with_store(asked, tmp_path / "one.db")
    with PlanStore(tmp_path / "one.db", asked) as kept:
        frame = kept.frame()
    assert len(frame) == runs
    played = frame[frame["kind"] == "service"]
    assert played["metrics.ttft_p95_ms"].notna().all()
    assert set(frame["kind"]) == {"price", "service"}


#: a service whose search is some tens of runs
ARGUMENTS = ("plan", str(shipped("scenarios") / "plan-serve-70b.yaml"), *(
    word for one in (
        "workloads[0].model=llama-3.1-8b", "plan.choices.nodes=[aws-g6.xlarge, aws-g6e.xlarge, aws-p5.4xlarge]",
        "workloads[0].traffic.seconds=30 s", "workloads[0].traffic.groups[0].rate=6 /s",
        "plan.choices.count=[1, 2, 3]", "plan.choices.max_num_seqs=[8, 64]",
        "plan.choices.max_num_batched_tokens=[2048]", "plan.seeds=3",
    ) for word in ("--set", one)))  # fmt: skip


def test_a_plan_that_was_killed_goes_on_to_the_same_bytes(capsys, tmp_path: Path) -> None:
    file, told = tmp_path / "s.db", tmp_path / "out.json"
    words = [*ARGUMENTS, "--json", "--store", str(file)]
    with told.open("wb") as sink:
        running = subprocess.Popen([sys.executable, "-m", "simulator", *words], stdout=sink, stderr=subprocess.DEVNULL)
        kept = _wait_for_runs(file, running)
        running.send_signal(signal.SIGKILL)
        assert running.wait() == -signal.SIGKILL
    assert told.read_bytes() == b""
    assert kept > 0
    assert main(list(words)) == 0
    printed = capsys.readouterr()
    assert "going on with" in printed.err
    assert main([*ARGUMENTS, "--json"]) == 0
    assert capsys.readouterr().out == printed.out


def _wait_for_runs(file: Path, running: subprocess.Popen[bytes]) -> int:
    """Return how many runs a store holds, as soon as it holds some."""
    until = time.monotonic() + 120.0
    while time.monotonic() < until and running.poll() is None:
        if file.exists():
            with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as base:
                try:
                    (count,) = base.execute("SELECT count(*) FROM runs").fetchone()
                except sqlite3.OperationalError:  # the table is being made
                    count = 0
            if count >= 3:
                return int(count)
        time.sleep(0.01)
    return 0


def test_files_hold_the_runs(capsys, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main([*ARGUMENTS, "--store", str(tmp_path / "s.db"), "--out", str(out)]) == 0
    assert "runs." in capsys.readouterr().err
    assert (out / "runs.parquet").is_file() or (out / "runs.csv").is_file()


def test_what_plays_nothing_has_nothing_to_keep(capsys, tmp_path: Path) -> None:
    place = str(shipped("scenarios") / "plan-place-jobs.yaml")
    for words in (("--store", str(tmp_path / "s.db")), ("--jobs", "2")):
        assert main(["plan", place, *words]) == 2
        assert "nothing is played" in capsys.readouterr().err
    assert main([*ARGUMENTS, "--jobs", "0"]) == 2
    assert "at least 1" in capsys.readouterr().err
    assert main([*ARGUMENTS, "--backend", "slurm://x"]) == 2
    assert "write dask://HOST:PORT" in capsys.readouterr().err
