"""ReadJson in a pipeline: files and messages, event times, rejects, conservation, and stopping at a bad record."""

import json
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.transforms.window import FixedWindows, SlidingWindows, TimestampedValue
from apache_beam.utils.timestamp import Timestamp
from reading_files import BOM, compressed, shrink
from reading_pipelines import run

import blocks.reading.read_json as read_json_module
from blocks.core.errors import BatchTypeError, BlocksError, ColumnError, ConfigError, ReadError, SchemaError
from blocks.core.labels import event_time_of
from blocks.core.rejects import Rejects
from blocks.reading.diagnosis import CODES
from blocks.reading.read_json import ReadJson

UTC_TIME = pa.timestamp("us", tz="UTC")
SCHEMA = pa.schema(
    [
        pa.field("id", pa.int64(), nullable=False),
        pa.field("at", UTC_TIME),
        pa.field("user", pa.struct([pa.field("mail", pa.string()), pa.field("seen", UTC_TIME)])),
    ]
)


def line(number: int, at: str = "2026-01-31T10:00:00Z", **more: Any) -> bytes:
    return json.dumps({"id": number, "at": at, **more}).encode()


def moment(second: int) -> datetime:
    return datetime(2026, 1, 31, 10, 0, second, tzinfo=UTC)


def test_lines_arrays_and_compressed_files_of_a_pattern_give_the_same_rows(tmp_path: Path) -> None:
    records = [line(number) for number in range(6)]
    (tmp_path / "a.jsonl").write_bytes(BOM + b"\r\n".join(records[:2]) + b"\n\n")
    (tmp_path / "b.jsonl").write_bytes(b"[" + b",\n".join(records[2:4]) + b"]")
    (tmp_path / "c.jsonl.gz").write_bytes(compressed(records[4], "gzip", 2))
    (tmp_path / "d.jsonl.zst").write_bytes(compressed(records[5], "zstd", 2))
    found = run(lambda p, _: p | ReadJson(str(tmp_path / "*"), schema=SCHEMA))
    assert sorted(row["id"] for row in found.rows) == [0, 1, 2, 3, 4, 5]
    assert found.rows[0] == {"id": found.rows[0]["id"], "at": moment(0), "user": None}


def test_a_large_file_is_read_in_ranges_each_record_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shrink(monkeypatch, 700, 1000)
    path = tmp_path / "many.jsonl"
    path.write_bytes(b"\n".join(line(number) for number in range(500)))
    found = run(lambda p, _: p | ReadJson(path, schema=SCHEMA))
    assert sorted(row["id"] for row in found.rows) == list(range(500))
    assert len(found.batches) > 10


def test_batches_have_the_earliest_event_time(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join(line(n, f"2026-01-31T10:00:{second}Z") for n, second in enumerate((17, 12, 30))))
    found = run(lambda p, _: p | ReadJson(path, schema=SCHEMA, event_time="at"))
    # The last line, which has no line break, comes apart.
    times = [([row["id"] for row in batch.to_pylist()], at) for batch, at, _ in found.batches]
    assert times == [
        ([0, 1], Timestamp.from_utc_datetime(moment(12))),
        ([2], Timestamp.from_utc_datetime(moment(30))),
    ]


def test_the_schemas_mark_is_the_event_time_unless_another_is_given(tmp_path: Path) -> None:
    marked = pa.schema([SCHEMA.field("id"), SCHEMA.field("at").with_metadata({"blocks.event_time": "true"})])
    assert event_time_of(ReadJson("x", schema=marked).schema) == "at"
    both = marked.append(pa.field("other", UTC_TIME))
    assert event_time_of(ReadJson("x", schema=both, event_time="other").schema) == "other"


