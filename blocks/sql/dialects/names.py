"""Names without quotation marks, which other dialects match in any letter case and Beam SQL exactly."""

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
from sqlglot import exp

from blocks.core.labels import children
from blocks.sql.analysis import Table


class Names:
    """How the names of a query are spelled in Beam SQL.

    A name that an input has keeps the input's spelling; others take that of their first definition in the query.

    Args:
      tree: of the query.
      dialect: in which quoted names are exact, as in all of them but BigQuery's columns and Spark's.
      tables: inputs.
    """

    def __init__(self, tree: Any, dialect: str, tables: Mapping[str, Table]) -> None:
        self._quoted_too = dialect in ("bigquery", "spark", "duckdb")
        self._exact = {name for table in tables.values() for name in (table.name, *_all_names(table.schema))}
        self._spelled: dict[str, str] = {}
        for name in self._exact:
            # Two names that differ in case only are never guessed.
            self._spelled[name.lower()] = name if name.lower() not in self._spelled else ""
        defined = [node for kind in (exp.Alias, exp.TableAlias) for node in tree.find_all(kind)]
        for name in (one for node in defined for one in _defined_by(node)):
            self._exact.add(name)
            self._spelled.setdefault(name.lower(), name)

    def of(self, identifier: Any) -> str:
        """The name that an identifier means."""
        name = str(identifier.this)
        if name in self._exact or (identifier.args.get("quoted") and not self._quoted_too):
            return name
        return self._spelled.get(name.lower()) or name


def _all_names(schema: Iterable[pa.Field]) -> Iterable[str]:
    for field in schema:
        yield field.name
        yield from _all_names(child for _, child in children(field.type))


def _defined_by(node: Any) -> list[str]:
    alias = node.args.get("alias") if isinstance(node, exp.Alias) else node.this
    columns = node.args.get("columns") or ()
    return [one.name for one in (alias, *columns) if isinstance(one, exp.Identifier)]
