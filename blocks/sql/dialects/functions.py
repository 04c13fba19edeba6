"""Functions of other dialects as functions of Beam SQL and of the library.

A form is text with holes for the arguments as sqlglot names them, or a function that makes the tree. What is not here
has no equal form. Where the same words mean different things (integer division, NULL in CONCAT, counting of weeks), the
form says what the other dialect means.
"""

from collections.abc import Callable
from typing import Any

import pyarrow.types as pat
from sqlglot import exp

from blocks.core.labels import is_list
from blocks.sql.dialect.words import RESERVED
from blocks.sql.dialects.structure import Translator
from blocks.sql.dialects.templates import fill, holes

Form = Callable[[Translator, Any], Any]


def _form(template: str) -> Form:
    names = holes(template)

    def made(of: Translator, node: Any) -> Any:
        more = [name for name, value in node.args.items() if value not in (None, [], False) and name not in names]
        more = [name for name in more if name not in _SAID]
        if more or any(node.args.get(name) is None for name in names):
            return of.refuse(node)
        return fill(template, {name: of.node(node.args[name]) for name in names})

    return made


# Marks of sqlglot's, not arguments.
_SAID = frozenset("safe typed coalesce big_int zone date_part_boundary nested copy null_handling".split())  # noqa: SIM905


def call(name: str, *arguments: Any) -> Any:
    """A call in the form of the dialect `beam`."""
    return exp.Anonymous(this=name, expressions=list(arguments))


def _aggregate(name: str) -> Form:
    def made(of: Translator, node: Any) -> Any:
        argument = node.this
        if node.expressions:
            return of.refuse(node)
        if isinstance(argument, exp.Distinct):
            inner = exp.Distinct(expressions=of.each(argument.expressions))
            return call(name, inner)
        return call(name, of.node(argument)) if argument is not None else call(name)

    return made


def _many(name: str) -> Form:
    """A function of one argument and more."""

    def made(of: Translator, node: Any) -> Any:
        return call(name, of.node(node.this), *of.each(node.expressions))

    return made


def _divide(of: Translator, node: exp.Div) -> Any:
    left, right = of.node(node.this), of.node(node.expression)
    if node.args.get("safe"):
        right = call("NULLIF", right, exp.Literal.number(0))
    if node.args.get("typed"):
        return exp.Div(this=_grouped(left), expression=_grouped(right))
    # 1 / 2 is 0.5 there, and 0 in Beam SQL.
    return fill("CAST({left} AS DOUBLE) / {right}", {"left": left, "right": right})


def _grouped(node: Any) -> Any:
    return exp.Paren(this=node) if isinstance(node, exp.Binary) else node


def _concat(of: Translator, node: Any) -> Any:
    parts = [of.node(one) for one in node.expressions]
    if node.args.get("coalesce"):
        parts = [fill("COALESCE(CAST({part} AS VARCHAR), '')", {"part": part}) for part in parts]
    elif node.args.get("safe"):
        plain = [isinstance(part, exp.Literal) and part.is_string for part in parts]
        parts = [
            part if as_it_is else fill("CAST({part} AS VARCHAR)", {"part": part})
            for part, as_it_is in zip(parts, plain, strict=True)
        ]
    made = parts[0]
    for part in parts[1:]:
        made = exp.DPipe(this=_grouped(made) if not isinstance(made, exp.DPipe) else made, expression=_grouped(part))
    return made


def _concat_ws(of: Translator, node: Any) -> Any:
    return of.refuse(node, "", "join with ||, and COALESCE where a part may be NULL")


