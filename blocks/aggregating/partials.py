"""Partial aggregates as a table, a row a key: what a stream has to know of a key to go on where a batch ended.

A row has the key, its clock (`newest`), from when on its events are kept one by one (`settled`), its latest tombstone
(`deleted`), those events, the tiles of what came before, by hop, and the rows that may still be corrected. Which
definition they are of says `definition`. Rows do not depend on shards, so the stream may have another number of them.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from blocks.aggregating.events import ID, KNOWN, NEVER, TIME, coded_keys
from blocks.aggregating.framing import fixed_bytes, from_fixed_bytes
from blocks.aggregating.plan import Plan
from blocks.aggregating.reading import text_of
from blocks.aggregating.shard_state import ALL_TIME, Shape, ShardState, Tiles, tile_kinds
from blocks.aggregating.state_coding import StateCoder, cells_of_column
from blocks.aggregating.tiling import Tiler
from blocks.core import labels
from blocks.core.errors import ConfigError

Ints = npt.NDArray[np.int64]

_MOMENT = pa.timestamp("us", "UTC")
CLOCKS = ("newest", "settled", "deleted")
DEFINITION, EVENTS, EMITTED, TILED = "definition", "events", "emitted", "tiled"


class Partials:
    """Turns states into rows of partial aggregates, and back.

    Args:
      plan: of the features.

    Attributes:
      schema: of the rows, with the labels of what they tell of.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._coder = StateCoder(plan)
        shape = json.dumps(asdict(Shape.of(plan)), sort_keys=True, separators=(",", ":"))
        self._definition = hashlib.blake2b(shape.encode(), digest_size=8).hexdigest()
        self._events = _event_fields(plan)
        self._tiles = {hop: _tile_fields(plan, numbers) for hop, numbers in tile_kinds(plan).items()}
        self.schema = self._made()

    def _made(self) -> pa.Schema:
        plan = self._plan
        plain = {labels.PUBLIC} if labels.labels_of(plan.projected.field(TIME)) else ()
        pairs = zip(plan.definition.key, plan.keys, strict=True)
        keys = [plan.output.field(name).with_type(plan.projected.field(projected).type) for name, projected in pairs]
        clocks = [_moment(plan, name, nullable=True) for name in CLOCKS]
        tiles = [_rows_field(tiles_name(hop), fields) for hop, fields in self._tiles.items()]
        emitted = [
            _moment(plan, "as_of"),
            labels.with_labels(pa.field("revision", pa.int64(), False), plain),
            # Whoever knows all other features can find out one by trying.
            labels.with_labels(pa.field("content", pa.binary(16), False), _all_labels(plan)),
        ]
        fields = pa.schema(
            [
                *keys,
                *clocks,
                labels.with_labels(pa.field(DEFINITION, pa.string(), False), plain),
                _rows_field(EVENTS, self._events),
                *tiles,
                _rows_field(EMITTED, emitted),
            ]
        )
        return pa.schema([field.with_type(table_type(field.type)) for field in fields])

    def rows(self, state: ShardState) -> pa.RecordBatch:
        """A row for each key of a state."""
        count = state.keys.num_rows
        events = [state.recent.column(name) for name in self._plan.projected.names if name not in self._plan.keys]
        columns = [*state.keys.columns, *(_moments(one) for one in (state.newest, state.boundary, state.deleted))]
        columns.append(pa.repeat(pa.scalar(self._definition), count))
        columns.append(_listed(count, state.recent_code, [*events, pa.array(state.tiled)], self._field(EVENTS)))
        for hop, one in state.tiles.items():
            cells = [cell.to_struct_array() for cell in one.cells.values()]
            columns.append(_listed(count, one.code, [pa.array(one.times), *cells], self._field(tiles_name(hop))))
        emitted = [pa.array(state.out_as_of), pa.array(state.out_revision), fixed_bytes(state.out_content)]
        columns.append(_listed(count, state.out_code, emitted, self._field(EMITTED)))
        cast = [_cast(one, kind) for one, kind in zip(columns, self.schema.types, strict=True)]
        return pa.RecordBatch.from_arrays(cast, schema=self.schema)

    def _field(self, name: str) -> pa.Field:
        return self.schema.field(name)

    def state(self, batches: Sequence[pa.RecordBatch]) -> ShardState:
        """The state of the keys of some rows.

        Raises:
          ConfigError: rows of another definition, or two rows of one key.
        """
        parts = [as_partials(one, self.schema) for one in batches if one.num_rows]
        if not parts:
            return self._coder.empty()
        rows = pa.concat_batches(parts)
        self._check(rows)
        plan = self._plan
        code, events = _unlisted(rows.column(EVENTS))
        names = [name for name in plan.projected.names if name not in plan.keys]
        recent = dict(zip([*names, TILED], events.flatten(), strict=True))
        keys = self.keys_of(rows)
        whole = {name: keys.column(name).take(pa.array(code)) for name in plan.keys}
        whole |= {name: _cast(recent[name], plan.projected.field(name).type) for name in names}
        projected = pa.RecordBatch.from_arrays([whole[name] for name in plan.projected.names], schema=plan.projected)
        out_code, out = _unlisted(rows.column(EMITTED))
        as_of, revision, content = out.flatten()
        newest, settled, deleted = (_numbers(rows.column(name)) for name in CLOCKS)
        return ShardState(
            keys,
            newest,
            settled,
            np.full(rows.num_rows, NEVER),
            deleted,
            projected,
            code,
            np.asarray(recent[TILED].to_numpy(zero_copy_only=False), np.bool_),
            {hop: self._tiles_of(rows.column(tiles_name(hop)), hop) for hop in self._tiles},
            out_code,
            as_of.cast(pa.int64()).to_numpy(),
            revision.to_numpy(),
            from_fixed_bytes(content),
        )

    def keys_of(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """The key's columns of some rows, as projected events have them."""
        kinds = pa.schema([self._plan.projected.field(name) for name in self._plan.keys])
        pairs = zip(self._plan.definition.key, kinds.types, strict=True)
        return pa.RecordBatch.from_arrays([_cast(rows.column(name), kind) for name, kind in pairs], schema=kinds)

    def merged(self, batches: Sequence[pa.RecordBatch], tiler: Tiler) -> ShardState:
        """The state of tiles of which several rows may be of one key.

        Args:
          batches: rows without events.
          tiler: merges tiles.
        """
        rows = pa.concat_batches([pa.RecordBatch.from_pylist([], schema=self.schema), *batches])
        keys = self.keys_of(rows)
        code, first = coded_keys(keys, self._plan.keys)
        state = self._coder.empty().with_keys(keys.take(pa.array(first)))
        tiles = {}
        for hop in self._tiles:
            found = self._tiles_of(rows.column(tiles_name(hop)), hop)
            tiles[hop] = tiler.joined(replace(found, code=code[found.code]))
        return state.with_tiles(tiles)

    def _tiles_of(self, column: pa.Array, hop: int) -> Tiles:
        code, found = _unlisted(column)
        start, *cells = found.flatten()
        numbers = tile_kinds(self._plan)[hop]
        made = {}
        for number, cell in zip(numbers, cells, strict=True):
            kinds = self._plan.aggregates[number].operation.cells
            made[number] = cells_of_column(_cast(cell, pa.struct(list(kinds))), kinds)
        return Tiles(code, start.cast(pa.int64()).to_numpy(), made)

    def _check(self, rows: pa.RecordBatch) -> None:
        if pc.unique(rows.column(DEFINITION)).to_pylist() != [self._definition]:
            raise ConfigError(
                "partial aggregates of another definition",
                where="AggregateEvents.seed",
                fix="make them with the definition of the stream: SeedAggregates",
            )
        _, first = coded_keys(rows, self._plan.definition.key)
        if rows.num_rows > len(first):
            raise ConfigError(
                "two rows of partial aggregates for one key",
                where="AggregateEvents.seed",
                fix="take the rows of one run of SeedAggregates",
            )


def names_of(plan: Plan) -> list[str]:
    """The columns of partial aggregates beside the key's, which a key cannot be called."""
    return [*CLOCKS, DEFINITION, EVENTS, *map(tiles_name, tile_kinds(plan)), EMITTED]


def as_partials(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Rows of partial aggregates as a table gives them, with the types that they had when they were made."""
    columns = [_cast(batch.column(field.name), field.type) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def table_type(data_type: pa.DataType) -> pa.DataType:
    """A type that every table can hold, from which the values come back as they were."""
    below = [field.with_type(table_type(field.type)) for _, field in labels.children(data_type)]
    if below:
        return labels.with_children(data_type, below)
    if pat.is_uint64(data_type) or pat.is_uint32(data_type):
        return pa.int64()
    return pa.int32() if pat.is_integer(data_type) and data_type.bit_width < 32 else data_type


def _cast(column: pa.Array, data_type: pa.DataType) -> pa.Array:
    # Unsigned words of 64 bits wrap around, there and back.
    return column if column.type.equals(data_type) else pc.cast(column, data_type, safe=False)


def _rows_field(name: str, fields: Sequence[pa.Field]) -> pa.Field:
    return pa.field(name, pa.list_(pa.field("item", pa.struct(fields), False)), False)


def _moment(plan: Plan, name: str, nullable: bool = False) -> pa.Field:
    """A time, which tells what the event time tells."""
    return pa.field(name, _MOMENT, nullable, plan.projected.field(TIME).metadata)


def _event_fields(plan: Plan) -> list[pa.Field]:
    """Fields of the events that are kept, as they are projected: with the labels and masks of what they are."""
    fields: list[pa.Field] = []
    for field in plan.projected:
        if field.name in plan.keys:
            continue
        # As the source has it, where that is free: a column may be needed twice.
        name = plan.columns.get(field.name, field.name)
        taken = name != field.name and name in (TIME, ID, KNOWN, TILED, *(one.name for one in fields))
        kind = _MOMENT if field.name in (TIME, KNOWN) else field.type
        fields.append((field if taken else field.with_name(name)).with_type(kind))
    return [*fields, pa.field(TILED, pa.bool_(), False, plan.projected.field(TIME).metadata)]


def _tile_fields(plan: Plan, numbers: Sequence[int]) -> list[pa.Field]:
    return [_moment(plan, "start"), *(_cell_field(plan, number) for number in numbers)]


def _cell_field(plan: Plan, number: int) -> pa.Field:
    aggregate = plan.aggregates[number]
    # Of features that share an aggregate the labels are the same.
    shown = next(one.field for one in plan.outputs if one.aggregate == number)
    marks = {labels.LABEL: labels.get(shown, labels.LABEL), labels.MASKED: labels.get(shown, labels.MASKED)}
    return labels.put(pa.field(aggregate.name, pa.struct(list(aggregate.operation.cells)), False), marks)


def _all_labels(plan: Plan) -> frozenset[str]:
    found = frozenset[str]().union(*(labels.labels_of(one.field) for one in plan.outputs))
    return found - {labels.PUBLIC} or found


def tiles_name(hop: int) -> str:
    """The column with the tiles of a hop."""
    return "tiles_all" if hop == ALL_TIME else f"tiles_{text_of(hop)}".replace(".", "_")


def _listed(count: int, code: Ints, columns: Sequence[pa.Array], field: pa.Field) -> pa.Array:
    """For each key the list of its rows, from rows that lie by key."""
    fields = list(field.type.value_type)
    cast = [_cast(one, kind.type) for one, kind in zip(columns, fields, strict=True)]
    rows = pa.StructArray.from_arrays(cast, fields=fields)
    offsets = np.searchsorted(code, np.arange(count + 1)).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), rows, type=field.type)


def _unlisted(column: Any) -> tuple[Ints, Any]:
    """The key of each row in lists, and the rows."""
    lengths = pc.list_value_length(column).to_numpy(zero_copy_only=False)
    return np.repeat(np.arange(len(column)), lengths), pc.list_flatten(column)


def _moments(micros: Ints) -> pa.Array:
    return pa.array(micros, mask=micros == NEVER).cast(_MOMENT)


def _numbers(column: pa.Array) -> Ints:
    return np.asarray(column.cast(pa.int64()).fill_null(NEVER).to_numpy(zero_copy_only=False), np.int64)
