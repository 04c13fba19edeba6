"""The same events, features and answers for all contestants of `benchmarks/aggregations.py`."""

import argparse
import json
import math
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from blocks.core.batch_type import BatchType

DAY, HOUR = 86_400_000_000, 3_600_000_000
START, DAYS = 1_767_225_600_000_000, 60
# Midnights of the second half: every window lies within the events.
FIRST_DAY, LAST_DAY = START + 30 * DAY, START + DAYS * DAY
BATCH_ROWS = 32_768
DUPLICATES = 0.01
_MERCHANTS, _COUNTRIES, _DECLINED = 2_000, 30, 0.05
_MOMENT = pa.timestamp("us", "UTC")
SCHEMA = pa.schema(
    [
        pa.field("event_id", pa.string(), False),
        pa.field("user_id", pa.string(), False),
        pa.field("occurred_at", _MOMENT, False),
        pa.field("amount", pa.float64()),
        pa.field("merchant_id", pa.string()),
        pa.field("country", pa.string()),
        pa.field("status", pa.string()),
    ]
)
SPINE = pa.schema([pa.field("number", pa.int64()), pa.field("user_id", pa.string(), False), pa.field("at", _MOMENT)])


def _feature(name: str, op: str, window: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "op": op, "window": window, **more}


SPEND_7D = _feature("spend_7d", "sum", "7d", column="amount")
FEATURES = [
    SPEND_7D,
    _feature("spend_30d", "sum", "30d", column="amount"),
    _feature("events_1h", "count", "1h"),
    _feature("declined_7d", "count", "7d", where="status = 'DECLINED'"),
    _feature("mean_7d", "average", "7d", column="amount"),
    _feature("smallest_30d", "min", "30d", column="amount"),
    _feature("largest_7d", "max", "7d", column="amount"),
    _feature("countries", "last_k", "30d", column="country", k=5),
    _feature("merchants_30d", "approx_unique_count", "30d", column="merchant_id"),
    _feature("spread_30d", "stddev_pop", "30d", column="amount"),
]
NAMES = [one["name"] for one in FEATURES]
# What pandas' merge_asof can do too: differences of running totals, and the latest value.
FEW = [SPEND_7D, _feature("events_30d", "count", "30d"), _feature("country", "last", "30d", column="country")]
SUMS = [
    SPEND_7D,
    _feature("spend_30d", "sum", "30d", column="amount"),
    _feature("squares_30d", "stddev_pop", "30d", column="amount"),
]


def definition(features: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "entity": {"key": "user_id"},
        "source": {"event_time": "occurred_at", "event_id": "event_id"},
        "features": features,
        "emit": {"on_event": True},
        "lateness": "1h",
        "ahead": "36500d",
        "state_ttl": "45d",
    }


def write_events(path: Path, events: int, keys: int, seed: int = 1) -> None:
    """Events of users in the order of time over 60 days, some users more active than others; one in 100 comes twice."""
    draw = np.random.default_rng(seed)
    times = START + np.sort(draw.integers(0, DAYS * DAY, events))
    users = users_of(draw, events, keys)
    amounts = np.round(draw.gamma(2, 20, events), 2)
    columns = [times, users, amounts, draw.integers(0, _MERCHANTS, events), draw.integers(0, _COUNTRIES, events)]
    declined = (draw.random(events) < _DECLINED).astype(np.int8)
    again = draw.random(events) < DUPLICATES
    again[0] = False
    numbers = np.arange(events)
    # A row that says the same as the one before it.
    source = np.where(again, numbers - 1, numbers)
    source = source[source]
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        for start in range(0, events, BATCH_ROWS):
            rows = source[start : start + BATCH_ROWS]
            when, user, amount, merchant, country = (column[rows] for column in columns)
            arrays = [
                _named("e", rows, 9),
                _named("user-", user, 8),
                pa.array(when).cast(_MOMENT),
                pa.array(amount),
                _named("m", merchant, 4),
                _named("c", country, 2),
                pa.array(["OK", "DECLINED"]).take(pa.array(declined[rows])),
            ]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=SCHEMA), row_group_size=BATCH_ROWS)


def users_of(draw: np.random.Generator, count: int, keys: int) -> npt.NDArray[np.int64]:
    """Numbers of users; the most active of 100,000 has one event in 10,000."""
    return (keys * draw.random(count) ** 1.25).astype(np.int64)


def write_spine(path: Path, rows: int, keys: int, seed: int = 2) -> None:
    """Moments of users at which features are asked for, in no order."""
    draw = np.random.default_rng(seed)
    users, at = users_of(draw, rows, keys), draw.integers(FIRST_DAY, LAST_DAY, rows)
    arrays = [pa.array(np.arange(rows)), _named("user-", users, 8), pa.array(at).cast(_MOMENT)]
    pq.write_table(pa.Table.from_arrays(arrays, schema=SPINE), path, row_group_size=BATCH_ROWS)


def _named(prefix: str, numbers: npt.NDArray[Any], width: int) -> pa.Array:
    texts = pc.utf8_lpad(pa.array(numbers).cast(pa.string()), width, "0")
    return pc.binary_join_element_wise(prefix, texts, "")


class Read(beam.PTransform):
    """The batches of a file, for all who read it with Beam."""

    def __init__(self, path: str, schema: pa.Schema) -> None:
        super().__init__()
        self._path, self._schema = path, schema

    def expand(self, begin: Any) -> beam.PCollection:
        groups = list(range(pq.ParquetFile(self._path).num_row_groups))
        made = begin | beam.Create(groups, reshuffle=False)
        return made | beam.FlatMap(batches, self._path, self._schema).with_output_types(BatchType(self._schema))


