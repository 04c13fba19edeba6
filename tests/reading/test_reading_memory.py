"""Reading in bounded memory: measured in a process of its own, against what the process needs before it reads."""

import gzip
import subprocess
import sys
from pathlib import Path

import pytest

_SCRIPT = """
import resource, sys
import pyarrow as pa
from blocks.reading.files import TooLarge, file_ranges, read_records
from blocks.reading.json_parser import JsonParser
from blocks.reading.lines import split_lines

path, size = sys.argv[1], int(sys.argv[2])
parser = JsonParser(pa.schema([("id", pa.int64()), ("text", pa.string())]))
list(parser.parse(split_lines(b'{"id":1,"text":"warm"}', 0)))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rows = bad = large = 0
for part in file_ranges(path, size, "auto", "auto"):
    for found in read_records(part, 16 << 20):
        if isinstance(found, TooLarge):
            large += 1
            continue
        for batch, _, refused in parser.parse(found):
            rows, bad = rows + batch.num_rows, bad + len(refused)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(rows, bad, large, (peak - before) // 1024)
"""


def measured(path: Path) -> tuple[int, int, int, int]:
    """(rows, bad records, too large ones, MiB that reading added to the peak)."""
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(path), str(path.stat().st_size)],
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows, bad, large, mebibytes = map(int, done.stdout.split())
    return rows, bad, large, mebibytes


def write(path: Path, parts: list[bytes]) -> Path:
    with gzip.open(path, "wb", 1) if path.suffix == ".gz" else path.open("wb") as handle:
        for part in parts:
            handle.write(part)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("name", ["events.jsonl", "events.jsonl.gz", "events.json"])
def test_a_large_file_takes_no_more_memory_than_some_blocks(tmp_path: Path, name: str) -> None:
    record = b'{"id":%d,"text":"' + b"x" * 400 + b'"}'
    array = name == "events.json"
    ends = (b"[", b"]", b",") if array else (b"", b"", b"\n")
    block = ends[2].join(record % number for number in range(1000))
    path = write(tmp_path / name, [ends[0], *[block + ends[2]] * 249, block, ends[1]])
    rows, bad, large, mebibytes = measured(path)
    assert (rows, bad, large) == (250_000, 0, 0)
    # The file has 100 MiB; a block is 8, its parsed form as much, and allocators keep some.
    assert mebibytes < 90


@pytest.mark.slow
@pytest.mark.parametrize("name", ["long.jsonl", "long.jsonl.gz", "long.json"])
def test_a_line_of_100_mb_is_skipped_without_being_held(tmp_path: Path, name: str) -> None:
    ends = (b"[", b",", b"]") if name == "long.json" else (b"", b"\n", b"")
    long = [b'{"id":2,"text":"', *[b"x" * 1_000_000] * 100, b'"}']
    parts = [ends[0], b'{"id":1}', ends[1], *long, ends[1], b'{"id":3}', ends[2]]
    rows, bad, large, mebibytes = measured(write(tmp_path / name, parts))
    assert (rows, bad, large) == (2, 0, 1)
    assert mebibytes < 90


def test_deep_nesting_does_not_overflow_the_stack(tmp_path: Path) -> None:
    deep = [
        line
        for depth in (10_000, 1_000_000)
        for line in (
            b'{"z":' + b"[" * depth + b"]" * depth + b"}",
            b'{"z":' * depth + b"1" + b"}" * depth,
            b"[" * depth,
        )
    ]
    path = write(tmp_path / "deep.jsonl", [b"\n".join([b'{"id":1}', *deep, b'{"id":2}'])])
    assert measured(path)[:3] == (2, 6, 0)
