"""The device in docs/extending.md loads and raises no doubt."""

from __future__ import annotations

import re
from pathlib import Path

from simulator.profiles.catalogue import load_catalogue
from simulator.profiles.lint import lint_files

PAGE = Path(__file__).parents[2] / "docs" / "extending.md"


def test_the_example_device_loads_and_raises_no_doubt(tmp_path: Path) -> None:
    example, unusual = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)[:2]
    path = tmp_path / "acme-dream.yaml"
    path.write_text(example, encoding="utf-8")
    assert load_catalogue(path).devices["dream"].peak["bf16"] == 1e15
    assert lint_files([path]) == []
    assert unusual.startswith("unusual:")
