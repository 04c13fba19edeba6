"""The sqlglot dialect `beam`: Beam SQL as Calcite's grammar has it, read by a parser of its own.

sqlglot's parser takes far more than Calcite does, and does not say where most nodes stand. This one follows Calcite's
`Parser.jj` (1.40, with Beam's words), gives every node its place, and makes sqlglot's nodes, so that generator, lineage
and transpiling work as they do for every dialect. What the nodes are:

    column, path of a ROW   Column(this, table, db, catalog); more than four names: Dot around it. `who.city` is a
                            Column whose table is `who` until names are resolved: Analysis.found says what it means
    (row).field, a[1].f     Dot(this, Identifier)
    x[1], m['k']            Bracket(this, expressions=[i]), positions from 1 as they are written
    every function          Anonymous(this=name as it was written, expressions); `function_name` and
                            `function_arguments` read it. COUNT(*): a Star; f(DISTINCT x): one Distinct; a unit of time
                            is a Var: TIMESTAMPDIFF(Var, a, b), FLOOR(x, Var); f(TABLE t): a Table; name => x: a Kwarg.
                            CURRENT_DATE and its kin: no arguments
    with clauses            Filter(this, Where), Window(this, partition_by, order, spec, alias=name of a WINDOW),
                            WithinGroup(this, Order), IgnoreNulls(this), RespectNulls(this)
    with words inside       Cast(this, to), Extract(Var, expression), Trim(this, expression, position), and as
                            Anonymous: POSITION(what, text, from), SUBSTRING(text, from, for), OVERLAY(text, by,
                            from, for)
    DATE '...', TIME, TIMESTAMP  Cast of a Literal with `meta["literal"]`
    INTERVAL '1' HOUR       Interval(Literal, Var); '1-2' YEAR TO MONTH: unit=IntervalSpan(Var, Var); INTERVAL x DAY:
                            this is the expression
    ARRAY[...], MAP[k, v]   Array(expressions), Map(keys=Array, values=Array)
    ROW(a, b), (a, b)       Tuple
    CASE, CASE x WHEN       Case(this, ifs=[If(this, true)], default)
    IS NULL, IS TRUE ...    Is(this, Null | Boolean); IS UNKNOWN is Is(this, Null) with `meta["unknown"]`
    IS DISTINCT FROM        NullSafeNEQ; IS NOT DISTINCT FROM: NullSafeEQ
    NOT IN, NOT LIKE ...    Not around In, Like, SimilarTo, Between, Is, Exists
    LIKE ... ESCAPE         Escape(Like, Literal)
    x IN (SELECT ...)       In(this, query=Subquery); x > ALL (...): GT(x, All(Subquery)); SOME and ANY: Any
    x'AB'                   HexString; every other text is a Literal, with its escapes undone
    (x)                     Paren; several around one another are one
    FROM                    From(Table | Subquery | Unnest | Lateral | TableFromRows | Values), joins=[Join]: a comma
                            is a Join without kind. Aliases are TableAlias(this, columns); UNNEST ... WITH ORDINALITY
                            has offset=True. A join in parentheses is a Paren around a Table or such with `joins`
    set operations          Union, Intersect, Except (distinct=True | False), by precedence; WITH, ORDER BY, LIMIT and
                            OFFSET are args of the query; FETCH is a Limit; a query in parentheses is a Subquery
    MATCH_RECOGNIZE         arg `match` of the Select, with the alias; one of a SELECT, with no join beside it

Long chains of AND, OR and || are balanced, so that a thousand of them are not a thousand levels.

`meta` of a node has `start` and `end` (of its text, `end` is the last character), `line`, and `col` as sqlglot counts
(`places.place_of` reads them). What Beam's planner refuses and `blocks.sql.rewriting` mends is read too and noted, as
(rule, node): see `TOLERATED`.
"""

from blocks.sql.dialect.beam import Beam, to_beam
from blocks.sql.dialect.nodes import function_arguments, function_name
from blocks.sql.dialect.tolerated import TOLERATED

__all__ = ["TOLERATED", "Beam", "function_arguments", "function_name", "to_beam"]
