"""ReadParquet: schemas from files and given ones, rows that do not fit, row groups, and files of other tools."""

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.utils.timestamp import Timestamp
from reading_pipelines import Outcome, run

from blocks.core.errors import BlocksError, ColumnError, ReadError, SchemaError
from blocks.core.labels import event_time_of
from blocks.reading import read_parquet
from blocks.reading.read_parquet import ReadParquet

UTC_TIME = pa.timestamp("us", tz="UTC")
MOMENT = datetime(2026, 1, 31, 10, 0, 5, tzinfo=UTC)


def required(name: str, kind: Any) -> pa.Field:
    return pa.field(name, kind, nullable=False)


def write(path: Path, rows: list[dict[str, Any]], schema: pa.Schema, **options: Any) -> Path:
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path, **options)
    return path


def read(path: Path, folder: Path, **options: Any) -> Outcome:
    return run(lambda p, rejects: p | ReadParquet(path, rejects=rejects, **options), folder / "bad")


EVERY_TYPE = pa.schema(
    [
        *[pa.field(f"i{number}", kind()) for number, kind in enumerate((pa.int8, pa.int16, pa.int32, pa.int64))],
        *[pa.field(f"u{number}", kind()) for number, kind in enumerate((pa.uint8, pa.uint16, pa.uint32, pa.uint64))],
        pa.field("f", pa.float32()),
        pa.field("d", pa.float64()),
        pa.field("b", pa.bool_()),
        pa.field("text", pa.string(), metadata={"blocks.label": "pii.name", "blocks.description": "who"}),
        pa.field("long", pa.large_string()),
        pa.field("bytes", pa.binary()),
        pa.field("four", pa.binary(4)),
        pa.field("money", pa.decimal128(18, 2)),
        pa.field("day", pa.date32()),
        pa.field("clock", pa.time64("us")),
        pa.field("at", UTC_TIME, metadata={"blocks.event_time": "true"}),
        pa.field("local", pa.timestamp("ms")),
        pa.field("dotted.name", pa.int64()),
        pa.field("s", pa.struct([required("x", pa.int64()), pa.field("l", pa.list_(pa.string()))])),
        pa.field("l", pa.list_(pa.field("element", pa.struct([pa.field("y", pa.int32())])))),
        pa.field("m", pa.map_(pa.string(), pa.int64())),
    ],
    metadata={"made": "by a test"},
)
ROW = {
    **{f"i{number}": -1 for number in range(4)},
    **{f"u{number}": 2 ** (8 * 2**number) - 1 for number in range(4)},
    "f": 0.5,
    "d": 0.1,
    "b": True,
    "text": "é",
    "long": "x",
    "bytes": b"\0",
    "four": b"abcd",
    "money": Decimal("12.50"),
    "day": date(2026, 1, 31),
    "clock": time(1, 2, 3, 4),
    "at": MOMENT,
    "local": datetime(2026, 1, 1),
    "dotted.name": 7,
    "s": {"x": 1, "l": ["a", None]},
    "l": [{"y": 1}, None],
    "m": [("k", 1), ("n", None)],
}


def test_every_type_comes_back_with_its_labels(tmp_path: Path) -> None:
    rows = [ROW, {"at": MOMENT}]
    path = write(tmp_path / "all.parquet", rows, EVERY_TYPE)
    block = ReadParquet(path)
    assert [field.name for field in block.schema] == EVERY_TYPE.names
    assert [field.type for field in block.schema] == [field.type for field in EVERY_TYPE]
    assert block.schema.field("text").metadata[b"blocks.label"] == b"pii.name"
    found = run(lambda p, _: p | ReadParquet(path))
    assert found.rows == pa.Table.from_pylist(rows, schema=EVERY_TYPE).to_pylist()
    assert found.batches[0][1] == Timestamp.from_utc_datetime(MOMENT)


def test_a_given_schema_takes_its_columns_by_name_and_widens_them(tmp_path: Path) -> None:
    schema = pa.schema(
        [
            ("unused", pa.string()),
            ("n", pa.int32()),
            ("money", pa.decimal128(5, 2)),
            ("s", pa.struct([("b", pa.int8()), ("a", pa.string())])),
        ]
    )
    path = write(tmp_path / "a.parquet", [{"n": 1, "money": Decimal("1.25"), "s": {"a": "x", "b": 2}}], schema)
    wanted = pa.schema(
        [
            ("s", pa.struct([("a", pa.string()), ("b", pa.int64()), ("new", pa.string())])),
            ("money", pa.decimal128(18, 4)),
            ("n", pa.int64()),
            ("new", pa.int64()),
        ]
    )
    found = run(lambda p, _: p | ReadParquet(path, schema=wanted))
    assert found.rows == [{"s": {"a": "x", "b": 2, "new": None}, "money": Decimal("1.2500"), "n": 1, "new": None}]
    assert found.batches[0][0].schema.equals(wanted)