def _extreme(operator: str) -> Form:
    """GREATEST and LEAST: NULLs are left out in DuckDB, Postgres and Spark, and win elsewhere."""
    skipping = f"CASE WHEN {{b}} IS NULL OR {{a}} {operator} {{b}} THEN {{a}} ELSE {{b}} END"
    winning = (
        f"CASE WHEN {{a}} IS NULL OR {{b}} IS NULL THEN NULL WHEN {{a}} {operator} {{b}} THEN {{a}} ELSE {{b}} END"
    )

    def made(of: Translator, node: Any) -> Any:
        parts = [of.node(node.this), *of.each(node.expressions)]
        skips = of.dialect in ("duckdb", "postgres", "spark")
        made = parts[0]
        for part in parts[1:]:
            # A comparison with NULL is not true, so the other one is taken.
            made = fill(skipping if skips else winning, {"a": made, "b": part})
        return made

    return made


def _in_units(form: Callable[[Translator, Any, str], Any], *weeks: str) -> Form:
    """A form of times that gets its unit.

    Args:
      form: of the translator, the node and the unit.
      weeks: what weeks are, and what to do instead, where they cannot be translated.
    """

    def made(of: Translator, node: Any) -> Any:
        unit = of.unit(node.args.get("unit"))
        if unit is None:
            return exp.Null()
        return of.refuse(node, *weeks) if weeks and unit == "WEEK" else form(of, node, unit)

    return made


def _truncate_time(of: Translator, node: Any, unit: str) -> Any:
    return call("FLOOR", of.node(node.this), exp.Var(this=unit))


def _add_time(sign: str) -> Form:
    def made(of: Translator, node: Any, unit: str) -> Any:
        amount = of.node(node.expression.this if isinstance(node.expression, exp.Interval) else node.expression)
        if isinstance(amount, exp.Literal):
            number = amount.name.strip()
            if not number.lstrip("-").isdigit():
                return of.refuse(node, "a part of a unit of time", "write whole numbers")
            amount = exp.Literal.number(number.lstrip("-"))
            amount = exp.Neg(this=amount) if number.startswith("-") else amount
        amount = exp.Neg(this=_grouped(amount)) if sign == "-" else amount
        return call("TIMESTAMPADD", exp.Var(this=unit), amount, of.node(node.this))

    return _in_units(made)


def _difference(of: Translator, node: Any, unit: str) -> Any:
    """Boundaries that lie between, which is what other dialects count; Calcite counts whole units."""
    later, earlier = of.node(node.this), of.node(node.expression)
    kind = exp.Var(this=unit)
    if of.dialect != "spark" or unit == "DAY":
        earlier, later = (call("FLOOR", one, kind.copy()) for one in (earlier, later))
    return call("TIMESTAMPDIFF", kind, earlier, later)


_TRUNCATED = _in_units(
    _truncate_time, "the week of a time", "weeks begin on other days there; subtract days by EXTRACT(DOW)"
)
_BETWEEN = _in_units(_difference, "a difference in weeks", "divide the one in days by 7")

_EXTRACTED = {
    # Beam SQL: DOW is 1 (Sunday) to 7, ISODOW 1 (Monday) to 7.
    ("bigquery", "DAYOFWEEK"): ("DOW", 0),
    ("spark", "DAYOFWEEK"): ("DOW", 0),
    ("duckdb", "DOW"): ("DOW", -1),
    ("duckdb", "DAYOFWEEK"): ("DOW", -1),
    ("postgres", "DOW"): ("DOW", -1),
    ("snowflake", "DAYOFWEEK"): ("DOW", -1),
}
_FIELDS = ("YEAR", "QUARTER", "MONTH", "DAY", "HOUR", "MINUTE", "DOY", "ISODOW")


def _extract(of: Translator, node: exp.Extract) -> Any:
    name = str(node.this.name).upper()
    name = {"DAYOFYEAR": "DOY", "DAYOFWEEKISO": "ISODOW", "DAYOFWEEK_ISO": "ISODOW"}.get(name, name)
    return _field(of, node, name, node.expression)


