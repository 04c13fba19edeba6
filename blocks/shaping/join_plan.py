"""What a join does to schemas: which columns meet, which come along, and every reason why they cannot."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.types as pat

from blocks.core import labels
from blocks.core.errors import ColumnError, Problem, all_problems
from blocks.core.labels import Masked
from blocks.core.masks.base import is_bytes, is_text
from blocks.shaping.columns import missing_columns

# What these leave is the same for every value, or another one each time.
_CONSTANT = ("null", "redact", "drop")


@dataclass(frozen=True)
class JoinPlan:
    """A join of two schemas.

    Attributes:
      left: key columns of the rows.
      right: key columns of the table, in the same order.
      types: in which the keys are compared.
      taken: columns of the table that come along.
      schema: of the output.
    """

    left: tuple[str, ...]
    right: tuple[str, ...]
    types: tuple[pa.DataType, ...]
    taken: tuple[str, ...]
    schema: pa.Schema

    def table_schema(self, table: pa.Schema) -> pa.Schema:
        """The part of the table that is used: keys, then the columns that come along."""
        return pa.schema([table.field(name) for name in dict.fromkeys([*self.right, *self.taken])])

    def value_schema(self) -> pa.Schema:
        """The columns that come along, as in the output."""
        return pa.schema(
            [self.schema.field(place) for place in range(len(self.schema) - len(self.taken), len(self.schema))]
        )

    def keys(self, batch: pa.RecordBatch, names: Sequence[str]) -> list[pa.Array]:
        """Key columns in the types in which they are compared."""
        columns = [batch.column(name) for name in names]
        return [
            column if column.type.equals(kind) else column.cast(kind)
            for column, kind in zip(columns, self.types, strict=True)
        ]


def plan_join(
    rows: pa.Schema,
    table: pa.Schema,
    on: Mapping[str, str],
    *,
    columns: Sequence[str] | None,
    prefix: str,
    fills_nulls: bool,
) -> JoinPlan:
    """The plan of a join.

    Args:
      rows: schema of the rows.
      table: schema of the table.
      on: column of the rows to column of the table.
      columns: of the table, that come along; None for all that are not keys.
      prefix: put before their names.
      fills_nulls: rows without a match stay, with nulls.

    Raises:
      ColumnError: every column that is not there, cannot be compared, or would have the name of another.
    """
    with all_problems("JoinTable", ColumnError) as problems:
        problems.extend(missing_columns(list(on), rows, "on, in the rows"))
        problems.extend(missing_columns(list(on.values()), table, "on, in the table"))
        problems.extend(missing_columns(list(columns or ()), table, "columns"))
        problems.extend(
            Problem(f"`{name}` is a key of the table, and the rows have it already", "columns", "take it out")
            for name in columns or ()
            if name in on.values()
        )
        types = []
        for left, right in on.items():
            if left in rows.names and right in table.names:
                place = f"on, column `{left}`" + (f" (table: `{right}`)" if right != left else "")
                types.append(key_type(rows.field(left).type, table.field(right).type))
                problems.extend(_key_problems(rows.field(left), table.field(right), types[-1], place))
        wanted = [name for name in (table.names if columns is None else columns) if name not in on.values()]
        taken = [name for name in dict.fromkeys(wanted) if name in table.names]
        output = list(rows)
        for name in taken:
            field = _joined(table.field(name), prefix + name, fills_nulls)
            if field.name in [one.name for one in output]:
                fix = "name the columns that are wanted: columns=[...], or set them apart: prefix='table_'"
                problems.append(Problem(f"two columns would be named `{field.name}`", "columns", fix))
            output.append(field)
        if problems:
            return JoinPlan((), (), (), (), rows)
    found = [kind for kind in types if kind is not None]
    return JoinPlan(tuple(on), tuple(on.values()), tuple(found), tuple(taken), pa.schema(output, rows.metadata))


def _joined(field: pa.Field, name: str, fills_nulls: bool) -> pa.Field:
    """A column of the table in the output: with its labels, but neither a key nor the event time of these rows."""
    plain = labels.put(field, {labels.KEY: None, labels.EVENT_TIME: None}).with_name(name)
    return plain.with_nullable(True) if fills_nulls else plain


def key_type(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    """The type in which two key columns are compared, in which no value of either is lost; None if there is none."""
    for fits, common in _FAMILIES:
        if fits(left) and fits(right):
            return common
    return left if left.equals(right) and _is_plain(left) else None


def _is_plain(data_type: pa.DataType) -> bool:
    return bool(
        pat.is_boolean(data_type)
        or pat.is_decimal(data_type)
        or pat.is_fixed_size_binary(data_type)
        or (pat.is_temporal(data_type) and not pat.is_interval(data_type))
    )


_FAMILIES: tuple[tuple[Callable[[pa.DataType], bool], pa.DataType], ...] = (
    (is_text, pa.large_string()),
    (is_bytes, pa.large_binary()),
    (lambda kind: pat.is_integer(kind) and not pat.is_uint64(kind), pa.int64()),
    (pat.is_unsigned_integer, pa.uint64()),
)


def _key_problems(left: pa.Field, right: pa.Field, kind: pa.DataType | None, place: str) -> Iterator[Problem]:
    if kind is None:
        what = f"{left.type} and {right.type} are not compared"
        if left.type.equals(right.type):
            what = f"{left.type} is no type of a key"
        yield Problem(what, place, "put CastColumns before: keys are texts, whole numbers, decimals, dates or times")
    ours, theirs = labels.masked_of(left), labels.masked_of(right)
    if not _alike(ours, theirs):
        what = f"the rows have it {_how(ours)}, and the table {_how(theirs)}"
        yield Problem(what, place, "mask both by one policy: the same method, key, domain and options")
    elif ours is not None and (ours.method in _CONSTANT or ours.options.get("mode") == "random"):
        what = f"masked by {ours.method}{' (random)' if ours.method == 'encrypt' else ''}, equal values do not match"
        yield Problem(what, place, "take hmac, or encrypt with mode: deterministic")
    yield from _label_problems(left, right, place)


def _label_problems(left: pa.Field, right: pa.Field, place: str) -> Iterator[Problem]:
    """Keys that meet are the same values, so a copy of one must not come along under labels that tell less."""
    ours, theirs = (labels.labels_of(field) - {labels.PUBLIC} for field in (left, right))
    if ours == theirs:
        return
    what = f"the rows have it labelled {_labels(left)}, and the table {_labels(right)}"
    fixes = [
        f"label {whose} `{field.name}` {', '.join(sorted(ours | theirs))} in {schema}"
        for whose, field, private, schema in (
            ("the table's", right, theirs, "its schema (`schema`, or that of what reads the table)"),
            ("the rows'", left, ours, "the schema that they are read with"),
        )
        if private != ours | theirs
    ]
    yield Problem(what, place, "equal keys are the same values: " + ", and ".join(fixes))


def _labels(field: pa.Field) -> str:
    return ", ".join(sorted(labels.labels_of(field))) or "with nothing"


def _alike(ours: Masked | None, theirs: Masked | None) -> bool:
    if ours is None or theirs is None:
        return ours is theirs
    return (ours.method, ours.key, dict(ours.options)) == (theirs.method, theirs.key, dict(theirs.options))


def _how(mark: Masked | None) -> str:
    if mark is None:
        return "as it is"
    options = "".join(f", {name} {value}" for name, value in sorted(mark.options.items()))
    return f"masked by {mark.method}" + (f" (key {mark.key}{options})" if mark.key else options and f" ({options[2:]})")
