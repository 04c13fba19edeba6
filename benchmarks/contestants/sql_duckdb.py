"""DuckDB alone over the whole Arrow table, on one thread: the limit. `... sql_duckdb OUT --rows 1000000`.

Its own functions do the work of the library's: regular expressions for the mask, its HyperLogLog for the count.
"""

import time

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.contestants.sql_work import FEW, GROUPED, ROW_WISE, Figures, Timed, options, orders

_MASK = "regexp_replace(substr(card, 1, 12), '[0-9]', 'n', 'g') || substr(card, 13)"


def run(connection: duckdb.DuckDBPyConnection, table: pa.Table, query: str) -> Timed:
    found, before = Timed(), time.process_time()
    connection.register("PCOLLECTION", table)
    result = connection.execute(query).to_arrow_table()
    found.take(result.num_rows, pc.sum(result.column("amount")).as_py())
    found.end, found.cpu = found.last, time.process_time() - before
    return found


def main() -> None:
    given = options()
    figures, few = Figures(), orders(FEW)
    row_wise = ROW_WISE.replace("mask_left(card, 12)", _MASK)
    connection = duckdb.connect(config={"threads": 1})
    figures.small("cold", run(connection, few, row_wise))
    figures.small("warm", run(connection, few, row_wise))
    many = orders(given.rows)
    figures.large("row by row", run(connection, many, row_wise))
    figures.large("grouped", run(connection, many, GROUPED))
    figures.write(given.out)


if __name__ == "__main__":
    main()
