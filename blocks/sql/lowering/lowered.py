"""A query in DuckDB's SQL, with all that is needed to run it: plain data, which travels to workers."""

from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Branch:
    """One SELECT over the input: a query without UNION ALL has one of it.

    Attributes:
      outputs: SQL of each column, over the engine's names; it fails where whole numbers wrap in Java.
      where: SQL of the condition, empty without one.
      exact_outputs: the same, slower, that fails only where Java does.
      exact_where: of the condition.
      bare: for each column the input's column that it is, whole and unchanged, or empty.
    """

    outputs: tuple[str, ...]
    where: str
    exact_outputs: tuple[str, ...]
    exact_where: str
    bare: tuple[str, ...]

    @property
    def is_bare(self) -> bool:
        """Whether nothing is computed: every row is passed on, and every column as it is."""
        return not self.where and all(self.bare)


@dataclass(frozen=True, slots=True)
class Lowered:
    """A row-wise query for DuckDB.

    Attributes:
      table: name of the input that it reads.
      reads: fields of the columns that it reads, as the input has them.
      given: the schema in which the engine gets them.
      branches: whose rows together are the result.
      schema: of the result, without metadata: a column that is passed on as it is has its own type, a computed one that
        of `blocks.sql.types.to_arrow`.
    """

    table: str
    reads: pa.Schema
    given: pa.Schema
    branches: tuple[Branch, ...]
    schema: pa.Schema

    @property
    def sql(self) -> str:
        """The query as people read it, for `explain`."""
        return "\nUNION ALL ".join(self._select(branch) for branch in self.branches)

    def _select(self, branch: Branch) -> str:
        named = [f'{sql} AS "{name}"' for sql, name in zip(branch.outputs, self.schema.names, strict=True)]
        sources = [f'"{name}" AS {given}' for name, given in zip(self.reads.names, self.given.names, strict=True)]
        where = f"\nWHERE {branch.where}" if branch.where else ""
        inner = f"(SELECT {', '.join(sources) or '1'} FROM {self.table})"  # noqa: S608 (to be read, not to be run)
        return f"SELECT {', '.join(named)}\nFROM {inner}{where}"
