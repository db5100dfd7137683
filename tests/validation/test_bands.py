"""Error bands: their arithmetic, and that the shipped ones are what a validation finds today."""

from __future__ import annotations

import pytest

from simulator.profiles.catalogue import load_catalogue
from simulator.profiles.error_bands import BandsFile, error_band
from simulator.validation.bands import bands_of, bands_text, class_of, work_of
from simulator.validation.measurements import read_tables
from simulator.validation.report import score_row
from tests.validation.by_hand import measured, scored

CATALOGUE = load_catalogue()
H100 = "nvidia-h100-sxm5-80gb"


def test_a_band_is_the_mean_over_publications():
    rows = [
        scored(11.0, id=1, source_group="a", value=10),
        scored(13.0, id=2, source_group="b", value=10),
        scored(13.0, id=3, source_group="b", value=10),
        scored(90.0, id=4, source_group="b", value=10, usable="partial"),
        scored(90.0, id=5, source_group="b", value=10, metric="memory_gb"),
    ]
    (((work, name), band),) = bands_of(rows, CATALOGUE).items()
    assert (work, name, band.rows, band.publications) == ("train", "nvidia-ampere", 3, 2)
    assert band.median == pytest.approx((0.1 + 0.3) / 2)
    assert band.most == pytest.approx((0.1 + 0.3) / 2)


def test_kinds_and_classes_do_not_mix():
    rows = [
        scored(11.0, id=1, value=10),
        scored(11.0, id=2, value=10, kind_of_work="encdec-train"),
        scored(11.0, id=3, value=10, kind_of_work="cnn-train"),
        scored(11.0, id=4, value=10, device_id=H100),
        scored(11.0, id=5, value=10, device_id="nobody-knows-it"),
    ]
    assert list(bands_of(rows, CATALOGUE)) == [
        ("train", "nvidia-ampere"), ("train", "nvidia-hopper"), ("train-encoder", "nvidia-ampere"),
        ("train-network", "nvidia-ampere"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("table", "kind", "work"),
    [("inference", "llm-online", "serve"), ("inference", "cnn-batch", "predict"), ("network", "collective", None)],
)
def test_tables_have_their_works(table, kind, work):
    assert work_of(measured(table, kind_of_work=kind)) == work


def test_what_is_written_can_be_read(tmp_path):
    from simulator.foundation.schema import load

    path = tmp_path / "bands.yaml"
    path.write_text(bands_text(bands_of([scored(11.0, id=1, value=10)], CATALOGUE)))
    (line,) = load(BandsFile, path).bands
    assert (line.work, line.device_class, line.median, line.rows) == ("train", "nvidia-ampere", 0.1, 1)


def found_today(works, classes):
    rows = [
        row for table in read_tables([]) for row in table.rows
        if row.usable == "yes" and work_of(row) in works and (classes is None or class_of(row, CATALOGUE) in classes)
    ]  # fmt: skip
    return bands_of([score_row(row, CATALOGUE) for row in rows], CATALOGUE)


def held_against(found):
    assert found
    for (work, name), band in found.items():
        shipped = error_band(work, name)
        assert shipped is not None, f"no band for {work} on {name}"
        assert shipped.rows == band.rows
        assert shipped.median == pytest.approx(band.median, abs=0.02, rel=0.15)
        assert shipped.most == pytest.approx(band.most, abs=0.05, rel=0.15)


def test_shipped_bands_of_language_models_are_what_is_found_today():
    held_against(found_today({"train"}, {"google-tpu", "nvidia-blackwell", "nvidia-hopper", "nvidia-volta"}))


@pytest.mark.slow
def test_all_shipped_bands_are_what_is_found_today():
    held_against(found_today({"train", "train-encoder", "train-network", "serve", "predict"}, None))
