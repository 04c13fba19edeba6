"""No raw personal value appears in any output: unique markers in every labelled field, in good records and in bad ones.

Records of the example partner with a marker in each labelled field, and bad records of every code with markers where a
reader might repeat them: labelled fields, unknown names, map keys, values of the wrong type, numbers that hold text,
names of files. They go through ReadJson, MaskColumns and a table; then everything that was written, logged, raised or
pickled is searched for each marker, also encoded. To add a sink: write to a folder, and give it to `search`.
"""

import base64
import bz2
import datetime
import json
import logging
import re
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from blocks.core import labels
from blocks.core.batch_type import BatchType
from blocks.core.rejects import Rejects
from blocks.core.schema import read_schema
from blocks.flattening.records import FlattenRecords
from blocks.masking.mask_columns import MaskColumns
from blocks.reading.diagnosis import CODES
from blocks.reading.read_json import ReadJson
from blocks.testing.leak_search import forms
from blocks.writing.warehouse import WriteWarehouse, read_table

EXAMPLES = Path(__file__).parents[1] / "examples" / "partner_events"
VARIABLE, SECRET = "BLOCKS_MASK_KEY", "leak-test-key-9f8e7d6c5b4a39281706"
MAX_BYTES, MAX_DEPTH = 4_000, 20


# --- the search ---------------------------------------------------------------------------------------------------


def search(paths: Iterable[Path], markers: Iterable[str]) -> list[str]:
    """Every marker in files and folders: in names, in bytes, and in what Parquet compresses."""
    return search_texts((text for path in paths for text in _texts_of(path)), markers)


def search_texts(texts: Iterable[tuple[str, bytes]], markers: Iterable[str]) -> list[str]:
    """`where: marker (form)` of every marker in named texts."""
    wanted = {(marker, name): form for marker in markers for name, form in forms(marker).items()}
    found = []
    for where, text in texts:
        found += [f"{where}: {marker} ({name})" for (marker, name), form in wanted.items() if form in text]
    return found


def _texts_of(path: Path) -> Iterator[tuple[str, bytes]]:
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        yield "a file's name", str(file.relative_to(path.parent)).encode()
        if not file.is_file():
            continue
        yield str(file), file.read_bytes()
        if file.suffix == ".avro":
            # Iceberg's manifests, with the bounds of every column.
            with file.open("rb") as handle:
                yield f"the entries of {file.name}", repr(list(fastavro.reader(handle))).encode()
        if file.suffix == ".parquet":
            table = pq.read_table(file)
            yield str(file), repr(table.to_pylist()).encode()
            yield str(file), repr(table.schema).encode()


def pickled(p: beam.Pipeline) -> Iterator[tuple[str, bytes]]:
    """The pipeline as it is sent to workers, and everything that Beam pickled, compressed and encoded in it."""
    data = p.to_runner_api().SerializeToString()
    yield "the pipeline", data
    for found in re.findall(rb"QlpoO[A-Za-z0-9+/]+=*", data):
        yield "a pickle in the pipeline", bz2.decompress(base64.b64decode(found))


# --- what is planted ----------------------------------------------------------------------------------------------


class Markers:
    """Hands out markers, and remembers them."""

    def __init__(self) -> None:
        self.given: list[str] = []

    def text(self) -> str:
        return self._give(f"Zq{len(self.given):03d}vWk{(len(self.given) * 7919) % 10_007:05d}")

    def number(self) -> int:
        return int(self._give(str(7_340_033_000_000_000 + len(self.given) * 104_729)))

    def date(self) -> str:
        day = datetime.date(1901, 1, 2) + datetime.timedelta(days=len(self.given) * 3)
        return self._give(day.isoformat())

    def address(self) -> str:
        return self._give(f"198.51.{len(self.given) % 200}.{100 + len(self.given) % 100}")

    def _give(self, marker: str) -> str:
        self.given.append(marker)
        return marker


def schema() -> pa.Schema:
    """The example's, and what it lacks: labelled maps (keys too), lists, numbers and times."""
    found = read_schema(EXAMPLES / "transaction.thrift", "Transaction")
    more = [
        ("contacts", pa.map_(pa.string(), pa.string())),
        ("counts", pa.map_(pa.string(), pa.int64())),
        ("notes", pa.list_(pa.string())),
        ("account", pa.int64()),
        ("seen_at", pa.timestamp("us", "UTC")),
        ("blob", pa.binary()),
    ]
    fields = [labels.with_labels(pa.field(name, kind), ["pii.extra"]) for name, kind in more]
    return pa.schema([*found, *fields], found.metadata)


