"""Bytes of a state: a header that says what it is, and Arrow messages, which do not repeat their schemas."""

import base64
import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from blocks.core.batch_type import BatchCoder

_NUMBERS = np.dtype("<u4")


class Frame:
    """Writes and reads batches of known schemas behind a header.

    Args:
      version: of the form.
      header: what the state is of; values of JSON.
      schemas: of the batches, by name.
    """

    def __init__(self, version: int, header: Mapping[str, Any], schemas: Mapping[str, pa.Schema]) -> None:
        self._schemas = dict(schemas)
        self._coders = [BatchCoder(schema) for schema in self._schemas.values()]
        packed = {name: base64.b64encode(one.serialize().to_pybytes()).decode() for name, one in schemas.items()}
        written = json.dumps({**header, "schemas": packed}, separators=(",", ":")).encode()
        self._header = np.array([version, len(written)], _NUMBERS).tobytes() + written

    def write(self, columns: Mapping[str, Sequence[Any]]) -> bytes:
        """The bytes of the columns of each batch, numpy's or Arrow's."""
        parts = []
        for coder, (name, schema) in zip(self._coders, self._schemas.items(), strict=True):
            arrays = [one if isinstance(one, pa.Array) else pa.array(one) for one in columns[name]]
            parts.append(coder.encode(pa.RecordBatch.from_arrays(arrays, schema=schema)))
        return self._header + np.array([len(part) for part in parts], _NUMBERS).tobytes() + b"".join(parts)

    def wrote(self, content: bytes) -> bool:
        """Whether some bytes have this header, schemas included."""
        return content.startswith(self._header)

    def read(self, content: bytes) -> dict[str, pa.RecordBatch]:
        """The batches that it wrote."""
        return self._batches(content, len(self._header))

    def _batches(self, content: bytes, start: int) -> dict[str, pa.RecordBatch]:
        sizes = np.frombuffer(content, _NUMBERS, len(self._coders), start)
        ends = start + sizes.nbytes + np.cumsum(np.concatenate([[0], sizes.astype(np.int64)]))
        parts = [content[begin:stop] for begin, stop in itertools.pairwise(ends.tolist())]
        decoded = [coder.decode(part) for coder, part in zip(self._coders, parts, strict=True)]
        return dict(zip(self._schemas, decoded, strict=True))


def read_frame(content: bytes, version: int) -> tuple[dict[str, Any], dict[str, pa.RecordBatch]]:
    """The header and the batches of bytes that another definition wrote.

    Args:
      content: from `Frame.write`.
      version: that is understood; others have not been released.
    """
    found, length = np.frombuffer(content, _NUMBERS, 2).tolist()
    assert found == version
    header = json.loads(content[8 : 8 + length])
    packed = header.pop("schemas")
    schemas = {name: pa.ipc.read_schema(pa.py_buffer(base64.b64decode(one))) for name, one in packed.items()}
    return header, Frame(version, header, schemas)._batches(content, 8 + length)


def fixed_bytes(values: Any) -> pa.Array:
    """Texts of numpy, all of one length, as an Arrow array."""
    content = np.ascontiguousarray(values).tobytes()
    return pa.Array.from_buffers(pa.binary(values.dtype.itemsize), len(values), [None, pa.py_buffer(content)])


def from_fixed_bytes(column: pa.Array) -> Any:
    """The reverse of `fixed_bytes`."""
    form = np.dtype(f"S{column.type.byte_width}")
    return np.frombuffer(column.buffers()[1] or b"", form)[column.offset :][: len(column)]
