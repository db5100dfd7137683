"""The broken files beside this one, and how an answer to one is told.

A file begins with what it must be answered with: ``# exit 2``, then one comment per line of stderr. ``FILE`` stands for
the path of the file, ``Known: ...`` and ``is none of ...`` for lists of names that grow with the catalogue; of several
names that may have been meant only the nearest is kept, and the bytes of what does not fit are ``N GB``.

``python -m tests.bad_input.corpus`` writes what the program answers now into every file: read the difference before you
commit it.
"""

from __future__ import annotations

import io
import re
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from simulator.cli import main

HERE = Path(__file__).parent
CASES = sorted(HERE.glob("*.yaml"))


def expected(case: Path) -> tuple[int, list[str]]:
    """Return the exit code and the lines of stderr that a file says it must be answered with."""
    lines = []
    for line in case.read_text(encoding="utf-8").splitlines():
        if not line.startswith("# "):
            break
        lines.append(line.removeprefix("# "))
    return int(lines[0].removeprefix("exit ")), lines[1:]


def told(stderr: str, path: Path) -> list[str]:
    """Return the lines of stderr, without what differs from place to place and from catalogue to catalogue."""
    lines = stderr.replace(str(path), "FILE").strip().splitlines()
    lines = [re.sub(r"Known: .*$", "Known: ...", line) for line in lines]
    lines = [re.sub(r"(GB: )[^)]*|[0-9.]+( GB)\b", r"\1N\2", line) if "GB" in line and "for tensors" in line else line
             for line in lines]  # fmt: skip
    lines = [re.sub(r"is none of [^.]*\.", "is none of ....", line) for line in lines]
    return [re.sub(r"(Did you mean '[^']*')[^?]*\?", r"\1?", line) for line in lines]


def refresh(case: Path) -> None:
    """Write into a file what the program answers now; twice, since the number of lines moves the places."""
    content = case.read_text(encoding="utf-8").splitlines(keepends=True)
    while content and content[0].startswith("# "):
        content.pop(0)
    for _ in range(2):
        stderr = io.StringIO()
        with redirect_stderr(stderr), redirect_stdout(io.StringIO()):
            code = main(["check", str(case)])
        header = [f"# {line}\n" for line in (f"exit {code}", *told(stderr.getvalue(), case))]
        case.write_text("".join([*header, *content]), encoding="utf-8")


if __name__ == "__main__":
    for one in CASES:
        refresh(one)