def good(markers: Markers, number: int) -> dict[str, Any]:
    """A record with a marker in each labelled field."""
    text = markers.text
    record = {
        "event_id": f"event-{number}",
        "sequence": number,
        "occurred_at": "2026-05-06T07:08:09Z",
        "received_at": "2026-05-06T07:08:10Z",
        "type": "fee",
        "status": "settled",
        "user": {
            "id": text(),
            "name": text(),
            "email": f"{text()}@example.org",
            "phone": f"+34{markers.number()}",
            "national_id": text(),
            "birth_date": markers.date(),
            "address": {"street": text(), "city": text(), "postcode": text(), "country": "ES"},
        },
        "device": {"id": text(), "os": "linux", "ip": markers.address(), "user_agent": text()},
        "card": {"number": str(markers.number()), "network": "visa"},
        "merchant": {"id": "m1", "name": "Shop", "category": "food"},
        "items": [{"sku": "s1", "description": "thing", "quantity": 1, "unit_price": 1.50}],
        "amount": 1.50,
        "currency": "EUR",
        "balance": 10.00,
        "tags": ["a"],
        "attributes": {"k": "v"},
        "contacts": {text(): text(), text(): text()},
        "counts": {text(): markers.number()},
        "notes": [text(), text()],
        "account": markers.number(),
        "seen_at": f"{markers.date()}T01:02:03Z",
        "blob": base64.b64encode(text().encode()).decode(),
    }
    leaves = [leaf.path for leaf in labels.leaves(schema()) if leaf.labels - {"public"}]
    assert len(leaves) == 13 + 8, leaves
    return record


Fault = Callable[[dict[str, Any], Markers], bytes]


def changed(path: str, value: Callable[[Markers], Any]) -> Fault:
    """A record with another value at a path."""

    def fault(record: dict[str, Any], markers: Markers) -> bytes:
        at: Any = record
        *parents, last = (int(name) if name.isdigit() else name for name in path.split("."))
        for name in parents:
            at = at[name]
        at[last] = value(markers)
        return json.dumps(record).encode()

    return fault


def missing(path: str) -> Fault:
    def fault(record: dict[str, Any], markers: Markers) -> bytes:
        *parents, last = path.split(".")
        at = record
        for name in parents:
            at = at[name]
        del at[last]
        return json.dumps(record).encode()

    return fault


def as_text(change: Callable[[str, Markers], str]) -> Fault:
    return lambda record, markers: change(json.dumps(record), markers).encode("utf-8", "surrogateescape")


def deep(markers: Markers) -> Any:
    value: Any = markers.text()
    for _ in range(MAX_DEPTH + 1):
        value = {markers.text() if _ % 7 == 0 else "d": [value]}
    return value


