"""What each side says of a query: whether it takes it, why not, and what comes out."""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pyarrow as pa

from blocks.sql.codes import CODES

Tables = Mapping[str, pa.Schema]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one side says.

    Attributes:
      accepts: whether it takes the query.
      message: why not, in one line.
      codes: of the problems, in order; of the checks only.
      places: line and column of each problem; of the checks only.
      schema: of the output, where it takes the query.
      seconds: that the answer took.
    """

    accepts: bool
    message: str = ""
    codes: tuple[str, ...] = ()
    places: tuple[tuple[int, int], ...] = ()
    schema: pa.Schema | None = None
    seconds: float = 0.0

    @property
    def who(self) -> str:
        """Of a refusal by the checks: `planner` if the planner sees one of its codes, else `runtime` or `library`."""
        kinds = [CODES[code].who for code in self.codes]
        return "planner" if "planner" in kinds else next(iter(kinds), "")


Judge = Callable[[str, Tables], Verdict]


def checks(query: str, tables: Tables) -> Verdict:
    """The verdict of `blocks.check_sql`, strict: nothing is written anew for the planner."""
    from blocks.sql.checking import check_sql
    from blocks.sql.problems import SqlCheckError

    start = time.perf_counter()
    try:
        checked = check_sql(query, tables, dialect="beam", strict=True)
    except SqlCheckError as error:
        seconds = time.perf_counter() - start
        found = [one for one in error.problems if one.severity == "error"]
        message = "; ".join(f"{one.code}: {one.what}" for one in found)
        codes = tuple(one.code for one in found)
        return Verdict(False, message, codes, tuple((one.line, one.column) for one in found), seconds=seconds)
    except Exception as error:
        # Never right: a query must give a result or a SqlCheckError. The table shows it.
        return Verdict(False, f"CRASH {type(error).__name__}: {error}", seconds=time.perf_counter() - start)
    return Verdict(True, schema=checked.planned, seconds=time.perf_counter() - start)


def planner(query: str, tables: Tables) -> Verdict:
    """The verdict of Beam's planner, in the SQL service of this process.

    No answer within the service's deadline, as for `DROP TABLE`, counts as a refusal.
    """
    from blocks.engines.sql_service import service

    start = time.perf_counter()
    planned = service().plan(query, tables)
    message = "; ".join(f"{one.kind}: {one.message}" for one in planned.problems)
    return Verdict(
        planned.schema is not None, one_line(message), schema=planned.schema, seconds=time.perf_counter() - start
    )


def one_line(text: str, width: int = 300) -> str:
    """A message in one line, cut."""
    line = re.sub(r"\s+", " ", text).strip()
    return line if len(line) <= width else line[: width - 1] + "…"
