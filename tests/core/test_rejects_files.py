"""Rejects: one schema, masked where they are made, whole files or none, and no pipeline that forgets them."""

import datetime
import io
import json
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.io.filesystems import FileSystems
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from blocks.core import labels
from blocks.core.batch_type import BatchType
from blocks.core.block import BatchBlock, Outcome
from blocks.core.errors import BatchTypeError, ConfigError, PolicyError, RejectedRecordError, WarehouseError
from blocks.core.policy import read_policy
from blocks.core.reject_records import RejectMaker, relaxed, row_json
from blocks.core.rejects import REJECT_SCHEMA, Reject, Rejects, RejectSettings, reject_batch, stop_at, write_once
from blocks.core.windows import WindowRows

SECRET = "a secret of more than sixteen bytes"
UTC = datetime.UTC


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOCKS_TEST_KEY", SECRET)


def labelled(name: str, kind: pa.DataType, *names: str, nullable: bool = True) -> pa.Field:
    return labels.with_labels(pa.field(name, kind, nullable), names)


SCHEMA = labels.with_event_time(
    pa.schema(
        [
            labelled("at", pa.timestamp("us", "UTC"), "public"),
            labelled("n", pa.int64(), "public", nullable=False),
            labelled("email", pa.string(), "pii.email"),
        ]
    ),
    "at",
)
FREE = labels.with_event_time(pa.schema([pa.field(field.name, field.type) for field in SCHEMA]), "at")
MOMENT = datetime.datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
RECORD = {"at": MOMENT, "n": 7, "email": "ana@example.org"}


def policy(rules: dict[str, Any], **more: Any) -> Any:
    return read_policy(
        {"keys": {"main": "env:BLOCKS_TEST_KEY"}, "destinations": {"rejects": {"labels": rules, **more}}}
    )


def maker(found: Any, schema: pa.Schema = SCHEMA, shown: str = "in/*.jsonl") -> RejectMaker:
    settings = None if found is None else RejectSettings(found, "run-1")
    return RejectMaker("Test", "1.0.0", schema, settings, shown)


# --- making clean rejects -----------------------------------------------------------------------------------------


def test_the_schema_of_rejects_is_public_and_described() -> None:
    assert REJECT_SCHEMA.names == [
        "block",
        "version",
        "code",
        "message",
        "field_path",
        "source",
        "position",
        "event_time",
        "run_id",
        "record",
        "record_hmac",
    ]
    for field in REJECT_SCHEMA:
        assert labels.labels_of(field) == {"public"}
        assert labels.get(field, labels.DESCRIPTION)


def test_a_reject_becomes_a_row() -> None:
    made = maker(policy({"public": "keep"})).make(
        "wrong_type", "expected int64", field_path="n", source="in/a.jsonl", position=5, record=RECORD, raw=b"raw"
    )
    assert reject_batch([made, Reject("B", "1", "c", "m")]).to_pylist() == [
        {
            "block": "Test",
            "version": "1.0.0",
            "code": "wrong_type",
            "message": "expected int64",
            "field_path": "n",
            "source": "in/*.jsonl",
            "position": 5,
            "event_time": MOMENT,
            "run_id": "run-1",
            "record": '{"at": "2026-05-06T07:08:09+00:00", "n": 7}',
            "record_hmac": None,
        },
        {
            "block": "B",
            "version": "1",
            "code": "c",
            "message": "m",
            "field_path": "",
            "source": "",
            "position": None,
            "event_time": None,
            "run_id": "",
            "record": None,
            "record_hmac": None,
        },
    ]
    assert reject_batch([]).schema.equals(REJECT_SCHEMA, check_metadata=True)


def record_of(made: Reject) -> Any:
    assert made.record is not None
    return json.loads(made.record)


def test_the_record_is_masked_as_the_policy_says_for_rejects() -> None:
    found = policy({"public": "keep", "pii.email": {"method": "mask_keep_right", "n": 4}})
    assert record_of(maker(found).make("c", "m", record=RECORD))["email"] == "xxx-xxxxxxx.org"
    kept = policy({"*": "keep"})
    assert record_of(maker(kept).make("c", "m", record=RECORD))["email"] == "ana@example.org"


