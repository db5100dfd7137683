"""The notebooks about data run from top to bottom, and are committed without their outputs."""

from __future__ import annotations

from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"
NAMES = ("01_seed_sharding", "13_data_stalls")


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_committed_without_outputs_and_with_parameters(name):
    nbformat = pytest.importorskip("nbformat")
    cells = nbformat.read(FOLDER / f"{name}.ipynb", 4).cells
    assert not any(cell.get("outputs") for cell in cells)
    assert any("parameters" in cell.metadata.get("tags", []) for cell in cells)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_cell_of_a_notebook_runs(name, monkeypatch):
    nbformat = pytest.importorskip("nbformat")
    client = pytest.importorskip("nbclient")
    monkeypatch.setenv("MPLBACKEND", "Agg")
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", 4)
    client.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
