"""The same rows and queries for all contestants of `benchmarks/sql.py`, and how a pipeline is timed."""

import argparse
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

Engine = Literal["auto", "beam", "duckdb"]
FEW = 10
TEN = 10
BATCH_ROWS = 32_768
_MERCHANTS = 1000
_LABEL = {"blocks.label": "public"}
SCHEMA = pa.schema(
    [
        pa.field("id", pa.int64(), metadata=_LABEL),
        pa.field("email", pa.string(), metadata=_LABEL),
        pa.field("card", pa.string(), metadata=_LABEL),
        pa.field("merchant", pa.string(), metadata=_LABEL),
        pa.field("amount", pa.float64(), metadata=_LABEL),
    ]
)
ROW_WISE = "SELECT id, email, mask_left(card, 12) AS card, merchant, amount * 2 AS amount FROM PCOLLECTION"
GROUPED = (
    "SELECT merchant, approx_count_distinct(card) AS cards, SUM(amount) AS amount, COUNT(*) AS orders"
    " FROM PCOLLECTION GROUP BY merchant"
)


def orders(rows: int) -> pa.Table:
    """Orders of `SCHEMA`, the same in every process."""
    numbers = pa.array(range(rows), pa.int64())
    digits = _modulo(pc.multiply(numbers, 7_919_317), 999_983).cast(pa.string())
    emails = pc.binary_join_element_wise("person", numbers.cast(pa.string()), "@example.com", "")
    cards = pc.binary_join_element_wise("4", pc.utf8_lpad(digits, 15, "0"), "")
    merchants = pc.binary_join_element_wise("merchant", _modulo(numbers, _MERCHANTS).cast(pa.string()), " ")
    amounts = pc.divide(_modulo(numbers, 10_007).cast(pa.float64()), 100.0)
    return pa.table([numbers, emails, cards, merchants, amounts], schema=SCHEMA)


def before(elements: int) -> int:
    """How many of them run before the clock starts: Java compiles what it sees often."""
    return max(1, elements // 10)


def _modulo(numbers: pa.Array, by: int) -> pa.Array:
    return pc.subtract(numbers, pc.multiply(pc.divide(numbers, by), by))


@dataclass
class Timed:
    """What a run took.

    Attributes:
      start: of the clock.
      first: seconds from the call to the first row in Python.
      last: seconds to the last row in Python.
      end: seconds to the end of the run.
      cpu: seconds of all cores, of Python and of Java, which tells more on a machine that is busy with other things.
      rows: that came.
      amount: the sum of a column.
    """

    start: float = field(default_factory=time.perf_counter)
    first: float = 0.0
    last: float = 0.0
    end: float = 0.0
    cpu: float = 0.0
    rows: int = 0
    amount: float = 0.0

    def take(self, rows: int, amount: float) -> None:
        """Notes that rows came."""
        self.last = time.perf_counter() - self.start
        self.first = self.first or self.last
        self.rows += rows
        self.amount += amount


# The runner's workers are threads of this process, and functions of a module are not copied to them.
_ELEMENTS: list[Any] = []
_NOW = Timed()


def _elements(_: int) -> Iterator[Any]:
    return iter(_ELEMENTS)


def batch_came(batch: pa.RecordBatch) -> None:
    _NOW.take(batch.num_rows, pc.sum(batch.column("amount")).as_py() if "amount" in batch.schema.names else 0.0)


def row_came(row: Any) -> None:
    _NOW.take(1, row.amount)


Make = Callable[[beam.PCollection], list[beam.PCollection]]
Java = Callable[[], list[int]]


def timed(elements: list[Any], kind: Any, make: Make, came: Callable[[Any], None], java: Java = list) -> Timed:
    """Runs a pipeline over elements that are there already.

    Args:
      elements: batches or rows.
      kind: their type.
      make: the steps.
      came: takes what comes out.
      java: the ids of the Java processes that take part, as far as they run already.
    """
    global _ELEMENTS, _NOW
    before = _cpu_seconds(java())
    _ELEMENTS, _NOW = elements, Timed()
    pipeline = beam.Pipeline(runner=FnApiRunner())
    given = pipeline | beam.Create([0]) | "Given" >> beam.FlatMap(_elements).with_output_types(kind)
    for number, one in enumerate(make(given)):
        _ = one | f"Came {number}" >> beam.Map(came)
    pipeline.run().wait_until_finish()
    _NOW.end = time.perf_counter() - _NOW.start
    _NOW.cpu = _cpu_seconds(java()) - before
    return _NOW


def _cpu_seconds(java: list[int]) -> float:
    found = time.process_time()
    for pid in java:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        found += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return found


@dataclass
class Figures:
    """What a contestant found, for `benchmarks/sql.py` to read."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    cpu: dict[str, list[float]] = field(default_factory=dict)
    seen: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, seconds: float) -> None:
        self.seconds.setdefault(name, []).append(seconds)

    def small(self, name: str, found: Timed) -> None:
        """Notes a run of which the wait counts."""
        self.add(f"{name}, first row", found.first)
        self.add(f"{name}, end of the run", found.end)
        self.cpu.setdefault(name, []).append(found.cpu)
        self.seen[name] = [found.rows, round(found.amount, 1)]

    def large(self, name: str, found: Timed) -> None:
        """Notes a run of which the rate counts; what a runner does after the last row does not."""
        self.add(name, found.last)
        self.cpu.setdefault(name, []).append(found.cpu)
        self.seen[name] = [found.rows, round(found.amount, 1)]

    def write(self, folder: Path, *java: int) -> None:
        """Writes what was found.

        Args:
          folder: for it.
          java: ids of the Java processes that took part and still run.
        """
        peak = sum(map(_peak_mib, (os.getpid(), *java)))
        content = {"seconds": self.seconds, "cpu_seconds": self.cpu, "seen": self.seen, "peak_mib": peak}
        (folder / "figures.json").write_text(json.dumps(content))


def _peak_mib(pid: int) -> float:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def options(*names: str) -> argparse.Namespace:
    """The arguments of a contestant: `names`, the folder for its figures, and how many rows the large runs have."""
    parser = argparse.ArgumentParser()
    for name in (*names, "out"):
        parser.add_argument(name)
    parser.add_argument("--rows", type=int, default=0)
    found = parser.parse_args()
    found.out = Path(found.out)
    return found