TEXT, NUMBER = Markers.text, Markers.number
FAULTS: dict[str, dict[str, Fault]] = {
    "malformed_json": {
        "cut in a labelled value": as_text(lambda line, m: line[: line.index('"national_id"') + 22]),
        "no comma": as_text(lambda line, m: line.replace(', "phone"', ' "phone"')),
        "text after": as_text(lambda line, m: line + f' "{m.text()}"'),
        "bare word": as_text(lambda line, m: line.replace('"amount": 1.5', f'"amount": {m.text()}')),
        "wrong escape": as_text(lambda line, m: line.replace('"name": "', f'"name": "\\q{m.text()}', 1)),
        "control character": as_text(lambda line, m: line.replace('"name": "', f'"name": "{m.text()}\t', 1)),
        "not UTF-8": as_text(lambda line, m: line.replace('"name": "', '"name": "\udcff', 1)),
        "half a surrogate pair": as_text(lambda line, m: line.replace('"name": "', f'"name": "\\ud83d{m.text()}', 1)),
        "a labelled field twice": as_text(lambda line, m: line[:-1] + f', "account": {m.number()}}}'),
        "a user twice": as_text(lambda line, m: line.replace('"name"', f'"name": "{m.text()}", "name"', 1)),
        "NaN": as_text(lambda line, m: line.replace('"amount": 1.5', '"amount": NaN')),
        "not JSON at all": as_text(lambda line, m: f"{m.text()} {m.text()}"),
    },
    "wrong_type": {
        "text for a public integer": changed("sequence", TEXT),
        "text for a public decimal": changed("amount", TEXT),
        "digits beyond the scale": changed("amount", lambda m: m.number() / 8192),
        "text for a public time": changed("received_at", TEXT),
        "text for a labelled integer": changed("account", TEXT),
        "an integer too large": changed("account", lambda m: m.number() * 10**9),
        "text for a labelled date": changed("user.birth_date", TEXT),
        "text for a labelled time": changed("seen_at", TEXT),
        "no base64": changed("blob", lambda m: m.text() + "!"),
        "a number for a labelled text": changed("user.email", NUMBER),
        "an object for a labelled text": changed("user.email", lambda m: {m.text(): m.text()}),
        "a list for a labelled text": changed("user.name", lambda m: [m.text()]),
        "text for the user": changed("user", TEXT),
        "text for the items": changed("items", TEXT),
        "text for a number in a list": changed("items.0.quantity", TEXT),
        "text for a map": changed("contacts", TEXT),
        "a number as a map's value": changed("contacts", lambda m: {m.text(): m.number()}),
        "text for a map's number": changed("counts", lambda m: {m.text(): m.text()}),
        "a record that is a text": lambda record, m: json.dumps(m.text()).encode(),
        "a record that is a list": lambda record, m: json.dumps([m.text(), {m.text(): m.number()}]).encode(),
    },
    "missing_field": {
        "event_id": missing("event_id"),
        "a field of the user": missing("user.id"),
        "null": changed("amount", lambda m: None),
    },
    "unknown_field": {
        "top level": lambda record, m: json.dumps({m.text(): m.text(), **record}).encode(),
        "in the user": lambda record, m: json.dumps(
            {**record, "user": {**record["user"], m.text(): {m.text(): m.number()}}}
        ).encode(),
        "in a list": changed("items.0", lambda m: {"sku": "s1", m.text(): m.text()}),
    },
    "bad_event_time": {
        "words": changed("occurred_at", TEXT),
        "a number": changed("occurred_at", NUMBER),
        "missing": missing("occurred_at"),
    },
    "too_large": {
        "much text": changed("notes", lambda m: [m.text() * 400]),
        # No line break within the block that is read: seen before it is a line.
        "an unknown field": lambda record, m: json.dumps({**record, m.text(): "x" * MAX_BYTES}).encode(),
    },
    "too_deep": {"objects and lists": changed("attributes", deep)},
}
KINDS = [(code, name) for code, faults in FAULTS.items() for name in faults]
# One of each code every day: each is a pipeline of its own.
EACH = [
    pytest.param(code, name, id=f"{code}: {name}", marks=() if name == next(iter(FAULTS[code])) else pytest.mark.slow)
    for code, name in KINDS
]


def planted(markers: Markers) -> list[bytes]:
    """Lines: good records with one bad record of every kind between them."""
    lines = []
    for number, (code, name) in enumerate(KINDS):
        lines.append(json.dumps(good(markers, number)).encode())
        lines.append(FAULTS[code][name](good(markers, 1000 + number), markers))
    return lines


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(VARIABLE, SECRET)
    text = (EXAMPLES / "policies" / "privacy.yaml").read_text()
    rules = "      pii.extra: {method: encrypt, key: main}\n"
    path = tmp_path / "privacy.yaml"
    text = text.replace("      text.free: drop\n", f"      text.free: drop\n{rules}")
    path.write_text(text.replace("rejects: {", "rejects: {unparsed: {method: hmac, key: main}, "))
    assert path.read_text().count("pii.extra") == path.read_text().count("unparsed") == 1
    return path


