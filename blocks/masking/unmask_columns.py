"""UnmaskColumns: the reverse of `encrypt`, for those who hold the key."""

from collections.abc import Callable, Mapping, Sequence

import pyarrow as pa
import pyarrow.types as pat

from blocks.core import labels, nested
from blocks.core.block import BatchBlock
from blocks.core.errors import ColumnError, ConfigError, Problem, SchemaError, all_problems, unknown_column
from blocks.core.keys import KeyRing, key_uri_problem
from blocks.core.labels import Masked
from blocks.core.masks import Encrypt
from blocks.core.policy import method_of
from blocks.core.schema.types import parse_type

Convert = Callable[[pa.Array], pa.Array]


class UnmaskColumns(BatchBlock):
    """Decrypts columns that `MaskColumns` encrypted.

    Input: batches whose columns carry their mask mark (they do until they are written somewhere that forgets it;
    then set it again in the schema). Nested fields of a named column are decrypted too.
    Output: the same rows; the columns have their type before masking, their label, and no mask mark, so that a
    protected destination refuses them again.
    Rejects: none; a value that the key did not make stops the pipeline.
    Nulls: stay null.
    State: none.
    Cost: follows the number of distinct values of a batch.

    Args:
      columns: names of top-level columns; every encrypted one unless given.
      keys: key name to URI, as in a policy.

    Raises:
      ConfigError: key URIs that cannot be.
      ColumnError: a column that is not there or holds nothing encrypted.
      SchemaError: a column that was masked by a method that nobody can undo.
      MaskKeyError: (when run) a key that cannot be opened, or that did not make a value.

    Example:
      >>> masked | UnmaskColumns(["email"], keys={"main": "env:BLOCKS_MASK_KEY"})

    Source: RFC 5297 (AES-SIV), RFC 8452 (AES-GCM-SIV).
    """

    keeps_rows = True

    def __init__(self, columns: Sequence[str] | None = None, *, keys: Mapping[str, str]) -> None:
        super().__init__()
        with all_problems("UnmaskColumns", ConfigError) as problems:
            for name, uri in keys.items():
                if problem := key_uri_problem(uri if isinstance(uri, str) else ""):
                    problems.append(Problem(problem[0], f"keys.{name}", problem[1]))
            if isinstance(columns, str):
                problems.append(Problem("expected a list of columns, got one text", "columns", f"write [{columns!r}]"))
        self._columns = None if columns is None else tuple(columns)
        self._keys = dict(keys)

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """The schema before masking, for the columns that are decrypted."""
        with all_problems("UnmaskColumns", ColumnError) as problems:
            for name in self._columns or ():
                if name not in schema.names:
                    problems.append(unknown_column(name, schema.names))
                elif not any(leaf.masked for leaf in labels.leaves_of(schema.field(name))):
                    problems.append(Problem(f"`{name}` is not masked", "", "leave it out of `columns`"))
        with all_problems("UnmaskColumns", SchemaError) as problems:
            problems.extend(problem for name in self._columns or () if (problem := _lost(schema.field(name))))
            fields = [self._unmasked(field, field.name, problems) if self._wanted(field) else field for field in schema]
        return pa.schema(fields, schema.metadata)

    def _wanted(self, field: pa.Field) -> bool:
        return self._columns is None or field.name in self._columns

    def _unmasked(self, field: pa.Field, path: str, problems: list[Problem]) -> pa.Field:
        below = labels.children(field.type)
        if below:
            parts = [self._unmasked(child, path + suffix, problems) for suffix, child in below]
            if all(part.equals(child, check_metadata=True) for part, (_, child) in zip(parts, below, strict=True)):
                return field
            return field.with_type(_with_children(field.type, parts))
        mark = labels.masked_of(field)
        if mark is None or mark.method != Encrypt.name():
            return field
        if mark.key not in self._keys:
            problems.append(
                Problem(f"no key `{mark.key}`", f"field `{path}`", f"give keys={{{mark.key!r}: 'env:NAME'}}")
            )
        return labels.put(field.with_type(parse_type(mark.type)), {labels.MASKED: None})

    def batch_function(self, schema: pa.Schema) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        """Opens the keys and decrypts batches."""
        output, ring = self.output_schema(schema), KeyRing(self._keys)
        converts = [_convert(before, after, ring) for before, after in zip(schema, output, strict=True)]

        def unmask(batch: pa.RecordBatch) -> pa.RecordBatch:
            columns = [convert(column) for convert, column in zip(converts, batch.columns, strict=True)]
            return pa.RecordBatch.from_arrays(columns, schema=output)

        return unmask


def _lost(column: pa.Field) -> Problem | None:
    """The problem of a masked column in which nothing is encrypted."""
    methods = {leaf.masked.method for leaf in labels.leaves_of(column) if leaf.masked}
    if Encrypt.name() in methods:
        return None
    what = f"masked by {', '.join(sorted(methods))}, which nobody can undo"
    return Problem(what, f"column `{column.name}`", "read the original: only `encrypt` can be undone")


def _with_children(data_type: pa.DataType, fields: list[pa.Field]) -> pa.DataType:
    if pat.is_struct(data_type):
        return pa.struct(fields)
    if pat.is_map(data_type):
        return pa.map_(fields[0], fields[1])
    return pa.large_list(fields[0]) if pat.is_large_list(data_type) else pa.list_(fields[0])


def _convert(before: pa.Field, after: pa.Field, ring: KeyRing) -> Convert:
    if before.equals(after, check_metadata=True):
        return lambda array: array
    pairs = list(zip(labels.children(before.type), labels.children(after.type), strict=True))
    if pairs:
        converts = [_convert(one, other, ring) for (_, one), (_, other) in pairs]
        data_type = after.type
        return lambda array: nested.map_children(array, data_type, lambda place, child: converts[place](child))
    mark = labels.masked_of(before)
    assert isinstance(mark, Masked)
    method = method_of(mark)
    assert isinstance(method, Encrypt)
    label = min(labels.labels_of(before), default="")
    return method.unmask_kernel(after.type, label, ring)