def batches(group: int, path: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for batch in pq.ParquetFile(path).iter_batches(BATCH_ROWS, row_groups=[group]):
        yield pa.RecordBatch.from_arrays(batch.columns, schema=schema)


def rows_of(batch: pa.RecordBatch) -> Iterator[tuple[Any, ...]]:
    """(user, time, id, amount, merchant, country, declined) of each event, as a user's code would have them."""
    columns = [batch.column(name).to_pylist() for name in ("user_id", "event_id", "amount", "merchant_id", "country")]
    users, ids, amounts, merchants, countries = columns
    times = batch.column("occurred_at").cast(pa.int64()).to_pylist()
    declined = pc.equal(batch.column("status"), "DECLINED").to_pylist()
    return zip(users, times, ids, amounts, merchants, countries, declined, strict=True)


Counted = tuple[int, str]


class Answers:
    """How many rows came, and those of some users, in a file a worker; `read_answers` puts them together.

    Args:
      folder: for the files.
      keys: how many users there are.
    """

    def __init__(self, folder: str, keys: int) -> None:
        self._folder, self._step = folder, max(keys // 40, 1)

    def of_batch(self, batch: pa.RecordBatch, names: list[str], moment: str) -> Counted:
        """The number of rows, and (user, time, features) of those that are wanted, as JSON."""
        number = pc.cast(pc.utf8_slice_codeunits(batch.column("user_id"), 5, 100), pa.int64())
        rest = pc.subtract(number, pc.multiply(pc.divide(number, self._step), self._step))
        some = batch.filter(pc.equal(rest, 0))
        times = some.column(moment).cast(pa.int64()).to_pylist()
        users, columns = some.column("user_id").to_pylist(), [some.column(name).to_pylist() for name in names]
        values = zip(users, times, *columns, strict=True)
        return batch.num_rows, json.dumps([[user, at, dict(zip(names, one, strict=True))] for user, at, *one in values])

    def of_row(self, user: str, moment: int, features: dict[str, Any]) -> Counted:
        """The same of a single row."""
        return 1, json.dumps([[user, moment, features]]) if self._wanted(user) else "[]"

    def write(self, counted: Iterable[Counted], number: int = 0) -> None:
        rows, some = 0, list[Any]()
        for many, found in counted:
            rows += many
            some += json.loads(found)
        if rows:
            file = Path(self._folder, f"answers-{number}-{uuid.uuid4().hex}.json")
            file.write_text(json.dumps({"number": number, "rows": rows, "some": some}))

    def _wanted(self, user: str) -> bool:
        return int(user.rpartition("-")[2]) % self._step == 0


class Collect(beam.DoFn):
    """Writes the answers of a pipeline, a file a bundle: elements are what `Answers.of_batch` gives."""

    def __init__(self, folder: str, number: int = 0) -> None:
        self._folder, self._number = folder, number

    def start_bundle(self) -> None:
        self._counted: list[Counted] = []

    def process(self, counted: Counted) -> None:
        self._counted.append(counted)

    def finish_bundle(self) -> None:
        Answers(self._folder, 1).write(self._counted, self._number)


Found = dict[tuple[str, int], dict[str, Any]]


def read_answers(folder: Path) -> tuple[int, Found]:
    """How many rows came, and the features of some (user, time); those of several numbers are put together."""
    rows, found = dict[int, int](), Found()
    for file in sorted(folder.glob("answers-*.json")):
        content = json.loads(file.read_text())
        rows[content["number"]] = rows.get(content["number"], 0) + content["rows"]
        for user, time, values in content["some"]:
            found.setdefault((user, time), {}).update(values)
    return max(rows.values(), default=0), found


def differences(wanted: Found, found: Found, estimate: float = 0.1) -> Iterator[str]:
    """Where answers are not those of this library, further than what another arithmetic explains.

    Args:
      wanted: the answers of this library.
      found: those of another contestant.
      estimate: how far distinct counts may be apart, which are estimates here and perhaps there.
    """
    for place in sorted(wanted.keys() ^ found.keys()):
        yield f"{place}: {'missing' if place in wanted else 'not expected'}"
    for place in sorted(wanted.keys() & found.keys()):
        for name, value in found[place].items():
            if not _close(name, wanted[place].get(name), value, estimate):
                yield f"{place} {name}: {value}, expected {wanted[place].get(name)}"


def _close(name: str, one: Any, other: Any, estimate: float) -> bool:
    if name.startswith("merchants"):
        return bool(abs(one - other) <= max(3, estimate * max(one, other)))
    if isinstance(one, float) and isinstance(other, float):
        # A deviation of sums of squares in doubles loses half the digits.
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-4 if name.startswith("spread") else 1e-7)
    return bool(one == other)


def options(names: Mapping[str, str], more: Mapping[str, tuple[int, str]] | None = None) -> argparse.Namespace:
    """The arguments of a contestant: name to meaning, then the folder for its answers; numbers that may be given."""
    parser = argparse.ArgumentParser()
    for name, meaning in names.items():
        parser.add_argument(name, help=meaning)
    parser.add_argument("out", help="folder for the answers")
    parser.add_argument("--keys", type=int, required=True, help="how many users there are")
    for name, (default, meaning) in (more or {}).items():
        parser.add_argument(f"--{name}", type=int, default=default, help=meaning)
    return parser.parse_args()
