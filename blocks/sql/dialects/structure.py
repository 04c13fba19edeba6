"""What queries are made of, node by node, from sqlglot's form of another dialect to that of `beam`.

`_PARTS` names every node and the parts that it may have. A part that is there and not named is a problem: what this
file does not know is never left out in silence.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pyarrow as pa
from sqlglot import exp
from sqlglot.expressions import DataType

from blocks.sql.analysis import Table
from blocks.sql.dialects.names import Names
from blocks.sql.places import place_of
from blocks.sql.problems import Place, SqlProblem, problem

_BINARY = ("this", "expression")
_QUERY = ("with_", "order", "limit", "offset")
# Node to its parts, all of them translated; nodes with a handler of their own are not here.
_PARTS: dict[type[exp.Expr], tuple[str, ...]] = {
    exp.Select: (
        *_QUERY,
        "expressions",
        "distinct",
        "from_",
        "joins",
        "where",
        "group",
        "having",
        "qualify",
        "windows",
    ),
    exp.Union: (*_QUERY, *_BINARY, "distinct"),
    exp.Intersect: (*_QUERY, *_BINARY, "distinct"),
    exp.Except: (*_QUERY, *_BINARY, "distinct"),
    exp.Subquery: (*_QUERY, "this", "alias"),
    exp.With: ("expressions",),
    exp.CTE: ("this", "alias"),
    exp.From: ("this",),
    exp.Join: ("this", "side", "kind", "on", "using", "method"),
    exp.Where: ("this",),
    exp.Having: ("this",),
    exp.Qualify: ("this",),
    exp.Group: ("expressions",),
    exp.Order: ("expressions",),
    exp.Ordered: ("this", "desc", "nulls_first"),
    exp.Limit: ("expression",),
    exp.Offset: ("expression",),
    exp.Distinct: ("expressions",),
    exp.Alias: ("this", "alias"),
    exp.TableAlias: ("this", "columns"),
    exp.Star: (),
    exp.Paren: ("this",),
    exp.Tuple: ("expressions",),
    exp.Values: ("expressions", "alias"),
    exp.Null: (),
    exp.Boolean: ("this",),
    exp.Var: ("this",),
    exp.And: _BINARY,
    exp.Or: _BINARY,
    exp.Not: ("this",),
    exp.EQ: _BINARY,
    exp.NEQ: _BINARY,
    exp.LT: _BINARY,
    exp.LTE: _BINARY,
    exp.GT: _BINARY,
    exp.GTE: _BINARY,
    exp.NullSafeEQ: _BINARY,
    exp.NullSafeNEQ: _BINARY,
    exp.Add: _BINARY,
    exp.Sub: _BINARY,
    exp.Mul: _BINARY,
    exp.Neg: ("this",),
    exp.Is: _BINARY,
    exp.In: ("this", "expressions", "query"),
    exp.Between: ("this", "low", "high"),
    exp.Like: _BINARY,
    exp.Escape: _BINARY,
    exp.Exists: ("this",),
    exp.Case: ("this", "ifs", "default"),
    exp.Dot: _BINARY,
    exp.Array: ("expressions",),
    exp.Window: ("this", "partition_by", "order", "spec", "alias", "over"),
    exp.WindowSpec: ("kind", "start", "start_side", "end", "end_side"),
    exp.Filter: _BINARY,
}
# Marks of sqlglot's that say how a node was written, or what another writer is to make of it.
_MARKS = frozenset(
    "quoted is_string negate big_int safe coalesce typed copy nested bracket_notation parse_generics_empty".split()  # noqa: SIM905
)
_TYPES: dict[Any, Any] = {
    **{one: one for one in map(DataType.Type, ("BOOLEAN", "TINYINT", "SMALLINT", "INT", "BIGINT", "DOUBLE", "DATE"))},
    DataType.Type.FLOAT: DataType.Type.FLOAT,
    DataType.Type.TEXT: DataType.Type.VARCHAR,
    DataType.Type.VARCHAR: DataType.Type.VARCHAR,
    DataType.Type.CHAR: DataType.Type.CHAR,
    DataType.Type.BINARY: DataType.Type.VARBINARY,
    DataType.Type.VARBINARY: DataType.Type.VARBINARY,
    DataType.Type.TIME: DataType.Type.TIME,
    DataType.Type.TIMESTAMP: DataType.Type.TIMESTAMP,
    DataType.Type.TIMESTAMPTZ: DataType.Type.TIMESTAMP,
    DataType.Type.TIMESTAMPNTZ: DataType.Type.TIMESTAMP,
    DataType.Type.TIMESTAMPLTZ: DataType.Type.TIMESTAMP,
    DataType.Type.DATETIME: DataType.Type.TIMESTAMP,
    DataType.Type.DECIMAL: DataType.Type.DECIMAL,
}
_SIZED = (DataType.Type.DECIMAL,)
_UNITS = ("YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND")
_INTERVAL_UNITS = ("YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND")


class Translator:
    """Turns a tree of another dialect into one of `beam`, without changing it.

    Args:
      text: the query.
      dialect: in which it was read.
      names: how names are spelled.
      tables: inputs.
      source: name of the file.

    Attributes:
      problems: what has no equal form.
    """

    def __init__(self, text: str, dialect: str, names: Names, tables: Mapping[str, Table], source: str) -> None:
        self.text, self.dialect, self.names, self.tables, self.source = text, dialect, names, tables, source
        self.problems: list[SqlProblem] = []

    def node(self, node: Any) -> Any:
        """A node in Beam SQL's form; NULL where there is a problem, which is added."""
        from blocks.sql.dialects.functions import FORMS
        from blocks.sql.dialects.queries import QUERIES

        handler = _HANDLERS.get(type(node)) or QUERIES.get(type(node)) or FORMS.get(type(node))
        if handler is not None:
            made = handler(self, node)
        elif type(node) in _PARTS:
            made = self.same(node)
        else:
            made = self.refuse(node)
        if not made.meta.get("line"):
            put_place(made, node)
        return made

    def same(self, node: Any, **instead: Any) -> Any:
        """The same node with its parts translated.

        Args:
          node: of a type in `_PARTS`.
          instead: parts that are ready.
        """
        parts = _PARTS[type(node)]
        for name, value in node.args.items():
            if value in (None, [], False, "") or name in parts or name in _MARKS or name in instead:
                continue
            part = value[0] if isinstance(value, list) else value
            self.refuse(part if isinstance(part, exp.Expr) else node, _word(name))
        made = {name: self._part(node.args.get(name)) for name in parts if name not in instead}
        return type(node)(**{name: value for name, value in {**made, **instead}.items() if value is not None})

    def _part(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._part(one) for one in value]
        return self.node(value) if isinstance(value, exp.Expr) else value

    def column_type(self, node: Any) -> pa.DataType | None:
        """The Arrow type of a node that is nothing but a column of an input, as far as its name tells."""
        if not isinstance(node, exp.Column) or not isinstance(node.this, exp.Identifier):
            return None
        name = self.names.of(node.this)
        found = {table.schema.field(name).type for table in self.tables.values() if name in table.schema.names}
        return found.pop() if len(found) == 1 else None

    def each(self, nodes: Iterable[Any]) -> list[Any]:
        """Several nodes."""
        return [self.node(node) for node in nodes]

    def refuse(self, node: Any, what: str = "", fix: str = "") -> Any:
        """Adds a problem at a node; gives NULL in its place."""
        shown = what or f"`{_written(node, self.text)}`"
        text = f"{shown} ({self.dialect}) has no equal form in Beam SQL"
        place = place_of(node) or Place(1, 1)
        found = problem(self.text, place, "unsupported", text, fix or _FIX, source=self.source)
        if found not in self.problems:
            self.problems.append(found)
        return exp.Null()

    def unit(self, node: Any, known: tuple[str, ...] = _UNITS) -> str | None:
        """The name of a unit of time in the singular; None, and a problem, where Beam SQL does not have it."""
        if isinstance(node, exp.WeekStart):
            return "WEEK"
        name = str(node.name if isinstance(node, exp.Expr) else node or "DAY").upper().removesuffix("S")
        if name in known:
            return name
        self.refuse(node, f"the unit {name}", f"write one of {', '.join(known)}")
        return None