def test_rows_whose_values_do_not_fit_go_to_rejects_alone_with_their_number(tmp_path: Path) -> None:
    schema = pa.schema([("id", pa.int64()), ("at", pa.string()), ("f", pa.float64()), ("n", pa.int64())])
    good = {"at": "2026-01-31T10:00:05Z", "f": 1.5, "n": 1}
    rows: list[dict[str, Any]] = [{"id": number, **good} for number in range(50)]
    rows[7]["at"], rows[8]["n"], rows[9]["f"] = "soon", 300, 1e300
    rows[49] |= {"at": "later", "n": -129}
    path = write(tmp_path / "a.parquet", rows, schema, row_group_size=8)
    wanted = pa.schema([("id", pa.int64()), ("at", UTC_TIME), ("f", pa.float32()), ("n", pa.int8())])
    found = read(path, tmp_path, schema=wanted)
    assert [(one["position"], one["code"], one["field_path"]) for one in found.rejects] == [
        (7, "wrong_type", "at"),
        (8, "wrong_type", "n"),
        (9, "wrong_type", "f"),
        (49, "wrong_type", "at"),
    ]
    assert {one["source"] for one in found.rejects} == {str(path)}
    assert json.loads(found.rejects[0]["record"]) == {"id": 7, "f": 1.5, "n": 1}
    assert sorted(row["id"] for row in found.rows) == sorted(set(range(50)) - {7, 8, 9, 49})


def test_row_groups_are_read_apart_and_rows_keep_their_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_parquet, "RANGE_BYTES", 1)
    schema = pa.schema([pa.field("id", pa.int64()), pa.field("n", pa.int64())])
    rows = [{"id": number, "n": None if number % 10 == 3 else number} for number in range(100)]
    path = write(tmp_path / "a.parquet", rows, schema, row_group_size=7)
    found = read(path, tmp_path, schema=pa.schema([pa.field("id", pa.int64()), required("n", pa.int64())]))
    assert [one["position"] for one in found.rejects] == list(range(3, 100, 10))
    assert found.codes == {"missing_field": 10}
    assert sorted(row["id"] for row in found.rows) == [number for number in range(100) if number % 10 != 3]
    assert len(found.batches) == 15


def test_nulls_where_a_value_is_required_are_found_at_every_depth(tmp_path: Path) -> None:
    loose = pa.schema(
        [
            ("id", pa.int64()),
            ("s", pa.struct([("x", pa.int32()), ("t", pa.struct([("y", pa.string())]))])),
            ("l", pa.list_(pa.struct([("z", pa.int64())]))),
            ("items", pa.list_(pa.field("element", pa.int64()))),
            ("m", pa.map_(pa.string(), pa.int64())),
        ]
    )
    strict = pa.schema(
        [
            required("id", pa.int64()),
            pa.field(
                "s", pa.struct([required("x", pa.int64()), pa.field("t", pa.struct([required("y", pa.string())]))])
            ),
            pa.field("l", pa.large_list(pa.struct([required("z", pa.int64())]))),
            pa.field("items", pa.list_(required("item", pa.int64()))),
            pa.field("m", pa.map_(pa.string(), required("value", pa.int64()))),
        ]
    )
    rows: list[dict[str, Any]] = [
        {"id": 0, "s": {"x": 1, "t": {"y": "a"}}, "l": [{"z": 1}], "items": [1], "m": [("k", 1)]},
        {"id": 1, "s": None, "l": None, "items": None, "m": None},
        {"id": 2, "s": {"x": 1, "t": None}, "l": [None], "items": [], "m": []},
        {"id": 3, "s": {"x": None, "t": None}},
        {"id": 4, "s": {"x": 1, "t": {"y": None}}},
        {"id": 5, "l": [{"z": 1}, {"z": None}]},
        {"id": 6, "items": [1, None]},
        {"id": 7, "m": [("k", 1), ("n", None)]},
        {"id": None},
    ]
    found = read(write(tmp_path / "a.parquet", rows, loose), tmp_path, schema=strict)
    assert found.rows == rows[:3]
    assert found.batches[0][0].schema.equals(strict)
    found.batches[0][0].validate(full=True)
    assert [(one["position"], one["field_path"]) for one in found.rejects] == [
        (3, "s.x"),
        (4, "s.t.y"),
        (5, "l[].z"),
        (6, "items[]"),
        (7, "m{}"),
        (8, "id"),
    ]
    assert found.codes == {"missing_field": 6}


def test_a_row_without_event_time_is_rejected(tmp_path: Path) -> None:
    schema = pa.schema([("id", pa.int64()), ("at", UTC_TIME)])
    path = write(tmp_path / "a.parquet", [{"id": 1, "at": MOMENT}, {"id": 2, "at": None}], schema)
    found = read(path, tmp_path, event_time="at")
    assert found.rows == [{"id": 1, "at": MOMENT}]
    assert [(one["code"], one["field_path"], one["position"]) for one in found.rejects] == [("bad_event_time", "at", 1)]
    assert event_time_of(found.batches[0][0].schema) == "at"


