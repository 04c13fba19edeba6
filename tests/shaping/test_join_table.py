"""JoinTable: rows get the columns of a table, by key."""

import datetime
import decimal
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apache_beam as beam
import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.internal import pickler
from apache_beam.transforms import window as w
from apache_beam.utils.timestamp import Timestamp
from first_data import SCHEMA, Collect, batch, in_batch, in_stream
from hypothesis import given, settings
from hypothesis import strategies as st

from blocks.core import guards, labels
from blocks.core.batch_type import BatchType
from blocks.core.errors import ColumnError, ConfigError, PrivacyError, ReadError, RejectedRecordError
from blocks.core.rejects import Rejects
from blocks.core.windows import WindowRows
from blocks.shaping import join_table, table_index
from blocks.shaping.join_plan import key_type, plan_join
from blocks.shaping.join_table import JoinTable
from blocks.shaping.table_index import NOWHERE, TableIndex

SECRET = "zx-marker-7"  # a value that no message may show

COUNTRIES = pa.table(
    {
        "code": pa.array(["SE", "FI", None, "NO"]),
        "region": pa.array(["north", "east", "nowhere", None]),
        "tax": pa.array([25, 24, 0, 22], pa.int8()),
    }
)
EVENTS = pa.record_batch({"id": pa.array([1, 2, 3, 4, 5]), "country": pa.array(["FI", "XX", None, "SE", "NO"])})


def _write(folder: Path, table: pa.Table = COUNTRIES, name: str = "table.parquet") -> str:
    pq.write_table(table, folder / name)
    return str(folder / name)


def _join(rows: pa.RecordBatch | list[pa.RecordBatch], block: JoinTable, bounded: bool = True) -> list[pa.RecordBatch]:
    found = Collect()
    in_batch(rows if isinstance(rows, list) else [rows], lambda given: given | block | found, bounded)
    return found.found


def _typed(begin: beam.Pipeline, table: pa.Table, label: str = "Rows of the table") -> beam.PCollection:
    whole = [one.serialize().to_pybytes() for one in table.to_batches()]
    schema = table.schema
    read = beam.Map(lambda content: pa.ipc.read_record_batch(pa.py_buffer(content), schema))
    return (
        begin
        | label >> beam.Create(whole, reshuffle=False)
        | f"{label} typed" >> read.with_output_types(BatchType(schema))
    )


# Values.


def test_left_gives_every_row_in_order_with_nulls_where_the_table_has_no_row(tmp_path: Path) -> None:
    (joined,) = _join(EVENTS, JoinTable(_write(tmp_path), on={"country": "code"}))
    assert joined.to_pydict() == {
        "id": [1, 2, 3, 4, 5],
        "country": ["FI", "XX", None, "SE", "NO"],
        "region": ["east", None, None, "north", None],
        "tax": [24, None, None, 25, 22],
    }


def test_inner_drops_rows_without_a_match_and_counts_them(tmp_path: Path) -> None:
    found = Collect()
    block = JoinTable(_write(tmp_path), on={"country": "code"}, how="inner", columns=["tax"], prefix="country_")
    result = in_batch([EVENTS], lambda rows: rows | block | found)
    (joined,) = found.found
    assert joined.to_pydict() == {"id": [1, 4, 5], "country": ["FI", "SE", "NO"], "country_tax": [24, 25, 22]}
    counted = {one.key.metric.name: one.committed for one in result.metrics().query()["counters"]}
    assert counted["JoinTable:rows_in"] == counted["JoinTable:rows_out"] + counted["JoinTable:unmatched"] == 5


def test_reject_sends_rows_without_a_match_to_rejects(tmp_path: Path) -> None:
    found, rejects = Collect(), Rejects(tmp_path / "rejects", run_id="run")
    block = JoinTable(_write(tmp_path), on={"country": "code"}, how="reject", rejects=rejects)

    def build(rows: beam.PCollection) -> None:
        with rejects:
            rows | block | found

    in_batch([EVENTS], build)
    assert [one.column("id").to_pylist() for one in found.found] == [[1, 4, 5]]
    rejected = pq.read_table(tmp_path / "rejects" / "run").to_pylist()
    assert sorted((row["code"], row["field_path"], row["record"]) for row in rejected) == [
        ("no_match", "country", '{"id": 2, "country": "XX"}'),
        ("no_match", "country", '{"id": 3}'),
    ]


