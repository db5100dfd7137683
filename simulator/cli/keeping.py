"""A long run that can be stopped: its state is kept in a file now and then, and when it is interrupted."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from simulator.cli import output

if TYPE_CHECKING:
    from simulator.engine.serving.service import Kept
    from simulator.scenario import Scenario

_EVERY_S: Final = 30.0  # seconds of work that are lost if the machine goes down
_SHARE: Final = 0.05  # of the time may go into writing


@contextmanager
def keeping(path: Path, scenario: Scenario, workload: Any) -> Iterator[Kept]:
    """Keep a run's state in ``path`` every half minute and at the first interrupt; drop it when the run is complete.

    Where writing takes long, it is written less often. The clock decides when the state is written, never what is in
    the result.
    """
    from simulator import __version__
    from simulator.engine.serving.service import Kept

    if path.exists():
        output.note(f"going on from {path}")
    path.parent.mkdir(parents=True, exist_ok=True)
    interrupted, saved_for_good, asked = False, False, time.monotonic()
    next_at = asked + _EVERY_S

    def due() -> bool:
        """Say whether to save now; the first question after a save tells how long that took."""
        nonlocal saved_for_good, asked, next_at
        if saved_for_good:
            raise KeyboardInterrupt
        now = time.monotonic()
        if asked >= next_at:
            next_at = now + max(_EVERY_S, (now - asked) / _SHARE)
        asked = now
        saved_for_good = interrupted
        return interrupted or now >= next_at

    def stop(number: int, frame: Any) -> None:
        nonlocal interrupted
        del number, frame
        if interrupted:
            raise KeyboardInterrupt
        interrupted = True

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield Kept(path=path, key=f"{__version__} {scenario.sha256} {workload.id} {scenario.run.seed}", due=due)
    except KeyboardInterrupt:
        if path.exists():
            output.note(f"the state is kept in {path}; the same command goes on from there")
        raise
    finally:
        signal.signal(signal.SIGINT, before)
    path.unlink(missing_ok=True)