_FIX = "write it in another way; docs/sql.md lists what is translated"


def _identifier(of: Translator, node: exp.Identifier) -> Any:
    name = of.names.of(node)
    return exp.Identifier(this=name, quoted=False)


def _alias_name(of: Translator, node: exp.Alias) -> Any:
    """An output column keeps the name that it was given, letter by letter."""
    given = node.args["alias"]
    alias = exp.Identifier(this=given.name, quoted=False)
    put_place(alias, given)
    return of.same(node, alias=alias)


def _column(of: Translator, node: exp.Column) -> Any:
    parts = {name: of.node(node.args[name]) for name in ("this", "table", "db", "catalog") if node.args.get(name)}
    return exp.Column(**parts)


def _literal(of: Translator, node: exp.Literal) -> Any:
    return exp.Literal(this=node.this, is_string=node.is_string)


def _text(of: Translator, node: Any) -> Any:
    return exp.Literal.string(node.name)


def _table(of: Translator, node: exp.Table) -> Any:
    if node.args.get("db") or node.args.get("catalog"):
        names = ", ".join(of.tables)
        return of.refuse(node, f"`{_written(node, of.text)}`", f"a table is an input of the query: {names}")
    for name, value in node.args.items():
        if value and name not in ("this", "alias", "joins", "db", "catalog"):
            part = value[0] if isinstance(value, list) else value
            of.refuse(part if isinstance(part, exp.Expr) else node, _word(name))
    parts = {"this": of.node(node.this), "alias": node.args.get("alias") and of.node(node.args["alias"])}
    if node.args.get("joins"):
        parts["joins"] = of.each(node.args["joins"])
    return exp.Table(**{name: value for name, value in parts.items() if value is not None})


