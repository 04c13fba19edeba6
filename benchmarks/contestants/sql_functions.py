"""What one call of a function costs, by language and engine. `... sql_functions JAR FOLDER OUT --rows 500000`.

The same query with more and with fewer calls; the difference is that of the calls, each with an argument of its own, so
that no planner finds two that are one. In it is the comparison that takes the result. What is counted is the time of
the processor, in Python and in Java: a call is a small part of a run, and other work on the machine a large one.
"""

from collections.abc import Callable, Iterable
from functools import partial

import pyarrow as pa

from benchmarks.contestants.sql_run_sql import java
from benchmarks.contestants.sql_work import BATCH_ROWS, SCHEMA, Engine, Figures, batch_came, options, orders, timed
from blocks.core.batch_type import BatchType
from blocks.sql.run_sql import RunSql

_MORE = 12


def steps(name: str, calls: int) -> str:
    return _filtered(f"{name}({number}) >= 0" for number in ("id", *(f"id + {one}" for one in range(1, calls))))


def masks(calls: int) -> str:
    return _filtered(f"mask_left(card, {number}) <> ''" for number in range(5, 5 + calls))


def _filtered(conditions: Iterable[str]) -> str:
    """All are true, so all are asked."""
    return f"SELECT id FROM PCOLLECTION WHERE {' AND '.join(conditions)}"


CASES: dict[str, tuple[Callable[[int], str], Engine]] = {
    "a step in Java": (partial(steps, "java_step"), "beam"),
    "a step in Scala": (partial(steps, "scala_step"), "beam"),
    "a step in SQL": (partial(steps, "sql_step"), "beam"),
    "a step in SQL, lowered": (partial(steps, "sql_step"), "duckdb"),
    "mask_left": (masks, "beam"),
    "mask_left, lowered": (masks, "duckdb"),
}


def main() -> None:
    given = options("jar", "folder")
    batches = orders(given.rows).to_batches(max_chunksize=BATCH_ROWS)
    figures = Figures()

    def seconds(query: str, engine: Engine, among: list[pa.RecordBatch]) -> float:
        def make(rows: object) -> list[object]:
            return [rows | RunSql(query, engine=engine, udf_jars=[given.jar], sql_udfs=[given.folder])]

        return timed(among, BatchType(SCHEMA), make, batch_came, java).cpu

    for query, engine in CASES.values():
        # Java compiles what it sees often.
        seconds(query(_MORE), engine, batches[:2])
    for name, (query, engine) in CASES.items():
        # The least of two: what else runs on the machine makes a run slower, never quicker.
        few, more = (min(seconds(query(calls), engine, batches) for _ in range(2)) for calls in (1, _MORE))
        figures.add(name, max(0.0, more - few) / (_MORE - 1) / given.rows)
    figures.write(given.out)


if __name__ == "__main__":
    main()
