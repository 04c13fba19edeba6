"""Rejects: records that could not be processed, in one schema for every block, kept as Parquet files.

Beam's own error-handler idiom:

    with blocks.Rejects("rejects/", policy="privacy.yaml") as rejects:
        events = p | blocks.ReadJson("events/*.jsonl", schema=schema, rejects=rejects)

Everything personal in a reject is masked where it is made, under the destination `rejects` of the policy, before it is
an element of a PCollection.
"""

import contextlib
import hashlib
import io
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.io.filesystems import FileSystems
from apache_beam.transforms.error_handling import ErrorHandler
from apache_beam.transforms.window import GlobalWindows

from blocks.core.batch_type import BatchType
from blocks.core.errors import BatchTypeError, ConfigError, RejectedRecordError, WarehouseError
from blocks.core.policy import Policy, read_policy

REJECTS_TAG = "rejects"
_RUN_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")

_DESCRIPTIONS = {
    "block": "block that rejected the record",
    "version": "version of the block",
    "code": "what is wrong, from the block's list of codes",
    "message": "what was expected and found, without values",
    "field_path": "where in the record; names from data are masked",
    "source": "where the record came from, under the policy's label `source`",
    "position": "byte offset in the (decompressed) source, or row number for Parquet",
    "event_time": "event time, where it could be read",
    "run_id": "run that rejected it",
    "record": "the record as JSON, masked for `rejects`; null where it could not be parsed",
    "record_hmac": "HMAC of the raw record, where the policy has `unparsed`",
}
REJECT_SCHEMA = pa.schema(
    [
        pa.field(name, kind, metadata={"blocks.label": "public", "blocks.description": _DESCRIPTIONS[name]})
        for name, kind in [
            ("block", pa.string()),
            ("version", pa.string()),
            ("code", pa.string()),
            ("message", pa.string()),
            ("field_path", pa.string()),
            ("source", pa.string()),
            ("position", pa.int64()),
            ("event_time", pa.timestamp("us", tz="UTC")),
            ("run_id", pa.string()),
            ("record", pa.string()),
            ("record_hmac", pa.string()),
        ]
    ]
)


@dataclass(frozen=True, slots=True)
class Reject:
    """One record that could not be processed; every text is already clean. Attributes as in `REJECT_SCHEMA`.

    `event_time` is in microseconds since the epoch.
    """

    block: str
    version: str
    code: str
    message: str
    field_path: str = ""
    source: str = ""
    position: int | None = None
    event_time: int | None = None
    run_id: str = ""
    record: str | None = None
    record_hmac: str | None = None


def reject_batch(rejects: Sequence[Reject]) -> pa.RecordBatch:
    """The rejects as a batch of `REJECT_SCHEMA`."""
    rows = [asdict(reject) for reject in rejects]
    columns = [pa.array([row[field.name] for row in rows], field.type) for field in REJECT_SCHEMA]
    return pa.RecordBatch.from_arrays(columns, schema=REJECT_SCHEMA)


def stop_at(reject: Reject) -> NoReturn:
    """Stops the pipeline at a reject that has nowhere to go.

    Raises:
      RejectedRecordError: with the code, the field path and the place of the record.
    """
    place = reject.source + (f", position {reject.position}" if reject.position is not None else "")
    where = ", ".join(
        part for part in (reject.block, place, reject.field_path and f"field `{reject.field_path}`") if part
    )
    raise RejectedRecordError(
        f"{reject.code}: {reject.message}",
        where=where,
        fix="mend the record, or give the block rejects= (a blocks.Rejects) to go on without such records",
    )


@dataclass(frozen=True)
class RejectSettings:
    """What a rejecting step needs on the worker.

    Attributes:
      policy: how records, paths and sources are masked, under its destination `rejects`.
      run_id: of this run.
    """

    policy: Policy
    run_id: str

    def settings(self) -> "RejectSettings":
        """Itself: on a worker it stands where the handler stood, and Beam pickles blocks there again."""
        return self


