"""``rackcast init``: a commented scenario file to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simulator.cli import output
from simulator.foundation.errors import InputError, Place, UnknownName
from simulator.foundation.files import write_atomic
from simulator.foundation.shipped import shipped


def command(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Where to write; without: stdout.", show_default=False)
    ] = None,
    template: Annotated[str, typer.Option("--template", help="The kind of question.")] = "train",
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file if it is there.")] = False,
) -> None:
    """Write a commented scenario file to start from; an editor with a YAML server completes its keys.

    example: rackcast init my.yaml
    """
    text = template_text(template)
    if file is None:
        typer.echo(text, nl=False)
        return
    if file.is_dir():
        raise InputError("this is a directory; name a file in it.", place=Place(file=str(file)))
    if file.exists() and not force:
        raise InputError("this file is there already; name another, or add --force.", place=Place(file=str(file)))
    write_atomic(file, text)
    output.note(f"wrote {file}. Next: rackcast check {file}")


def template_text(name: str) -> str:
    """Return a template by name; raises :class:`UnknownName`."""
    folder = shipped("scenarios") / "templates"
    known = {path.stem: path for path in sorted(folder.glob("*.yaml"))}
    if name not in known:
        raise UnknownName("template", name, known)
    schema = shipped("schemas") / "scenario.v1.json"
    return known[name].read_text(encoding="utf-8").replace("../../schemas/scenario.v1.json", schema.as_posix())
