import datetime as dt

import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import given
from hypothesis import strategies as st

from blocks.writing.upserting import BUCKETS, KeySet, latest, split_by_key

SCHEMA = pa.schema(
    [("k", pa.int64()), ("s", pa.string()), ("t", pa.timestamp("us", tz="UTC")), ("v", pa.list_(pa.int64()))]
)
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
ROWS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from("ab"), st.none() | st.integers(0, 3), st.integers(0, 5)),
    min_size=1,
    max_size=30,
)


def table_of(rows):
    records = [
        {"k": k, "s": s, "t": None if t is None else START + dt.timedelta(hours=t), "v": [v]} for k, s, t, v in rows
    ]
    return pa.Table.from_pylist(records, schema=SCHEMA)


def contents(table):
    return sorted(map(repr, table.to_pylist()))


@given(ROWS)
def test_each_key_keeps_its_last_row(rows):
    found = latest(table_of(rows), ["k", "s"], "t").to_pylist()
    expected = {}
    for k, s, t, _ in rows:
        expected[k, s] = max(expected.get((k, s), -1), -1 if t is None else t)
    assert {
        (row["k"], row["s"]): -1 if row["t"] is None else (row["t"] - START).seconds // 3600 for row in found
    } == expected
    assert len(found) == len(expected)


@given(ROWS, st.randoms(use_true_random=False))
def test_the_choice_does_not_depend_on_the_order_of_the_rows(rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert contents(latest(table_of(rows), ["k"], "t")) == contents(latest(table_of(shuffled), ["k"], "t"))


@given(ROWS)
def test_rows_of_one_key_are_in_one_bucket_and_none_is_lost(rows):
    batch = table_of(rows).combine_chunks().to_batches()[0]
    seen = {}
    for (bucket,), part in split_by_key(batch, ["k", "s"]):
        assert 0 <= bucket < BUCKETS
        for row in part.to_pylist():
            assert seen.setdefault((row["k"], row["s"]), bucket) == bucket
    assert sum(part.num_rows for _, part in split_by_key(batch, ["k", "s"])) == len(rows)


@given(ROWS, ROWS)
def test_a_key_set_finds_exactly_its_keys(keys, rows):
    batch = table_of(rows).combine_chunks().to_batches()[0]
    for names in (["k"], ["k", "s"]):
        distinct = table_of(keys).select(names).group_by(names).aggregate([])
        wanted = {tuple(row.values()) for row in distinct.to_pylist()}
        expected = [tuple(row[name] for name in names) in wanted for row in batch.to_pylist()]
        assert KeySet(distinct).holds(batch).to_pylist() == expected


def test_a_null_is_no_key_even_if_the_types_are_large():
    keys = KeySet(pa.table({"s": ["a", "b"]}))
    batch = pa.RecordBatch.from_pydict({"s": pa.array(["a", None, "c"], pa.large_string())})
    assert keys.holds(batch).to_pylist() == [True, False, False]
    assert not pc.any(keys.holds(batch.slice(1))).as_py()
