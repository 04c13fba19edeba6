"""Beam's `SqlTransform` on NamedTuples. `python -m benchmarks.contestants.sql_transform CLASS_PATH OUT --rows N`.

The service is what Beam's documentation leads to, started with the first query as `SqlTransform` would do by itself.
"""

import re
import subprocess
from typing import Any, NamedTuple

from apache_beam import coders
from apache_beam.transforms.sql import SqlTransform

from benchmarks.contestants.sql_work import (
    FEW,
    GROUPED,
    ROW_WISE,
    TEN,
    Figures,
    Timed,
    before,
    options,
    orders,
    row_came,
    timed,
)
from blocks.engines.java import OPENS, java_program

_MAIN = "blocks.benchmarks.PlainSql"


class Order(NamedTuple):
    id: int
    email: str
    card: str
    merchant: str
    amount: float


coders.registry.register_coder(Order, coders.RowCoder)


class Service:
    """The Java process, started when it is first asked for."""

    def __init__(self, class_path: str) -> None:
        self._class_path = class_path
        self.process: subprocess.Popen[str] | None = None

    def pids(self) -> list[int]:
        return [] if self.process is None else [self.process.pid]

    @property
    def address(self) -> str:
        if self.process is None:
            command = [str(java_program()), *OPENS, "-Xmx2g", "-cp", self._class_path, _MAIN]
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            assert self.process.stdout is not None
            lines = iter(self.process.stdout.readline, "")
            self._port = next(found[1] for line in lines if (found := re.match(r"ready (\d+)", line)))
        return f"localhost:{self._port}"


def run(rows: list[Order], query: str, service: Service, times: int = 1) -> Timed:
    def make(given: Any) -> list[Any]:
        return [
            given | f"Query {number}" >> SqlTransform(query, expansion_service=service.address)
            for number in range(times)
        ]

    return timed(rows, Order, make, row_came, service.pids)


def named(rows: int) -> list[Order]:
    return [Order(*values) for values in zip(*(column.to_pylist() for column in orders(rows).columns), strict=True)]


def main() -> None:
    given = options("class_path")
    service, figures, few = Service(given.class_path), Figures(), named(FEW)
    try:
        figures.small("cold", run(few, ROW_WISE, service))
        figures.small("warm", run(few, ROW_WISE, service))
        figures.small("ten", run(few, ROW_WISE, service, TEN))
        if given.rows:
            many = named(given.rows)
            for name, query in (("row by row", ROW_WISE), ("grouped", GROUPED)):
                run(many[: before(len(many))], query, service)
                figures.large(name, run(many, query, service))
        figures.write(given.out, *service.pids())
    finally:
        if service.process is not None:
            service.process.kill()


if __name__ == "__main__":
    main()
