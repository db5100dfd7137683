"""How every picture looks: one palette, one set of sizes, one way to the disk."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from simulator.foundation.files import write_atomic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK: Final = "#1f2933"
MUTED: Final = "#7b8794"
GRID: Final = "#e4e7eb"
ALARM: Final = "#c4314b"

#: hues that stay apart for colour-blind readers; Okabe and Ito 2008, "Color Universal Design"
PALETTE: Final = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c8c8c", "#b8a600")

#: what a piece of time is spent on -> its colour, the same in every picture
KINDS: Final[dict[str, str]] = {
    "forward": "#0072b2",
    "backward": "#56b4e9",
    "weights": "#5e4fa2",
    "recompute": "#a6cee3",
    "optimizer": "#009e73",
    "communication": "#e69f00",
    "bubble": "#e4e7eb",
    "data": "#cc79a7",
    "checkpoint": "#b8a600",
    "other": "#8c8c8c",
}

_RC: Final[Any] = {
    "figure.dpi": 110,
    "figure.constrained_layout.use": True,
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": 11.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": GRID,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "svg.hashsalt": "rackcast",  # the same bytes for the same picture
}


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the house style inside the block; what is outside keeps its own."""
    import matplotlib as mpl

    with mpl.rc_context(_RC):
        yield


def new_figure(width: float = 8.0, height: float = 4.5) -> tuple[Figure, Any]:
    """Return an empty (figure, axes) of a size in inches; call it inside :func:`styled`.

    The figure belongs to no window and to no global list, so nothing has to be closed.
    """
    figure, panels = new_panels(width, height, ratios=(1.0,))
    return figure, panels[0]


def new_panels(width: float, height: float, *, ratios: Sequence[float]) -> tuple[Figure, tuple[Any, ...]]:
    """Return an empty figure with axes side by side, their widths in the given ratios; else as :func:`new_figure`."""
    figure = _shown_figure()(figsize=(width, height))
    panels = figure.subplots(1, len(ratios), squeeze=False, width_ratios=list(ratios))
    return figure, tuple(panels[0])


@cache
def _shown_figure() -> type[Figure]:
    """Return a kind of figure that shows itself in notebooks, which draw plain ones only once a backend is set."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as PlainFigure

    class ShownFigure(PlainFigure):
        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            FigureCanvasAgg(self)

        def _repr_png_(self) -> bytes:
            drawn = io.BytesIO()
            self.savefig(drawn, format="png", bbox_inches="tight")
            return drawn.getvalue()

    return ShownFigure


def few_decades(axes: Any) -> None:
    """Label 1, 2 and 5 of the decades of a logarithmic x axis that has few, 1 and 3 of one that has some."""
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

    axes.xaxis.set_minor_formatter(NullFormatter())
    low, high = axes.get_xlim()
    if high / low < 300:
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high / low < 30 else (1.0, 3.0)))
        axes.xaxis.set_major_formatter(ScalarFormatter())


def color_of(kind: str) -> str:
    """Return the colour of a kind of time; kinds that are not in :data:`KINDS` share one."""
    return KINDS.get(kind, KINDS["other"])


def cycle_color(position: int) -> str:
    """Return the colour of the n-th thing in a list, from :data:`PALETTE`, over again after its end."""
    return PALETTE[position % len(PALETTE)]


def save(figure: Figure, path: str | Path) -> Path:
    """Write a picture (format by suffix: png, svg, pdf) whole or not at all, the same bytes for the same picture.

    Raises:
        InputError: the folder cannot be written.
    """
    path = Path(path)
    kind = path.suffix.lstrip(".") or "png"
    blank = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    buffer = io.BytesIO()
    with styled():
        figure.savefig(buffer, format=kind, metadata=blank.get(kind))
    return write_atomic(path, buffer.getvalue())
