"""Names that Kubernetes takes."""

from __future__ import annotations

import re
from typing import Final

#: a DNS label that leaves room for what pods add to it
_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


def label_refusals(name: str) -> list[str]:
    """Return why a name cannot be that of an object, if it cannot."""
    if _LABEL.fullmatch(name) is None:
        return [f"the name {name!r} (lower-case letters, digits and dashes, at most 40 of them)"]
    return []
