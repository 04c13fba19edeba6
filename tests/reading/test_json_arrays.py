"""Files of one JSON array: every element is found once, whatever the blocks, and what is no array is an error."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from json_strategies import any_json
from reading_files import BOM, compressed, read_all, shrink

from blocks.core.errors import ReadError

SETTINGS = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
# Strings full of what the scanner counts.
TRICKY = st.text(st.sampled_from('[]{},:"\\ a\n'), max_size=8)
DOCUMENTS = st.lists(any_json(6) | TRICKY | st.dictionaries(TRICKY, TRICKY | st.lists(TRICKY, max_size=2), max_size=3))


@SETTINGS
@given(
    document=DOCUMENTS,
    indent=st.sampled_from([None, 0, 2]),
    escaped=st.booleans(),
    block=st.integers(1, 50),
    around=st.sampled_from([b"", b" ", b"\r\n\t", b" " * 60]),
    bom=st.booleans(),
    kind=st.sampled_from(["plain", "gzip", "zstd"]),
)
def test_the_elements_are_those_that_a_json_parser_finds(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    document: list[Any],
    indent: int | None,
    escaped: bool,
    block: int,
    around: bytes,
    bom: bool,
    kind: str,
) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    data = (BOM if bom else b"") + around + text + around
    path = tmp_path / "array.json"
    path.write_bytes(data if kind == "plain" else compressed(data, kind, 3))
    shrink(monkeypatch, block, 7)
    found = list(read_all(path, compression=kind))
    assert [json.loads((record or b"").decode("utf-8", "surrogatepass")) for _, record in found] == document
    assert all(data[position:].startswith(record or b"?") for position, record in found)


@pytest.mark.parametrize("block", [1, 2, 3, 5, 1000])
def test_an_element_over_the_limit_is_named_where_it_begins_and_the_others_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    path = tmp_path / "array.json"
    text = b'[\n  {"a":1},\n  {"d":"xxxxxxxxxxxxx"}  ,{"b":2},\n  {"c":33}\n]'
    path.write_bytes(text)
    shrink(monkeypatch, block, 7)
    found = list(read_all(path, most=8))
    records = [b'{"a":1}', None, b'{"b":2}', b'{"c":33}']
    starts = [text.index(b'{"' + name) for name in (b"a", b"d", b"b", b"c")]
    assert sorted(found) == list(zip(starts, records, strict=True))


@pytest.mark.parametrize("block", [1, 4, 1000])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"[]", []),
        (b"[ \n ]", []),
        (b"[1,]", [(1, b"1"), (3, b"]")]),
        (b"[,1]", [(1, b","), (2, b"1")]),
        (b"[{}, ,[2]]", [(1, b"{}"), (5, b","), (6, b"[2]")]),
    ],
)
def test_an_element_that_is_not_there_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int, text: bytes, expected: list[tuple[int, bytes]]
) -> None:
    path = tmp_path / "array.json"
    path.write_bytes(text)
    shrink(monkeypatch, block, 7)
    assert list(read_all(path)) == expected


@pytest.mark.parametrize("block", [1, 4, 1000])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'[{"a":1},{"a":2}', "does not end"),
        (b'[{"a":1},{"a":"]', "does not end"),
        (b'[{"a":[1},{"a":2}]', "does not end"),
        (b"[1] [2]", "text after the end"),
        (b"[1]\n[2]\n", "text after the end"),
        (b"[1] x", "text after the end"),
        (b"[1]]", "text after the end"),
        (b'{"a":[1]}', "no JSON array"),
        (b"x [1]", "text before"),
        (b"", "no JSON array"),
    ],
)
def test_what_is_no_array_is_an_error_with_file_and_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int, text: bytes, message: str
) -> None:
    path = tmp_path / "array.json"
    path.write_bytes(text)
    shrink(monkeypatch, block, 7)
    with pytest.raises(ReadError, match=message) as caught:
        list(read_all(path, form="array"))
    assert f"file {path}, byte " in str(caught.value)
