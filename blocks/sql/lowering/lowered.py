"""A query in DuckDB's SQL, with all that is needed to run it: plain data, which travels to workers."""

from dataclasses import dataclass

import pyarrow as pa

from blocks.core.masks.text import Mask


@dataclass(frozen=True, slots=True)
class Read:
    """A column that a query reads.

    Attributes:
      column: of the input.
      mask: by which the library masks it before the engine gets it, as a policy would; None for the column itself.
    """

    column: str
    mask: Mask | None = None

    def __str__(self) -> str:
        if self.mask is None:
            return f'"{self.column}"'
        options = self.mask.model_dump(exclude={"method"}, exclude_defaults=True)
        return f'{self.mask.method}("{self.column}"{"".join(f", {name} := {one!r}" for name, one in options.items())})'


@dataclass(frozen=True, slots=True)
class Output:
    """A column of a branch.

    Attributes:
      sql: over the engine's names; it fails where whole numbers wrap in Java.
      exact: the same, slower, that fails only where Java does.
      read: what is read and passed on, whole and unchanged; the engine has nothing to compute then. None for all else.
    """

    sql: str
    exact: str
    read: Read | None = None


@dataclass(frozen=True, slots=True)
class Branch:
    """One SELECT over the input: a query without UNION ALL has one of it.

    Attributes:
      outputs: its columns.
      where: SQL of the condition, empty without one.
      exact_where: the same, slower, that fails only where Java does.
    """

    outputs: tuple[Output, ...]
    where: str
    exact_where: str

    @property
    def bare(self) -> tuple[str, ...]:
        """For each column the input's column that it is, whole and unchanged, or empty."""
        return tuple(one.read.column if one.read and not one.read.mask else "" for one in self.outputs)

    @property
    def is_read(self) -> bool:
        """Whether the engine has nothing to do: every row is passed on, and every column as it is read."""
        return not self.where and all(one.read for one in self.outputs)


@dataclass(frozen=True, slots=True)
class Lowered:
    """A row-wise query for DuckDB.

    Attributes:
      table: name of the input that it reads.
      reads: what the engine gets of it; a mask also where it is only passed on.
      given: the schema in which it gets that, in the same order.
      branches: whose rows together are the result.
      schema: of the result, without metadata: a column that is passed on as it is has its own type, a computed one that
        of `blocks.sql.types.to_arrow`.
    """

    table: str
    reads: tuple[Read, ...]
    given: pa.Schema
    branches: tuple[Branch, ...]
    schema: pa.Schema

    @property
    def sql(self) -> str:
        """The query as people read it, for `explain`."""
        return "\nUNION ALL ".join(self._select(branch) for branch in self.branches)

    def _select(self, branch: Branch) -> str:
        named = [f'{one.sql} AS "{name}"' for one, name in zip(branch.outputs, self.schema.names, strict=True)]
        reads = dict(zip(self.given.names, self.reads, strict=False))
        reads |= {one.sql: one.read for one in branch.outputs if one.read}
        sources = [f"{read} AS {name}" for name, read in reads.items()]
        where = f"\nWHERE {branch.where}" if branch.where else ""
        inner = f"(SELECT {', '.join(sources) or '1'} FROM {self.table})"  # noqa: S608 (to be read, not to be run)
        return f"SELECT {', '.join(named)}\nFROM {inner}{where}"