def test_reject_without_rejects_stops_and_shows_no_value(tmp_path: Path) -> None:
    rows = pa.record_batch({"country": [SECRET]})
    with pytest.raises(RejectedRecordError, match="no_match: the table has no row of this key") as caught:
        _join(rows, JoinTable(_write(tmp_path), on={"country": "code"}, how="reject"))
    assert SECRET not in str(caught.value)


def test_several_columns_make_a_key(tmp_path: Path) -> None:
    table = pa.table({"a": ["x", "x", "y", None], "b": [1, 2, 1, 1], "v": [10, 20, 30, 40]})
    rows = pa.record_batch({"b": [1, 2, 1, 2, 1, None], "a": ["x", "x", "y", "y", None, "x"]})
    (joined,) = _join(rows, JoinTable(_write(tmp_path, table), on=["a", "b"]))
    assert joined.column("v").to_pylist() == [10, 20, 30, None, None, None]


@pytest.mark.parametrize("tables", ["files", "input"])
def test_an_empty_table_matches_nothing(tmp_path: Path, tables: str) -> None:
    empty, found = COUNTRIES.slice(0, 0), Collect()
    path = _write(tmp_path, empty) if tables == "files" else None
    block = JoinTable(path, on={"country": "code"})

    def build(rows: beam.PCollection) -> Any:
        given = rows if path else {"rows": rows, "table": _typed(rows.pipeline, empty)}
        return given | block | found

    in_batch([EVENTS], build)
    assert found.found[0].column("region").null_count == 5


def test_no_rows_give_no_batch(tmp_path: Path) -> None:
    assert _join(EVENTS.slice(0, 0), JoinTable(_write(tmp_path), on={"country": "code"})) == []


def test_sliced_rows_and_a_table_of_many_batches_and_files(tmp_path: Path) -> None:
    for number in range(4):
        _write(tmp_path, COUNTRIES.slice(number, 1), f"part-{number}.parquet")
    joined = _join(
        [EVENTS.slice(3, 2), EVENTS.slice(0, 2)], JoinTable(str(tmp_path / "part-*.parquet"), on={"country": "code"})
    )
    assert sorted(row for one in joined for row in zip(*one.to_pydict().values(), strict=True))[1:] == [
        (2, "XX", None, None),
        (4, "SE", "north", 25),
        (5, "NO", None, 22),
    ]


def test_a_table_with_dictionary_columns_is_read_as_plain_values(tmp_path: Path) -> None:
    coded = COUNTRIES.set_column(0, "code", COUNTRIES.column("code").dictionary_encode())
    (joined,) = _join(EVENTS, JoinTable(_write(tmp_path, coded), on={"country": "code"}))
    assert joined.column("tax").to_pylist() == [24, None, None, 25, 22]


@pytest.mark.parametrize("form", [dict, tuple])
def test_a_table_may_be_an_input(form: Any) -> None:
    found = Collect()

    def build(rows: beam.PCollection) -> Any:
        table = _typed(rows.pipeline, COUNTRIES)
        inputs = {"table": table, "rows": rows} if form is dict else (rows, table)
        return inputs | JoinTable(on={"country": "code"}, columns=["region"]) | found

    in_batch([EVENTS], build)
    assert found.found[0].column("region").to_pylist() == ["east", None, None, "north", None]


def test_windows_and_timestamps_of_the_rows_are_kept(tmp_path: Path) -> None:
    table = pa.table({"key": ["a"], "v": [1]})
    found = Collect()
    moments = beam.Map(lambda one, at=beam.DoFn.TimestampParam, of=beam.DoFn.WindowParam: (at, of.start))

    def build(rows: beam.PCollection) -> Any:
        windowed = rows | WindowRows(w.FixedWindows(60))
        joined = windowed | JoinTable(_write(tmp_path, table), on="key", how="inner")
        return joined | moments.with_output_types(tuple[Timestamp, Timestamp]) | found

    in_batch([batch([("b", 61, "x"), ("a", 62.5, "x"), ("a", 5, "x")])], build)
    assert sorted(found.found) == [(Timestamp(5), Timestamp(0)), (Timestamp(62.5), Timestamp(60))]


