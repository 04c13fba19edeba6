"""Runs contestants as processes of their own, in turn, round after round; measures wall time and peak memory."""

import json
import os
import platform
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

# A contestant that writes this file into its folder is timed without its imports.
SECONDS = "seconds"

_BETWEEN = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
code = subprocess.run(sys.argv[2:]).returncode
seconds = time.perf_counter() - start
used = resource.getrusage(resource.RUSAGE_CHILDREN)
told = {"seconds": seconds, "cpu_seconds": used.ru_utime + used.ru_stime, "peak_kib": used.ru_maxrss}
open(sys.argv[1], "w").write(json.dumps(told))
sys.exit(code)
"""

PACKAGES = ("apache-beam", "pyarrow", "duckdb", "pyiceberg", "numpy")


@dataclass
class Contestant:
    """What is measured: `command` gets `{out}` replaced by a fresh folder in each round.

    Attributes:
      look: takes that folder after a round, before it goes.
      cpu_seconds: of the process and those that it ended, which tell more on a machine that is busy with other things.
      peak_mib: of the largest of these processes.
    """

    name: str
    command: list[str]
    rows: int
    look: Callable[[Path], None] = lambda _: None
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    peak_mib: list[float] = field(default_factory=list)

    def run(self, environment: dict[str, str]) -> None:
        """One round: wall time of the whole process, or what it says of itself, and its peak memory."""
        with tempfile.TemporaryDirectory() as out, tempfile.NamedTemporaryFile(suffix=".json") as told:
            command = [part.replace("{out}", out) for part in self.command]
            # A small process in between: a child's peak memory begins with what its parent held when it was forked.
            between = [sys.executable, "-S", "-c", _BETWEEN, told.name, *command]
            if subprocess.run(between, env={**os.environ, **_byte_code(), **environment}).returncode:
                raise SystemExit(f"{self.name} failed")
            found = json.loads(Path(told.name).read_text())
            own = Path(out, SECONDS)
            self.seconds.append(float(own.read_text()) if own.exists() else found["seconds"])
            self.cpu_seconds.append(found["cpu_seconds"])
            self.peak_mib.append(found["peak_kib"] / 1024)
            self.look(Path(out))

    @property
    def rate(self) -> float:
        """Rows a second in the median round."""
        return self.rows / median(self.seconds)

    @property
    def cpu_rate(self) -> float:
        """Rows a second of CPU in the median round."""
        return self.rows / median(self.cpu_seconds)


def compare(title: str, contestants: list[Contestant], rounds: int, environment: dict[str, str], output: Path) -> None:
    """Runs all, interleaved, prints the table and writes the JSON."""
    content = measure(title, contestants, rounds, environment)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(content, indent=2) + "\n")


def measure(title: str, contestants: list[Contestant], rounds: int, environment: dict[str, str]) -> dict[str, Any]:
    """Runs all, interleaved, prints the table and gives what the JSON says."""
    console = Console(width=120)
    for number in range(rounds):
        for contestant in contestants:
            console.print(f"round {number + 1} of {rounds}: {contestant.name}", highlight=False)
            contestant.run(environment)
    first = contestants[0]
    table = Table(title=title)
    for column in (
        "",
        "rows",
        "seconds",
        "of CPU",
        "rows/s",
        f"{first.name} is ... times as fast",
        "(CPU)",
        "peak MiB",
    ):
        table.add_column(column, justify="left" if not column else "right")
    for one in contestants:
        seconds, cpu = median(one.seconds), median(one.cpu_seconds)
        cells = (f"{one.rows:,}", f"{seconds:.1f}", f"{cpu:.1f}", f"{one.rate:,.0f}")
        times = (f"{first.rate / one.rate:.2f}", f"{first.cpu_rate / one.cpu_rate:.2f}")
        table.add_row(one.name, *cells, *times, f"{max(one.peak_mib):,.0f}")
    console.print(table)
    return {
        "title": title,
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version()},
        "versions": {name: version(name) for name in PACKAGES},
        "rounds": rounds,
        "results": [
            {
                "name": one.name,
                "rows": one.rows,
                "seconds": [round(value, 3) for value in one.seconds],
                "cpu_seconds": [round(value, 3) for value in one.cpu_seconds],
                "rows_per_second": round(one.rate),
                "first_is_times_as_fast": round(first.rate / one.rate, 3),
                "by_cpu": round(first.cpu_rate / one.cpu_rate, 3),
                "peak_mib": round(max(one.peak_mib)),
            }
            for one in contestants
        ],
    }


@cache
def _byte_code() -> dict[str, str]:
    """Variables with which contestants find modules compiled, as installed ones are, also where Python may not."""
    if not sys.dont_write_bytecode:
        return {}
    folder = str(Path(tempfile.gettempdir(), f"blocks-benchmarks-{os.getuid()}"))
    found = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": folder}
    here = Path(__file__).parents[1]
    folders = [
        sysconfig.get_path("stdlib"),
        sysconfig.get_path("purelib"),
        str(here / "blocks"),
        str(here / "benchmarks"),
    ]
    # Some files of packages are templates; what cannot be compiled is not imported either.
    command = [sys.executable, "-m", "compileall", "-q", "-q", "-j", "0", *folders]
    subprocess.run(command, env={**os.environ, **found}, stdout=subprocess.DEVNULL, check=False)
    return found


def contestant(module: str, *arguments: str) -> list[str]:
    """The command of a contestant module."""
    return [sys.executable, "-m", f"benchmarks.contestants.{module}", *arguments]
