"""Tables as Markdown, for documentation and issues."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def markdown_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    r"""Return a Markdown table; floats are printed at three decimals, None as a dash.

    >>> print(markdown_table(["source", "error"], [["a|b", 0.12345], ["c", None]]), end="")
    | source | error |
    | --- | --- |
    | a\|b | 0.123 |
    | c | - |
    """
    head = [f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}"]
    return "\n".join(head + [f"| {' | '.join(map(_cell, row))} |" for row in rows]) + "\n"


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value).replace("|", "\\|")
