"""RunSql on batches. `python -m benchmarks.contestants.sql_run_sql ENGINE OUT --rows 1000000`."""

import sys

import pyarrow as pa

from benchmarks.contestants.sql_work import (
    BATCH_ROWS,
    FEW,
    GROUPED,
    ROW_WISE,
    SCHEMA,
    TEN,
    Engine,
    Figures,
    Timed,
    batch_came,
    before,
    options,
    orders,
    timed,
)
from blocks.core.batch_type import BatchType
from blocks.sql.run_sql import RunSql


def run(batches: list[pa.RecordBatch], query: str, engine: Engine, times: int = 1) -> Timed:
    return timed(
        batches,
        BatchType(SCHEMA),
        lambda given: [given | f"Query {number}" >> RunSql(query, engine=engine) for number in range(times)],
        batch_came,
        java,
    )


def main() -> None:
    given = options("engine")
    figures, few = Figures(), orders(FEW).to_batches()
    figures.small("cold", run(few, ROW_WISE, given.engine))
    for _ in range(3):
        figures.small("warm", run(few, ROW_WISE, given.engine))
    figures.small("ten", run(few, ROW_WISE, given.engine, TEN))
    if given.rows:
        many = orders(given.rows).to_batches(max_chunksize=BATCH_ROWS)
        for name, query in (("row by row", ROW_WISE), ("grouped", GROUPED)):
            if query == ROW_WISE or given.engine != "duckdb":
                run(many[: before(len(many))], query, given.engine)
                figures.large(name, run(many, query, given.engine))
    figures.write(given.out, *java())


def java() -> list[int]:
    """The process of the service, once there is one."""
    # Looked for and not imported: that is part of the first call.
    client = sys.modules.get("blocks.engines.sql_service.client")
    return [] if client is None or client._current is None else [client._current.hello["pid"]]


if __name__ == "__main__":
    main()