class Rejects(ErrorHandler):
    """Collects the rejects of every block that is given it and writes them as Parquet files.

    Use it in a `with` statement inside the pipeline's. Files appear under `path/RUN_ID/`, whole or not at all, one
    for each bundle that rejected something, named by a hash of their content, so that a retried bundle writes the same
    file again. Memory: the rejects of one bundle, at most 10,000 at a time.

    Args:
      path: folder for the files, on any Beam file system.
      policy: policy file, mapping or `Policy`; its destination `rejects` says what the records may show.
      run_id: id of the run; a new one unless given.

    Raises:
      PolicyError: the policy cannot be used.
      ConfigError: a run id that cannot be the name of a folder.
      WarehouseError: (when run) the files cannot be written.
    """

    def __init__(
        self,
        path: str | Path,
        policy: "str | Path | Mapping[str, Any] | Policy | None" = None,
        run_id: str | None = None,
    ) -> None:
        self._policy = read_policy(policy)
        if run_id is not None and not _RUN_ID.fullmatch(run_id):
            raise ConfigError(
                "the run id is the name of a folder",
                where="Rejects.run_id",
                fix="use at most 128 letters, digits, `_`, `.` and `-`",
            )
        self.path, self.run_id = str(path), run_id or uuid.uuid4().hex
        super().__init__(_WriteRejects(self.path, self.run_id))

    def settings(self) -> RejectSettings:
        """The part that travels to workers."""
        return RejectSettings(self._policy, self.run_id)

    def add_error_pcollection(self, pcoll: beam.PCollection) -> None:
        """Takes the rejects of one step: batches of `REJECT_SCHEMA`."""
        if pcoll.element_type != BatchType(REJECT_SCHEMA):
            raise BatchTypeError(
                f"rejects are batches of blocks.REJECT_SCHEMA, not {pcoll.element_type}",
                where="Rejects",
                fix="make them with blocks.core.rejects.reject_batch and declare the output type",
            )
        # Windows of different steps do not merge; a reject is for people, and belongs to none.
        label = f"Rejects of {pcoll.producer.full_label}"
        super().add_error_pcollection(pcoll | label >> beam.WindowInto(GlobalWindows()))

    def close(self) -> None:
        """Writes what was collected; nothing to do if no step can reject."""
        if self._error_pcolls:
            # Beam's own `close` names its steps alike in every handler, and names in a pipeline are unique.
            pipeline = self._error_pcolls[0].pipeline
            number = pipeline.__dict__["_blocks_rejects"] = pipeline.__dict__.get("_blocks_rejects", 0) + 1
            label = "" if number == 1 else f" {number}"
            together = tuple(self._error_pcolls) | f"Rejects{label}" >> beam.Flatten()
            self._output = together | f"WriteRejects{label}" >> self._consumer
        self._closed = True

    def verify_closed(self) -> None:
        """Called by Beam before the pipeline runs.

        Raises:
          ConfigError: steps were given these rejects, and nothing would write them.
        """
        if not self._closed:
            raise ConfigError(
                "the rejects were never closed, so nothing would write them",
                where=f"Rejects({self.path!r})",
                fix="use it in a with statement inside the pipeline's: "
                "with beam.Pipeline() as p, Rejects(...) as rejects:",
            )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, traceback)


class _WriteRejects(beam.PTransform):
    def __init__(self, path: str, run_id: str) -> None:
        super().__init__("WriteRejects")
        self._path, self._run_id = path, run_id

    def expand(self, pcoll: beam.PCollection) -> beam.PCollection:
        return pcoll | "Files" >> beam.ParDo(_WriteFiles(self._path, self._run_id)).with_output_types(str)


class _WriteFiles(beam.DoFn):
    """Writes the rejects of a bundle to files of at most `MOST` rows, under a name made from their content."""

    MOST = 10_000

    def __init__(self, path: str, run_id: str) -> None:
        self._path, self._run_id = path, run_id

    def start_bundle(self) -> None:
        self._batches: list[pa.RecordBatch] = []
        self._rows = 0

    def process(self, batch: Any) -> Iterator[str]:
        self._batches.append(batch)
        self._rows += batch.num_rows
        if self._rows >= self.MOST:
            self._write()
        # Only an unconsumed output type is wanted; files are named by their content.
        return iter(())

    def finish_bundle(self) -> None:
        if self._batches:
            self._write()

    def _write(self) -> None:
        target = io.BytesIO()
        pq.write_table(pa.Table.from_batches(self._batches, REJECT_SCHEMA), target, compression="zstd")
        content = target.getvalue()
        folder = FileSystems.join(self._path, self._run_id)
        name = hashlib.sha256(content).hexdigest()[:32] + ".parquet"
        try:
            write_once(folder, name, content)
        except OSError as cause:
            raise WarehouseError(
                f"rejects cannot be written ({cause.strerror or type(cause).__name__})",
                where=f"Rejects, folder {folder}",
                fix="make the folder writable, or free space; then run again",
            ) from cause
        self._batches, self._rows = [], 0


def write_once(folder: str, name: str, content: bytes) -> None:
    """Writes a file so that no reader sees a part of it; nothing stays behind when it fails.

    Args:
      folder: made if it is not there.
      name: made from the content: a file that has it already is this one.
      content: all of it.
    """
    path = FileSystems.join(folder, name)
    try:
        FileSystems.mkdirs(folder)
    except OSError:
        if not FileSystems.exists(folder):
            raise
    if FileSystems.exists(path):
        return
    part = FileSystems.join(folder, f".{name}.{uuid.uuid4().hex}.part")
    try:
        # Beam would compress by suffix; the content is final.
        with FileSystems.create(part, compression_type="uncompressed") as handle:
            handle.write(content)
        FileSystems.rename([part], [path])
    except BaseException:
        with contextlib.suppress(Exception):
            if FileSystems.exists(part):
                FileSystems.delete([part])
        raise
