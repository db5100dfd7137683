"""Options that verbs share, so that one flag means one thing everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ScenarioFile = Annotated[Path, typer.Argument(metavar="SCENARIO", help="A scenario file (YAML).", show_default=False)]

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]

Csv = Annotated[bool, typer.Option("--csv", help="CSV on stdout.")]

OutDir = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="Write tables and pictures there.", show_default=False)
]

Html = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Write one self-contained page.", show_default=False)
]

Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a key, as in cluster.nodes[0].count=32; repeatable.",
                 show_default=False),
]  # fmt: skip

Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Seed instead of the scenario's.", show_default=False)]