def test_without_rejects_the_first_bad_row_stops_and_shows_no_value(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", [{"at": "MARKER"}], pa.schema([("at", pa.string())]))
    with pytest.raises(BlocksError, match="wrong_type") as caught:
        run(lambda p, _: p | ReadParquet(path, schema=pa.schema([("at", UTC_TIME)])))
    error: BaseException | None = caught.value
    while error is not None:
        assert "MARKER" not in str(error)
        error = error.__cause__ or error.__context__


def test_dictionary_columns_are_decoded(tmp_path: Path) -> None:
    schema = pa.schema(
        [
            ("d", pa.dictionary(pa.int32(), pa.string())),
            ("s", pa.struct([pa.field("d", pa.dictionary(pa.int8(), pa.string()))])),
        ]
    )
    path = write(tmp_path / "a.parquet", [{"d": "a", "s": {"d": "b"}}, {"d": None, "s": None}], schema)
    found = run(lambda p, _: p | ReadParquet(path))
    assert found.rows == [{"d": "a", "s": {"d": "b"}}, {"d": None, "s": None}]
    assert found.batches[0][0].schema.field("d").type == pa.string()


def test_several_files_of_which_one_has_no_rows(tmp_path: Path) -> None:
    schema = pa.schema([("id", pa.int64())])
    write(tmp_path / "a.parquet", [], schema)
    write(tmp_path / "b.parquet", [{"id": 1}], schema)
    pq.ParquetWriter(tmp_path / "c.parquet", schema).close()
    found = run(lambda p, _: p | ReadParquet(tmp_path / "*.parquet"))
    assert found.rows == [{"id": 1}]


def test_files_in_the_ways_of_other_tools_are_read(tmp_path: Path) -> None:
    schema = pa.schema(
        [
            pa.field("id", pa.int64(), metadata={"PARQUET:field_id": "7"}),
            pa.field("l", pa.list_(pa.field("array", pa.int64()))),
            pa.field("at", pa.timestamp("ns")),
        ]
    )
    rows = [{"id": 1, "l": [1, 2], "at": datetime(2026, 1, 1)}]
    old = write(
        tmp_path / "old.parquet",
        rows,
        schema,
        version="1.0",
        use_deprecated_int96_timestamps=True,
        store_schema=False,
        data_page_version="2.0",
        compression="gzip",
        use_compliant_nested_type=False,
    )
    wanted = pa.schema([("id", pa.int64()), ("l", pa.list_(pa.int64())), ("at", UTC_TIME)])
    found = run(lambda p, _: p | ReadParquet(old, schema=wanted, event_time="at"))
    assert found.rows == [{"id": 1, "l": [1, 2], "at": datetime(2026, 1, 1, tzinfo=UTC)}]


def test_a_schema_none_of_whose_columns_a_file_has_gives_nulls(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", [{"a": 1}, {"a": 2}], pa.schema([("a", pa.int64())]))
    found = run(lambda p, _: p | ReadParquet(path, schema=pa.schema([("b", pa.string())])))
    assert found.rows == [{"b": None}, {"b": None}]


@pytest.mark.parametrize(
    ("wanted", "options", "message"),
    [
        (pa.schema([required("b", pa.int64())]), {}, "no column `b`"),
        (pa.schema([("a", pa.int64())]), {}, "column `a` is struct"),
        (pa.schema([("a", pa.struct([("x", pa.int64())]))]), {"strict": True}, "does not have: a.y"),
        (pa.schema([("c", pa.int64())]), {"strict": True}, "does not have: a"),
    ],
)
def test_a_file_that_cannot_fit_stops_with_its_name(
    tmp_path: Path, wanted: pa.Schema, options: dict[str, Any], message: str
) -> None:
    schema = pa.schema([("a", pa.struct([("x", pa.int64()), ("y", pa.int64())]))])
    path = write(tmp_path / "a.parquet", [{"a": {"x": 1, "y": 2}}], schema)
    with pytest.raises(SchemaError, match=message):
        read(path, tmp_path, schema=wanted, **options)


def test_what_is_no_parquet_or_damaged_is_an_error_with_the_file(tmp_path: Path) -> None:
    schema = pa.schema([("text", pa.string())])
    for name, content in (("empty.parquet", b""), ("text.parquet", b"not parquet at all, but long enough")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ReadError, match="not a Parquet file"):
            run(lambda p, _, name=name: p | ReadParquet(tmp_path / name, schema=schema))
    path = write(tmp_path / "damaged.parquet", [{"text": f"{n:064x}"} for n in range(5000)], schema)
    content = bytearray(path.read_bytes())
    content[10:3000] = b"\xff" * 2990
    path.write_bytes(content)
    with pytest.raises(ReadError, match="damaged"):
        run(lambda p, _: p | ReadParquet(path, schema=schema))


def test_mistakes_show_when_the_block_is_made(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", [{"at": "x"}], pa.schema([("at", pa.string())]))
    with pytest.raises(ReadError, match="no file matches"):
        ReadParquet(tmp_path / "*.csv")
    with pytest.raises(ColumnError, match="no column `att`") as caught:
        ReadParquet(path, event_time="att")
    assert "did you mean `at`" in str(caught.value)
    with pytest.raises(SchemaError, match="the event time `at` is string"):
        ReadParquet(path, event_time="at")
