"""The model in docs/extending.md is read, and has the parameters that it says."""

from __future__ import annotations

import re
from pathlib import Path

from simulator.workload.models.files import read_model
from simulator.workload.models.parameters import count_parameters

PAGE = Path(__file__).parents[2] / "docs" / "extending.md"


def test_the_example_model_has_its_published_parameters(tmp_path: Path) -> None:
    examples = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    (example,) = [text for text in examples if "transformer:" in text]
    path = tmp_path / "acme-7b.yaml"
    path.write_text(example, encoding="utf-8")
    model = read_model(path)
    assert model.transformer is not None
    assert count_parameters(model.transformer).total == model.published.parameters