def _data_type(of: Translator, node: DataType) -> Any:
    kind = node.this
    if kind == DataType.Type.ARRAY and node.expressions:
        return DataType(this=kind, expressions=of.each(node.expressions), nested=True)
    if kind == DataType.Type.MAP and len(node.expressions) == 2:
        return DataType(this=kind, expressions=of.each(node.expressions), nested=True)
    found = _TYPES.get(kind)
    if found is None:
        of.refuse(node, f"the type {kind.value if hasattr(kind, 'value') else kind}")
        found = DataType.Type.VARCHAR
    sizes = (
        [exp.DataTypeParam(this=exp.Literal.number(one.name)) for one in node.expressions] if found in _SIZED else []
    )
    return DataType(this=found, expressions=sizes)


def _cast(of: Translator, node: exp.Cast) -> Any:
    if node.args.get("format"):
        return of.refuse(node, "a format in CAST")
    return exp.Cast(this=of.node(node.this), to=_data_type(of, node.args["to"]))


def _try_cast(of: Translator, node: exp.TryCast) -> Any:
    fix = "guard it with CASE, or clean the column before: ComputeColumns has TRY_CAST"
    return of.refuse(node, "a cast that gives NULL where it fails", fix)


def _interval(of: Translator, node: exp.Interval) -> Any:
    value, unit = node.this, of.unit(node.args.get("unit"), (*_INTERVAL_UNITS, "WEEK", "QUARTER"))
    if unit is None or not isinstance(value, exp.Literal) or not value.name.strip().lstrip("-").isdigit():
        return of.refuse(node, "an interval that is no whole number of a unit", "write INTERVAL '3' DAY")
    number = int(value.name)
    # WEEK and QUARTER are read by Calcite in some places only; days and months everywhere.
    number, unit = {"WEEK": (7 * number, "DAY"), "QUARTER": (3 * number, "MONTH")}.get(unit, (number, unit))
    made = exp.Interval(this=exp.Literal.string(str(abs(number))), unit=exp.Var(this=unit))
    return exp.Neg(this=made) if number < 0 else made


