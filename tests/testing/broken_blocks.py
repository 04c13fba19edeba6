"""A block that keeps every promise of the conformance suite, and others that break one each."""

import logging
import random
from collections.abc import Callable, Iterator
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq

from blocks.core import labels
from blocks.core.batch_type import BatchType, schema_of
from blocks.core.block import BatchBlock, Outcome
from blocks.core.errors import ColumnError, ConfigError, all_problems, unknown_column
from blocks.core.labels import with_labels
from blocks.core.reject_records import RejectMaker
from blocks.core.rejects import Reject, Rejects
from blocks.core.schema import schema_of_option


class CopyColumn(BatchBlock):
    """Copies a column under another name.

    Input: batches with the column.
    Output: the same rows with one more column, with the type and the labels of the first.
    Rejects: none. Nulls: kept. State: none. Cost: none.

    Args:
      column: which.
      name: of the copy.

    Raises:
      ColumnError: the column is not there.

    Example:
      >>> orders | CopyColumn("email", name="address")
    """

    keeps_rows = True

    def __init__(self, column: str, *, name: str = "copy") -> None:
        super().__init__()
        self.column, self.name = column, name

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        with all_problems(self.block_name, ColumnError) as problems:
            if self.column not in schema.names:
                problems.append(unknown_column(self.column, schema.names, "column"))
        return schema.append(self.copied(schema.field(self.column)))

    def copied(self, field: pa.Field) -> pa.Field:
        return labels.put(field.with_name(self.name), {labels.EVENT_TIME: None, labels.KEY: None})

    def batch_function(self, schema: pa.Schema) -> Callable[[pa.RecordBatch], Any]:
        output = self.output_schema(schema)
        return lambda batch: self.copy(batch, output)

    def copy(self, batch: pa.RecordBatch, output: pa.Schema) -> Any:
        copied = batch.column(self.column)
        return pa.RecordBatch.from_arrays([*batch.columns, copied], schema=output)


class NoTransform:
    """Is no Beam transform."""

    def __init__(self, column: str, *, name: str = "copy") -> None:
        self.column, self.name = column, name


class LosesLabels(CopyColumn):
    """Copies a private column and calls it public."""

    def copied(self, field: pa.Field) -> pa.Field:
        return with_labels(super().copied(field), ["public"])


class ChangesTypes(CopyColumn):
    """Makes texts of the numbers that it keeps."""

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        output = super().output_schema(schema)
        place = output.get_field_index("number")
        return output.set(place, output.field(place).with_type(pa.string()))

    def copy(self, batch: pa.RecordBatch, output: pa.Schema) -> pa.RecordBatch:
        columns = [*batch.columns, batch.column(self.column)]
        return pa.RecordBatch.from_arrays(
            [one.cast(field.type) for one, field in zip(columns, output, strict=True)], schema=output
        )


class NeedsMore(CopyColumn):
    """Needs a column that its entry does not tell of."""

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        if "number" not in schema.names:
            raise ColumnError("no column `number`", where="NeedsMore", fix="add it")
        return super().output_schema(schema)


class NoticesNothing(CopyColumn):
    """Builds without the column that it copies."""

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        return super().output_schema(schema) if self.column in schema.names else schema


class LosesRows(CopyColumn):
    """Gives a row less than it takes."""

    keeps_rows = False

    def copy(self, batch: pa.RecordBatch, output: pa.Schema) -> pa.RecordBatch:
        return super().copy(batch.slice(1), output)


class DrawsLots(CopyColumn):
    """Gives other values in every run."""

    def copy(self, batch: pa.RecordBatch, output: pa.Schema) -> pa.RecordBatch:
        drawn = pa.array([str(random.random()) for _ in range(batch.num_rows)])
        return pa.RecordBatch.from_arrays([*batch.columns, drawn], schema=output)


class NumbersRows(CopyColumn):
    """Numbers the rows of each batch."""

    def copy(self, batch: pa.RecordBatch, output: pa.Schema) -> pa.RecordBatch:
        numbered = pa.array([str(number) for number in range(batch.num_rows)])
        return pa.RecordBatch.from_arrays([*batch.columns, numbered], schema=output)


class OtherInStreams(CopyColumn):
    """Copies another column in a stream."""

    def expand(self, pcoll: beam.PCollection) -> beam.PCollection:
        self.nothing = not pcoll.is_bounded
        return super().expand(pcoll)

    def copy(self, batch: pa.RecordBatch, output: pa.Schema) -> pa.RecordBatch:
        copied = pa.nulls(batch.num_rows, pa.string()) if self.nothing else batch.column(self.column)
        return pa.RecordBatch.from_arrays([*batch.columns, copied], schema=output)


class ForgetsOffsets(CopyColumn):
    """Reads a column's buffers from their beginning."""

    def copy(self, batch: pa.RecordBatch, output: pa.Schema) -> pa.RecordBatch:
        column = batch.column(self.column)
        copied = pa.Array.from_buffers(column.type, len(column), column.buffers())
        return pa.RecordBatch.from_arrays([*batch.columns, copied], schema=output)


class WantsRows(CopyColumn):
    """Looks at the first row, whether there is one or not."""

    def copy(self, batch: pa.RecordBatch, output: pa.Schema) -> pa.RecordBatch:
        _ = batch.column(self.column)[0].as_py()
        return super().copy(batch, output)


class SkipsNulls(CopyColumn):
    """Leaves out batches in which there is nothing to copy."""

    keeps_rows = False

    def copy(self, batch: pa.RecordBatch, output: pa.Schema) -> Any:
        return super().copy(batch, output) if batch.column(self.column).null_count < batch.num_rows else []


