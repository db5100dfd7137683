"""docs/models.md lists every fitted constant as the files hold it."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.profiles.efficiency import efficiency_classes
from simulator.profiles.framework import frameworks

PAGE = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
CONSTANTS = ("product32", "product16", "product8", "product4", "depth", "sharpness", "memory", "attention",
             "attention_early", "attention_length", "grouped")  # fmt: skip


@pytest.mark.parametrize("file", efficiency_classes(), ids=lambda file: file.name)
def test_the_page_shows_each_class_with_its_constants(file):
    shown = " | ".join(f"{getattr(file, name):.4g}" for name in CONSTANTS)
    assert f"| {file.name} | {file.origin} | {shown} |" in PAGE


@pytest.mark.parametrize("name", list(frameworks()))
def test_the_page_shows_each_framework(name):
    assert f"| {name} | {frameworks()[name].dispatch.name} | {frameworks()[name].attention} |" in PAGE