def test_an_event_time_in_a_struct_is_copied_to_a_column_and_required(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    users: list[Any] = [{"seen": "2026-01-31T10:00:05Z"}, {"seen": None}, None, {"seen": "soon"}, "nobody"]
    path.write_bytes(b"\n".join(line(number, user=user) for number, user in enumerate(users)))
    block = ReadJson(path, schema=SCHEMA, event_time="user.seen")
    assert block.schema.names == ["id", "at", "user", "event_time"]
    found = run(
        lambda p, rejects: p | ReadJson(path, schema=SCHEMA, event_time="user.seen", rejects=rejects), tmp_path / "bad"
    )
    assert [(row["id"], row["event_time"]) for row in found.rows] == [(0, moment(5))]
    assert found.batches[0][1] == Timestamp.from_utc_datetime(moment(5))
    assert [(reject["code"], reject["field_path"]) for reject in found.rejects] == [
        ("bad_event_time", "user.seen"),
        ("bad_event_time", "user.seen"),
        ("bad_event_time", "user.seen"),
        ("wrong_type", "user"),
    ]


def test_a_column_with_a_dot_in_its_name_can_be_the_event_time(tmp_path: Path) -> None:
    schema = pa.schema([pa.field("a.b", UTC_TIME), pa.field("a", pa.struct([pa.field("b", pa.string())]))])
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a.b":"2026-01-31T10:00:01Z","a":{"b":"x"}}\n{"a":{"b":"y"}}')
    found = run(
        lambda p, rejects: p | ReadJson(path, schema=schema, event_time="a.b", rejects=rejects), tmp_path / "bad"
    )
    assert found.rows == [{"a.b": moment(1), "a": {"b": "x"}}]
    assert found.codes == {"bad_event_time": 1}


@pytest.mark.parametrize(
    ("path", "error", "hint"),
    [
        ("aat", ColumnError, "did you mean `at`"),
        ("usr.seen", ColumnError, "did you mean `user`"),
        ("user.sen", ColumnError, "did you mean `seen`"),
        ("id.x", ColumnError, "an event time lies in structs only"),
        ("id", SchemaError, "make it timestamp"),
        ("user.mail", SchemaError, "make it timestamp"),
    ],
)
def test_a_wrong_event_time_is_an_error_at_once(path: str, error: type[BlocksError], hint: str) -> None:
    with pytest.raises(error) as caught:
        ReadJson("x.jsonl", schema=SCHEMA, event_time=path)
    assert hint in str(caught.value)


BAD = {
    "malformed_json": b'{"id":1,"at":"2026-01-31T10:00:00Z",}',
    "wrong_type": line(1, user={"mail": ["x"]}),
    "missing_field": b'{"at":"2026-01-31T10:00:00Z"}',
    "unknown_field": line(1, user={"secret-name": 1}),
    "bad_event_time": line(1, "yesterday"),
    "too_large": line(1, user={"mail": "x" * 3000}),
    "too_deep": b'{"id":1,"x":' + b"[" * 60 + b"]" * 60 + b"}",
}
PATHS = {"wrong_type": "user.mail", "missing_field": "id", "unknown_field": "user.secret-name", "bad_event_time": "at"}


def reader(path: Path, rejects: Rejects | None) -> ReadJson:
    return ReadJson(
        path, schema=SCHEMA, event_time="at", strict=True, max_record_bytes=2000, max_depth=50, rejects=rejects
    )


def test_there_is_a_bad_record_for_every_code() -> None:
    assert set(BAD) == set(CODES)


@pytest.mark.parametrize("block_bytes", [100, 8 << 20])
def test_bad_records_go_to_rejects_alone_with_file_offset_path_and_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int
) -> None:
    shrink(monkeypatch, block_bytes, 64 << 20)
    path = tmp_path / "mixed.jsonl"
    records = [record for number, bad in enumerate(BAD.values()) for record in (bad, line(number))]
    path.write_bytes(b"\n".join(records))
    found = run(lambda p, rejects: p | reader(path, rejects), tmp_path / "bad")
    assert sorted(row["id"] for row in found.rows) == list(range(7))
    offsets = [sum(len(record) + 1 for record in records[: 2 * number]) for number in range(7)]
    assert [(one["code"], one["position"], one["source"], one["field_path"]) for one in found.rejects] == [
        (code, offset, str(path), PATHS.get(code, "")) for code, offset in zip(BAD, offsets, strict=True)
    ]
    assert all(one["block"] == "ReadJson" and one["run_id"] == "run" and one["message"] for one in found.rejects)


