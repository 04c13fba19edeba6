"""The rows of a block do not depend on how they come, and none is lost."""

import operator
import re
from collections.abc import Iterator

import duckdb
import pyarrow as pa

from blocks.testing.conformance.case import Case, Result
from blocks.testing.conformance.runs import as_they_come, parts_of, permuted, same

_COMPARE = {"=": operator.eq, "<=": operator.le, ">=": operator.ge}


def conserves_rows(case: Case) -> Iterator[str]:
    """Rows in, rows out and rejects are as the entry's `conserves` says."""
    yield from broken_equation(case, case.plain)


def broken_equation(case: Case, result: Result) -> Iterator[str]:
    """How a run breaks the equation of its entry."""
    left, sign, right = re.split(r" (=|<=|>=) ", case.entry.conserves)
    known = {
        "rows_in": sum(table.num_rows for table in result.fed),
        "rows_out": result.rows_out,
        "rejects": result.rejects.num_rows,
        **_counted(case, result.fed),
    }
    sides = [sum(known[name] for name in side.split(" + ")) for side in (left, right)]
    if not _COMPARE[sign](*sides):
        numbers = ", ".join(f"{name} {number}" for name, number in known.items())
        yield f"{case.entry.conserves}, but {numbers}"


def _counted(case: Case, fed: tuple[pa.Table, ...]) -> dict[str, int]:
    with duckdb.connect() as connection:
        connection.register("input", pa.concat_tables(fed))
        return {name: _number(connection, text) for name, text in case.trial.counts.items()}


def _number(connection: duckdb.DuckDBPyConnection, aggregate: str) -> int:
    # From the catalog, which is code and no input.
    found = connection.execute(f"SELECT {aggregate} FROM input").fetchone()  # noqa: S608
    return int(found[0] or 0) if found else 0


def gives_the_same_again(case: Case) -> Iterator[str]:
    """The same rows and config give the same rows again."""
    yield from same(case.plain, case.run(case.feed()), "run again")


def any_bundling(case: Case) -> Iterator[str]:
    """One batch or many, in another order and in several bundles at once: the same rows."""
    batches = parts_of(permuted(case.rows()), 13)
    yield from same(case.plain, case.run(case.feed(batches=batches, bundles=3)), "in 12 batches and 3 bundles")


def stream_equals_batch(case: Case) -> Iterator[str]:
    """As a stream with watermark steps: the same rows as in batch."""
    batches = parts_of(as_they_come(case.rows()), 10)
    yield from same(case.plain, case.run(case.feed(batches=batches, stream=True)), "as a stream")


def many_bundlings(case: Case) -> Iterator[str]:
    """Other rows, in batches of one row to all rows, in batch and as a stream: the same rows."""
    for seed in (1, 2, 3):
        rows = case.rows(300, seed)
        wanted = case.run(case.feed(batches=(rows,)))
        for size in (1, 40, 299):
            feed = case.feed(batches=parts_of(permuted(rows, seed), size), bundles=1 + seed % 3)
            yield from same(wanted, case.run(feed), f"rows of seed {seed} in batches of {size}")
        if "stream" in case.entry.modes:
            feed = case.feed(batches=parts_of(as_they_come(rows, seed), 3 + seed), stream=True)
            yield from same(wanted, case.run(feed), f"rows of seed {seed} as a stream")
