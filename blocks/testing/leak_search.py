"""Looks for values that must not be seen: markers, as they are and in every form in which a tool might write them."""

import base64
import json
import re
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as pat

from blocks.core import labels
from blocks.core.masks.base import is_bytes, is_text
from blocks.testing.comparing import values_of

_URL_SAFE = bytes.maketrans(b"+/", b"-_")
# Distinct markers of a column: few, so that rows still meet where a block groups them.
_DISTINCT = 7


def markers_for(schema: pa.Schema) -> dict[str, list[Any]]:
    """Path of a leaf with a private label to values that stand nowhere else: hints for `batch_for`.

    Columns of a type that cannot hold a value so rare (truth values, small numbers, times) have none.
    """
    found: dict[str, list[Any]] = {}
    for number, leaf in enumerate(labels.leaves(schema)):
        if leaf.labels - {labels.PUBLIC}:
            marks = [_marker(leaf.field.type, number * _DISTINCT + place) for place in range(_DISTINCT)]
            if marks[0] is not None:
                found[leaf.path] = marks
    return found


def _marker(kind: pa.DataType, number: int) -> Any:
    if is_text(kind):
        return f"Zq{number:03d}vWk{number * 7919 % 10_007:05d}"
    if pat.is_fixed_size_binary(kind):
        return None
    if is_bytes(kind):
        return f"Zq{number:03d}bWk{number * 7919 % 10_007:05d}".encode()
    if pat.is_int64(kind) or pat.is_uint64(kind):
        return 7_340_033_000_000_000 + number * 104_729
    if pat.is_int32(kind) or pat.is_uint32(kind):
        return 1_734_003_301 + number * 1_047
    if pat.is_decimal(kind) and kind.precision - kind.scale >= 9:
        return Decimal(734_003_301 + number * 1_047)
    if pat.is_date(kind):
        return date(1901, 1, 2) + timedelta(days=3 * number)
    return None


def forms(marker: Any) -> dict[str, bytes]:
    """How a marker could be written: as it is, in other case, and encoded; base64 at each offset within three bytes."""
    text = marker.decode() if isinstance(marker, bytes) else str(marker)
    raw = text.encode()
    shifted = {
        # Without the characters that depend on what stands before and after.
        f"base64 at {pad}": base64.b64encode(bytes(pad) + raw)[-(-pad * 8 // 6) : (pad + len(raw)) * 8 // 6]
        for pad in range(3)
    }
    plain = {
        "raw": raw,
        "upper": text.upper().encode(),
        "lower": text.lower().encode(),
        "hex": raw.hex().encode(),
        "HEX": raw.hex().upper().encode(),
        "percent": urllib.parse.quote(text, safe="").encode(),
        "utf-16": text.encode("utf-16-le"),
        "escaped": json.dumps(text)[1:-1].encode(),
    }
    return plain | shifted | {f"url-safe {name}": one.translate(_URL_SAFE) for name, one in shifted.items()}


def search(texts: Iterable[tuple[str, bytes]], markers: Mapping[str, Iterable[Any]]) -> list[str]:
    """Every marker in named texts, each column and place once.

    Args:
      texts: (where, content).
      markers: path of the column to its markers.
    """
    pairs = [(path, mark) for path, marks in markers.items() for mark in marks]
    wanted = [(path, name, form) for path, mark in pairs for name, form in forms(mark).items()]
    pattern = re.compile(b"|".join(re.escape(form) for form in {form for _, _, form in wanted}) or b"(?!)")
    found: dict[str, str] = {}
    for where, text in texts:
        # One pass over a large text; which marker it is matters only where there is one.
        if pattern.search(text):
            for path, name, form in wanted:
                if form in text:
                    found.setdefault(f"{where}: a value of `{path}`", name)
    return [f"{place} ({name})" for place, name in found.items()]


def texts_of(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Everything that a folder's files say: names, bytes, and what Parquet compresses."""
    for file in sorted(folder.rglob("*")):
        name = str(file.relative_to(folder))
        yield "a file's name", name.encode()
        if file.is_file():
            yield f"file {name}", file.read_bytes()
        if file.suffix == ".parquet":
            content = pq.ParquetFile(file).read()
            yield from table_texts(f"rows of {name}", content)
            yield f"schema of {name}", repr(content.schema).encode()


def table_texts(where: str, table: pa.Table) -> Iterator[tuple[str, bytes]]:
    """Every value of a table."""
    for name, column in zip(table.column_names, table.columns, strict=True):
        values = [repr(value) for chunk in column.chunks for value in values_of(chunk)]
        yield f"{where}, column `{name}`", "\n".join(values).encode()


def open_texts(batch: pa.RecordBatch) -> Iterator[tuple[str, bytes]]:
    """What everybody may see of a batch: values of leaves without a private label, and of masked ones; the schema."""
    yield "the output's schema", repr(batch.schema).encode()
    for field, column in zip(batch.schema, batch.columns, strict=True):
        seen: list[str] = []
        for value in values_of(column):
            _open_values(value, field, frozenset(), False, seen)
        yield f"output column `{field.name}`", "\n".join(seen).encode()


def _open_values(value: Any, field: pa.Field, above: frozenset[str], masked: bool, seen: list[str]) -> None:
    own = labels.labels_of(field)
    names, masked = (own, labels.masked_of(field) is not None) if own else (above, masked or _is_masked(field))
    kind = field.type
    if value is None:
        return
    if pat.is_map(kind):
        for key, item in value:
            _open_values(key, kind.key_field, names, masked, seen)
            _open_values(item, kind.item_field, names, masked, seen)
    elif pat.is_struct(kind):
        for child in kind:
            _open_values(value[child.name], child, names, masked, seen)
    elif labels.is_list(kind):
        for item in value:
            _open_values(item, kind.value_field, names, masked, seen)
    elif masked or not names - {labels.PUBLIC}:
        seen.append(value.decode("latin-1") if isinstance(value, bytes) else str(value))


def _is_masked(field: pa.Field) -> bool:
    return labels.masked_of(field) is not None