# The law: a left join.

_names = st.sampled_from(["a", "b", "c", "", None])
_numbers = st.sampled_from([0, 1, -1, 2**31 - 1, None])


@settings(max_examples=100)
@given(
    st.lists(st.tuples(_names, _numbers), max_size=12),
    st.lists(st.tuples(_names, _numbers), max_size=8, unique=True),
    st.sampled_from([("a",), ("a", "b")]),
    st.sampled_from([0, 1_000_000]),
    st.sampled_from([(pa.string(), pa.int32()), (pa.string_view(), pa.int64()), (pa.large_string(), pa.int64())]),
)
def test_places_equal_those_of_duckdbs_left_join(
    rows: list[Any], table: list[Any], on: tuple[str, ...], codes: int, types: tuple[pa.DataType, pa.DataType]
) -> None:
    table = [row for row in table if None in row or len(on) == 2 or row == next(o for o in table if o[0] == row[0])]
    table = list({row[: len(on)]: row for row in table}.values())
    left = _pairs(rows, (pa.string(), pa.int64())).append_column("n", pa.array(range(len(rows)), pa.int64()))
    right = _pairs(table, types).append_column("v", pa.array(range(len(table)), pa.int64()))
    joined = duckdb.sql(
        f"SELECT v FROM left_ LEFT JOIN right_ USING ({', '.join(on)}) ORDER BY n", connection=_duck(left, right)
    )
    plan = plan_join(left.schema, right.schema, {name: name for name in on}, columns=["v"], prefix="", fills_nulls=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_index, "CODES_UP_TO", codes)
        index = TableIndex(plan.keys(right, plan.right), plan.right, right.select(["v"]))
    places = index.places(plan.keys(left, plan.left))
    assert [None if place == NOWHERE else place for place in places] == [row[0] for row in joined.fetchall()]


def _pairs(rows: list[Any], types: tuple[pa.DataType, pa.DataType]) -> pa.RecordBatch:
    columns = [pa.array([row[place] for row in rows], kind) for place, kind in enumerate(types)]
    return pa.RecordBatch.from_arrays(columns, names=["a", "b"])


@functools.cache
def _connection() -> Any:
    return duckdb.connect(config={"threads": 1})


def _duck(left: pa.RecordBatch, right: pa.RecordBatch) -> Any:
    connection = _connection()
    connection.register("left_", pa.table(left))
    plain = pa.table(right).cast(pa.schema([("a", pa.string()), ("b", pa.int64()), ("v", pa.int64())]))
    connection.register("right_", plain)
    return connection


_UTC = datetime.UTC
_KEYS: list[tuple[pa.DataType, pa.DataType, list[Any]]] = [
    (pa.bool_(), pa.bool_(), [True, False]),
    (pa.int8(), pa.uint32(), [0, 7]),
    (pa.uint8(), pa.uint64(), [0, 255]),
    (pa.decimal128(20, 4), pa.decimal128(20, 4), [decimal.Decimal("1.5000"), decimal.Decimal("-2.0000")]),
    (pa.date32(), pa.date32(), [datetime.date(1960, 1, 1), datetime.date(2026, 1, 1)]),
    (
        pa.timestamp("us", "UTC"),
        pa.timestamp("us", "UTC"),
        [datetime.datetime(2026, 1, n, tzinfo=_UTC) for n in (1, 2)],
    ),
    (pa.time64("us"), pa.time64("us"), [datetime.time(1), datetime.time(2)]),
    (pa.binary(), pa.large_binary(), [b"a", b"\0"]),
    (pa.binary(2), pa.binary(2), [b"ab", b"a\0"]),
    (pa.binary_view(), pa.binary(), [b"ab", b"a"]),
]