def _field(of: Translator, node: Any, name: str, value: Any) -> Any:
    name, more = _EXTRACTED.get((of.dialect, name), (name, 0))
    if name not in _FIELDS and (name, more) not in _EXTRACTED.values():
        return of.refuse(node, f"EXTRACT of {name}", f"write one of {', '.join(_FIELDS)}")
    made = exp.Extract(this=exp.Var(this=name), expression=of.node(value))
    return exp.Paren(this=exp.Sub(this=made, expression=exp.Literal.number(-more))) if more else made


def _part(name: str) -> Form:
    def made(of: Translator, node: Any) -> Any:
        value = node.this.this if isinstance(node.this, exp.TsOrDsToDate) else node.this
        return _field(of, node, name, value)

    return made


def _substring(of: Translator, node: Any) -> Any:
    parts = [of.node(node.this), of.node(node.args["start"])]
    start = node.args["start"]
    if not (isinstance(start, exp.Literal) and start.name.isdigit() and int(start.name) >= 1):
        return of.refuse(node, "a substring that does not begin at a number from 1 on", "dialects differ on it")
    if node.args.get("length") is not None:
        parts.append(of.node(node.args["length"]))
    return call("SUBSTRING", *parts)


def _position(of: Translator, node: exp.StrPosition) -> Any:
    if node.args.get("position") or node.args.get("occurrence"):
        return of.refuse(node)
    return call("POSITION", of.node(node.args["substr"]), of.node(node.this))


def _trim(of: Translator, node: exp.Trim) -> Any:
    parts = {"this": of.node(node.this)}
    if node.expression is not None:
        if not isinstance(node.expression, exp.Literal) or len(node.expression.name) != 1:
            return of.refuse(node, "TRIM of more than one character", "trim one character at a time")
        parts["expression"] = of.node(node.expression)
    position = node.args.get("position")
    return exp.Trim(**parts, **({"position": str(position).upper()} if position else {}))


def _json_get(of: Translator, node: Any) -> Any:
    path = node.expression
    text = path.sql(dialect="bigquery").strip("'") if isinstance(path, exp.JSONPath) else ""
    if not text.startswith("$"):
        return of.refuse(node, "a computed JSON path", "write the path as text")
    return call("json_get", of.node(node.this), exp.Literal.string(text))


def _ilike(of: Translator, node: exp.ILike) -> Any:
    return fill(
        "LOWER({this}) LIKE LOWER({expression})", {"this": of.node(node.this), "expression": of.node(node.expression)}
    )


def _count_if(of: Translator, node: Any) -> Any:
    return fill("COUNT(CASE WHEN {this} THEN 1 END)", {"this": of.node(node.this)})


def _filter(of: Translator, node: exp.Filter) -> Any:
    """agg(x) FILTER (WHERE c): agg(CASE WHEN c THEN x END), for aggregates that skip NULLs."""
    aggregate, condition = of.node(node.this), of.node(node.expression.this)
    arguments = aggregate.expressions if isinstance(aggregate, exp.Anonymous) else []
    if len(arguments) != 1 or isinstance(arguments[0], exp.Distinct):
        return of.refuse(node)
    value = exp.Literal.number(1) if isinstance(arguments[0], exp.Star) else arguments[0]
    case = fill("CASE WHEN {condition} THEN {value} END", {"condition": condition, "value": value})
    return call(aggregate.this, case)


def _anonymous(of: Translator, node: exp.Anonymous) -> Any:
    """A function that sqlglot does not know either: one of the library, or a mistake that the checks will name."""
    name = str(node.this).lower()
    if name.upper() in RESERVED:
        return of.refuse(node)
    return call(name, *of.each(node.expressions))


def _array_agg(of: Translator, node: Any) -> Any:
    argument = node.this
    if isinstance(argument, exp.Distinct | exp.Order | exp.Limit):
        return of.refuse(node)
    return call("collect_list", of.node(argument))


def _group_concat(of: Translator, node: Any) -> Any:
    fix = "write collect_list(x), which gives the texts as an array: rows have no order here"
    return of.refuse(node, "an aggregate that joins texts", fix)