def test_what_the_policy_does_not_name_is_left_out_and_is_no_error() -> None:
    assert maker(policy({})).make("c", "m", record=RECORD).record == "{}"
    other = read_policy({"destinations": {"warehouse": {"labels": {"*": "keep"}}}})
    assert record_of(maker(other).make("c", "m", record=RECORD)) == {"at": "2026-05-06T07:08:09+00:00", "n": 7}


def test_without_a_policy_records_show_only_where_nothing_is_labelled() -> None:
    none = read_policy(None)
    assert record_of(maker(none, FREE).make("c", "m", record=RECORD))["email"] == "ana@example.org"
    assert "email" not in record_of(maker(none).make("c", "m", record=RECORD))


def test_event_time_shows_only_if_its_column_may() -> None:
    hidden = labels.with_event_time(pa.schema([labelled("at", pa.timestamp("us", "UTC"), "pii.when")]), "at")
    micros = int(MOMENT.timestamp()) * 10**6
    assert maker(policy({"public": "keep"})).make("c", "m", record=RECORD).event_time == micros
    assert maker(policy({"public": "keep"})).make("c", "m", record={"at": None}).event_time is None
    for rules in ({}, {"pii.when": {"method": "truncate", "date": "year"}}):
        assert maker(policy(rules), hidden).make("c", "m", record=RECORD).event_time is None
        # Nor where the block that rejects gives it.
        assert maker(policy(rules), hidden).make("c", "m", event_time=micros).event_time is None
    assert maker(policy({"public": "keep"})).make("c", "m", event_time=5).event_time == 5


def test_beside_a_labelled_column_rejects_hold_no_unlabelled_one() -> None:
    mixed = pa.schema([pa.field("note", pa.string()), labelled("email", pa.string(), "pii.email")])
    record = {"note": "ask ana@example.org", "email": "ana@example.org"}
    assert record_of(maker(policy({"public": "keep"}), mixed).make("c", "m", record=record)) == {}
    alone = pa.schema([pa.field("note", pa.string())])
    assert record_of(maker(policy({"public": "keep"}), alone).make("c", "m", record={"note": "x"})) == {"note": "x"}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (None, "in/*.jsonl"),
        ("drop", "in/*.jsonl"),
        ("null", "in/*.jsonl"),
        ({"method": "hash_bucket", "key": "main", "buckets": 5}, "in/*.jsonl"),
        ("keep", "in/ana.jsonl"),
        ("redact", "[redacted]"),
        ({"method": "mask_keep_right", "n": 5}, "xx-xxx-jsonl"),
    ],
)
def test_sources_are_cleaned_by_the_label_source(rule: Any, expected: str) -> None:
    rules = {"public": "keep"} if rule is None else {"public": "keep", "source": rule}
    found = maker(policy(rules)).make("c", "m", source="in/ana.jsonl").source
    assert found == expected


def test_a_source_under_hmac_can_be_compared_and_not_read() -> None:
    made = maker(policy({"source": {"method": "hmac", "key": "main"}}))
    one, other = made.make("c", "m", source="in/ana.jsonl"), made.make("c", "m", source="in/ana.jsonl")
    assert one.source == other.source != made.make("c", "m", source="in/bea.jsonl").source
    assert one.source.startswith("main:")
    assert "ana" not in one.source


def test_names_from_data_show_only_under_the_label_field_name() -> None:
    names = {"field_path": "user", "unknown_name": "ana"}
    assert maker(policy({"public": "keep"})).make("c", "m", **names).field_path == "user.*"
    assert maker(policy({"field_name": "keep"})).make("c", "m", **names).field_path == "user.ana"
    assert maker(policy({"field_name": "mask"})).make("c", "m", **names).field_path == "user.xxx"
    assert maker(None).make("c", "m", **names).field_path == "user.*"
    assert maker(None, FREE).make("c", "m", unknown_name="ana").field_path == "ana"