class WriteTable(beam.DoFn):
    """A plain sink: a Parquet file a batch."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def process(self, batch: Any, window: Any = beam.DoFn.WindowParam) -> None:
        pq.write_table(pa.Table.from_batches([batch]), f"{self._folder}/{abs(hash(str(batch)))}.parquet")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files of everything in this process."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def read_json(pattern: str | None, rejects: Rejects | None) -> ReadJson:
    return ReadJson(
        pattern,
        schema=schema(),
        format="lines",
        event_time="occurred_at",
        strict=True,
        max_record_bytes=MAX_BYTES,
        max_depth=MAX_DEPTH,
        rejects=rejects,
    )


def from_files(p: beam.Pipeline, folder: Path, rejects: Rejects | None) -> beam.PCollection:
    return p | read_json(f"{folder}/*.jsonl", rejects)


def from_messages(p: beam.Pipeline, folder: Path, rejects: Rejects | None) -> beam.PCollection:
    def lines(name: str) -> list[bytes]:
        return [line for path in Path(name).glob("*.jsonl") for line in path.read_bytes().split(b"\n") if line]

    messages = p | beam.Create([str(folder)]) | beam.FlatMap(lines).with_output_types(bytes)
    return messages | read_json(None, rejects)


@pytest.mark.parametrize("read", [from_files, from_messages])
def test_no_marker_is_in_tables_rejects_logs_pickles_or_temporary_files(
    read: Callable[[beam.Pipeline, Path, Rejects | None], beam.PCollection],
    tmp_path: Path,
    policy: Path,
    temporary: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    markers = Markers()
    source, table, rejected = tmp_path / "in", tmp_path / "table", tmp_path / "rejects"
    warehouse = tmp_path / "warehouse"
    for folder in (source, table, warehouse):
        folder.mkdir()
    lines = planted(markers)
    # One record a file beside the large one, so that a file's name alone could tell.
    (source / f"{markers.text()}.jsonl").write_bytes(b"\n".join(lines))
    caplog.set_level(logging.DEBUG)
    with beam.Pipeline(runner=FnApiRunner()) as p, Rejects(rejected, policy=policy, run_id="run") as rejects:
        masked = read(p, source, rejects) | MaskColumns(policy)
        _ = masked | beam.ParDo(WriteTable(str(table)))
        flat = masked | FlattenRecords(explode="items", row_id="row_id")
        for form in ("iceberg", "parquet"):
            _ = flat | form >> WriteWarehouse(
                f"{form}_events", partition_by="day(occurred_at)", format=form, warehouse=warehouse, policy=policy
            )
    out, err = capfd.readouterr()
    rows = pa.concat_tables([pq.read_table(file) for file in sorted(table.iterdir())])
    assert rows.num_rows == len(KINDS)
    assert set(rows.column("event_id").to_pylist()) == {f"event-{number}" for number in range(len(KINDS))}
    found = [row for file in sorted((rejected / "run").iterdir()) for row in pq.read_table(file).to_pylist()]
    expected = sorted(code for code, _ in KINDS)
    assert sorted(row["code"] for row in found) == expected, "as many rejects as bad records, each with its code"
    assert set(expected) == set(CODES)
    assert all(row["record_hmac"].startswith("main:") for row in found if row["code"] == "malformed_json")
    assert sum(row["record"] is not None for row in found) >= len(FAULTS["wrong_type"]) - 2
    texts = [("the log", caplog.text.encode()), ("stdout", out.encode()), ("stderr", err.encode()), *pickled(p)]
    texts += [("a log record", repr(vars(record)).encode()) for record in caplog.records]
    assert search_texts(texts, markers.given) == []
    assert (
        read_table("iceberg_events", warehouse).num_rows
        == read_table("parquet_events", warehouse, format="parquet").num_rows
        >= len(KINDS)
    )
    # Data files, Iceberg's metadata and manifests with their statistics, and the SQLite catalog.
    written = [table, rejected, warehouse, temporary]
    assert search(written, markers.given) == []
    # Nor the key, and nothing else may leave a trace of it.
    assert search_texts(texts, [SECRET]) + search(written, [SECRET]) == []


@pytest.mark.parametrize(("code", "name"), EACH)
def test_no_marker_is_in_the_error_of_a_pipeline_that_stops_at_its_first_bad_record(
    code: str,
    name: str,
    tmp_path: Path,
    policy: Path,
    temporary: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    markers = Markers()
    record = FAULTS[code][name](good(markers, 1), markers)
    source = tmp_path / "in"
    source.mkdir()
    (source / f"{markers.text()}.jsonl").write_bytes(record)
    caplog.set_level(logging.DEBUG)
    p = beam.Pipeline(runner=FnApiRunner())
    _ = from_files(p, source, None) | MaskColumns(policy)
    with pytest.raises(Exception, match=f"{code}: ") as caught:
        p.run()
    out, err = capfd.readouterr()
    chain: BaseException | None = caught.value
    texts = [("the traceback", "".join(traceback.format_exception(caught.value)).encode())]
    while chain is not None:
        texts += [
            ("an error", str(chain).encode()),
            ("its repr", repr(chain).encode()),
            ("args", repr(chain.args).encode()),
        ]
        chain = chain.__cause__ or chain.__context__
    texts += [("the log", caplog.text.encode()), ("stdout", out.encode()), ("stderr", err.encode()), *pickled(p)]
    assert search_texts(texts, markers.given) == []
    assert search([temporary], markers.given) == []
    assert "RejectedRecordError" in str(caught.value) + caught.type.__name__
    assert "ReadJson" in str(caught.value)
    assert "position 0" in str(caught.value)


def test_a_worker_without_the_key_shows_no_value_either(
    tmp_path: Path, policy: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    markers = Markers()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jsonl").write_bytes(json.dumps(good(markers, 1)).encode())
    monkeypatch.delenv(VARIABLE)
    caplog.set_level(logging.DEBUG)
    p = beam.Pipeline(runner=FnApiRunner())
    _ = from_files(p, tmp_path / "in", None) | MaskColumns(policy)
    with pytest.raises(Exception, match=f"{VARIABLE} is not set") as caught:
        p.run()
    text = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert search_texts([("the error", text.encode())], markers.given) == []


# --- the search itself --------------------------------------------------------------------------------------------


def test_the_search_finds_a_marker_in_every_form_and_place(tmp_path: Path) -> None:
    marker = "Zq007vWk01234"
    raw = marker.encode()
    written = [
        raw,
        marker.upper().encode(),
        marker.lower().encode(),
        raw.hex().encode(),
        raw.hex().upper().encode(),
        marker.encode("utf-16"),
        *(base64.b64encode(b"x" * before + raw + b"yz") for before in range(6)),
        *(base64.urlsafe_b64encode(b"x" * before + raw) for before in range(6)),
    ]
    for text in written:
        assert search_texts([("here", b"before " + text + b" after")], [marker]), text
    assert search_texts([("here", b"ana%20%40")], ["ana @"])
    assert search_texts([("here", b"Zq007vWk01235")], [marker]) == []
    (tmp_path / f"{marker}.txt").write_text("nothing")
    pq.write_table(pa.table({"a": [marker]}), tmp_path / "table.parquet", compression="zstd", write_statistics=False)
    found = search([tmp_path], [marker])
    assert any(one.startswith("a file's name") for one in found)
    assert any("table.parquet" in one for one in found)


def test_the_search_opens_the_manifests_of_iceberg(tmp_path: Path) -> None:
    marker = Markers().text()
    schema = pa.schema([labels.with_labels(pa.field("name", pa.string()), ["public"])])
    batch = pa.RecordBatch.from_pylist([{"name": marker}], schema=schema)
    with beam.Pipeline(runner=FnApiRunner()) as p:
        rows = p | beam.Create([batch]).with_output_types(BatchType(schema))
        _ = rows | WriteWarehouse("open", warehouse=tmp_path)
    manifests = sorted(tmp_path.rglob("*.avro"))
    assert any(marker in found and ".avro" in found for found in search(manifests, [marker]))


def test_the_search_opens_what_beam_pickles() -> None:
    marker = "Zq007vWk01234"
    p = beam.Pipeline(runner=FnApiRunner())
    _ = p | beam.Create([1]) | beam.Map(lambda value: (value, marker))
    assert [one for one in search_texts(pickled(p), [marker]) if one.startswith("a pickle")]


def test_the_search_finds_what_an_unmasked_table_holds(tmp_path: Path) -> None:
    markers = Markers()
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "in" / "a.jsonl").write_bytes(json.dumps(good(markers, 1)).encode())
    with beam.Pipeline(runner=FnApiRunner()) as p:
        _ = from_files(p, tmp_path / "in", None) | beam.ParDo(WriteTable(str(tmp_path / "out")))
    found = search([tmp_path / "out"], markers.given)
    # Dates print in a form of their own.
    texts = [marker for marker in markers.given if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", marker)]
    assert {one for one in texts if not any(f": {one} (" in line for line in found)} == set()
