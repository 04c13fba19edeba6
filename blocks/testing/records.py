"""Recorded outputs: what a version of a block gave, kept so that no later change alters it unseen.

A record is a folder `NAME/VERSION/TRIAL/` that needs nothing but itself and the block:

    trial.json            status when it was recorded, config and steps before
    files/                the files that the configs name: policies, schemas, tables
    input-0.arrow, ...    the rows, bad ones among them; `lines.jsonl`: what no batch can hold
    output.arrow          the rows that came out, in an order of their own, with their windows; `output-TABLE.arrow` for
                          further outputs
    rejects.arrow         code, place and content of the rejects
    SHA256SUMS            of all of these
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from blocks.catalog.model import Before, Catalog, Entry, Trial, numbers
from blocks.testing.comparing import differences, multiset, row_keys
from blocks.testing.conformance.case import Case, Result
from blocks.testing.conformance.checks.rejecting import bad_feed
from blocks.testing.feeding import Feed, json_lines

# Records hold masked values: this key, which is no secret, made them.
TEST_KEY = "test-only key, 32 bytes or longer"
_KEY_VARIABLE = "BLOCKS_MASK_KEY"
_SUMS = "SHA256SUMS"
_WINDOW = "(window)"
# What a reject tells that does not differ from run to run and is no wording.
_REJECT_COLUMNS = ["code", "field_path", "position", "event_time", "record", "record_hmac"]


@dataclass(frozen=True)
class Record:
    """One recorded trial.

    Attributes:
      folder: of the record.
    """

    folder: Path

    @property
    def block(self) -> str:
        """Name of the block."""
        return self.folder.parts[-3]

    @property
    def version(self) -> str:
        """That was recorded."""
        return self.folder.parts[-2]

    @property
    def name(self) -> str:
        """As in test ids: `MaskColumns-1.0.0-plain`."""
        return "-".join(self.folder.parts[-3:])

    @property
    def major(self) -> int:
        """The first number of the version."""
        return numbers(self.version)[0]

    def facts(self) -> dict[str, Any]:
        """What `trial.json` says."""
        found: dict[str, Any] = json.loads((self.folder / "trial.json").read_text(encoding="utf-8"))
        return found

    def case(self, entry: Entry, catalog: Catalog) -> Case:
        """The trial as it was recorded, for the block as it is now."""
        facts = self.facts()
        before = tuple(Before.model_validate(step) for step in facts["before"])
        trial = Trial(name=self.folder.name, config=facts["config"], input={}, before=before)
        return Case(entry, trial, catalog, self.folder / "files")

    def feed(self) -> Feed:
        """The rows as they were recorded."""
        batches = tuple(_one_batch(_read(file)) for file in sorted(self.folder.glob("input-*.arrow")))
        lines = self.folder / "lines.jsonl"
        return Feed(batches, lines=tuple(lines.read_bytes().splitlines()) if lines.exists() else ())

    def outputs(self) -> dict[str, pa.Table]:
        """The recorded outputs and, under `rejects`, the rejects."""
        files = [*self.folder.glob("output*.arrow"), self.folder / "rejects.arrow"]
        return {file.stem: _read(file) for file in sorted(files)}

    def sums(self) -> dict[str, str]:
        """File to SHA-256, as the files are now."""
        return {
            str(file.relative_to(self.folder)): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in sorted(self.folder.rglob("*"))
            if file.is_file() and file.name != _SUMS
        }

    def recorded_sums(self) -> dict[str, str]:
        """File to SHA-256, as they were written."""
        lines = (self.folder / _SUMS).read_text(encoding="utf-8").splitlines()
        return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def records_of(folder: Path) -> list[Record]:
    """Every record below a folder, by block, version and trial."""
    found = [Record(file.parent) for file in folder.glob("*/*/*/trial.json")]
    return sorted(found, key=lambda one: (one.block, numbers(one.version), one.folder.name))


def write_record(case: Case, folder: Path) -> Record:
    """Runs a trial and writes its record; what was in its place goes.

    Args:
      case: of the catalog.
      folder: of all records.

    Raises:
      BlocksError: what the block raises.
    """
    record = Record(folder / case.entry.name / case.entry.version / case.trial.name)
    feed = _as_written(case, bad_feed(case) or case.feed())
    part = record.folder.with_name(f".{record.folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    _copy_files(case, part / "files")
    for number, batch in enumerate(feed.batches):
        _write(part / f"input-{number}.arrow", pa.table(batch))
    if feed.lines:
        (part / "lines.jsonl").write_bytes(b"".join(line + b"\n" for line in feed.lines))
    for name, table in run(case, feed).items():
        _write(part / f"{name}.arrow", table)
    # The order of a mapping in a config may mean something: that of new columns, for one.
    facts = {
        "status": case.entry.status,
        "config": case.trial.config,
        "before": [step.model_dump() for step in case.trial.before],
    }
    (part / "trial.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    lines = [f"{digest}  {name}\n" for name, digest in Record(part).sums().items()]
    (part / _SUMS).write_text("".join(lines), encoding="utf-8")
    shutil.rmtree(record.folder, ignore_errors=True)
    part.rename(record.folder)
    return record


def changes(record: Record, entry: Entry, catalog: Catalog) -> Iterator[str]:
    """What the block gives now that differs from a record: columns, types, labels, rows, windows, rejects.

    Args:
      record: that is to be replayed.
      entry: of the same major, as it is now.
      catalog: for the steps before.
    """
    wanted = record.outputs()
    found = run(record.case(entry, catalog), record.feed())
    for name in sorted(wanted.keys() | found.keys()):
        if name not in wanted or name not in found:
            yield f"{name}: {'is new' if name in found else 'is gone'}"
            continue
        if not wanted[name].schema.equals(found[name].schema, check_metadata=True):
            yield f"{name}: {_schema_change(wanted[name].schema, found[name].schema)}"
            continue
        before, after = (multiset(("", batch) for batch in table.to_batches()) for table in (wanted[name], found[name]))
        yield from (f"{name}: {difference}" for difference in differences(before, after))


def _as_written(case: Case, feed: Feed) -> Feed:
    """The feed with all rows as JSON lines for a block that reads JSON: places in them are part of its rejects."""
    reads = next((name for name, value in case.trial.config.items() if value == "${input}"), "")
    if case.kind != "nothing" or case.file_form(reads) != "json":
        return feed
    lines = [line for batch in feed.batches for line in json_lines(batch)]
    return replace(feed, batches=(feed.batches[0].slice(0, 0),), lines=(*lines, *feed.lines))


def run(case: Case, feed: Feed) -> dict[str, pa.Table]:
    """What a run gives, as a record holds it: rows sorted, with their windows."""
    with _test_key():
        result = case.run(feed)
    tables = {
        f"output-{name}" if name else "output": _sorted(found, result.schemas.get(name))
        for name, found in result.outputs.items()
    }
    return {**tables, "rejects": _rejects(result)}


def _sorted(found: list[tuple[str, pa.RecordBatch]], schema: pa.Schema | None) -> pa.Table:
    if schema is None:
        # Rows, or files of a table: what other tools write beside the values is not ours.
        plain = pa.schema([field.with_metadata(None) for field in found[0][1].schema]) if found else pa.schema([])
        found = [(window, pa.RecordBatch.from_arrays(batch.columns, schema=plain)) for window, batch in found]
        schema = plain
    rows = [
        (key, window, batch.slice(place, 1)) for window, batch in found for place, key in enumerate(row_keys(batch))
    ]
    rows.sort(key=lambda row: row[:2])
    table = pa.Table.from_batches([row for _, _, row in rows], schema).combine_chunks()
    if all(window in ("", "global") for _, window, _ in rows):
        return table
    return table.append_column(_WINDOW, pa.array([window for _, window, _ in rows], pa.string()))


def _rejects(result: Result) -> pa.Table:
    table = result.rejects.select(_REJECT_COLUMNS)
    bare = pa.schema([field.with_metadata(None) for field in table.schema])
    found = [("", batch) for batch in table.cast(bare).to_batches()]
    return _sorted(found, bare)


def _schema_change(wanted: pa.Schema, found: pa.Schema) -> str:
    shown = [
        {field.name: f"{field.type} {field.nullable} {field.metadata}" for field in one} for one in (wanted, found)
    ]
    names = [name for name in dict.fromkeys([*shown[0], *shown[1]]) if shown[0].get(name) != shown[1].get(name)]
    if not names:
        if wanted.names != found.names:
            return f"the columns are in another order: {', '.join(found.names)}"
        return "the schema, or a field below a column, has other metadata"
    return "; ".join(
        f"`{name}` was {shown[0].get(name, 'not there')}, is {shown[1].get(name, 'gone')}" for name in names
    )


def _copy_files(case: Case, folder: Path) -> None:
    for config in (case.trial.config, *(step.config for step in case.trial.before)):
        for text in _texts(config):
            for name in (text, text.rpartition(":")[0]):
                # A text such as a query may be too long for a name, at which `Path.is_file` raises.
                if name and not Path(name).is_absolute() and os.path.isfile(case.root / name):
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(case.root / name, folder / name)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str) and "\n" not in value:
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    batches = table.combine_chunks().to_batches()
    return (
        batches[0]
        if batches
        else pa.RecordBatch.from_arrays([pa.nulls(0, f.type) for f in table.schema], schema=table.schema)
    )


def _write(file: Path, table: pa.Table) -> None:
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_file(str(file), table.schema, options=options) as sink:
        sink.write_table(table)


def _read(file: Path) -> pa.Table:
    with pa.ipc.open_file(str(file)) as source:
        return source.read_all()


@contextmanager
def _test_key() -> Iterator[None]:
    before = os.environ.get(_KEY_VARIABLE)
    os.environ[_KEY_VARIABLE] = TEST_KEY
    try:
        yield
    finally:
        if before is None:
            del os.environ[_KEY_VARIABLE]
        else:
            os.environ[_KEY_VARIABLE] = before