def test_a_block_of_bad_records_only_gives_no_batch(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(b"\n".join([BAD["missing_field"], b"{", b"x"] * 400))
    found = run(lambda p, rejects: p | reader(path, rejects), tmp_path / "bad")
    assert found.batches == []
    assert found.codes == {"malformed_json": 800, "missing_field": 400}


@pytest.mark.parametrize("code", BAD)
def test_without_rejects_the_first_bad_record_stops_the_pipeline_and_no_value_shows(tmp_path: Path, code: str) -> None:
    path = tmp_path / "bad.jsonl"
    marked = BAD[code][:-1] + b',"user":{"mail":"MARKER-IN-A-FIELD"}}' if b"user" not in BAD[code] else BAD[code]
    path.write_bytes(line(0) + b"\n" + marked)
    with pytest.raises(Exception, match=code) as caught:
        run(lambda p, _: p | reader(path, None))
    error: BaseException | None = caught.value
    seen = []
    while error is not None:
        seen.append(error)
        assert "MARKER" not in "".join(traceback.format_exception_only(error)) + repr(vars(error))
        error = error.__cause__ or error.__context__
    text = "".join(map(str, seen))
    assert "RejectedRecordError" in "".join(repr(type(one)) for one in seen)
    assert str(path) in text
    assert f"position {len(line(0)) + 1}" in text
    assert PATHS.get(code, "").replace("secret-name", "*") in text or PATHS[code] in text


POLICY = {
    "keys": {"main": "env:READING_TEST_KEY"},
    "destinations": {"rejects": {"labels": {"public": "keep"}}},
}


def test_under_a_policy_rejects_show_no_labelled_value_no_unknown_name_and_no_file_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("READING_TEST_KEY", "0" * 64)
    schema = pa.schema(
        [
            pa.field("id", pa.int64(), metadata={"blocks.label": "public"}),
            pa.field("mail", pa.string(), metadata={"blocks.label": "pii.email"}),
            pa.field("n", pa.int8(), metadata={"blocks.label": "public"}),
        ]
    )
    path = tmp_path / "MARKER-file.jsonl"
    path.write_bytes(
        b'{"id":7,"mail":"MARKER-mail","n":1000}\n{"id":8,"MARKER-name":1}\n{"id":9,"mail":"MARKER-text"\n'
        b'{"id":10,"mail":5}\n{"id":11,"n":"MARKER-number"}'
    )
    found = run(
        lambda p, rejects: p | ReadJson(str(tmp_path / "*.jsonl"), schema=schema, strict=True, rejects=rejects),
        tmp_path / "bad",
        POLICY,
    )
    assert "MARKER" not in repr(found.rejects)
    assert [one["code"] for one in found.rejects] == [
        "wrong_type",
        "unknown_field",
        "malformed_json",
        "wrong_type",
        "wrong_type",
    ]
    assert [one["field_path"] for one in found.rejects] == ["n", "*", "", "mail", "n"]
    assert json.loads(found.rejects[0]["record"]) == {"id": 7}
    assert found.rejects[0]["source"] == str(tmp_path / "*.jsonl")
    for file in (tmp_path / "bad").rglob("*"):
        assert not file.is_file() or b"MARKER" not in file.read_bytes()


def test_messages_keep_their_windows_and_take_the_earliest_event_time(tmp_path: Path) -> None:
    ten = 1_769_853_600

    def step(p: Any, rejects: Any) -> Any:
        times = [(0, 5), (1, 3), (2, 65), (3, 61)]
        return (
            p
            | beam.Create([(n, s) for n, s in times])
            | beam.MapTuple(
                lambda n, s: TimestampedValue(line(n, f"2026-01-31T10:0{s // 60}:{s % 60:02d}Z"), ten + s)
            ).with_output_types(bytes)
            | beam.WindowInto(FixedWindows(60))
            | ReadJson(schema=SCHEMA, event_time="at", rejects=rejects)
        )

    found = run(step)
    seen: dict[int, set[int]] = {}
    for batch, at, window in found.batches:
        seen.setdefault(int(window.start), set()).update(row["id"] for row in batch.to_pylist())
        assert at == Timestamp(min(row["at"] for row in batch.to_pylist()).timestamp())
    assert seen == {ten: {0, 1}, ten + 60: {2, 3}}


def test_messages_without_an_event_time_keep_their_earliest_timestamp() -> None:
    def step(p: Any, _: Any) -> Any:
        stamped = beam.Map(lambda n: TimestampedValue(line(n), 10 + n)).with_output_types(bytes)
        return p | beam.Create([0, 1, 2], reshuffle=False) | stamped | ReadJson(schema=SCHEMA)

    found = run(step)
    assert sum(batch.num_rows for batch, _, _ in found.batches) == 3
    assert min(at for _, at, _ in found.batches) == Timestamp(10)


def test_each_message_is_a_row_or_a_reject(tmp_path: Path) -> None:
    messages = [
        line(0),
        json.dumps(json.loads(line(1)), indent=2).encode(),
        b" \n" + line(2) + b"\r\n",
        b'{"id":3,"user":{"mail":"a\nb"}}',
        line(4) + b"\n" + line(5),
        b"",
        b" \n",
        b"\x0b",
        b"[]",
        BOM + line(6),
    ]
    found = run(
        lambda p, rejects: (
            p | beam.Create(messages).with_output_types(bytes) | ReadJson(schema=SCHEMA, rejects=rejects)
        ),
        tmp_path / "bad",
    )
    assert sorted(row["id"] for row in found.rows) == [0, 1, 2]
    assert found.codes == {"malformed_json": 6, "wrong_type": 1}
    assert {(one["source"], one["position"]) for one in found.rejects} == {("", None)}


def test_many_messages_are_gathered_into_few_batches() -> None:
    messages = [line(number) for number in range(2000)]
    found = run(
        lambda p, _: p | beam.Create(messages, reshuffle=False).with_output_types(bytes) | ReadJson(schema=SCHEMA)
    )
    assert sorted(row["id"] for row in found.rows) == list(range(2000))
    assert len(found.batches) < 20


def test_something_other_than_bytes_is_refused_when_the_pipeline_is_built() -> None:
    with pytest.raises(BatchTypeError, match="PCollection of bytes"):
        run(lambda p, _: p | beam.Create(["text"]) | ReadJson(schema=SCHEMA))
    with pytest.raises(BatchTypeError, match="PCollection of bytes"):
        run(lambda p, _: p | ReadJson(schema=SCHEMA))
    with pytest.raises(ConfigError, match="a pattern and an input"):
        run(lambda p, _: p | beam.Create([b"x"]) | ReadJson("x.jsonl", schema=SCHEMA))


def test_text_that_is_declared_as_anything_stops_with_its_kind() -> None:
    with pytest.raises(Exception, match="expected bytes, got str"):
        run(lambda p, _: p | beam.Create(["text"]).with_output_types(Any) | ReadJson(schema=SCHEMA))


def test_no_file_and_a_cut_file_stop_the_pipeline(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="no file matches"):
        run(lambda p, _: p | ReadJson(str(tmp_path / "*.jsonl"), schema=SCHEMA))
    path = tmp_path / "cut.jsonl.gz"
    path.write_bytes(compressed(line(1) * 500, "gzip", 1)[:-20])
    with pytest.raises(ReadError, match="cut short") as caught:
        run(lambda p, _: p | ReadJson(path, schema=SCHEMA))
    assert str(path) in "".join(traceback.format_exception(caught.value))


def test_every_wrong_option_is_reported_at_once_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError) as caught:
        ReadJson(
            5,  # type: ignore[arg-type]
            schema=7,  # type: ignore[arg-type]
            event_time=1,  # type: ignore[arg-type]
            format="line",  # type: ignore[arg-type]
            compression="gzipp",  # type: ignore[arg-type]
            strict="no",  # type: ignore[arg-type]
            max_record_bytes=0,
            max_depth="deep",  # type: ignore[arg-type]
            rejects="rejects/",  # type: ignore[arg-type]
        )
    assert len(caught.value.problems) == 9
    assert "did you mean `lines`" in str(caught.value)
    assert "did you mean `gzip`" in str(caught.value)


