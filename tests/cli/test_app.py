from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from simulator import __version__
from simulator.cli import app as frame
from simulator.cli import main, output
from simulator.foundation.errors import DecisionChanged, Infeasible, InputError, OverBudget, Place, UnknownName

ROOT = Path(__file__).parents[2]
SLOW = ("numpy", "pandas", "matplotlib", "scipy", "networkx", "simpy", "pydantic", "ruamel", "rich.table")


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    settings = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", **environment}
    command = [sys.executable, "-m", "simulator", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=settings, check=False, cwd=ROOT)


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., Any]], None]:
    """Plug a function in as the verb ``doctor``, as a module of its own would be."""

    def plug(function: Callable[..., Any]) -> None:
        module = ModuleType("simulator.cli.doctor")
        module.command = function  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "simulator.cli.doctor", module)
        monkeypatch.setattr(frame, "_module_exists", lambda name: name in ("doctor", "check"))

    return plug


def failing(error: BaseException) -> Callable[..., Any]:
    def command() -> None:
        """Fail."""
        raise error

    return command


def test_help_imports_no_verb_and_nothing_slow() -> None:
    code = (
        "import sys\nfrom simulator.cli import main\nmain(['--help'])\n"
        f"slow = [m for m in {SLOW!r} if m in sys.modules]\n"
        "verbs = [m for m in sys.modules if m.startswith('simulator.') and m.count('.') > 1]\n"
        "print('LOADED', slow, sorted(verbs))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = next(line for line in done.stdout.splitlines() if line.startswith("LOADED"))
    allowed = ["simulator.cli.app", "simulator.cli.output", "simulator.foundation.errors", "simulator.foundation.files"]
    assert loaded == f"LOADED [] {allowed}"


def test_every_verb_of_the_table_whose_module_exists_is_listed_and_explains_itself(
    capsys: pytest.CaptureFixture[str],
) -> None:
    there = [name for name in frame.VERBS if (ROOT / "simulator" / "cli" / f"{name.replace('-', '_')}.py").is_file()]
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for name in frame.VERBS:
        assert (f"\n  {name} " in shown) == (name in there)
    for name in there:
        assert main([name, "--help"]) == 0
        assert "Usage: rackcast" in capsys.readouterr().out


def test_every_module_of_the_command_line_is_a_verb_or_serves_them() -> None:
    files = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "simulator" / "cli").glob("*.py")}
    others = files.keys() - {verb.replace("-", "_") for verb in frame.VERBS} - {"__init__", "app"}
    text = "\n".join(files.values())
    idle = {
        name for name in others if not re.search(rf"simulator\.cli(\.{name}\b| import (\([^)]*|.*)\b{name}\b)", text)
    }
    assert not idle, f"{idle} stand beside the verbs, but no verb uses them and no table names them"


def test_the_version_is_data() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"rackcast {__version__}\n", "")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("wrong", place=Place(file="f.yaml", line=3, column=1)), 2),
        (UnknownName("device", "h10", ["h100"]), 2),
        (Infeasible("no plan fits"), 3),
        (DecisionChanged("another plan"), 5),
        (OverBudget("12 % is above 9 %"), 6),
        (KeyboardInterrupt(), 130),
    ],
)
def test_every_error_ends_in_one_line_and_its_exit_code(
    error: BaseException, code: int, verb: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    verb(failing(error))
    assert main(["doctor"]) == code
    captured = capsys.readouterr()
    assert len(captured.err.splitlines()) == 1
    assert captured.err.startswith("error: ")
    assert captured.out == ""


def test_infeasible_names_the_smallest_relaxation(verb: Any, capsys: pytest.CaptureFixture[str]) -> None:
    verb(failing(Infeasible("no plan fits.", binding="memory", account={"weights": 2e9}, relaxation="tp: 16")))
    assert main(["doctor"]) == 3
    assert capsys.readouterr().err == "error: no plan fits. Smallest relaxation: tp: 16.\n"


def test_with_json_an_error_is_data_too(verb: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def command(as_json: frame.typer.models.OptionInfo = frame.typer.Option(False, "--json")) -> None:  # noqa: B008
        """Fail."""
        raise Infeasible("no plan fits.", binding="memory", account={"weights": 2e9}, relaxation="tp: 16")

    command.__annotations__ = {"as_json": bool, "return": None}
    verb(command)
    assert main(["doctor", "--json"]) == 3
    found = json.loads(capsys.readouterr().out)
    assert found["status"] == "infeasible"
    assert (found["binding"], found["account"], found["relaxation"]) == ("memory", {"weights": 2e9}, "tp: 16")
    assert (found["schema_version"], found["tool_version"]) == (output.SCHEMA_VERSION, __version__)


def test_developers_may_see_where_an_error_was_raised(verb: Any) -> None:
    verb(failing(InputError("wrong")))
    with pytest.raises(InputError, match="wrong"):
        main(["doctor", "--traceback"])


def test_our_own_faults_are_not_disguised(verb: Any) -> None:
    verb(failing(AssertionError("ours")))
    with pytest.raises(AssertionError, match="ours"):
        main(["doctor"])


def test_a_verb_may_return_its_exit_code(verb: Any) -> None:
    def command() -> int:
        """Return 4."""
        return 4

    verb(command)
    assert main(["doctor"]) == 4


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["chek"], "no command 'chek'. Did you mean 'check'"),
        (["check"], "Missing argument"),
        (["check", "x.yaml", "--no-such-flag"], "--no-such-flag"),
        (["--no-such-flag"], "--no-such-flag"),
    ],
)
def test_a_mistyped_command_line_is_one_line_and_exit_code_2(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert len(captured.err.splitlines()) == 1
    assert says in captured.err


def test_flags_for_all_verbs_may_stand_behind_the_verb(verb: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def command() -> None:
        """Talk."""
        output.note("talk")
        output.warn("doubt")

    verb(command)
    main(["doctor"])
    assert capsys.readouterr().err == "talk\nwarning: doubt\n"
    main(["doctor", "-q"])
    assert capsys.readouterr().err == ""


def test_more_talk_is_asked_for_with_v(verb: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def command() -> None:
        """Talk."""
        output.note("detail", level=1)
        output.note("much detail", level=2)

    verb(command)
    seen = []
    for flags in ([], ["-v"], ["-v", "-v"]):
        main(["doctor", *flags])
        seen.append(capsys.readouterr().err)
    assert seen == ["", "detail\n", "detail\nmuch detail\n"]


def test_completion_knows_the_verbs() -> None:
    done = run(_RACKCAST_COMPLETE="complete_bash", COMP_WORDS="rackcast ch", COMP_CWORD="1")
    assert done.stdout.split() == ["check"]


def test_a_reader_that_stops_early_is_no_error() -> None:
    command = f"{sys.executable} -m simulator schema scenario | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "{\n0\n"
    assert done.stderr == ""


@pytest.mark.parametrize("arguments", [(), ("hw",), ("comm",)])
def test_a_verb_left_out_gives_the_help_over_many_lines(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    assert main(list(arguments)) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("Usage: rackcast")
    assert printed.err.count("\n") > 5


def test_out_that_is_a_file_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    assert main(["schema", "--out", str(tmp_path / "taken")]) == 2
    assert "is no folder; name another" in capsys.readouterr().err