def test_raw_bytes_leave_only_an_hmac_and_only_if_the_policy_says_so() -> None:
    found = policy({}, unparsed={"method": "hmac", "key": "main"})
    one = maker(found).make("c", "m", raw=b"{broken").record_hmac
    assert one is not None
    assert one.startswith("main:")
    assert one == maker(found).make("c", "m", raw=b"{broken").record_hmac
    assert maker(policy({})).make("c", "m", raw=b"{broken").record_hmac is None


def test_a_record_that_does_not_fit_its_schema_is_left_out_and_never_in_an_error() -> None:
    for record in ({"n": "raw-value"}, {"at": "raw-value"}, {"n": 1 << 70}):
        made = maker(policy({"*": "keep"})).make("c", "m", record=record)
        assert (made.code, made.record) == ("c", None)


def test_every_type_has_a_json_form() -> None:
    fields: list[tuple[str, pa.DataType, Any, Any]] = [
        ("map", pa.map_(pa.string(), pa.list_(pa.int32())), [("k", [1, None])], {"k": [1, None]}),
        ("numbers", pa.map_(pa.int64(), pa.string()), [(1, "a")], {"1": "a"}),
        ("struct", pa.struct([("a", pa.date32()), ("b", pa.string())]), {"a": MOMENT.date()}, {"a": "2026-05-06"}),
        ("list", pa.list_(pa.struct([("x", pa.binary())])), [{"x": b"\xff"}, None], [{"x": "/w=="}, None]),
        ("fixed", pa.list_(pa.int8(), 2), [1, 2], [1, 2]),
        ("nan", pa.float64(), float("nan"), "nan"),
        ("decimal", pa.decimal128(9, 2), Decimal("1.50"), "1.50"),
        ("nanoseconds", pa.timestamp("ns", "UTC"), 1, "1970-01-01T00:00:00.000000001Z"),
        ("far", pa.timestamp("us"), 1 << 60, 1 << 60),
        ("duration", pa.duration("s"), datetime.timedelta(seconds=5), "0:00:05"),
        ("time", pa.time64("us"), datetime.time(1, 2), "01:02:00"),
        ("null", pa.string(), None, None),
    ]
    columns = [pa.array([value], kind) for _, kind, value, _ in fields]
    batch = pa.RecordBatch.from_arrays(columns, names=[name for name, *_ in fields])
    expected = {name: shown for name, _, _, shown in fields if shown is not None}
    found = json.loads(row_json(batch))
    # Pandas, where it is installed, prints nanoseconds in its own way.
    found["nanoseconds"] = found["nanoseconds"].replace("+00:00", "Z")
    assert found == expected


def test_a_relaxed_schema_takes_nulls_everywhere_and_keeps_labels() -> None:
    inner = pa.struct([labelled("a", pa.string(), "pii.a", nullable=False)])
    kind = pa.map_(labelled("key", pa.string(), "pii.k", nullable=False), pa.field("value", inner, nullable=False))
    schema = pa.schema([pa.field("m", kind, nullable=False), SCHEMA.field("n")])
    found = relaxed(schema)
    assert [leaf.field.nullable for leaf in labels.leaves(found)] == [False, True, True]
    assert [leaf.labels for leaf in labels.leaves(found)] == [leaf.labels for leaf in labels.leaves(schema)]


# --- stopping -----------------------------------------------------------------------------------------------------


def test_without_rejects_the_error_has_the_same_information_and_no_value() -> None:
    made = maker(None).make(
        "wrong_type", "expected int64", field_path="n", source="in/ana.jsonl", position=5, record=RECORD
    )
    with pytest.raises(RejectedRecordError) as caught:
        stop_at(made)
    assert str(caught.value) == (
        "wrong_type: expected int64\n"
        "  where: Test, in/*.jsonl, position 5, field `n`\n"
        "  to do: mend the record, or give the block rejects= (a blocks.Rejects) to go on without such records"
    )


# --- collecting ---------------------------------------------------------------------------------------------------