@pytest.mark.parametrize("codes", [0, 1_000_000])
@pytest.mark.parametrize(("left", "right", "values"), _KEYS, ids=lambda one: str(one)[:20])
def test_keys_of_many_types_meet(
    left: pa.DataType, right: pa.DataType, values: list[Any], codes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_index, "CODES_UP_TO", codes)
    common = key_type(left, right)
    keys = pa.array(values, right).cast(common)
    index = TableIndex([keys], ["key"], pa.record_batch({"v": [0, 1]}))
    asked = pa.array([values[1], None, values[0], values[1]], left).cast(common)
    assert index.places([asked]).tolist() == [1, NOWHERE, 0, 1]
    assert index.places([asked.slice(2)]).tolist() == [0, 1]


def test_many_key_columns_whose_codes_would_overflow_are_found() -> None:
    columns = [pa.array(np.arange(5_000)) for _ in range(6)]
    index = TableIndex(columns, list("abcdef"), pa.record_batch({"v": np.arange(5_000)}))
    assert index.places([column.slice(17, 2) for column in columns]).tolist() == [17, 18]
    mixed = [*(column.slice(17, 1) for column in columns[:5]), columns[5].slice(18, 1)]
    assert index.places(mixed).tolist() == [NOWHERE]


# A table that is wrong.


@pytest.mark.parametrize("codes", [0, 1_000_000])
def test_a_key_that_stands_twice_is_an_error_and_multiplies_nothing(
    tmp_path: Path, codes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_index, "CODES_UP_TO", codes)
    table = pa.table({"code": [SECRET, "b", SECRET, "b", "b", "c", None, None], "v": list(range(8))})
    with pytest.raises(RejectedRecordError) as caught:
        _join(EVENTS, JoinTable(_write(tmp_path, table), on={"country": "code"}))
    text = str(caught.value)
    assert "2 keys of the table stand more than once" in text
    assert "column `code`" in text
    assert "read them with ReadParquet, put DeduplicateRows after it" in text
    assert "table.parquet" in text
    assert SECRET not in text


def test_one_key_of_an_input_that_stands_twice_is_told_in_the_singular() -> None:
    with pytest.raises(RejectedRecordError) as caught:
        TableIndex([pa.array(["a", "b", "a"])], ["k"], pa.record_batch({"v": [0, 1, 2]}))
    assert "1 key of the table stands more than once" in str(caught.value)
    assert "put DeduplicateRows before it" in str(caught.value)


