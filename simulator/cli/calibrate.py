"""``rackcast calibrate``: constants of a fabric from your own nccl-tests log; ``rackcast comm fit`` by its own name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simulator.cli import options
from simulator.cli.comm import On, fit_log


def command(
    log: Annotated[Path, typer.Argument(metavar="LOG", help="Output of nccl-tests inside one node.")],
    on: On,
    operation: Annotated[str, typer.Option("--operation", metavar="NAME", help="If the log does not say.")] = "",
    as_json: options.Json = False,
) -> None:
    """Fit the network constants of a class of links to a log of nccl-tests, and print them as a profile.

    Fitted: the time to start, the time of a step, the reached part of the link's bandwidth, and the size of a chunk.
    What one collective inside one node cannot show keeps its shipped value.

    example: rackcast calibrate all_reduce.log --on dgx-h100:1
    """
    fit_log(log, on, operation, as_json)
