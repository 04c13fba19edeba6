"""What a pipeline gave, for tests: the batches of a PCollection with their windows, after the run.

    with beam.Pipeline(runner=FnApiRunner()) as p:
        found = collect(p | ReadJson(...) | MaskColumns(...))
    assert found.table().to_pylist() == [...]

It works with every runner whose workers are on this machine.
"""

import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa

from blocks.core.batch_type import BatchCoder, BatchType
from blocks.core.errors import BlocksError
from blocks.core.row_types import arrow_schema_of
from blocks.core.row_values import batch_maker

_WRITTEN = pa.schema([("window", pa.string()), ("batch", pa.binary()), ("exact", pa.bool_())])


class Collected:
    """The batches of one PCollection, readable when the pipeline has run.

    They are kept in a temporary folder for as long as this object lives, so that workers may be other processes of
    this machine.

    Args:
      schema: of the batches.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema
        self._folder = tempfile.TemporaryDirectory(prefix="blocks-collected-")

    @property
    def folder(self) -> str:
        """Where workers write."""
        return self._folder.name

    def windowed(self) -> list[tuple[str, pa.RecordBatch]]:
        """(window as text, batch) of every element, in no particular order; `global` for the global window."""
        coder = BatchCoder(self.schema)
        return [(row["window"], coder.decode(row["batch"])) for row in self._rows()]

    @property
    def exact(self) -> bool:
        """Whether every batch had the schema's metadata too: labels, event time, keys."""
        return all(row["exact"] for row in self._rows())

    def _rows(self) -> Iterator[dict[str, Any]]:
        for file in sorted(Path(self.folder).glob("*.arrow")):
            with pa.ipc.open_file(file) as content:
                yield from content.read_all().to_pylist()

    def table(self) -> pa.Table:
        """All rows, in no particular order."""
        return pa.Table.from_batches([batch for _, batch in self.windowed()], self.schema)


def collect(pcoll: beam.PCollection) -> Collected:
    """Notes everything that comes out of a PCollection of batches or rows.

    Args:
      pcoll: batches, or rows (beam.Row, NamedTuples) whose type tells their columns.

    Returns:
      What is filled while the pipeline runs, on any runner whose workers are on this machine.

    Raises:
      SchemaError: elements of another type.
    """
    kind = pcoll.element_type
    is_batches = isinstance(kind, BatchType)
    schema = kind.schema if is_batches else arrow_schema_of(kind, "collect")
    found = Collected(schema)
    write = beam.ParDo(_Write(found.folder, schema, is_batches)).with_output_types(int)
    _ = pcoll | f"Collect {uuid.uuid4().hex[:8]}" >> write
    return found


class _Write(beam.DoFn):
    def __init__(self, folder: str, schema: pa.Schema, is_batches: bool) -> None:
        self._folder, self._schema, self._is_batches = folder, schema, is_batches

    def start_bundle(self) -> None:
        self._found: list[tuple[str, Any]] = []

    def process(self, element: Any, window: Any = beam.DoFn.WindowParam) -> Iterator[int]:
        name = "global" if isinstance(window, beam.transforms.window.GlobalWindow) else str(window)
        self._found.append((name, element))
        return iter(())

    def finish_bundle(self) -> None:
        if not self._found:
            return
        windows, batches = zip(*self._found, strict=True)
        if not self._is_batches:
            make = batch_maker(self._schema, "collect")
            batches = tuple(make([row]) for row in batches)
        # The coder writes what a runner would, and refuses a batch of another schema.
        coder = BatchCoder(self._schema)
        exact = [batch.schema.equals(self._schema, check_metadata=True) for batch in batches]
        columns = {"window": list(windows), "batch": [coder.encode(batch) for batch in batches], "exact": exact}
        try:
            with pa.ipc.new_file(f"{self._folder}/{uuid.uuid4().hex}.arrow", _WRITTEN) as sink:
                sink.write_table(pa.table(columns, _WRITTEN))
        except OSError as cause:
            raise BlocksError(
                f"what was collected cannot be written ({type(cause).__name__})",
                where=f"collect, folder {self._folder}",
                fix="keep the result of collect() until the pipeline has run, with workers on this machine",
            ) from cause
