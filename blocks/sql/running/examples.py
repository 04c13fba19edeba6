"""The examples of a user's own functions: a call and its result, which both engines have to give."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from blocks.core.errors import BlocksError
from blocks.sql.checking import check_sql
from blocks.sql.dialect.beam import to_beam
from blocks.sql.functions.registry import Registry
from blocks.sql.lowering import LoweredRunner
from blocks.sql.parsing import parse
from blocks.sql.running.inputs import ALONE
from blocks.sql.running.libraries import Functions

# The one row that examples are computed over.
SCHEMA = pa.schema([pa.field("id", pa.int64(), nullable=False)])
ROW = pa.RecordBatch.from_pydict({"id": [1]}, schema=SCHEMA)
_NESTED = ("ARRAY", "MAP", "ROW")


@dataclass(frozen=True, slots=True)
class Example:
    """One example.

    Attributes:
      function: name and version, as `margin 1`.
      call: as it is written.
      asked: the call, of the very version that has the example.
      result: as SQL.
      rows: what an aggregate goes over, as what follows FROM; empty for a function of one row.
      where: file, with line and column where it is SQL.
    """

    function: str
    call: str
    asked: str
    result: str
    rows: str
    where: str

    def differs(self, found: Any, wanted: Any) -> str:
        """What is not as the example says; empty if it is."""
        same = found == wanted or (_is_nan(found) and _is_nan(wanted))
        return "" if same else f"{self.call} is {_shown(found)}, and the example says {self.result}"


def own_examples(functions: Functions) -> list[Example]:
    """The examples of all functions that a user brings, in order of their names."""
    found, archives = [], {archive.sha256: str(archive.path) for archive in functions.archives}
    for one in functions.own():
        macro = functions.registry.macro(one.name)
        for number, (call, result) in enumerate(one.examples):
            call, _, rows = call.partition(" FROM ")
            where = macro.where("example", number) if macro is not None else archives.get(one.jar, one.jar)
            plain = one.name.removesuffix(f"_v{one.version}")
            asked = one.name + call.removeprefix(plain) if call.startswith(f"{plain}(") else call
            found.append(Example(f"{plain} {one.version}", call, asked, result, rows, where))
    return found


def query_of(examples: Sequence[Example], registry: Registry) -> str:
    """A query with two columns an example, what it gives and what it should: of several if they are of one row each.

    Raises:
      SqlCheckError: a call or a result that is no right SQL.
    """
    columns = []
    for number, one in enumerate(examples):
        wanted = _typed(one, registry)
        columns += [f"{one.asked} AS found{number}", f"{wanted} AS wanted{number}"]
    source = _source(examples[0])
    if not examples[0].rows:
        return f"SELECT {', '.join(columns)} FROM {source}"  # noqa: S608 (a developer's own examples)
    call, wanted = columns
    value = wanted.removesuffix(" AS wanted0")
    return f"SELECT found0, {value} AS wanted0 FROM (SELECT {call} FROM {source}) AS computed"  # noqa: S608 (as above)


def in_duckdb(example: Example, registry: Registry) -> tuple[str, str]:
    """What is wrong with an example in DuckDB, and why it does not run there; both empty if it gives its result.

    Raises:
      SqlCheckError: a call or a result that is no right SQL.
    """
    checked = check_sql(_of_the_row(query_of([example], registry)), {ALONE: SCHEMA}, registry=registry)
    if checked.lowered is None:
        return "", checked.reason
    try:
        ran = LoweredRunner(checked.lowered)(ROW)
    except BlocksError as error:
        return f"{example.call}: {error.what}", ""
    if ran.failed is not None:
        return f"{example.call} has no value, and the example says {example.result}", ""
    found, wanted = (column[0].as_py() for column in ran.batch.columns)
    return example.differs(found, wanted), ""


def _typed(example: Example, registry: Registry) -> str:
    """The result as an expression of the type of the call."""
    query = f"SELECT {example.asked} AS found FROM {_source(example)}"  # noqa: S608 (as above)
    kind = check_sql(query, {ALONE: SCHEMA}, registry=registry).analysis.outputs()[0].type
    if kind is None or kind.name in _NESTED:
        return example.result
    return f"CAST({example.result} AS {'DECIMAL(38, 9)' if kind.name == 'DECIMAL' else kind})"


def _source(example: Example) -> str:
    """What an example is selected from: for an aggregate its rows as SELECTs, because Beam SQL takes VALUES nowhere."""
    if not example.rows:
        return ALONE
    try:
        table = sqlglot.parse_one(f"SELECT * FROM {example.rows}").find(exp.Values)  # noqa: S608 (as above)
    except SqlglotError:
        table = None
    names = [] if table is None else table.alias_column_names
    rows = [] if table is None else [_values(one) for one in table.expressions]
    if table is None or any(len(row) != len(names) for row in rows):
        # As it is: the check of the query says what is wrong with it.
        return example.rows
    named = ([f"{value.sql()} AS {name}" for value, name in zip(row, names, strict=True)] for row in rows)
    selects = (f"SELECT {', '.join(one)} FROM {ALONE}" for one in named)  # noqa: S608 (as above)
    return f"({' UNION ALL '.join(selects)}) AS {table.alias}"


def _values(row: exp.Expression) -> list[exp.Expression]:
    return row.expressions if isinstance(row, exp.Tuple) else [row]


def _of_the_row(query: str) -> str:
    """The query with conditions of the row for TRUE and FALSE, which the planner folds, and so are not lowered."""
    tree = parse(query).tree
    for node in list(tree.find_all(exp.Boolean)):
        sign = "=" if node.this else "<>"
        condition = parse(f"SELECT (id {sign} 1) AS c FROM {ALONE}").tree.selects[0].this  # noqa: S608 (as above)
        node.replace(condition)
    return to_beam(tree)


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _shown(value: Any) -> str:
    if value is None:
        return "NULL"
    return str(value).upper() if isinstance(value, bool) else f"'{value}'" if isinstance(value, str) else str(value)


def grouped(examples: Sequence[Example]) -> Iterator[list[Example]]:
    """The examples in groups that one query can compute: all of one row each, and each aggregate by itself."""
    plain = [one for one in examples if not one.rows]
    if plain:
        yield plain
    yield from ([one] for one in examples if one.rows)
