"""Columns that the options of a shaping block name: read, and told apart from fields inside a column."""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.types as pat

from blocks.core import nested
from blocks.core.errors import Problem, unknown_column
from blocks.core.labels import is_list


def read_names(value: Any, option: str, problems: list[Problem], *, alone: bool = False) -> tuple[str, ...]:
    """The column names that an option gives.

    Args:
      value: a list of names.
      option: the option's name, for errors.
      problems: grows by what is wrong.
      alone: whether one name may stand without a list.

    Returns:
      The names that are usable, in order.
    """
    if isinstance(value, str):
        if alone and value:
            return (value,)
        problems.append(Problem("expected a list of columns, got one text", option, f"write [{value!r}]"))
        return ()
    if not isinstance(value, Sequence):
        what = f"expected a list of columns, got a {type(value).__name__}"
        problems.append(Problem(what, option, "write a list of names"))
        return ()
    names = []
    for name in value:
        if not isinstance(name, str) or not name:
            what = "expected the name of a column, got " + ("an empty text" if name == "" else type(name).__name__)
            problems.append(Problem(what, option, "write the names as text"))
        elif name in names:
            problems.append(Problem(f"column `{name}` is named twice", option, "name it once"))
        else:
            names.append(name)
    return tuple(names)


def missing_columns(names: Sequence[str], schema: pa.Schema, option: str) -> Iterator[Problem]:
    """A problem for every name that is no column: with the nearest name, or the way to a field inside a column."""
    for name in names:
        if name in schema.names:
            continue
        yield _inside(name, schema, option) or unknown_column(name, schema.names, option)


def _inside(name: str, schema: pa.Schema, option: str) -> Problem | None:
    # A name may hold dots itself, so the longest column that begins the path is meant.
    above = [field for field in schema if name.startswith((f"{field.name}.", f"{field.name}["))]
    above = [field for field in above if nested.is_nested(field.type)]
    if not above:
        return None
    column = max(above, key=lambda field: len(field.name))
    many = is_list(column.type) or pat.is_map(column.type)
    flatten = f"FlattenRecords(explode={column.name!r})" if many else "FlattenRecords()"
    flat = name.replace("[]", "").replace(".", "_")
    return Problem(
        f"`{name}` is a field inside the column `{column.name}`, and this block works on whole columns",
        option,
        f"put {flatten} before this block, which names columns by their path, as in `{flat}`",
    )
