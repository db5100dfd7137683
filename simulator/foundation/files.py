"""Files: text read within a limit; results whole or not at all, and the same bytes for the same content."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simulator.foundation.errors import InputError, Place


def read_text(path: str | Path, *, most: int, wanted: str = "a file") -> str:
    """Return the text of a file.

    Args:
        path: the file.
        most: bytes at the most.
        wanted: what to name where the path is a directory.

    Raises:
        InputError: no such file, a directory, too large, not UTF-8, or not readable.
    """
    here = Place(file=str(path))
    path = Path(path)
    try:
        if path.is_dir():
            raise InputError(f"this is a directory; name {wanted} in it.", place=here)
        if path.stat().st_size > most:
            raise InputError(f"the file has {path.stat().st_size} bytes; at most {most} are read.", place=here)
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise InputError("no such file.", place=here) from None
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8 text (byte {error.start}); save the file as UTF-8.", place=here) from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}.", place=here) from None


def write_atomic(path: str | Path, content: str | bytes) -> Path:
    """Write a file so that a reader, or a crash, sees the old content or the new, never a part.

    Raises:
        InputError: the folder does not exist or cannot be written.
    """
    path = Path(path)
    data = content.encode("utf-8") if isinstance(content, str) else content
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink()
            raise
    except (FileExistsError, NotADirectoryError):
        cause = f"cannot be written: {path.parent} is no folder; name another."
        raise InputError(cause, place=Place(file=str(path))) from None
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}.", place=Place(file=str(path))) from None
    return path


def canonical_json(value: Any, *, indent: int | None = 2) -> str:
    """Return JSON with sorted keys; floats that are not finite become null, floats are printed at 12 digits."""
    return json.dumps(_plain(value), indent=indent, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (bool, str)) or value is None:
        return value
    if hasattr(value, "tolist"):  # numpy scalars and arrays
        return _plain(value.tolist())
    if isinstance(value, float):
        return float(f"{value:.12g}") if math.isfinite(value) else None
    if isinstance(value, int):
        return value
    assert False, f"no JSON for {type(value).__name__}"