class RejectOdd(BatchBlock):
    """Rejects the rows of odd n."""

    can_reject = True

    def __init__(self, rejects: Rejects | None = None) -> None:
        super().__init__()
        self.rejects = rejects

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        return schema

    def batch_function(self, schema: pa.Schema) -> Any:
        made = RejectMaker("RejectOdd", "1.0.0", schema, self.rejects)  # type: ignore[arg-type]

        def split(batch: pa.RecordBatch) -> Outcome:
            odd = [row for row in batch.to_pylist() if row["n"] % 2]
            even = batch.filter(pa.array([row["n"] % 2 == 0 for row in batch.to_pylist()]))
            return Outcome(
                even, [made.make("odd", "expected an even number", field_path="n", record=row) for row in odd]
            )

        return split


def batches(p: beam.Pipeline, name: str = "Make", count: int = 5) -> beam.PCollection:
    rows = [{"at": MOMENT + datetime.timedelta(hours=n), "n": n, "email": f"ana{n}@example.org"} for n in range(count)]
    made = pa.RecordBatch.from_pylist(rows, schema=SCHEMA)
    return (
        p | name >> beam.Create([0]) | f"{name} batch" >> beam.Map(lambda _: made).with_output_types(BatchType(SCHEMA))
    )


OPEN = {"destinations": {"rejects": {"labels": {"public": "keep"}}}}


def written(folder: Path) -> list[dict[str, Any]]:
    rows = [row for file in sorted(folder.rglob("*.parquet")) for row in pq.read_table(file).to_pylist()]
    return sorted(rows, key=lambda row: str(row["record"]))


def run(folder: Path, run_id: str = "run-1") -> None:
    with beam.Pipeline(runner=FnApiRunner()) as p, Rejects(folder, policy=OPEN, run_id=run_id) as rejects:
        _ = batches(p) | RejectOdd(rejects)


def test_rejects_are_files_of_the_schema_under_the_run(tmp_path: Path) -> None:
    run(tmp_path / "r")
    (file,) = (tmp_path / "r" / "run-1").iterdir()
    assert pq.read_schema(file).equals(REJECT_SCHEMA, check_metadata=True)
    assert [json.loads(row["record"])["n"] for row in written(tmp_path / "r")] == [1, 3]
    assert {row["run_id"] for row in written(tmp_path / "r")} == {"run-1"}
    assert "ana" not in repr(written(tmp_path / "r"))


def test_a_retry_writes_the_same_file_again_and_another_run_another(tmp_path: Path) -> None:
    run(tmp_path)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    run(tmp_path)
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before
    run(tmp_path, "run-2")
    assert len(list(tmp_path.rglob("*.parquet"))) == 2


def test_several_steps_and_several_handlers_in_one_pipeline(tmp_path: Path) -> None:
    with beam.Pipeline(runner=FnApiRunner()) as p:
        with Rejects(tmp_path / "a", policy=OPEN) as one:
            _ = batches(p, "One") | "R1" >> RejectOdd(one)
            _ = batches(p, "Two", 2) | "R2" >> RejectOdd(one)
        with Rejects(tmp_path / "b", policy=OPEN) as two:
            _ = batches(p, "Three") | "R3" >> RejectOdd(two)
    assert [json.loads(row["record"])["n"] for row in written(tmp_path / "a")] == [1, 1, 3]
    assert len(written(tmp_path / "b")) == 2


def test_rejects_from_windows_go_into_the_global_window(tmp_path: Path) -> None:
    with beam.Pipeline(runner=FnApiRunner()) as p, Rejects(tmp_path, policy=OPEN) as rejects:
        hours = batches(p, "Hours") | WindowRows(beam.window.FixedWindows(3600))
        days = batches(p, "Days") | "By day" >> WindowRows(beam.window.FixedWindows(86400))
        _ = hours | "H" >> RejectOdd(rejects)
        _ = days | "D" >> RejectOdd(rejects)
    assert all(isinstance(pcoll.windowing.windowfn, beam.window.GlobalWindows) for pcoll in rejects._error_pcolls)
    assert [json.loads(row["record"])["n"] for row in written(tmp_path)] == [1, 1, 3, 3]


def test_a_handler_that_no_step_uses_writes_nothing_and_is_no_error(tmp_path: Path) -> None:
    with beam.Pipeline(runner=FnApiRunner()) as p, Rejects(tmp_path / "r", policy=OPEN):
        _ = p | beam.Create([1])
    assert not (tmp_path / "r").exists()


