"""Frames as plain rows, for who prints or writes them."""

from __future__ import annotations

from typing import Any

import pandas as pd


def rows_of(frame: pd.DataFrame) -> list[list[Any]]:
    """Return the rows of a frame; cells without a value are None."""
    return [[None if value != value else value for value in row] for row in frame.itertuples(index=False, name=None)]


def records_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame as mappings from column to cell."""
    return [dict(zip(map(str, frame.columns), row, strict=True)) for row in rows_of(frame)]
