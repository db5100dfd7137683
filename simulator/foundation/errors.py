"""The one tree of errors.

::

    RackcastError              exit 1
    ├── InputError             exit 2   the user's text needs mending: says where, what, what is needed
    │   ├── UnitError                   a quantity without a unit, or with the wrong one
    │   ├── UnknownName                 a name that nothing in the catalogue or registry carries
    │   └── InvalidFile                 every problem of one file, all at once
    ├── Infeasible             exit 3   the question is clear, and the answer is "it does not fit"
    ├── DecisionChanged        exit 5   a golden decision is not the one found now
    └── OverBudget             exit 6   measured error above what was allowed

Our own faults are not in this tree: they are assertions.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in the user's files something was read: ``file:line:column key``."""

    file: str = ""
    line: int | None = None  # counted from 1
    column: int | None = None  # counted from 1
    key: str = ""  # dotted path inside the file, as in ``cluster.nodes[0].count``

    def __str__(self) -> str:
        position = ":".join(str(part) for part in (self.file, self.line, self.column) if part not in ("", None))
        return " ".join(part for part in (position, self.key) if part)


class RackcastError(Exception):
    """Anything rackcast raises on purpose."""

    exit_code = 1


class InputError(RackcastError):
    """The user's input needs mending; the message says what was found, what is needed and how to mend it."""

    exit_code = 2

    def __init__(self, message: str, *, place: Place | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.place = place

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place and str(self.place) else self.message

    def at(self, place: Place) -> InputError:
        """Return the same error with the place filled in, if it named no file."""
        if self.place is None or not self.place.file:
            self.place = place
        return self


class UnitError(InputError):
    """A quantity whose text is not a number, a space and a unit of the needed dimension."""


class UnknownName(InputError):
    """A name that is not known; carries the nearest ones."""

    def __init__(
        self, kind: str, name: str, known: Iterable[str], *, spellings: Iterable[str] = (), place: Place | None = None
    ) -> None:
        self.kind, self.name = kind, name
        super().__init__(f"no {kind} {name!r}.{suggestion(name, known, spellings)}", place=place)


class InvalidFile(InputError):
    """All problems of one file, one line each, in the order of the file."""

    def __init__(self, problems: Sequence[InputError]) -> None:
        assert problems, "an InvalidFile needs at least one problem"
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in problems))

    def __str__(self) -> str:
        return self.message


class Infeasible(RackcastError):
    """No answer satisfies the constraints.

    Attributes:
        binding: the constraint that binds, in words.
        account: what was needed against what there is, by part (bytes for memory).
        relaxation: the smallest change that would make it feasible, in words; empty if none is known.
    """

    exit_code = 3

    def __init__(
        self, message: str, *, binding: str = "", account: dict[str, float] | None = None, relaxation: str = ""
    ) -> None:
        super().__init__(message)
        self.place: Place | None = None
        self.binding, self.account, self.relaxation = binding, dict(account or {}), relaxation

    def __str__(self) -> str:
        message = super().__str__()
        return f"{self.place}: {message}" if self.place else message

    def at(self, place: Place) -> Infeasible:
        """Return the same answer with the place of the question filled in, if it had none."""
        self.place = self.place or place
        return self


class DecisionChanged(RackcastError):
    """The recommended decision is not the expected one."""

    exit_code = 5


class OverBudget(RackcastError):
    """The measured prediction error is above the allowed one."""

    exit_code = 6


def suggestion(name: str, known: Iterable[str], spellings: Iterable[str] = ()) -> str:
    """Return `` Did you mean ...? Known: ...`` for an error message; near names first, whatever their case.

    Args:
        name: what was asked for.
        known: the names, of which some are listed.
        spellings: further names that may have been meant; they are proposed, not listed.

    >>> suggestion("rings", ["ring", "tree"])
    " Did you mean 'ring'? Known: ring, tree."
    """
    names = sorted({str(candidate) for candidate in known})
    folded = {candidate.casefold(): candidate for candidate in [*map(str, spellings), *names]}
    near = [folded[key] for key in difflib.get_close_matches(name.casefold(), sorted(folded), n=3, cutoff=0.6)]
    asked = f" Did you mean {' or '.join(repr(candidate) for candidate in near)}?" if near else ""
    if not names:
        return asked
    shown = ", ".join(names[:12]) + (f", ... ({len(names)} in all)" if len(names) > 12 else "")
    return f"{asked} Known: {shown}."
