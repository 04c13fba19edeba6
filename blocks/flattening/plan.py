"""What flattening does to a schema: the steps that take columns apart, and the tables that come out.

The plan is made once, when the pipeline is built. Every exploded list opens a *space*, the rows of which are the items
of all its lists; space 0 is the rows of the input. A table is a chain of levels from the rows of the input down to the
items that are its rows; the normal form is one table, child tables are several.
"""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

ROOT = 0
POSITION_TYPE = pa.int64()


@dataclass(frozen=True)
class Emit:
    """The array is a column as it is."""

    slot: int


@dataclass(frozen=True)
class Open:
    """The array is a struct: its children go on, in order."""

    children: tuple["Step", ...]


@dataclass(frozen=True)
class Pick:
    """The array is a map: the values under these keys go on."""

    keys: tuple[tuple[Any, "Step"], ...]


@dataclass(frozen=True)
class Enter:
    """The array is a list or map: its items go on in another space."""

    space: int
    items: "Step"


Step = Emit | Open | Pick | Enter


@dataclass(frozen=True)
class Space:
    """The rows that the items of one list are.

    Attributes:
      path: path of the list.
      name: its column name.
      parent: the space that the lists are in.
      label: label of a position column, or None.
    """

    path: str
    name: str
    parent: int
    label: str | None


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
      field: name, type and metadata in the output.
      path: where it comes from, for errors.
      space: the space of its values.
      slot: number of its `Emit`; -1 for a position, -2 for the row id, -3 for the parent's row id.
    """

    field: pa.Field
    path: str
    space: int
    slot: int


POSITION, ROW_ID, PARENT_ID = -1, -2, -3


@dataclass(frozen=True)
class Level:
    """Lists that are exploded side by side, mostly one.

    Attributes:
      spaces: one a list.
      outer: whether a row without items stays.
    """

    spaces: tuple[int, ...]
    outer: bool


@dataclass(frozen=True)
class Table:
    """One output.

    Attributes:
      name: name among the outputs.
      schema: of its batches.
      levels: from the rows of the input to those of the table.
      columns: as in the schema.
    """

    name: str
    schema: pa.Schema
    levels: tuple[Level, ...]
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Plan:
    """How batches of a schema are flattened.

    Attributes:
      steps: one for each column of the input.
      spaces: the first is the rows of the input.
      tables: the first is the main one.
      key: paths of the columns that row ids are made of, as steps from a column; None without row ids.
    """

    steps: tuple[Step, ...]
    spaces: tuple[Space, ...]
    tables: tuple[Table, ...]
    key: tuple[tuple[int, ...], ...] | None