class ReadTables(beam.PTransform):
    """Reads Parquet files as they are, dictionaries and all."""

    def __init__(self, pattern: str, *, schema: str) -> None:
        super().__init__()
        self._pattern, self._schema = pattern, schema_of_option(schema)

    def expand(self, begin: Any) -> beam.PCollection:
        files = begin | beam.Create([self._pattern]) | beam.io.fileio.MatchAll()
        read = beam.FlatMap(lambda file: pq.ParquetFile(file.path).read().to_batches())
        return files | read.with_output_types(BatchType(self._schema))


class RejectsWords(CopyColumn):
    """Rejects rows with a word that it does not like: `bad_word`.

    Its reject masks nothing, and shows the word.
    """

    can_reject = True
    keeps_rows = False
    code, shows = "bad_word", False

    def __init__(self, column: str, *, name: str = "copy", rejects: Rejects | None = None) -> None:
        super().__init__(column, name=name)
        self.rejects = rejects

    def batch_function(self, schema: pa.Schema) -> Callable[[pa.RecordBatch], Any]:
        output = self.output_schema(schema)
        settings = None if self.rejects is None else self.rejects.settings()
        maker = RejectMaker(self.block_name, "1.0.0", schema, settings)

        def check(batch: pa.RecordBatch) -> Outcome:
            kinds = batch.column("kind").to_pylist()
            bad = [place for place, kind in enumerate(kinds) if kind == "bad"]
            good = pa.array([kind != "bad" for kind in kinds])
            return Outcome(self.copy(batch.filter(good), output), [self.reject(maker, batch, place) for place in bad])

        return check

    def reject(self, maker: RejectMaker, batch: pa.RecordBatch, place: int) -> Reject:
        shown = f"not {batch.column('email')[place].as_py()}" if self.shows else "not this word"
        return maker.make(self.code, shown, field_path="kind")


class RejectsUndeclared(RejectsWords):
    """Rejects with a code that its entry does not have."""

    code = "unheard_of"


class NeverRejects(RejectsWords):
    """Says that it rejects, and does not."""

    def copy(self, batch: pa.RecordBatch, output: pa.Schema) -> Any:
        return super().copy(batch, output)

    def batch_function(self, schema: pa.Schema) -> Callable[[pa.RecordBatch], Any]:
        output = self.output_schema(schema)
        return lambda batch: self.copy(batch, output)


class ShowsRejects(RejectsWords):
    """Shows a personal value in the message of a reject."""

    shows = True


class Talks(CopyColumn):
    """Logs what it copies."""

    def copy(self, batch: pa.RecordBatch, output: pa.Schema) -> pa.RecordBatch:
        logging.getLogger(__name__).info("first: %s", batch.column(self.column)[0].as_py().upper())
        return super().copy(batch, output)


class HoldsAGenerator(CopyColumn):
    """Cannot be pickled."""

    def __init__(self, column: str, *, name: str = "copy") -> None:
        super().__init__(column, name=name)
        self.numbers = (number for number in range(3))


class ForgetsItsName(CopyColumn):
    """Is another block after it was pickled."""

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "column": "kind"}


class PicklesBatches(CopyColumn):
    """Brings batches together without saying what they are."""

    def expand(self, pcoll: beam.PCollection) -> beam.PCollection:
        keyed = super().expand(pcoll) | beam.Map(lambda batch: (batch.num_rows, batch))
        kind = BatchType(self.output_schema(schema_of(pcoll, "PicklesBatches")))
        return keyed | beam.GroupByKey() | beam.FlatMap(lambda pair: pair[1]).with_output_types(kind)


class HidesBatches(CopyColumn):
    """Says that its batches on a shuffle are something else."""

    def expand(self, pcoll: beam.PCollection) -> beam.PCollection:
        hidden = beam.Map(lambda batch: (batch.num_rows, {"batch": batch}))
        keyed = super().expand(pcoll) | hidden.with_output_types(tuple[int, dict[str, Any]])
        kind = BatchType(self.output_schema(schema_of(pcoll, "HidesBatches")))
        return (
            keyed
            | beam.GroupByKey()
            | beam.FlatMap(lambda pair: [one["batch"] for one in pair[1]]).with_output_types(kind)
        )


class SaysLittle(CopyColumn):
    """Refuses what it is given without a word on what to do."""

    def __init__(self, column: str, *, name: str = "copy") -> None:
        if not isinstance(column, str):
            raise ConfigError("no", where="SaysLittle")
        super().__init__(column, name=name)

    def expand(self, pcoll: beam.PCollection) -> beam.PCollection:
        if not isinstance(pcoll.element_type, BatchType):
            raise ConfigError("no", where="SaysLittle")
        return super().expand(pcoll)


class WantsObjects(CopyColumn):
    """Takes what no YAML can hold."""

    def __init__(self, column: pa.Field, *, name: str = "copy") -> None:
        super().__init__(column.name, name=name)


class WritesRaw(beam.PTransform):
    """Writes files without asking the policy."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        self._folder = folder

    def expand(self, pcoll: beam.PCollection) -> beam.PCollection:
        return pcoll | beam.ParDo(_Write(self._folder)).with_output_types(int)


class _Write(beam.DoFn):
    def __init__(self, folder: str) -> None:
        self._folder = folder

    def process(self, batch: Any) -> Iterator[int]:
        pq.write_table(pa.table(batch), f"{self._folder}/{id(batch)}.parquet")
        return iter(())
