"""``rackcast schema``: JSON Schemas for editors, printed or written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simulator.cli import output


def command(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Which schema; without: the list.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Write every schema there.", show_default=False)
    ] = None,
) -> None:
    """Print a JSON Schema, list the names, or write all of them with --out DIR.

    A scenario names its schema in the first line, and editors complete and check it:
    # yaml-language-server: $schema=../schemas/scenario.v1.json

    example: rackcast schema scenario
    """
    from simulator.foundation.files import write_atomic
    from simulator.scenario.json_schemas import schema_files, schema_text

    if out is not None:
        for file in schema_files():
            output.line(str(write_atomic(out / file, schema_text(file))))
    elif name is None:
        output.table(["name", "file"], [[file.split(".")[0], file] for file in schema_files()])
    else:
        typer.echo(schema_text(name), nl=False)
