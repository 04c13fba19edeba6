"""Files are cut into ranges and blocks; every record is read exactly once, whatever the cuts."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reading_files import BOM, compressed, expected_lines, read_all, shrink

from blocks.core.errors import ReadError
from blocks.reading.files import compression_of, file_ranges, match_files, read_records

SETTINGS = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
# Few letters, so that breaks, blanks and carriage returns fall on every kind of boundary.
TEXT = st.lists(
    st.sampled_from([b"\n", b"\n", b"\r\n", b" ", b"\t", b"x", b"yz", b"{}", b"w" * 9, b" \r"]), max_size=60
)


@SETTINGS
@given(
    lines=TEXT,
    bom=st.booleans(),
    block=st.integers(1, 40),
    span=st.integers(1, 40),
)
def test_each_record_is_read_once_with_its_position(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[bytes], bom: bool, block: int, span: int
) -> None:
    data = (BOM if bom else b"") + b"".join(lines)
    path = tmp_path / "records.jsonl"
    path.write_bytes(data)
    shrink(monkeypatch, block, span)
    found = list(read_all(path, form="lines"))
    assert found == expected_lines(data)
    assert all(record is not None and data[position:].startswith(record) for position, record in found)


@SETTINGS
@given(lines=TEXT, block=st.integers(1, 40), span=st.integers(1, 40), most=st.integers(1, 12))
def test_a_record_over_the_limit_is_named_or_given_whole_and_no_other_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[bytes], block: int, span: int, most: int
) -> None:
    data = b"".join(lines)
    path = tmp_path / "records.jsonl"
    path.write_bytes(data)
    shrink(monkeypatch, block, span)
    found = list(read_all(path, form="lines", most=most))
    expected = expected_lines(data)
    assert [position for position, _ in found] == [position for position, _ in expected]
    for (_, record), (_, text) in zip(found, expected, strict=True):
        # What lies within one block is given, and measured by the parser.
        assert record == text or (record is None and len(text) > most)


@SETTINGS
@given(
    lines=TEXT,
    kind=st.sampled_from(["gzip", "zstd"]),
    pieces=st.integers(1, 5),
    bom=st.booleans(),
    block=st.integers(1, 40),
)
def test_compressed_files_of_several_members_read_like_plain_ones(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lines: list[bytes],
    kind: str,
    pieces: int,
    bom: bool,
    block: int,
) -> None:
    data = (BOM if bom else b"") + b"".join(lines)
    path = tmp_path / f"records.{'gz' if kind == 'gzip' else 'zst'}"
    path.write_bytes(compressed(data, kind, pieces))
    shrink(monkeypatch, block, 7)
    assert list(read_all(path, form="lines")) == expected_lines(data)


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
@pytest.mark.parametrize("keep", [0.2, 0.5, 0.99])
@pytest.mark.parametrize("form", ["lines", "auto"])
def test_a_compressed_file_that_is_cut_short_is_an_error_with_its_name(
    tmp_path: Path, kind: str, keep: float, form: str
) -> None:
    # Random bytes do not compress: the cut falls into data and not into a trailer only.
    data = b"".join(b'{"n":"%x"}\n' % (number * 2654435761**3) for number in range(3000))
    path = tmp_path / ("cut.jsonl.gz" if kind == "gzip" else "cut.jsonl.zst")
    packed = compressed(data, kind, 2)
    path.write_bytes(packed[: int(len(packed) * keep)])
    with pytest.raises(ReadError, match="cut short or is not") as caught:
        list(read_all(path, form=form))
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_a_compressed_file_with_damaged_content_is_an_error(tmp_path: Path, kind: str) -> None:
    data = b"".join(b'{"n":"%x"}\n' % (number * 2654435761**3) for number in range(3000))
    packed = bytearray(compressed(data, kind, 1))
    for at in range(len(packed) // 2, len(packed) // 2 + 40):
        packed[at] ^= 0xFF
    path = tmp_path / "damaged.jsonl"
    path.write_bytes(packed)
    with pytest.raises(ReadError, match="cut short or is not"):
        list(read_all(path, compression=kind, form="lines"))


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_text_that_is_not_compressed_is_an_error_where_compression_is_expected(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "plain.jsonl"
    path.write_bytes(b'{"a":1}\n')
    with pytest.raises(ReadError, match=f"not {kind}"):
        list(read_all(path, compression=kind))


def test_an_empty_file_has_no_records_and_one_range(tmp_path: Path) -> None:
    for name, content in (("a.jsonl", b""), ("b.jsonl", BOM), ("c.jsonl.gz", b""), ("d.jsonl.zst", b"")):
        path = tmp_path / name
        path.write_bytes(content)
        assert list(read_all(path)) == []
        assert len(list(file_ranges(str(path), len(content), "auto", "auto"))) == 1


def test_a_line_longer_than_several_ranges_belongs_to_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shrink(monkeypatch, 10, 10)
    path = tmp_path / "long.jsonl"
    path.write_bytes(b'{"a":"' + b"x" * 95 + b'"}\n{"b":1}\n')
    ranges = list(file_ranges(str(path), path.stat().st_size, "auto", "auto"))
    counts = [sum(len(part) for part in read_records(one, 1 << 20)) for one in ranges]  # type: ignore[arg-type]
    assert counts == [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]


def test_only_plain_lines_are_cut_into_ranges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shrink(monkeypatch, 1 << 10, 4)
    lines, array = tmp_path / "lines.jsonl", tmp_path / "array.json"
    lines.write_bytes(b'{"a":1}\n{"a":2}')
    array.write_bytes(b'\n [{"a":1},{"a":2}]')
    packed = tmp_path / "lines.jsonl.gz"
    packed.write_bytes(compressed(lines.read_bytes(), "gzip", 1))
    cuts = {
        path.name: [(part.start, part.stop, part.form) for part in file_ranges(str(path), size, "auto", "auto")]
        for path, size in ((lines, 15), (array, 19), (packed, 19))
    }
    assert cuts["lines.jsonl"] == [(0, 4, "lines"), (4, 8, "lines"), (8, 12, "lines"), (12, 15, "lines")]
    assert cuts["array.json"] == [(0, -1, "array")]
    assert cuts["lines.jsonl.gz"] == [(0, -1, "lines")]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.gz", "gzip"),
        ("a.gzip", "gzip"),
        ("a.zst", "zstd"),
        ("a.zstd", "zstd"),
        ("a.jsonl", "plain"),
        ("gz", "plain"),
    ],
)
def test_the_suffix_tells_the_compression(name: str, kind: str) -> None:
    assert compression_of(name, "auto") == kind
    assert compression_of(name, "zstd") == "zstd"


def test_files_of_a_pattern_come_in_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.jsonl", "c.txt"):
        (tmp_path / name).write_bytes(b"12")
    assert match_files(str(tmp_path / "*.jsonl")) == [(str(tmp_path / name), 2) for name in ("a.jsonl", "b.jsonl")]


def test_a_pattern_without_files_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="no file matches") as caught:
        match_files(str(tmp_path / "*.jsonl"))
    assert "*.jsonl" in str(caught.value)


def test_a_file_system_that_beam_does_not_know_is_an_error() -> None:
    with pytest.raises(ReadError, match="cannot list files"):
        match_files("nowhere://bucket/*.jsonl")


def test_a_file_that_went_away_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="cannot open the file") as caught:
        list(file_ranges(str(tmp_path / "gone.jsonl"), 5, "auto", "auto"))
    assert "gone.jsonl" in str(caught.value)


def test_a_line_of_millions_of_blanks_costs_no_more_than_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "blank.jsonl"
    path.write_bytes(b" " * 3_000_000 + b'{"a":1}' + b"\t" * 3_000_000 + b"\n" + b'{"a":2}\n' * 1000)
    found = list(read_all(path, form="lines"))
    assert found[0] == (3_000_000, b'{"a":1}')
    assert len(found) == 1001


@pytest.mark.parametrize("pattern", ["*.jsonl", "day*.jsonl", "d*/*.jsonl", "day.jsonl", "./*.jsonl"])
def test_a_relative_pattern_is_one_of_the_working_directory(
    pattern: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dir").mkdir()
    for name in ("day.jsonl", "dir/day.jsonl"):
        (tmp_path / name).write_bytes(b"{}\n")
    monkeypatch.chdir(tmp_path)
    assert [size for _, size in match_files(pattern)] == [3]


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_a_compressed_file_without_its_suffix_is_seen_by_its_first_bytes(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "delivery.json"
    path.write_bytes(compressed(b'{"a": 1}\n', kind, 1))
    assert [part.compression for part in file_ranges(str(path), 1, "auto", "auto")] == [kind]
    assert [part.compression for part in file_ranges(str(path), 1, "plain", "lines")] == ["plain"]