def test_columns_that_json_cannot_give_are_reported_at_once() -> None:
    schema = pa.schema(
        [
            ("a", pa.duration("s")),
            ("b", pa.list_(pa.float16())),
            ("m", pa.map_(pa.int64(), pa.string())),
            ("v", pa.list_view(pa.int8())),
            ("s", pa.struct([pa.field("x", pa.int8()), pa.field("x", pa.int8())])),
        ]
    )
    with pytest.raises(SchemaError) as caught:
        ReadJson("x.jsonl", schema=schema)
    assert [problem.where for problem in caught.value.problems] == [
        "field `a`",
        "field `b[]`",
        "field `m`",
        "field `v`",
        "field `s`",
    ]
    with pytest.raises(SchemaError, match="no columns"):
        ReadJson("x.jsonl", schema=pa.schema([]))


def test_a_schema_file_gives_the_schema(tmp_path: Path) -> None:
    folder = Path(__file__).parents[2] / "examples" / "partner_events"
    block = ReadJson("x.jsonl", schema=f"{folder / 'transaction.thrift'}:Transaction", event_time="occurred_at")
    assert event_time_of(block.schema) == "occurred_at"


def test_messages_in_sliding_windows_are_rows_once_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    # Flushed in the middle of a bundle as well as at its end.
    monkeypatch.setattr(read_json_module, "MAX_ROWS", 3)

    def step(p: Any, _: Any) -> Any:
        ten = 1_769_853_600
        stamped = beam.MapTuple(
            lambda n, s: TimestampedValue(line(n, f"2026-01-31T10:00:{s:02d}Z"), ten + s)
        ).with_output_types(bytes)
        messages = p | beam.Create([(n, 7 * n) for n in range(8)], reshuffle=False) | stamped
        return messages | beam.WindowInto(SlidingWindows(60, 30)) | ReadJson(schema=SCHEMA, event_time="at")

    found = run(step)
    seen = sorted((int(window.start), row["id"]) for batch, _, window in found.batches for row in batch.to_pylist())
    assert len(seen) == len(set(seen)) == 16


