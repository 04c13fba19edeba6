"""Compares both verdicts and counts."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from blocks.testing.agreement.verdicts import Verdict

Outcome = Literal["agreed", "false accept", "false reject", "runtime", "library", "schema", "crash"]
# Outcomes in which the checks say something wrong about the planner.
WRONG = ("false accept", "false reject", "schema", "crash")


@dataclass(frozen=True, slots=True)
class Compared:
    """A query and what both sides say.

    Attributes:
      name: of the case.
      query: its text; of a generated disagreement the shrunk one.
      ours: the checks' verdict.
      theirs: the planner's.
      difference: between the output schemas; empty where they are equal.
      before: the query before it was shrunk.
    """

    name: str
    query: str
    ours: Verdict
    theirs: Verdict
    difference: str = ""
    before: str = ""

    @property
    def outcome(self) -> Outcome:
        """How the verdicts stand to each other.

        A refusal for what only fails or misleads when it runs is `runtime`, one for a rule of this library `library`:
        the planner is right to take such a query, and so are we to refuse it.
        """
        if self.ours.message.startswith("CRASH"):
            return "crash"
        if self.ours.accepts:
            if not self.theirs.accepts:
                return "false accept"
            return "schema" if self.difference else "agreed"
        if not self.theirs.accepts:
            return "agreed"
        return {"runtime": "runtime", "library": "library"}.get(self.ours.who, "false reject")  # type: ignore[return-value]


def compare(name: str, query: str, ours: Verdict, theirs: Verdict, before: str = "") -> Compared:
    """Both verdicts and how the schemas differ."""
    return Compared(name, query, ours, theirs, difference(ours.schema, theirs.schema), before)


def difference(ours: pa.Schema | None, theirs: pa.Schema | None) -> str:
    """How two output schemas differ in names, types and nullability; empty where they do not."""
    if ours is None or theirs is None:
        return ""
    if len(ours) != len(theirs):
        own, other = ", ".join(ours.names), ", ".join(theirs.names)
        return f"{len(ours)} columns ({own}), the planner gives {len(theirs)} ({other})"
    pairs = [(f"{a.name} {text(a)}", f"{b.name} {text(b)}") for a, b in zip(ours, theirs, strict=True)]
    return "; ".join(f"{a}, the planner gives {b}" for a, b in pairs if a != b)


def text(field: pa.Field) -> str:
    """A field's type as SQL writes it, `NOT NULL` within it too."""
    return _type_text(field.type) + ("" if field.nullable else " NOT NULL")


_NAMES = {
    pa.bool_(): "BOOLEAN",
    pa.int8(): "TINYINT",
    pa.int16(): "SMALLINT",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.float32(): "FLOAT",
    pa.float64(): "DOUBLE",
    pa.string(): "VARCHAR",
    pa.binary(): "VARBINARY",
    pa.date32(): "DATE",
}


def _type_text(data_type: pa.DataType) -> str:
    if data_type in _NAMES:
        return _NAMES[data_type]
    if pa.types.is_decimal(data_type):
        return "DECIMAL"
    if pa.types.is_timestamp(data_type):
        return "TIMESTAMP"
    if pa.types.is_time(data_type):
        return "TIME"
    if pa.types.is_map(data_type):
        return f"MAP<{_type_text(data_type.key_type)}, {text(data_type.item_field)}>"
    if pa.types.is_list(data_type):
        return f"ARRAY<{text(data_type.value_field)}>"
    if pa.types.is_struct(data_type):
        return "ROW<" + ", ".join(f"{field.name} {text(field)}" for field in data_type) + ">"
    return str(data_type)


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts over many queries.

    Attributes:
      queries: how many.
      outcomes: how often each outcome is there.
      both: queries that both sides take.
      milliseconds: of each check, sorted.
    """

    queries: int
    outcomes: Counter[str]
    both: int
    milliseconds: tuple[float, ...]

    def share(self, outcome: str) -> float:
        """Part of the queries that have an outcome, from 0 to 1."""
        return self.outcomes[outcome] / self.queries if self.queries else 0.0

    def percentile(self, part: float) -> float:
        """Milliseconds that a part of the checks stays under."""
        if not self.milliseconds:
            return 0.0
        return self.milliseconds[min(len(self.milliseconds) - 1, int(part * len(self.milliseconds)))]


def figures(compared: Iterable[Compared]) -> Figures:
    """Counts."""
    found = list(compared)
    outcomes: Counter[str] = Counter(one.outcome for one in found)
    both = sum(one.ours.accepts and one.theirs.accepts for one in found)
    return Figures(len(found), outcomes, both, tuple(sorted(one.ours.seconds * 1000 for one in found)))