def _bracket(of: Translator, node: exp.Bracket) -> Any:
    if len(node.expressions) != 1 or isinstance(node.expressions[0], exp.Slice):
        return of.refuse(node, "a slice")
    index, counted_from = node.expressions[0], node.args.get("offset")
    if isinstance(index, exp.Literal) and not index.is_string:
        # Beam SQL counts from 1. sqlglot counts from 0, except where the query says from where (BigQuery's ORDINAL).
        place = exp.Literal.number(int(index.name) + 1 - (counted_from or 0))
    elif isinstance(index, exp.Literal):
        place = of.node(index)
    else:
        return of.refuse(node, "a computed place in a list", "write a number")
    return exp.Bracket(this=of.node(node.this), expressions=[place])


def _if(of: Translator, node: exp.If) -> Any:
    """Within CASE it is a branch, elsewhere a function."""
    branch = exp.If(this=of.node(node.this), true=of.node(node.args["true"]))
    if isinstance(node.parent, exp.Case) and node.arg_key == "ifs":
        return branch
    default = node.args.get("false")
    return exp.Case(ifs=[branch], **({"default": of.node(default)} if default is not None else {}))


def _join(of: Translator, node: exp.Join) -> Any:
    method, kind = (str(node.args.get(name) or "").upper() for name in ("method", "kind"))
    if method not in ("", "NATURAL") or kind not in ("", "INNER", "OUTER", "CROSS"):
        return of.refuse(node, f"a {method or kind} JOIN".replace("  ", " "))
    return of.same(node)


def _ordered(of: Translator, node: exp.Ordered) -> Any:
    return exp.Ordered(
        this=of.node(node.this), desc=node.args.get("desc") or None, nulls_first=bool(node.args.get("nulls_first"))
    )


def _dpipe(of: Translator, node: exp.DPipe) -> Any:
    return exp.DPipe(this=of.node(node.this), expression=of.node(node.expression))


def _is_not_a_row(of: Translator, node: exp.Struct) -> Any:
    return of.refuse(node, "a struct made of values")


_HANDLERS: dict[type[exp.Expr], Callable[[Translator, Any], Any]] = {
    exp.Identifier: _identifier,
    exp.Alias: _alias_name,
    exp.Column: _column,
    exp.Literal: _literal,
    exp.RawString: _text,
    exp.Table: _table,
    exp.DataType: _data_type,
    exp.Cast: _cast,
    exp.TryCast: _try_cast,
    exp.Interval: _interval,
    exp.Bracket: _bracket,
    exp.If: _if,
    exp.Join: _join,
    exp.Ordered: _ordered,
    exp.DPipe: _dpipe,
    exp.Struct: _is_not_a_row,
}


def put_place(made: Any, node: Any) -> None:
    """The place of a node on another: its own, or that of the first word below it."""
    for one in node.walk():
        if one.meta.get("line") is not None:
            made._meta = {**(made._meta or {}), **{key: one.meta[key] for key in ("line", "col", "start", "end")}}
            return


def _written(node: Any, text: str) -> str:
    starts = [(one.meta["start"], one.meta["end"]) for one in node.walk() if one.meta.get("start") is not None]
    if not starts:
        return str(node.key).upper()
    own = node.meta.get("start")
    start = own if own is not None else min(starts)[0]
    end = next(stop for begin, stop in starts if begin == start) if own is not None else max(one[1] for one in starts)
    # A literal may be private.
    return "..." if isinstance(node, exp.Literal) else text[start : end + 1][:60]


def _word(name: str) -> str:
    return f"`{name.strip('_').replace('_', ' ').upper()}`"
