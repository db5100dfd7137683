"""The wheel, installed far from the checkout, carries everything that the program reads."""

from __future__ import annotations

import json
import os
import site
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel by its build backend, without a network."""
    folder = tmp_path_factory.mktemp("dist")
    code = f"from hatchling.build import build_wheel; print(build_wheel({str(folder)!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    return folder / done.stdout.split()[-1]


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into an environment of its own, which borrows only the dependencies of this one."""
    home = tmp_path_factory.mktemp("clean")
    venv.EnvBuilder(with_pip=False, symlinks=True).create(home)
    python = home / "bin" / "python"
    own = Path(subprocess.run([python, "-c", "import site; print(site.getsitepackages()[0])"],
                              capture_output=True, text=True, check=True).stdout.strip())  # fmt: skip
    installer = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([*installer, "--quiet", "--disable-pip-version-check"], check=True, capture_output=True)
    borrowed = [path for path in site.getsitepackages() if Path(path).is_dir()]
    (own / "borrowed.pth").write_text("\n".join(borrowed) + "\n", encoding="utf-8")
    return home


def rackcast(installed: Path, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [str(installed / "bin" / "rackcast"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, check=False)


def test_nothing_but_the_package_is_installed_at_top_level(wheel: Path) -> None:
    names = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {name for name in names if not name.endswith(".dist-info")} == {"simulator"}


def test_the_wheel_carries_every_data_file_of_the_checkout(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("hardware_profiles", "scenarios", "schemas"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and not path.name.startswith("."):
                assert f"simulator/_data/{path.relative_to(ROOT).as_posix()}" in inside


def test_the_program_that_runs_is_the_installed_one(installed: Path, tmp_path: Path) -> None:
    python = installed / "bin" / "python"
    code = "import simulator; print(simulator.__file__)"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert Path(done.stdout.strip()).is_relative_to(installed)


@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("doctor",), ("hw", "list"), ("model", "list"), ("schema", "scenario"), ("init", "my.yaml")],
)
def test_the_verbs_find_their_data_far_from_the_checkout(
    installed: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    done = rackcast(installed, *arguments, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_a_scenario_written_by_the_installed_program_is_in_order_for_it(installed: Path, tmp_path: Path) -> None:
    assert rackcast(installed, "init", "my.yaml", folder=tmp_path).returncode == 0
    done = rackcast(installed, "check", "my.yaml", "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["files"][0]["devices"] == 128


def test_the_installed_program_refuses_bad_input_in_one_line(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("schema_version: 1\n", encoding="utf-8")
    done = rackcast(installed, "check", "bad.yaml", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == "error: bad.yaml:1:1 name: this key is needed."