@pytest.mark.parametrize(("option", "found"), [({"max_rows": 3}, "4 rows"), ({"max_bytes": 20}, "bytes")])
def test_a_table_over_its_limits_is_an_error_that_names_the_option(
    tmp_path: Path, option: dict[str, int], found: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        _join(EVENTS, JoinTable(_write(tmp_path), on={"country": "code"}, **option))
    assert f"the table has {found}" in str(caught.value) or found == "bytes"
    assert f"JoinTable.{next(iter(option))}" in str(caught.value)


def test_limits_hold_for_a_table_that_is_an_input() -> None:
    def build(rows: beam.PCollection) -> Any:
        table = _typed(rows.pipeline, COUNTRIES)
        return {"rows": rows, "table": table} | JoinTable(on={"country": "code"}, max_rows=3)

    with pytest.raises(ConfigError, match="the table has 4 rows or more, and at most 3"):
        in_batch([EVENTS], build)


def test_only_the_columns_that_are_used_count_and_are_read(tmp_path: Path) -> None:
    wide = COUNTRIES.append_column("wide", pa.array(["x" * 10_000] * 4))
    block = JoinTable(_write(tmp_path, wide), on={"country": "code"}, columns=["tax"], max_bytes=1_000)
    assert _join(EVENTS, block)[0].schema.names == ["id", "country", "tax"]


def test_files_that_are_not_there_or_no_parquet_are_told(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="no file matches"):
        JoinTable(str(tmp_path / "none-*.parquet"), on="a")
    (tmp_path / "table.csv").write_text("code,v\nSE,1\n")
    with pytest.raises(ReadError, match="not a Parquet file"):
        _join(EVENTS, JoinTable(str(tmp_path / "table.csv"), on={"country": "code"}, schema=COUNTRIES.schema))


def test_a_value_of_a_file_that_does_not_fit_the_schema_is_told_without_the_value(tmp_path: Path) -> None:
    schema = pa.schema([("code", pa.string()), ("region", pa.int64())])
    table = pa.table({"code": ["SE"], "region": [SECRET]})
    with pytest.raises(RejectedRecordError, match="wrong_type: the value does not fit int64") as caught:
        _join(EVENTS, JoinTable(_write(tmp_path, table), on={"country": "code"}, schema=schema))
    assert SECRET not in str(caught.value)


# Schemas, labels, masks.


def _masked(name: str, key: str = "main", **options: Any) -> pa.Field:
    mark = labels.Masked("hmac", key, {"domain": "pii.email", **options}, "string").to_json()
    return pa.field(name, pa.string(), metadata={"blocks.label": "pii.email", "blocks.masked": mark})


def _plan(rows: list[pa.Field], table: list[pa.Field], on: dict[str, str], **options: Any) -> Any:
    given = {"columns": None, "prefix": "", "fills_nulls": True, **options}
    return plan_join(pa.schema(rows), pa.schema(table), on, **given)


def test_labels_come_along_and_marks_of_the_tables_own_rows_do_not() -> None:
    table = [
        labels.put(_masked("email"), {labels.KEY: "true"}),
        pa.field("phone", pa.string(), False, metadata={"blocks.label": "pii.phone", "blocks.description": "a phone"}),
        labels.put(pa.field("at", pa.timestamp("us", "UTC")), {labels.EVENT_TIME: "true"}),
        labels.put(pa.field("user", pa.int64()), {labels.KEY: "true"}),
    ]
    rows = [_masked("mail"), labels.put(pa.field("when", pa.timestamp("us", "UTC")), {labels.EVENT_TIME: "true"})]
    schema = _plan(rows, table, {"mail": "email"}, prefix="u_").schema
    assert schema.names == ["mail", "when", "u_phone", "u_at", "u_user"]
    assert labels.labels_of(schema.field("u_phone")) == {"pii.phone"}
    assert labels.get(schema.field("u_phone"), labels.DESCRIPTION) == "a phone"
    assert schema.field("u_phone").nullable
    assert labels.event_time_of(schema) == "when"
    assert not any(map(labels.is_key, schema))
    assert not _plan(rows, table, {"mail": "email"}, fills_nulls=False).schema.field("phone").nullable


@pytest.mark.parametrize(
    ("left", "right", "what"),
    [
        (
            _masked("k"),
            pa.field("k", pa.string()),
            "the rows have it masked by hmac (key main, domain pii.email), and the table as it is",
        ),
        (pa.field("k", pa.string()), _masked("k"), "the rows have it as it is"),
        (_masked("k"), _masked("k", "other"), "the table masked by hmac (key other"),
        (_masked("k"), _masked("k", domain="person"), "domain person"),
        (pa.field("k", pa.float64()), pa.field("k", pa.float64()), "double is no type of a key"),
        (pa.field("k", pa.int64()), pa.field("k", pa.string()), "int64 and string are not compared"),
        (pa.field("k", pa.int64()), pa.field("k", pa.uint64()), "int64 and uint64 are not compared"),
        (pa.field("k", pa.timestamp("us")), pa.field("k", pa.timestamp("us", "UTC")), "are not compared"),
        (pa.field("k", pa.list_(pa.int64())), pa.field("k", pa.list_(pa.int64())), "is no type of a key"),
    ],
)
def test_keys_that_cannot_meet_are_refused(left: pa.Field, right: pa.Field, what: str) -> None:
    with pytest.raises(ColumnError) as caught:
        _plan([left], [right], {"k": "k"})
    assert what in str(caught.value)


@pytest.mark.parametrize(("method", "options"), [("redact", {}), ("null", {}), ("encrypt", {"mode": "random"})])
def test_masks_under_which_equal_values_do_not_match_are_refused(method: str, options: dict[str, Any]) -> None:
    mark = labels.Masked(method, "main" if method == "encrypt" else "", options, "string").to_json()
    field = pa.field("k", pa.string(), metadata={"blocks.label": "pii.email", "blocks.masked": mark})
    with pytest.raises(ColumnError, match="equal values do not match"):
        _plan([field], [field], {"k": "k"})


def _labelled(name: str, *names: str) -> pa.Field:
    return labels.with_labels(pa.field(name, pa.string()), names)


@pytest.mark.parametrize(
    ("left", "right", "what", "fix"),
    [
        (["pii.email"], ["public"], "labelled pii.email, and the table public", "label the table's `k` pii.email in"),
        (["pii.email"], [], "labelled pii.email, and the table with nothing", "label the table's `k` pii.email in"),
        (["public"], ["pii.email"], "labelled public, and the table pii.email", "label the rows' `e` pii.email in"),
        (["pii.email"], ["pii.mail"], "labelled pii.email, and the table pii.mail", "label the rows' `e` pii.email, p"),
    ],
)
def test_keys_whose_private_labels_differ_are_refused(left: list[str], right: list[str], what: str, fix: str) -> None:
    # A copy of the key in the table would come along as public.
    table = [_labelled("k", *right), _labelled("copy", "public")]
    with pytest.raises(ColumnError) as caught:
        _plan([_labelled("e", *left)], table, {"e": "k"})
    assert what in str(caught.value)
    assert fix in str(caught.value)


@pytest.mark.parametrize(("left", "right"), [(["public"], []), ([], ["public"]), (["pii.a", "public"], ["pii.a"])])
def test_keys_with_the_same_private_labels_meet(left: list[str], right: list[str]) -> None:
    assert _plan([_labelled("e", *left)], [_labelled("k", *right)], {"e": "k"}).schema.names == ["e"]


def test_equal_masks_meet() -> None:
    assert _plan([_masked("k")], [_masked("k"), pa.field("v", pa.int64())], {"k": "k"}).schema.names == ["k", "v"]


def test_every_wrong_column_is_told_at_once() -> None:
    rows = [pa.field("k", pa.int64()), pa.field("v", pa.int64())]
    table = [pa.field("k", pa.string()), pa.field("v", pa.int64()), pa.field("region", pa.string())]
    with pytest.raises(ColumnError) as caught:
        _plan(rows, table, {"k": "k", "nope": "nein"}, columns=["v", "regoin", "k"])
    text = str(caught.value)
    assert "6 problems" in text
    for part in ("no column `nope`", "no column `nein`", "did you mean `region`", "`k` is a key", "int64 and string"):
        assert part in text
    assert "two columns would be named `v`" in text


def test_every_wrong_option_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        JoinTable(on=[], how="outer", max_rows=0, max_bytes=2**40, refresh="1h", columns="region")  # type: ignore[arg-type]
    text = str(caught.value)
    assert "6 problems" in text
    for part in ("no column is named", "no way to join named `outer`", "`refresh` is for files", "write ['region']"):
        assert part in text


def test_inputs_that_are_not_rows_and_table_are_told(tmp_path: Path) -> None:
    def run(build: Callable[[beam.PCollection], Any]) -> str:
        with pytest.raises(ConfigError) as caught:
            in_batch([EVENTS], build)
        return str(caught.value)

    path = _write(tmp_path)
    assert "no table" in run(lambda rows: rows | JoinTable(on="id"))
    assert "got input0, input1" in run(lambda rows: {"input0": rows, "input1": rows} | JoinTable(on="id"))
    assert "take one of them out" in run(lambda rows: {"rows": rows, "table": rows} | JoinTable(path, on="id"))


def test_a_table_without_end_is_refused() -> None:
    def build(rows: beam.PCollection) -> Any:
        table = _typed(rows.pipeline, COUNTRIES)
        table.is_bounded = False
        return {"rows": rows, "table": table} | JoinTable(on={"country": "code"})

    with pytest.raises(ConfigError, match="the table has no end"):
        in_batch([EVENTS], build)


# Privacy.

_PRIVATE = COUNTRIES.cast(COUNTRIES.schema.set(1, labels.with_labels(COUNTRIES.schema.field("region"), ["pii.place"])))


def test_raw_personal_columns_of_the_table_do_not_go_into_a_side_input(tmp_path: Path) -> None:
    path = _write(tmp_path, _PRIVATE)
    with pytest.raises(PrivacyError, match="there is no policy"):
        _join(EVENTS, JoinTable(path, on={"country": "code"}))
    policy = {"destinations": {"shuffle": {"labels": {"pii.place": "keep"}}}}
    joined = _join(EVENTS, JoinTable(path, on={"country": "code"}, policy=policy))
    assert labels.labels_of(joined[0].schema.field("region")) == {"pii.place"}
    # What is not taken along does not go there.
    assert _join(EVENTS, JoinTable(path, on={"country": "code"}, columns=["tax"]))[0].num_columns == 3


def test_the_guard_of_pipelines_sees_the_side_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(join_table, "check_destination", lambda *_: None)
    with pytest.raises(PrivacyError) as caught:
        _join(EVENTS, JoinTable(_write(tmp_path, _PRIVATE), on={"country": "code"}))
    assert "(shuffle), field `region`" in str(caught.value)


def test_labels_of_files_come_from_a_schema(tmp_path: Path) -> None:
    with pytest.raises(PrivacyError, match=r"label pii\.place"):
        _join(EVENTS, JoinTable(_write(tmp_path), on={"country": "code"}, schema=_PRIVATE.schema))


# Streams, workers.


class _Change(beam.DoFn):
    """At a row of note `change`: writes another table and turns the clock."""

    def __init__(self, path: str, tables: dict[str, tuple[pa.Table, float]]) -> None:
        self._path, self._tables = path, tables

    def process(self, rows: Any) -> Any:
        for note in rows.column("note").to_pylist():
            if note in self._tables:
                table, _NOW[0] = self._tables[note]
                pq.write_table(table, self._path)
        yield rows


_NOW = [0.0]


def test_a_stream_reads_the_files_again_when_a_period_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _NOW[0] = 5.0
    monkeypatch.setattr(join_table, "clock", lambda: _NOW[0])
    tables = [pa.table({"key": ["a"], "v": [number]}) for number in range(3)]
    path, found = _write(tmp_path, tables[0]), Collect()
    changes = {"too early": (tables[1], 59.0), "in time": (tables[2], 60.0)}

    def build(rows: beam.PCollection) -> Any:
        changed = rows | beam.ParDo(_Change(path, changes)).with_output_types(BatchType(SCHEMA))
        return changed | JoinTable(path, on="key", refresh="1m") | found

    in_stream([batch([("a", second, note)]) for second, note in enumerate(["", "too early", "in time", ""])], build)
    assert [row["v"] for one in found.found for row in one.to_pylist()] == [0, 0, 2, 2]


def test_a_stream_without_refresh_meets_the_table_that_was_there(tmp_path: Path) -> None:
    found = Collect()
    path = _write(tmp_path, pa.table({"key": ["a"], "v": [7]}))
    in_stream(
        [batch([("a", 1, "x")]), 5.0, batch([("b", 9, "x"), ("a", 9, "x")])],
        lambda rows: rows | JoinTable(path, on="key") | found,
    )
    assert [row["v"] for one in found.found for row in one.to_pylist()] == [7, None, 7]


def test_a_bounded_input_reads_once_even_with_refresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(join_table, "_JoinFiles", None)
    block = JoinTable(_write(tmp_path), on={"country": "code"}, refresh="1h")
    assert _join(EVENTS, block)[0].column("tax").to_pylist() == [24, None, None, 25, 22]


def test_a_worker_makes_the_index_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    original = TableIndex.__init__

    def counted(self: TableIndex, *arguments: Any) -> None:
        made.append(1)
        original(self, *arguments)

    monkeypatch.setattr(TableIndex, "__init__", counted)
    path = _write(tmp_path)

    def build(rows: beam.PCollection) -> Any:
        first = rows | JoinTable(path, on={"country": "code"}, columns=["tax"])
        return first | "Again" >> JoinTable(path, on={"country": "code"}, columns=["region"])

    in_batch([EVENTS] * 6, build)
    assert len(made) == 2


def test_the_block_pickles_and_no_batch_does(tmp_path: Path) -> None:
    again = pickler.roundtrip(JoinTable(_write(tmp_path), on={"country": "code"}))
    pipelines: list[beam.Pipeline] = []
    found = Collect()
    in_batch([EVENTS], lambda rows: (pipelines.append(rows.pipeline), rows | again | found))
    guards.check_pipeline(pipelines[0])
    assert found.found[0].num_columns == 4