def _quantile(of: Translator, node: Any) -> Any:
    if isinstance(node.args["quantile"], exp.Array):
        return of.refuse(node, "several quantiles at once", "write a call for each")
    return call("percentile", of.node(node.this), of.node(node.args["quantile"]))


# Spark's `percentile` is an exact one, and so no name of the library's.
_APPROXIMATE = {"spark": "approx_percentile", "snowflake": "approx_percentile", "duckdb": "approx_quantile"}


def _no_quantile(of: Translator, node: Any) -> Any:
    what = "several quantiles at once" if isinstance(node, exp.ApproxQuantiles) else "an exact quantile"
    name = _APPROXIMATE.get(of.dialect, "percentile")
    return of.refuse(node, what, f"write {name}(x, 0.5), which is right within 1 %")


def _within_group(of: Translator, node: exp.WithinGroup) -> Any:
    if isinstance(node.this, exp.GroupConcat):
        return _group_concat(of, node.this)
    is_quantile = isinstance(node.this, exp.PercentileCont | exp.PercentileDisc)
    return _no_quantile(of, node) if is_quantile else of.refuse(node)


def _sum(of: Translator, node: exp.Sum) -> Any:
    kind = of.column_type(node.this)
    if kind is not None and pat.is_integer(kind) and kind.bit_width < 64:
        # Other dialects widen, Beam SQL wraps around.
        return fill("SUM(CAST({this} AS BIGINT))", {"this": of.node(node.this)})
    return _aggregate("SUM")(of, node)


def _length(of: Translator, node: exp.Length) -> Any:
    kind = of.column_type(node.this)
    name = "CARDINALITY" if kind is not None and is_list(kind) else "CHAR_LENGTH"
    return call(name, of.node(node.this))


def _stars(of: Translator, node: exp.Count) -> Any:
    if isinstance(node.this, exp.Star):
        return call("COUNT", exp.Star())
    return _aggregate("COUNT")(of, node)


