"""Names that Kubernetes takes."""

from __future__ import annotations

import hashlib
import re
from typing import Final

#: a DNS label that leaves room for what pods add to it
_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
_MOST: Final = 40
_MARK: Final = 6


def label_refusals(name: str) -> list[str]:
    """Return why a name cannot be that of an object, if it cannot."""
    if _LABEL.fullmatch(name) is None:
        return [f"the name {name!r} (lower-case letters, digits and dashes, at most {_MOST} of them)"]
    return []


def label_of(*words: str) -> str:
    """Return words as one name; a long one is cut and marked, so that two that begin alike stay two.

    >>> label_of("plan-serve-mix", "aws-p5.4xlarge")
    'plan-serve-mix-aws-p5-4xlarge'
    """
    name = re.sub(r"[^a-z0-9]+", "-", "-".join(words).lower()).strip("-")
    if len(name) <= _MOST:
        return name
    mark = hashlib.sha256(name.encode()).hexdigest()[:_MARK]
    return f"{name[: _MOST - _MARK - 1].rstrip('-')}-{mark}"
