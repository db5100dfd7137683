"""A page is self-contained, escapes what it is given, and is the same bytes for the same report."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from simulator.results.report import Grid, Reason, Report, Section, Tile, page, picture
from simulator.results.style import new_figure, styled

HOSTILE = "<script>alert('x')</script>\"'&{{ 7*7 }}<!-- -->]]>"

_VOID = {"meta", "br", "hr", "img", "link"}


class Tags(HTMLParser):
    """Keeps the tags that are open, every tag and attribute seen, and the text outside of styles and drawings."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.attributes += attrs
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open and "svg" not in self.open:
            self.text += data


def parsed(html: str) -> Tags:
    """Return a page taken apart; fails where tags are not closed in order."""
    tags = Tags()
    tags.feed(html)
    tags.close()
    assert tags.open == []
    return tags


def loads_nothing(html: str) -> None:
    """Fail if a page would load or run anything."""
    tags = parsed(html)
    assert not {"script", "link", "iframe", "object", "embed", "img", "form"} & set(tags.seen)
    for name, value in tags.attributes:
        assert not name.startswith("on")
        if name in ("href", "src", "xlink:href"):
            assert (value or "").startswith("#"), (name, value)
    assert not re.search(r"@import|url\((?!#)", html)


def _report(text: str) -> Report:
    with styled():
        figure, axes = new_figure(3.0, 2.0)
        axes.plot([0.0, 1.0], [0.0, 1.0], label="line")
        axes.set_title(text.replace("$", ""))
    grid = Grid.of((text, "n"), [(text, 3), ("b", 1234.5)], title=text, marked=0)
    return Report(
        title=text,
        kicker=text,
        decision=text,
        detail=text,
        tiles=(Tile(label=text, value=text, note=text),),
        reasons=(Reason(head=text, text=text),),
        sections=(Section(title=text, text=(text,), grids=(grid,), pictures=(picture((figure, axes), text),)),),
        footer=(text,),
    )


def test_hostile_text_is_shown_and_never_run():
    html = page(_report(HOSTILE))
    loads_nothing(html)
    assert "<script" not in html
    assert "49" not in parsed(html).text
    assert parsed(html).text.count(HOSTILE) == 16  # every place that takes text, figure labels aside


@given(st.text(alphabet=st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=30))
def test_any_text_leaves_the_page_well_formed(text):
    grid = Grid.of((text,), [(text,)], title=text)
    report = Report(title=text, kicker=text, decision=text, detail=text, tiles=(Tile(label=text, value=text),),
                    reasons=(), sections=(Section(title=text, grids=(grid,)),), footer=())  # fmt: skip
    loads_nothing(page(report))


def test_the_same_report_is_the_same_bytes():
    assert page(_report("a")) == page(_report("a"))


def test_a_page_may_run_nothing_even_if_something_slipped_in():
    assert "default-src 'none'" in page(_report("a"))


def test_numbers_stand_right_and_text_left():
    grid = Grid.of(("name", "n"), [("a", 1.0), ("b", "3.7%"), ("c", "165.12 USD/h"), ("d", None)])
    assert not grid.numeric(0)
    assert grid.numeric(1)