def test_a_step_that_rejects_nothing_leaves_no_file(tmp_path: Path) -> None:
    with beam.Pipeline(runner=FnApiRunner()) as p, Rejects(tmp_path / "r", policy=OPEN) as rejects:
        _ = batches(p, count=1) | RejectOdd(rejects)
    assert not (tmp_path / "r").exists()


def test_a_handler_that_was_not_closed_is_an_error_when_the_pipeline_runs(tmp_path: Path) -> None:
    p = beam.Pipeline(runner=FnApiRunner())
    _ = batches(p) | RejectOdd(Rejects(tmp_path, policy=OPEN))
    with pytest.raises(ConfigError, match="were never closed"):
        p.run()


def test_without_a_handler_the_first_reject_stops_the_pipeline_with_all_three_parts() -> None:
    p = beam.Pipeline(runner=FnApiRunner())
    _ = batches(p) | RejectOdd()
    with pytest.raises(RejectedRecordError) as caught:
        p.run()
    for part in ("odd: expected an even number", "where: RejectOdd, field `n`", "to do: mend the record"):
        assert part in str(caught.value)
    assert "ana" not in str(caught.value)


def test_other_pcollections_are_no_rejects(tmp_path: Path) -> None:
    p = beam.Pipeline(runner=FnApiRunner())
    with pytest.raises(BatchTypeError, match="rejects are batches of"):
        Rejects(tmp_path).add_error_pcollection(p | beam.Create([1]))


@pytest.mark.parametrize("run_id", ["", "..", "a/b", ".hidden", "a" * 200, "a b"])
def test_a_run_id_is_the_name_of_a_folder(tmp_path: Path, run_id: str) -> None:
    with pytest.raises(ConfigError, match="run id"):
        Rejects(tmp_path, run_id=run_id)


def test_a_policy_that_cannot_be_used_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(PolicyError):
        Rejects(tmp_path, policy={"destinations": []})


# --- files --------------------------------------------------------------------------------------------------------


def test_a_folder_that_cannot_be_made_is_a_warehouse_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(WarehouseError, match="rejects cannot be written") as caught:
        run(tmp_path / "file" / "r")
    assert "to do: make the folder writable" in str(caught.value)
    assert (tmp_path / "file").read_text() == "no folder"


class _FullDisk(io.BytesIO):
    """A file that takes some bytes and then no more."""

    def write(self, data: Any) -> int:
        super().write(data[:10])
        raise OSError(28, "No space left on device")


def test_nothing_stays_when_writing_fails_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create = FileSystems.create

    def full(path: str, *args: Any, **kwargs: Any) -> Any:
        create(path, *args, **kwargs).close()
        return _FullDisk()

    monkeypatch.setattr(FileSystems, "create", full)
    with pytest.raises(OSError, match="No space left"):
        write_once(str(tmp_path), "a.parquet", b"x" * 100)
    assert list(tmp_path.iterdir()) == []


def test_nothing_stays_when_the_last_step_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(source: list[str], target: list[str]) -> None:
        raise OSError("cannot rename")

    monkeypatch.setattr(FileSystems, "rename", failing)
    with pytest.raises(OSError, match="cannot rename"):
        write_once(str(tmp_path), "a.parquet", b"x")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kB, where this machine may mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a file system is not permitted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_leaves_whole_files_only(small_disk: Path) -> None:
    write_once(str(small_disk), "small.parquet", b"x" * 1000)
    with pytest.raises(OSError, match=r"[Nn]o space|large"):
        write_once(str(small_disk), "large.parquet", bytes(1 << 20))
    assert [file.name for file in small_disk.iterdir()] == ["small.parquet"]


def test_a_file_that_is_there_is_not_written_again(tmp_path: Path) -> None:
    write_once(str(tmp_path), "a.parquet", b"same")
    stamp = (tmp_path / "a.parquet").stat().st_mtime_ns
    write_once(str(tmp_path), "a.parquet", b"same")
    assert (tmp_path / "a.parquet").stat().st_mtime_ns == stamp
    assert [file.name for file in tmp_path.iterdir()] == ["a.parquet"]
