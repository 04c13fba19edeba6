import datetime as dt
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyiceberg import transforms, types

from blocks.writing.bucket_hash import buckets
from blocks.writing.partitions import (
    NULL_NAME,
    PartitionField,
    parse_partitions,
    partition_path,
    partition_problems,
    partition_values,
    split,
)

TIMES = pa.timestamp("us", tz="UTC")
MOMENTS = st.none() | st.datetimes(dt.datetime(1600, 1, 1), dt.datetime(2400, 1, 1), timezones=st.just(dt.UTC))


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("day(occurred_at)", PartitionField("day", "occurred_at")),
        (" HOUR ( t ) ", PartitionField("hour", "t")),
        ("bucket(16, user_id)", PartitionField("bucket", "user_id", 16)),
        ("identity(country)", PartitionField("identity", "country")),
        ("country", PartitionField("identity", "country")),
        ("user.country", PartitionField("identity", "user.country")),
    ],
)
def test_partition_text_is_read(text, field):
    problems = []
    assert parse_partitions(text, problems) == (field,)
    assert problems == []


def test_every_bad_partition_is_told_at_once():
    problems = []
    parse_partitions(["week(t)", "bucket(t)", "day(3, t)", "day(t", "", 5, "a", "a"], problems)
    assert len(problems) == 7


def test_partitions_of_wrong_columns_are_told_at_once():
    schema = pa.schema([("f", pa.float64()), ("d", pa.date32()), ("t", TIMES), ("t_day", pa.int32())])
    fields = parse_partitions(["hour(d)", "bucket(4, f)", "f", "day(t)", "month(nothing)"], [])
    problems = list(partition_problems(fields, schema))
    assert [problem.where for problem in problems] == [
        "partition_by `hour(d)`",
        "partition_by `bucket(4, f)`",
        "partition_by `f`",
        "partition_by `day(t)`",
        "partition_by `month(nothing)`",
    ]


@given(st.lists(MOMENTS, min_size=1, max_size=8))
def test_times_have_the_partition_values_of_iceberg(moments):
    column = pa.array(moments, TIMES)
    micros = column.cast(pa.int64()).to_pylist()
    for name, transform in [
        ("year", transforms.YearTransform()),
        ("month", transforms.MonthTransform()),
        ("day", transforms.DayTransform()),
        ("hour", transforms.HourTransform()),
    ]:
        expected = [transform.transform(types.TimestamptzType())(value) for value in micros]
        assert partition_values(PartitionField(name, "t"), column).to_pylist() == expected


@given(st.lists(st.none() | st.dates(), min_size=1, max_size=8))
def test_dates_have_the_partition_values_of_iceberg(dates):
    column = pa.array(dates, pa.date32())
    for name, transform in [("year", transforms.YearTransform()), ("month", transforms.MonthTransform())]:
        expected = [transform.transform(types.DateType())(value) for value in column.cast(pa.int32()).to_pylist()]
        assert partition_values(PartitionField(name, "d"), column).to_pylist() == expected


@given(st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), min_size=1), st.integers(1, 100))
def test_buckets_of_integers_are_those_of_iceberg(values, count):
    transform = transforms.BucketTransform(count).transform(types.LongType())
    assert buckets(pa.array(values, pa.int64()), count).to_pylist() == [transform(value) for value in values]


@given(st.lists(st.none() | st.text(), min_size=1), st.integers(1, 100))
def test_buckets_of_texts_are_those_of_iceberg(values, count):
    transform = transforms.BucketTransform(count).transform(types.StringType())
    assert buckets(pa.array(values, pa.string()), count).to_pylist() == [transform(value) for value in values]


@given(st.lists(st.decimals("-99999999.99", "99999999.99", places=2), min_size=1))
def test_buckets_of_decimals_are_those_of_iceberg(values):
    transform = transforms.BucketTransform(16).transform(types.DecimalType(12, 2))
    expected = [transform(Decimal(value)) for value in values]
    assert buckets(pa.array(values, pa.decimal128(12, 2)), 16).to_pylist() == expected


@given(st.lists(st.tuples(st.none() | st.integers(0, 3), st.sampled_from(["a", "b", None])), min_size=1))
def test_split_keeps_every_row_once_in_its_partition_and_order(rows):
    batch = pa.RecordBatch.from_pydict(
        {"n": pa.array([n for n, _ in rows], pa.int64()), "s": [s for _, s in rows], "at": np.arange(len(rows))}
    )
    parts = list(split(batch, (PartitionField("identity", "n"), PartitionField("identity", "s"))))
    assert len({key for key, _ in parts}) == len(parts) == len(set(rows))
    for key, part in parts:
        assert part.column("at").to_pylist() == [at for at, row in enumerate(rows) if row == key]


def test_a_batch_of_one_partition_is_not_copied():
    batch = pa.RecordBatch.from_pydict({"c": ["x"] * 100})
    ((_, part),) = split(batch, (PartitionField("identity", "c"),))
    assert part is batch


@pytest.mark.parametrize(
    "value", ["a/b", "..", "../../etc", "x" * 10_000, "ü" * 5_000, "a=b%2F", "", ".", "\n\0", "null"]
)
def test_a_path_is_one_safe_folder_whatever_the_value(value):
    path = partition_path((PartitionField("identity", "country"),), (value,))
    assert path.startswith("country=")
    assert "/" not in path
    assert "\0" not in path
    assert len(path.encode()) < 200


def test_paths_of_long_values_with_one_beginning_differ():
    field = (PartitionField("identity", "c"),)
    assert partition_path(field, ("x" * 500 + "a",)) != partition_path(field, ("x" * 500 + "b",))


def test_paths_are_readable():
    fields = tuple(parse_partitions(["day(t)", "hour(t2)", "month(t3)", "year(t4)", "bucket(4, u)", "c"], []))
    key = (20_454, 490_896 + 5, 672, 56, 3, None)
    assert partition_path(fields, key) == (
        f"t_day=2026-01-01/t2_hour=2026-01-01-05/t3_month=2026-01/t4_year=2026/u_bucket=3/c={NULL_NAME}"
    )


def test_a_day_beyond_the_calendar_has_a_path():
    assert partition_path((PartitionField("day", "t"),), (100_000_000,)) == "t_day=100000000"
