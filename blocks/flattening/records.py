"""`FlattenRecords`: nested records to flat columns, and lists to rows or to child tables."""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam
import pyarrow as pa

from blocks.core.batch_type import schema_of
from blocks.core.block import BatchBlock
from blocks.core.errors import ConfigError
from blocks.core.named_outputs import named_outputs
from blocks.flattening.options import BLOCK, MAIN, Explode, MapKey, read_options
from blocks.flattening.plan import Plan
from blocks.flattening.planner import plan_flattening
from blocks.flattening.rows import flatten_function


class FlattenRecords(BatchBlock):
    """Turns structs into columns, lists into rows or child tables, and maps into rows or columns.

    Input: batches of any schema, any depth. Fields are named by dotted paths through structs and lists alike:
    `user.address.city`, `orders.lines.sku`. An element that is itself a list or a map is `<list>.item`; below a map
    there are `<map>.key` and `<map>.value`, or `<map>.<key>` where `map_keys` lists keys.

    Output: every struct is replaced, where it stands, by its children, named by their path (`user_address_city`). Items
    of an exploded list of structs become columns named by their path (`items_sku`), items that are scalars keep the
    list's name (`tags`), items that are lists or maps get `<list>_item`; an exploded map gives `<map>_key` and
    `<map>_value`. Lists and maps that no option names stay as they are, with what is in them. Labels and mask marks of
    a struct, list or map go to what comes out of it; positions are `public` (or have the list's own label), where the
    schema has labels. The event time stays; inside a struct the mark of an event time or key is dropped, because only
    top-level columns count. Key marks go when rows multiply, unless inner positions complete them. A batch holds rows
    of one input batch, in order.

    Rows: without `explode` one for one. With it, rows out = the sum over rows of the number of items (inner) or of
    max(1, items) (outer); for nested lists the same sum over the items of the list above; for lists side by side of the
    longest. With tables=True, the main table has one row for each row of the input, a child table one for each item.

    With tables=True the result is a dict of PCollections: `main`, and for every list its path with the separator
    (`items`, `items_taxes`). Every table has a row id; a child has the id of its parent's row, its position, the event
    time of the main table, and its items' fields under their own names (`sku`; `value` for a scalar).

    Row ids: `row_id` adds a text column, equal in every run, process and batch: 32 hex digits, the first 128 bits of
    BLAKE2b over the key columns (`key`, or the top-level columns marked `blocks.key`), or without any over all columns
    of the input; for exploded rows and child tables `:` and the position in each list follow (`-` without an
    item). Two rows of the same key, or without a key of the same content, have the same id; without a key the ids
    change when a column is added. The id of columns that are masked carries their label and mask mark.

    Rejects: none.
    Nulls: a null struct gives null columns (a struct of nulls is then the same). A null list has no items, like an
    empty one; a null item is a row of nulls. Columns are nullable where anything above them was, and where a row may be
    without an item. A key that a map does not have is null; of a key that it has twice the last value counts, and
    entries under keys that are not listed are left out.
    State: none.
    Cost: structs cost nothing per row. Exploding copies the columns it repeats, one pass a column, in pieces of at most
    about 32,768 rows and 8 MiB. Row ids cost a hash a row of the input, about 1 microsecond and the bytes of the key.

    Args:
      explode: a path, or a list of paths, of lists and maps that become rows. Several must lie in each other
        (`["orders", "orders.lines"]`), because independent lists would give every combination of their items. A list in
        the list, `[["skus", "prices"]]`, goes through these side by side, by position; the shorter gives nulls.
        With tables=True: the lists that get a table, all that are in no map if it is not given.
      outer: whether a row without items stays, with nulls: true, false, or the paths that do; a group of lists side by
        side stays if one of them does.
      separator: stands between the names of a path in the name of a column or table.
      map_keys: path of a map to the keys that become columns, as in `{"attributes": ["channel", "campaign"]}`.
      tables: child tables for lists, in place of rows.
      row_id: name of a column with row ids; none if not given, `_row_id` with tables=True.
      key: paths of the columns that identify a row, for row ids.
      parent_id: with tables=True the name of the column with the parent's row id, `_parent_id` if not given.
      position: adds the position in the list, from 0, as a column: its name is that of the list, the separator and this
        word (`items_position`). With tables=True the whole name, `_position` if not given.
      repeat: with tables=True paths of columns of the main table that child tables repeat, the event time if not given.

    Raises:
      ConfigError: options of a wrong kind, or that exclude each other; all of them.
      ColumnError: a path that is not there; columns or tables that would have one name, with both paths.
      SchemaError: a path that is no list or map, lists that are not nested in each other, a type that no row id has.
      PrivacyError: row ids over raw values with a label other than `public` (they could be found by trying), over
        columns masked in different ways, or over encrypted ones.

    Example:
      >>> show(orders | FlattenRecords(explode="items", position="position"))
      order_id | user_city | items_position | items_sku | items_price
      o1       | Oslo      | 0              | a         | 1.50
      o1       | Oslo      | 1              | b         | 2.00
      o2       |           |                |           |

    Source: BigQuery's UNNEST and Spark's explode, explode_outer, posexplode and arrays_zip, whose treatment of nulls
    and empty lists this is; dremel's nested columns (Melnik et al., VLDB 2010) for what a path through lists means.
    """

    def __init__(
        self,
        *,
        explode: Explode = None,
        outer: bool | str | Sequence[str] = True,
        separator: str = "_",
        map_keys: Mapping[str, Sequence[MapKey]] | None = None,
        tables: bool = False,
        row_id: str | None = None,
        key: str | Sequence[str] = (),
        parent_id: str | None = None,
        position: str | None = None,
        repeat: str | Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        self.options = read_options(
            explode=explode,
            outer=outer,
            separator=separator,
            map_keys=map_keys,
            tables=tables,
            row_id=row_id,
            key=key,
            parent_id=parent_id,
            position=position,
            repeat=repeat,
        )

    def plan(self, schema: pa.Schema) -> Plan:
        """How batches of this schema are flattened; raises what the block raises."""
        return plan_flattening(schema, self.options)

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """The schema of the flat rows (with tables=True that of the main table)."""
        return self.plan(schema).tables[0].schema

    def output_schemas(self, schema: pa.Schema) -> dict[str, pa.Schema]:
        """The schema of every table, the main one first."""
        return {table.name: table.schema for table in self.plan(schema).tables}

    def batch_function(self, schema: pa.Schema) -> Callable[[pa.RecordBatch], Iterator[pa.RecordBatch]]:
        """Makes the function from a batch to the pieces of its flat rows.

        Raises:
          ConfigError: the block makes child tables; see `tables_function`.
        """
        if self.options.tables:
            raise ConfigError(
                "tables=True gives several tables", where=BLOCK, fix="use tables_function, or leave tables out"
            )
        flatten = flatten_function(self.plan(schema))
        return lambda batch: (piece for _, piece in flatten(batch))

    def tables_function(self, schema: pa.Schema) -> Callable[[pa.RecordBatch], Iterator[tuple[str, pa.RecordBatch]]]:
        """Makes the function from a batch to (table name, piece) pairs; the pieces of a table are in order."""
        return flatten_function(self.plan(schema))

    def expand(self, pcoll: beam.PCollection) -> Any:
        """Applies the block.

        Returns:
          A PCollection of flat batches, or with tables=True a dict of table name to PCollection.

        Raises:
          BatchTypeError: the input is not made of batches.
        """
        if not self.options.tables:
            return super().expand(pcoll)
        schema = schema_of(pcoll, self.block_name)
        make = functools.partial(self.tables_function, schema)
        return named_outputs(pcoll, "Tables", self.block_name, self.output_schemas(schema), make, _keeps_time)


def _keeps_time(table: str, part: pa.RecordBatch, batch: pa.RecordBatch) -> bool:
    # The first row of a child table may come from a later row than the first of the batch.
    return table == MAIN
