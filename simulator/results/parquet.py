"""Frames as Parquet files, where pyarrow is installed."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path

import pandas as pd

from simulator.foundation.files import write_atomic


def write_table(frame: pd.DataFrame, path: Path) -> Path:
    """Write a frame to ``path`` ending in ``.parquet`` (``.csv`` where pyarrow is missing); return the file."""
    if importlib.util.find_spec("pyarrow") is None:
        return write_atomic(path.with_suffix(".csv"), frame.to_csv(index=False, lineterminator="\n"))
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return write_atomic(path.with_suffix(".parquet"), buffer.getvalue())
