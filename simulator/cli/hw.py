"""``rackcast hw``: the catalogue of parts, listed, shown, compared and judged."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simulator.cli import options, output
from simulator.foundation.errors import InputError, InvalidFile, UnknownName

if TYPE_CHECKING:
    from simulator.profiles.catalogue import Catalogue, Shelf
    from simulator.profiles.source import Figure

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    help="List, show, compare and lint hardware profiles.",
)

Parts = Annotated[
    Path | None,
    typer.Option("--parts", metavar="PATH", help="Your own parts, a file or folder; they come first.",
                 show_default=False),
]  # fmt: skip
Shelves = Annotated[str, typer.Option("--shelf", metavar="NAME", help="devices, links, nodes, storage or prices.")]


def _filter(flag: str, help: str) -> Any:  # noqa: A002  (typer's word)
    return typer.Option(flag, metavar="TEXT", help=help, show_default=False)


def _shelf(catalogue: Catalogue, name: str) -> Shelf[Any]:
    from simulator.profiles.catalogue import PART_KINDS

    shelves = dict(zip((kind.shelf for kind in PART_KINDS), catalogue.shelves(), strict=True))
    if name not in shelves:
        raise UnknownName("shelf", name, shelves)
    return shelves[name]


@app.command("list")
def list_parts(
    shelf: Shelves = "devices",
    kind: Annotated[str | None, _filter("--kind", "Only this kind, as gpu, nic, server.")] = None,
    vendor: Annotated[str | None, _filter("--vendor", "Only this vendor, provider or link family.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Announced parts too.")] = False,
    parts: Parts = None,
    as_json: options.Json = False,
    as_csv: options.Csv = False,
) -> None:
    """List the parts of a shelf, one line each.

    example: rackcast hw list --kind gpu --vendor amd
    """
    from simulator.profiles.catalogue import load_catalogue
    from simulator.profiles.summary import COLUMNS, headings, maker_of, summary_of

    found = _shelf(load_catalogue(parts), shelf)
    chosen = [
        part
        for part in found.values()
        if (kind is None or part.kind == kind)
        and (vendor is None or maker_of(part).lower() == vendor.lower())
        and (everything or getattr(part, "status", "shipping") == "shipping")
    ]
    if not chosen and (kind, vendor) != (None, None):
        _explain_nothing(list(found.values()), kind, vendor, maker_of)
    rows = [summary_of(part) for part in chosen]
    if as_json:
        output.json_document({"shelf": shelf, "parts": [dict(zip(COLUMNS[shelf], row, strict=True)) for row in rows]})
    elif as_csv:
        output.csv(COLUMNS[shelf], rows)
    else:
        output.table(headings(shelf), rows)


def _explain_nothing(parts: list[Any], kind: str | None, vendor: str | None, maker_of: Any) -> None:
    """Raise :class:`UnknownName` if a filter names nothing there is; say nothing if only both together do."""
    kinds = {str(part.kind) for part in parts}
    makers = {str(maker_of(part)).lower() for part in parts}
    if kind is not None and kind not in kinds:
        raise UnknownName("kind", kind, kinds)
    if vendor is not None and vendor.lower() not in makers:
        raise UnknownName("vendor", vendor, makers)


@app.command("show")
def show_part(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A part, by its name or any spelling.")],
    shelf: Annotated[str | None, _filter("--shelf", "Where, if the name is on several shelves.")] = None,
    parts: Parts = None,
    as_json: options.Json = False,
) -> None:
    """Show a part: every figure with unit, source and confidence.

    Confidence: A vendor document read, B secondary source read, D derived by the formula that is told.

    example: rackcast hw show h100-sxm
    """
    from simulator.profiles.catalogue import load_catalogue
    from simulator.profiles.summary import facts_of

    catalogue = load_catalogue(parts)
    part = _shelf(catalogue, shelf)[name] if shelf else _find(catalogue, name)
    if as_json:
        output.json_document({"part": facts_of(part), "figures": [_figure_json(item) for item in part.figures]})
        return
    output.line(part.name)
    for key, value in facts_of(part).items():
        if value not in (None, "", (), [], {}) and key != "name":
            output.line(f"  {key}: {', '.join(map(str, value)) if isinstance(value, (list, tuple)) else value}")
    sources = list(dict.fromkeys(item.source for item in part.figures if item.source))
    rows = [
        [item.key, _text(item), item.source.kind if item.source else "none",
         (item.source.confidence or "-") if item.source else "-",
         f"[{sources.index(item.source) + 1}]" if item.source else "-"]
        for item in part.figures
    ]  # fmt: skip
    output.table(["figure", "value", "kind", "confidence", "source"], rows)
    for number, source in enumerate(sources, start=1):
        output.line(f"[{number}] {source.ref}{f' ({source.date})' if source.date else ''}")


def _find(catalogue: Catalogue, name: str) -> Any:
    """Return the part of that name on the first shelf that has one; raises :class:`UnknownName` over all shelves."""
    for shelf in catalogue.shelves():
        if name in shelf:
            return shelf[name]
    names = [known for shelf in catalogue.shelves() for known in shelf]
    aliases = [alias for shelf in catalogue.shelves() for alias in shelf.aliases()]
    raise UnknownName("part", name, names, spellings=aliases)


def _text(item: Figure) -> str:
    from simulator.foundation.units import show

    if not item.dimension:
        return f"{item.value:g}"
    text = show(item.value, item.dimension, 6)
    return text.replace("FLOP/s", "OP/s") if item.key.endswith((".int8", ".int4")) else text


def _figure_json(item: Figure) -> dict[str, Any]:
    source = dataclasses.asdict(item.source) if item.source else None
    return {"key": item.key, "value": item.value, "dimension": item.dimension, "text": _text(item), "source": source}


@app.command("compare")
def compare_parts(
    names: Annotated[list[str], typer.Argument(metavar="NAME NAME...", help="Two or more parts of one shelf.")],
    shelf: Shelves = "devices",
    parts: Parts = None,
    as_json: options.Json = False,
    as_csv: options.Csv = False,
) -> None:
    """Hold parts side by side, figure by figure; ratios are to the first.

    example: rackcast hw compare a100-80gb h100-sxm mi300x
    """
    from simulator.profiles.catalogue import load_catalogue

    if len(names) < 2:
        raise InputError(f"one part ({names[0]}) is nothing to compare; name at least two.")
    found = [_shelf(load_catalogue(parts), shelf)[name] for name in names]
    figures: list[Mapping[str, Figure]] = [{item.key: item for item in part.figures} for part in found]
    keys = list(dict.fromkeys(key for of_part in figures for key in of_part))
    ratios = {key: [_ratio(of_part.get(key), figures[0].get(key)) for of_part in figures[1:]] for key in keys}
    if as_json:
        values = {key: [of_part[key].value if key in of_part else None for of_part in figures] for key in keys}
        output.json_document({"names": [part.name for part in found], "figures": values, "ratios": ratios})
        return
    columns = ["figure", *(part.name for part in found), *(f"{part.name} / first" for part in found[1:])]

    def rows(told: Callable[[Figure], object]) -> list[list[object]]:
        return [[key, *(told(of[key]) if key in of else None for of in figures), *ratios[key]] for key in keys]

    if as_csv:
        output.csv(columns, rows(lambda figure: figure.value))
    else:
        output.table(["figure", *(part.name for part in found), *("ratio" for _ in found[1:])], rows(_text))


def _ratio(item: Figure | None, first: Figure | None) -> float | None:
    return item.value / first.value if item and first and first.value else None


@app.command("lint")
def lint(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE...]", help="Your own parts; without: the whole catalogue.",
                                          show_default=False)
    ] = None,
    as_json: options.Json = False,
) -> None:  # fmt: skip
    """Judge parts: figures without a source, ratios no product has, names that lead nowhere.

    Exit code 2 if there is any problem. A rightly strange figure is told in the file, under 'unusual', with the reason.

    example: rackcast hw lint my_parts/devices/next-gpu.yaml
    """
    from simulator.profiles.catalogue import load_catalogue
    from simulator.profiles.lint import lint_catalogue, lint_files

    problems = lint_files(files) if files else lint_catalogue(load_catalogue())
    if problems and not as_json:
        raise InvalidFile([InputError(str(problem)) for problem in problems])
    if as_json:
        found = [{"part": p.part, "name": p.name, "key": p.key, "message": p.message} for p in problems]
        output.json_document({"problems": found}, status="input" if problems else "ok")
        raise typer.Exit(InputError.exit_code if problems else 0)
    output.line("no problem found")
