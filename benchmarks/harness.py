"""Runs contestants as processes of their own, in turn, round after round; measures wall time and peak memory."""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

PACKAGES = ("apache-beam", "pyarrow", "duckdb", "pyiceberg", "numpy")


@dataclass
class Contestant:
    """What is measured: `command` gets `{out}` replaced by a fresh folder in each round."""

    name: str
    command: list[str]
    rows: int
    seconds: list[float] = field(default_factory=list)
    peak_mib: list[float] = field(default_factory=list)

    def run(self, environment: dict[str, str]) -> None:
        """One round. Peak memory is that of the process and the children it waited for."""
        with tempfile.TemporaryDirectory() as out:
            start = time.perf_counter()
            process = subprocess.Popen(
                [part.replace("{out}", out) for part in self.command], env={**os.environ, **environment}
            )
            _, status, usage = os.wait4(process.pid, 0)
            if os.waitstatus_to_exitcode(status):
                raise SystemExit(f"{self.name} failed")
            self.seconds.append(time.perf_counter() - start)
            self.peak_mib.append(usage.ru_maxrss / 1024)

    @property
    def rate(self) -> float:
        """Rows a second in the median round."""
        return self.rows / median(self.seconds)


def compare(title: str, contestants: list[Contestant], rounds: int, environment: dict[str, str], output: Path) -> None:
    """Runs all, interleaved, prints the table and writes the JSON."""
    console = Console(width=110)
    for number in range(rounds):
        for contestant in contestants:
            console.print(f"round {number + 1} of {rounds}: {contestant.name}", highlight=False)
            contestant.run(environment)
    first = contestants[0]
    table = Table(title=title)
    for column in ("", "rows", "seconds (median)", "rows/s", f"{first.name} is ... times as fast", "peak MiB"):
        table.add_column(column, justify="left" if not column else "right")
    for one in contestants:
        cells = (f"{one.rows:,}", f"{median(one.seconds):.1f}", f"{one.rate:,.0f}", f"{first.rate / one.rate:.2f}")
        table.add_row(one.name, *cells, f"{max(one.peak_mib):,.0f}")
    console.print(table)
    content = {
        "title": title,
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version()},
        "versions": {name: version(name) for name in PACKAGES},
        "rounds": rounds,
        "results": [
            {
                "name": one.name,
                "rows": one.rows,
                "seconds": [round(value, 3) for value in one.seconds],
                "rows_per_second": round(one.rate),
                "first_is_times_as_fast": round(first.rate / one.rate, 3),
                "peak_mib": round(max(one.peak_mib)),
            }
            for one in contestants
        ],
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(content, indent=2) + "\n")


def contestant(module: str, *arguments: str) -> list[str]:
    """The command of a contestant module."""
    return [sys.executable, "-m", f"benchmarks.contestants.{module}", *arguments]
