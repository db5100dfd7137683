"""Where the data that ships with the program lies: inside the package in a wheel, beside it in a checkout."""

from __future__ import annotations

from pathlib import Path

import simulator
from simulator.foundation.errors import InputError, Place


def shipped(name: str) -> Path:
    """Return a folder of shipped data: ``hardware_profiles``, ``measurements``, ``scenarios`` or ``schemas``.

    A wheel carries it as ``simulator/_data/<name>``; in a checkout, and so in an editable install, it stands beside
    the package.

    Raises:
        InputError: neither is there; the installation is damaged.
    """
    package = Path(simulator.__file__).parent
    for folder in (package / "_data" / name, package.parent / name):
        if folder.is_dir():
            return folder
    raise InputError(
        f"the folder {name!r} that ships with rackcast is missing; install rackcast again.",
        place=Place(file=str(package)),
    )
