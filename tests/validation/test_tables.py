from __future__ import annotations

import gzip

import pytest

from simulator.foundation.errors import InputError, InvalidFile
from simulator.validation.tables import NEEDED, read_table
from tests.validation.by_hand import cells, csv_of


def write(tmp_path, content, name="t.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("kind", ["training", "inference", "network"])
def test_a_table_s_kind_follows_from_its_columns(tmp_path, kind):
    table = read_table(write(tmp_path, csv_of(cells(kind, id=1), cells(kind, id=2))))
    assert table.kind == kind
    assert [row.text("id") for row in table.rows] == ["1", "2"]
    assert table.rows[1].line == 3


def test_a_column_that_was_always_empty_may_be_absent(tmp_path):
    row = {name: cell for name, cell in cells().items() if cell}
    found = read_table(write(tmp_path, csv_of(row))).rows[0]
    assert found.text("outcome") == found.text("vpp") == ""
    assert found.number("vpp") is None
    assert found.number("global_batch_samples") == 8


def test_a_compressed_table_reads_the_same(tmp_path):
    text = csv_of(cells(id=1), cells(id=2))
    plain = read_table(write(tmp_path, text))
    packed = read_table(write(tmp_path, gzip.compress(text.encode()), "t.csv.gz"))
    assert packed.rows == plain.rows


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_ends_and_a_byte_order_mark_do_not_matter(tmp_path, ends, mark):
    text = csv_of(cells(id=1), cells(id=2)).replace("\n", ends)
    assert len(read_table(write(tmp_path, mark + text.encode())).rows) == 2


def test_a_quoted_cell_may_span_lines_and_the_next_row_keeps_its_line(tmp_path):
    first, second = cells(id=1, source='"a,\nb"'), cells(id=2, n_accel="many")
    with pytest.raises(InvalidFile) as caught:
        read_table(write(tmp_path, csv_of(first, second)))
    assert caught.value.problems[0].place.line == 4


def test_a_run_that_ran_out_of_memory_needs_no_value(tmp_path):
    row = read_table(write(tmp_path, csv_of(cells(metric="memory_gb", value="", outcome="oom")))).rows[0]
    assert row.ran_out_of_memory
    assert row.value is None


def test_all_requests_at_once_is_an_endless_rate(tmp_path):
    row = cells("inference") | {"request_rate_per_s": "inf"}
    assert read_table(write(tmp_path, csv_of(row))).rows[0].number("request_rate_per_s") == float("inf")


BROKEN = [
    ("text where a number belongs", {"n_accel": "eight"}, "n_accel", "'eight' is no number"),
    ("a value that is no number", {"value": "fast"}, "value", "'fast' is no number"),
    ("a value that is not a number", {"value": "nan"}, "value", "no finite number"),
    ("an endless value", {"value": "inf"}, "value", "no finite number"),
    ("a value with an underscore", {"value": "1_0"}, "value", "no finite number"),
    ("a usable row of nothing", {"value": "0"}, "value", "above zero"),
    ("a usable row below nothing", {"value": "-3"}, "value", "above zero"),
    ("a usable row without a value", {"value": ""}, "value", "found no value"),
    ("no accelerators", {"n_accel": "0"}, "n_accel", "above zero"),
    ("an unknown verdict", {"usable": "maybe"}, "usable", "yes, partial or no"),
    ("no publication", {"source_group": ""}, "source_group", "must not be blank"),
    ("no metric", {"metric": ""}, "metric", "must not be blank"),
]


@pytest.mark.parametrize(("changed", "column", "said"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_a_broken_cell_is_named_by_line_and_column(tmp_path, changed, column, said):
    rows = [cells(id=1), cells(id=2, **changed)]
    path = write(tmp_path, csv_of(*rows))
    with pytest.raises(InvalidFile) as caught:
        read_table(path)
    (problem,) = caught.value.problems
    assert problem.place.line == 3
    assert problem.place.column == list(rows[0]).index(column) + 1
    assert problem.place.key == column
    assert said in problem.message
    assert str(problem).startswith(f"{path}:3:{problem.place.column} {column}: ")


@pytest.mark.parametrize("column", NEEDED["training"])
def test_a_needed_column_that_is_absent_is_named(tmp_path, column):
    row = {name: cell for name, cell in cells().items() if name != column}
    with pytest.raises(InputError, match=f"needs the column '{column}'") as caught:
        read_table(write(tmp_path, csv_of(row)))
    assert caught.value.place.line == 1


def test_a_misspelt_column_is_recognised(tmp_path):
    row = {"valeu" if name == "value" else name: cell for name, cell in cells().items()}
    with pytest.raises(InputError, match="Did you mean 'valeu'"):
        read_table(write(tmp_path, csv_of(row)))


WHOLE_FILES = [
    ("empty", b"", "is empty"),
    ("blank lines", b"\n \n", "is empty"),
    ("not text", b"\xff\xfe\x00a", "not UTF-8"),
    ("a NUL", b"id,value\n1,\x00\n", "NUL"),
    ("another table", b"name,age\nx,3\n", "no known table"),
    ("a column twice", csv_of(cells()).replace("split", "id", 1).encode(), "appears twice"),
    ("an open quote", (csv_of(cells()) + '"').encode(), "is no CSV"),
    ("a short row", (csv_of(cells()) + "1,2\n").encode(), "found 2 fields"),
    ("a long row", (csv_of(cells()) + ",".join("1" * 40) + "\n").encode(), "found 40 fields"),
    ("one id twice", csv_of(cells(), cells()).encode(), "is the id of line 2 already"),
]


@pytest.mark.parametrize(("content", "said"), [case[1:] for case in WHOLE_FILES], ids=[case[0] for case in WHOLE_FILES])
def test_a_broken_file_is_refused_in_one_sentence(tmp_path, content, said):
    path = write(tmp_path, content)
    with pytest.raises(InputError, match=said) as caught:
        read_table(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        read_table(tmp_path)
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_table(tmp_path / "none.csv")


@pytest.mark.parametrize(
    "content",
    [b"plain text", gzip.compress(b"x" * 900, mtime=0)[:-9], gzip.compress(b"x" * 900, mtime=0)[:14]],
    ids=["plain text", "without its end", "broken off early"],
)
def test_a_damaged_archive_is_refused(tmp_path, content):
    with pytest.raises(InputError, match="not a whole gzip file"):
        read_table(write(tmp_path, content, "t.csv.gz"))


def test_many_broken_rows_are_told_up_to_twenty(tmp_path):
    rows = [cells(id=number, value="slow") for number in range(100)]
    with pytest.raises(InvalidFile) as caught:
        read_table(write(tmp_path, csv_of(*rows)))
    assert len(caught.value.problems) == 20
