"""Where NULL stands in an order: Beam 2.70 puts it at the wrong end of an ascending one.

Tried, in ORDER BY ... LIMIT and in OVER: NULLS LAST, and no word about it, give NULL first; NULLS FIRST gives it last.
DESC is right. Source: `BeamSortRel.BeamSqlRowComparator`.
"""

import re
from collections.abc import Iterator
from typing import Any

from sqlglot import exp

from blocks.sql.analysis import Analysis
from blocks.sql.checks.telling import every, told
from blocks.sql.problems import SqlProblem
from blocks.sql.types import SqlType


def null_order(analysis: Analysis) -> Iterator[SqlProblem]:
    """ORDER BY ... LIMIT over what may be NULL; OVER is looked at in `over_order`."""
    for query in every(analysis.tree, exp.Query):
        order = query.args.get("order")
        if order is None or query.args.get("limit") is None:
            continue
        for key in order.expressions:
            kind = analysis.type_of(key.this)
            if kind is not None:
                yield from null_end(analysis, key, kind, "in a subquery")


def null_end(analysis: Analysis, key: Any, kind: SqlType, where: str) -> Iterator[SqlProblem]:
    """A problem if NULL comes at the other end: an error where the query says which, else a warning."""
    if not kind.nullable or key.args.get("desc"):
        return
    says_first = bool(key.args.get("nulls_first"))
    says = says_first or _says(analysis, key)
    end, other = ("last", "FIRST") if says_first else ("first", "LAST")
    what = f"Beam puts NULL {end} here"
    if says:
        what += f", though the query says NULLS {other}"
    fix = f"leave NULL out {where}: WHERE x IS NOT NULL; or give it a value there: COALESCE(x, 0)"
    yield told(analysis, key, "wrong_order", what, fix, severity="error" if says else "warning")


def _says(analysis: Analysis, key: Any) -> bool:
    meta = key._meta or {}
    text = analysis.text[meta["start"] : meta["end"] + 1] if "start" in meta else ""
    return re.search(r"\bNULLS\s+LAST$", text, re.IGNORECASE) is not None
