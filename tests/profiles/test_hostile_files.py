"""Broken profile files: each gets one line per problem with place, cause and mend, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.foundation.errors import InputError
from simulator.profiles.catalogue import PART_KINDS, kind_of_file, load_part

HEAD = "part: device\nkind: gpu\nvendor: acme\n"

BROKEN = {
    "a bare number": (
        HEAD + "power: {tdp: 700}\n",
        r"power\.tdp: 700 has no unit\. Write a number, a space and a unit",
    ),
    "the wrong unit": (HEAD + "power: {tdp: 700 GB}\n", "'700 GB' is no power"),
    "a unit without a space": (HEAD + "memory: {capacity: 80GB}\n", "Did you mean '80 GB'"),
    "marketing units": (HEAD + "peak: {bf16: 989 TFLOPS}\n", "Did you mean '989 TFLOP/s'"),
    "an unknown precision": (HEAD + "peak: {bf61: 1 TFLOP/s}\n", r"peak\.bf61: unknown key\. Did you mean 'bf16'"),
    "an unknown key": (HEAD + "memroy: {kind: HBM3}\n", "memroy: unknown key. Did you mean 'memory'"),
    "a missing key": ("part: device\nkind: gpu\n", "vendor: this key is needed"),
    "an unknown kind": (HEAD.replace("gpu", "gup"), "kind: found 'gup'"),
    "a negative figure": (HEAD + "memory: {bandwidth: -3 TB/s}\n", "memory.bandwidth: '-3 TB/s' must be above 0"),
    "a zero": (HEAD + "memory: {capacity: 0 GB}\n", "must be above 0"),
    "infinity": (HEAD + "memory: {capacity: 1e999 GB}\n", "is not finite"),
    "not a number": (HEAD + "power: {tdp: .nan}\n", "no finite number"),
    "a list for a figure": (HEAD + "power: {tdp: [1 W]}\n", r"power\.tdp"),
    "a figure with a strange key": (HEAD + "power: {tdp: {value: 1 W, unit: W}}\n", r"power\.tdp\.unit: unknown key"),
    "a source that is not described": (
        HEAD + "power: {tdp: {value: 1 W, source: x}}\n",
        "no source 'x' under 'sources'",
    ),
    "a default source that is not described": (HEAD + "source: x\n", "no source 'x' under 'sources'"),
    "an unknown kind of source": (
        HEAD + "sources: {x: {kind: rumour, ref: heard}}\n",
        r"sources\.x\.kind: found 'rumour'",
    ),
    "a source without a reference": (HEAD + "sources: {x: {kind: assumed}}\n", r"sources\.x\.ref: this key is needed"),
    "a date in words": (HEAD + "sources: {x: {kind: assumed, ref: heard, date: May}}\n", r"sources\.x\.date"),
    "a fractional count": (HEAD + "units: {count: 1.5}\n", r"units\.count"),
    "a name with a slash": (HEAD + "host: {link: a/b}\n", r"host\.link"),
    "a year long gone": (HEAD + "year: 12\n", "year: found 12"),
    "a key twice": (HEAD + "kind: gpu\n", "stands here twice"),
    "an alias of YAML": (HEAD + "notes: &a x\n", "anchors .* are refused"),
    "a tag of YAML": (HEAD + "notes: !!python/object x\n", "tags .* are refused"),
    "no YAML at all": (HEAD + "notes: [\n", "not YAML"),
    "two documents": (HEAD + "---\n" + HEAD, "second document"),
    "the wrong part": (HEAD.replace("part: device", "part: link"), "family: this key is needed"),
}


@pytest.mark.parametrize(("text", "message"), list(BROKEN.values()), ids=list(BROKEN))
def test_a_broken_file_is_refused_with_place_cause_and_mend(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        load_part(kind_of_file(path), path)
    assert caught.value.exit_code == 2
    assert all(line.startswith(str(path)) for line in str(caught.value).splitlines())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has no key 'part'"),
        (b"kind: gpu\n", "has no key 'part'; write 'part: ' and one of device, link, node, storage, price"),
        (b"part: gadget\n", "it says 'part: gadget'"),
        (b"part: device\n\xff\xfe\n", "UTF-8"),
    ],
)
def test_a_file_that_does_not_say_what_it_is_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        load_part(kind_of_file(path), path)


def test_a_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        kind_of_file(tmp_path)


def test_an_offer_without_a_figure_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "free.yaml"
    path.write_text("part: price\nkind: instance\noffers:\n  - provider: nobody\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"offers\[0\]: an offer needs a figure"):
        load_part(kind_of_file(path), path)


def test_all_problems_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(HEAD + "peak: {bf16: 1}\nmemory: {capacity: 2}\npower: {tdp: 3}\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_part(PART_KINDS[0], path)
    assert [line.split(" ")[1] for line in str(caught.value).splitlines()] == [
        "peak.bf16:", "memory.capacity:", "power.tdp:",
    ]  # fmt: skip