FORMS: dict[type[exp.Expr], Form] = {
    exp.Anonymous: _anonymous,
    exp.Div: _divide,
    exp.IntDiv: _form("CAST({this} AS BIGINT) / CAST({expression} AS BIGINT)"),
    exp.Mod: _form("MOD({this}, {expression})"),
    exp.Pow: _form("POWER({this}, {expression})"),
    exp.SafeDivide: _form("CAST({this} AS DOUBLE) / NULLIF({expression}, 0)"),
    exp.Abs: _form("ABS({this})"),
    exp.Sign: _form("SIGN({this})"),
    exp.Sqrt: _form("SQRT({this})"),
    exp.Exp: _form("EXP({this})"),
    exp.Ln: _form("LN({this})"),
    exp.Ceil: _form("CEIL({this})"),
    exp.Floor: _form("FLOOR({this})"),
    exp.Coalesce: _many("COALESCE"),
    exp.Nullif: _form("NULLIF({this}, {expression})"),
    exp.Greatest: _extreme(">="),
    exp.Least: _extreme("<="),
    exp.Concat: _concat,
    exp.ConcatWs: _concat_ws,
    exp.Lower: _form("LOWER({this})"),
    exp.Upper: _form("UPPER({this})"),
    exp.Initcap: _form("INITCAP({this})"),
    exp.Length: _length,
    exp.Reverse: _form("REVERSE({this})"),
    exp.Replace: _form("REPLACE({this}, {expression}, {replacement})"),
    exp.Left: _form("SUBSTRING({this} FROM 1 FOR {expression})"),
    exp.Substring: _substring,
    exp.StrPosition: _position,
    exp.StartsWith: _form("POSITION({expression} IN {this}) = 1"),
    exp.Contains: _form("POSITION({expression} IN {this}) > 0"),
    exp.Trim: _trim,
    exp.ILike: _ilike,
    exp.MD5: _form("MD5({this})"),
    exp.DateTrunc: _TRUNCATED,
    exp.TimestampTrunc: _TRUNCATED,
    exp.DatetimeTrunc: _TRUNCATED,
    exp.DateAdd: _add_time("+"),
    exp.TimestampAdd: _add_time("+"),
    exp.DatetimeAdd: _add_time("+"),
    exp.TsOrDsAdd: _add_time("+"),
    exp.DateSub: _add_time("-"),
    exp.TimestampSub: _add_time("-"),
    exp.DatetimeSub: _add_time("-"),
    exp.DateDiff: _BETWEEN,
    exp.TimestampDiff: _BETWEEN,
    exp.DatetimeDiff: _BETWEEN,
    exp.TsOrDsDiff: _BETWEEN,
    exp.Extract: _extract,
    exp.Year: _part("YEAR"),
    exp.Month: _part("MONTH"),
    exp.Day: _part("DAY"),
    exp.DayOfWeek: _part("DAYOFWEEK"),
    exp.DayOfYear: _part("DOY"),
    exp.TsOrDsToDate: _form("CAST({this} AS DATE)"),
    exp.TsOrDsToTimestamp: _form("CAST({this} AS TIMESTAMP)"),
    exp.Date: _form("CAST({this} AS DATE)"),
    exp.CurrentDate: lambda of, node: call("CURRENT_DATE"),
    exp.CurrentTimestamp: lambda of, node: call("CURRENT_TIMESTAMP"),
    exp.ArraySize: _form("CARDINALITY({this})"),
    exp.JSONExtract: _json_get,
    exp.JSONExtractScalar: _json_get,
    exp.JSONValue: _json_get,
    exp.Count: _stars,
    exp.CountIf: _count_if,
    exp.Sum: _sum,
    # Of whole numbers Beam SQL gives whole numbers: SUM of the same width, AVG and VAR_POP cut off.
    exp.Avg: _form("AVG(CAST({this} AS DOUBLE))"),
    exp.Min: _aggregate("MIN"),
    exp.Max: _aggregate("MAX"),
    exp.AnyValue: _aggregate("ANY_VALUE"),
    exp.VariancePop: _form("VAR_POP(CAST({this} AS DOUBLE))"),
    exp.Variance: _form("VAR_SAMP(CAST({this} AS DOUBLE))"),
    exp.Stddev: _form("SQRT(VAR_SAMP(CAST({this} AS DOUBLE)))"),
    exp.StddevSamp: _form("SQRT(VAR_SAMP(CAST({this} AS DOUBLE)))"),
    exp.StddevPop: _form("SQRT(VAR_POP(CAST({this} AS DOUBLE)))"),
    exp.ApproxDistinct: _form("approx_count_distinct({this})"),
    exp.ApproxQuantile: _quantile,
    exp.ApproxQuantiles: _no_quantile,
    exp.Quantile: _no_quantile,
    exp.PercentileCont: _no_quantile,
    exp.PercentileDisc: _no_quantile,
    exp.Median: _no_quantile,
    exp.WithinGroup: _within_group,
    exp.ArrayAgg: _array_agg,
    exp.GroupConcat: _group_concat,
    exp.Filter: _filter,
    exp.ArgMax: _form("last_by({this}, {expression})"),
    exp.ArgMin: _form("first_by({this}, {expression})"),
    exp.RowNumber: lambda of, node: call("ROW_NUMBER"),
    exp.Rank: lambda of, node: call("RANK"),
    exp.DenseRank: lambda of, node: call("DENSE_RANK"),
    exp.Lag: lambda of, node: _offset_call(of, node, "LAG"),
    exp.Lead: lambda of, node: _offset_call(of, node, "LEAD"),
    exp.FirstValue: _form("FIRST_VALUE({this})"),
    exp.LastValue: _form("LAST_VALUE({this})"),
}


def _offset_call(of: Translator, node: Any, name: str) -> Any:
    given = [node.args[part] for part in ("this", "offset", "default") if node.args.get(part) is not None]
    return call(name, *of.each(given))
