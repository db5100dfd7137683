"""Finding parts: by name, by any spelling, in the shipped folders and in users' own."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.foundation.errors import InputError, UnknownName
from simulator.profiles.catalogue import PART_KINDS, Catalogue, aliases_in, load_catalogue, spelling

SPELLINGS = list(
    csv.DictReader((Path(__file__).parent / "data" / "spellings.csv").read_text(encoding="utf-8").splitlines())
)


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


def test_the_catalogue_is_as_wide_as_promised(catalogue: Catalogue) -> None:
    sizes = {kind.shelf: len(shelf) for kind, shelf in zip(PART_KINDS, catalogue.shelves(), strict=True)}
    assert sizes["devices"] >= 190
    assert sizes["links"] >= 90
    assert sizes["nodes"] >= 150
    assert sizes["storage"] >= 50
    assert sizes["prices"] >= 300
    kinds = {device.kind for device in catalogue.devices.values()}
    assert kinds == {"cpu", "gpu", "tpu", "fpga", "asic"}


@pytest.mark.parametrize("row", SPELLINGS, ids=lambda row: row["spelling"])
def test_a_spelling_in_use_finds_its_part(catalogue: Catalogue, row: dict[str, str]) -> None:
    shelves = {kind.shelf: shelf for kind, shelf in zip(PART_KINDS, catalogue.shelves(), strict=True)}
    assert shelves[row["shelf"]].resolve(row["spelling"]) == row["name"]


def test_case_and_separators_do_not_matter(catalogue: Catalogue) -> None:
    for written in ("nvidia-h100-sxm5-80gb", "NVIDIA H100 SXM5 80GB", "nvidia_h100.sxm5/80gb"):
        assert catalogue.devices[written].name == "nvidia-h100-sxm5-80gb"


def test_a_plus_is_part_of_a_spelling() -> None:
    assert spelling("Xeon 8480+") != spelling("Xeon 8480")


def test_an_unknown_name_gets_near_ones(catalogue: Catalogue) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'nvidia-h100-sxm5-80gb'"):
        catalogue.devices["nvidia-h100-sxm5-80g"]


def test_the_fast_scan_of_aliases_reads_what_the_yaml_reader_reads(catalogue: Catalogue) -> None:
    for shelf in catalogue.shelves():
        for name, path in shelf.paths.items():
            assert aliases_in(path.read_text(encoding="utf-8")) == list(shelf[name].aliases), path


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("aliases: [one, 'two: three']\nkind: gpu\n", ["one", "two: three"]),
        ('aliases:\n  - one  # the first\n  - "two"\n\n  - three\nkind: gpu\n', ["one", "two", "three"]),
        ("aliases:\n- one\n- 'it''s'\nkind: gpu\n", ["one", "it's"]),
        ("kind: gpu\n", []),
        ("kind: gpu\naliases:\n  - last\n", ["last"]),
    ],
)
def test_aliases_are_found_however_they_are_written(text: str, found: list[str]) -> None:
    assert aliases_in(text) == found


@given(names=st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=30), max_size=5))
@settings(max_examples=100, derandomize=True, deadline=None)
def test_aliases_of_any_printable_text_are_found_in_either_style(names: list[str]) -> None:
    quoted = [json.dumps(name) for name in names]
    flow = f"aliases: [{', '.join(quoted)}]\nkind: gpu\n"
    block = "".join(["aliases:\n", *(f"  - {name}\n" for name in quoted), "kind: gpu\n"])
    assert aliases_in(flow) == names
    assert aliases_in(block if names else flow) == names


@given(name=st.text(st.characters(max_codepoint=126), max_size=40))
@settings(max_examples=100, derandomize=True, deadline=None)
def test_a_spelling_is_its_own_spelling(name: str) -> None:
    assert spelling(spelling(name)) == spelling(name) == spelling(name.upper().lower())


def test_names_differ_by_more_than_case(catalogue: Catalogue) -> None:
    for shelf in catalogue.shelves():
        assert len({spelling(name) for name in shelf}) == len(shelf)


DEVICE = """\
part: device
aliases: [dream]
kind: gpu
vendor: acme
peak: {bf16: 4 PFLOP/s}
memory: {capacity: 400 GB, bandwidth: 12 TB/s}
source: us
sources:
  us: {kind: assumed, ref: a thought experiment}
"""


def test_adding_a_device_is_adding_one_file(tmp_path: Path) -> None:
    (tmp_path / "acme-dream.yaml").write_text(DEVICE, encoding="utf-8")
    catalogue = load_catalogue(tmp_path)
    device = catalogue.devices["dream"]
    assert (device.name, device.peak["bf16"], device.memory_bytes) == ("acme-dream", 4e15, 400e9)
    assert {figure.source.kind for figure in device.figures if figure.source} == {"assumed"}
    assert len(catalogue.devices) == len(load_catalogue().devices) + 1


def test_a_users_part_comes_before_the_shipped_one_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "nvidia-h100-sxm5-80gb.yaml").write_text(DEVICE, encoding="utf-8")
    assert load_catalogue(tmp_path).devices["nvidia-h100-sxm5-80gb"].vendor == "acme"


def test_a_users_alias_comes_before_the_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "acme-dream.yaml").write_text(DEVICE.replace("dream", "h100-sxm"), encoding="utf-8")
    assert load_catalogue(tmp_path).devices.resolve("h100-sxm") == "acme-dream"


def test_an_alias_of_two_own_parts_is_refused(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text(DEVICE, encoding="utf-8")
    with pytest.raises(InputError, match="'dream' may be one or two; write which"):
        load_catalogue(tmp_path).devices["dream"]


def test_paths_without_parts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no \.yaml file"):
        load_catalogue(tmp_path)
    with pytest.raises(InputError, match="no such file or folder"):
        load_catalogue(tmp_path / "nowhere")


def test_opening_one_part_reads_one_file(monkeypatch: pytest.MonkeyPatch) -> None:
    import simulator.profiles.catalogue as module

    opened: list[Path] = []
    original = module.load_part
    monkeypatch.setattr(module, "load_part", lambda kind, path: opened.append(path) or original(kind, path))
    fresh = load_catalogue()
    assert fresh.devices["nvidia-h100-sxm5-80gb"] is fresh.devices["nvidia-h100-sxm5-80gb"]
    assert [path.stem for path in opened] == ["nvidia-h100-sxm5-80gb"]