def test_a_reject_has_the_event_time_of_a_record_that_could_be_parsed(tmp_path: Path) -> None:
    good = json.loads(line(1, "2026-01-31T10:00:03Z"))
    bad = json.dumps({**good, "id": "no number"}).encode()

    def step(p: Any, rejects: Any) -> Any:
        messages = p | beam.Create([bad, b"{"]).with_output_types(bytes)
        return messages | ReadJson(schema=SCHEMA, event_time="at", rejects=rejects)

    found = run(step, tmp_path / "bad")
    times = {one["code"]: one["event_time"] for one in found.rejects}
    assert times == {"wrong_type": datetime(2026, 1, 31, 10, 0, 3, tzinfo=UTC), "malformed_json": None}


@pytest.mark.parametrize("text", ["1.369724705943017e-264", "0.001", "-1e-3", "1e-99999"])
def test_a_decimal_below_the_last_digit_of_its_type_is_no_zero(text: str, tmp_path: Path) -> None:
    schema = pa.schema([("n", pa.decimal128(4, 2))])
    messages = [f'{{"n":{text}}}'.encode(), f'{{"n":"{text}"}}'.encode(), b'{"n":0.00}']
    found = run(
        lambda p, rejects: (
            p | beam.Create(messages).with_output_types(bytes) | ReadJson(schema=schema, rejects=rejects)
        ),
        tmp_path / "bad",
    )
    assert len(found.rows) == 1
    assert [(one["code"], one["field_path"]) for one in found.rejects] == [("wrong_type", "n")] * 2
