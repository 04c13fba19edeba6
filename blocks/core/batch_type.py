"""The element type between blocks: an Arrow record batch whose schema is known when the pipeline is built.

`BatchType(schema)` is a Beam type constraint, `BatchCoder` writes a batch as a bare Arrow IPC message (the format's
"encapsulated message", without the schema, which the coder holds once), so that a slice costs only its own rows.
(Excepted are unions, of which Arrow writes the whole parent.)
Source: Apache Arrow columnar format, "Serialization and Interprocess Communication (IPC)".
"""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.types as pat
from apache_beam import coders
from apache_beam.coders import coder_impl
from apache_beam.coders.coders import FastCoder
from apache_beam.pvalue import PCollection, PValue
from apache_beam.typehints import typehints as hints

from blocks.core import wire
from blocks.core.errors import BatchTypeError, Problem, SchemaError, all_problems

# A query engine's fixed costs vanish at tens of thousands of rows; a few MiB keep a stage's memory small.
MAX_ROWS = 32_768
MAX_BYTES = 8 << 20


class BatchType(hints.TypeConstraint):
    """Type of a PCollection whose elements are `pa.RecordBatch` of one schema.

    Two types are equal when their schemas are, field metadata (labels) included, at every depth.

    Args:
      schema: columns of every batch; names are unique, no dictionary types (a bare IPC message loses dictionaries).

    Raises:
      SchemaError: two columns of one name, or a dictionary type, with every such column.
    """

    def __init__(self, schema: pa.Schema) -> None:
        with all_problems("BatchType", SchemaError) as problems:
            problems.extend(_schema_problems(schema))
        self.schema = schema

    def __eq__(self, other: object) -> bool:
        if other is pa.RecordBatch:
            # Beam asks so whether a function whose argument is annotated with the class takes this type.
            return True
        return isinstance(other, BatchType) and self.schema.equals(other.schema, check_metadata=True)

    def __hash__(self) -> int:
        # Metadata has no order, so equal schemas may serialize to different bytes.
        return hash((BatchType, tuple((field.name, str(field.type), field.nullable) for field in self.schema)))

    def __repr__(self) -> str:
        return f"BatchType[{', '.join(f'{field.name}: {field.type}' for field in self.schema)}]"

    def __reduce__(self) -> tuple[Any, ...]:
        return BatchType, (self.schema,)

    def _consistent_with_check_(self, sub: object) -> bool:
        return self == sub

    def type_check(self, instance: object) -> None:
        """Raises CompositeTypeHintError unless `instance` is a batch of this schema."""
        if not isinstance(instance, pa.RecordBatch) or not instance.schema.equals(self.schema):
            raise hints.CompositeTypeHintError(f"expected a batch of {self!r}, got {_kind(instance)}")


def _schema_problems(schema: pa.Schema) -> Iterator[Problem]:
    for name in {field.name for field in schema}:
        if schema.names.count(name) > 1:
            yield Problem(f"{schema.names.count(name)} columns are named `{name}`", "", "rename all but one")
    for field in schema:
        if has_dictionary(field.type):
            yield Problem(
                f"column `{field.name}` has the dictionary type {field.type}",
                "",
                "decode it first: blocks.core.dictionaries.decode_schema(schema) and decode_batch(batch)",
            )


def has_dictionary(data_type: pa.DataType) -> bool:
    """Whether the type is, or holds at any depth, a dictionary."""
    return pat.is_dictionary(data_type) or any(map(has_dictionary, _inner_types(data_type)))


def _inner_types(data_type: pa.DataType) -> list[pa.DataType]:
    if isinstance(data_type, pa.BaseExtensionType):
        return [data_type.storage_type]
    return [data_type.field(position).type for position in range(data_type.num_fields)]


def _kind(value: object) -> str:
    if isinstance(value, pa.RecordBatch):
        return f"a batch of [{', '.join(f'{field.name}: {field.type}' for field in value.schema)}]"
    return f"a {type(value).__module__}.{type(value).__qualname__}"


class _BatchCoderImpl(coder_impl.CoderImpl):
    def __init__(self, schema: pa.Schema) -> None:
        self._schema, self._wire = schema, wire.wire_schema(schema)

    def _checked(self, batch: Any) -> pa.RecordBatch:
        # A message of another schema would decode to wrong values without a word.
        if not isinstance(batch, pa.RecordBatch) or not batch.schema.equals(self._schema):
            raise BatchTypeError(
                f"expected a batch of {BatchType(self._schema)!r}, got {_kind(batch)}",
                where="the coder of a PCollection of batches",
                fix="make the step that produced it return batches of the schema that it declares",
            )
        return batch if self._wire is self._schema else wire.convert(batch, self._wire)

    def encode_to_stream(self, batch: Any, out: Any, nested: bool) -> None:
        out.write(self.encode(batch), nested)

    def decode_from_stream(self, stream: Any, nested: bool) -> pa.RecordBatch:
        return self.decode(stream.read_all(nested))

    def encode(self, batch: Any) -> bytes:
        return bytes(self._checked(batch).serialize().to_pybytes())

    def decode(self, encoded: bytes) -> pa.RecordBatch:
        batch = pa.ipc.read_record_batch(pa.py_buffer(encoded), self._wire)
        return batch if self._wire is self._schema else wire.convert(batch, self._schema)

    def estimate_size(self, batch: Any, nested: bool = False) -> int:
        return int(pa.ipc.get_record_batch_size(self._checked(batch))) + (4 if nested else 0)


class BatchCoder(FastCoder):
    """Writes batches of one schema as bare Arrow IPC messages.

    Args:
      schema: schema of every batch, kept here once and not in the messages.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema

    def _create_impl(self) -> _BatchCoderImpl:
        return _BatchCoderImpl(self._schema)

    def is_deterministic(self) -> bool:
        """False: padding and buffer layout may differ between equal batches."""
        return False

    def to_type_hint(self) -> BatchType:
        """The type whose coder this is."""
        return BatchType(self._schema)

    @classmethod
    def from_type_hint(cls, typehint: BatchType, registry: Any) -> "BatchCoder":
        """The coder of a type, as Beam's registry asks for it."""
        return cls(typehint.schema)

    def __getstate__(self) -> dict[str, Any]:
        return {"_schema": self._schema}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BatchCoder) and self._schema.equals(other._schema, check_metadata=True)

    def __hash__(self) -> int:
        return hash(BatchType(self._schema))

    def __repr__(self) -> str:
        return f"BatchCoder({BatchType(self._schema)!r})"


coders.registry.register_coder(BatchType, BatchCoder)


def schema_of(pcoll: PCollection, block: str) -> pa.Schema:
    """The schema of a PCollection of batches.

    Args:
      pcoll: the input of a block.
      block: name of the block, for the error.

    Raises:
      BatchTypeError: the PCollection is not known to be made of batches.
    """
    element_type = getattr(pcoll, "element_type", None)
    if isinstance(element_type, BatchType):
        return element_type.schema
    if not isinstance(pcoll, PValue):
        raise BatchTypeError(
            f"expected a PCollection of batches, got a {type(pcoll).__name__}",
            where=block,
            fix="read it in the pipeline: p | ReadParquet(...), or p | beam.Create(rows) | AsBatches(schema)",
        )
    producer = getattr(getattr(pcoll, "producer", None), "full_label", None) or "the start of the pipeline"
    raise BatchTypeError(
        f"expected a PCollection of batches, got one of {element_type or 'no type'} from `{producer}`",
        where=block,
        fix="put blocks.AsBatches(schema) before this block; if a step of yours makes the batches, declare it: "
        ".with_output_types(blocks.BatchType(schema))",
    )
