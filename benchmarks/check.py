"""How long `blocks check` takes on snippets of 1, 10 and 100 blocks, beside what importing costs.

    python -m benchmarks.check [--rounds 5]

Each round is a process of its own: it imports, then checks the snippet twice. `imports` is what any snippet pays once,
Beam YAML's own providers and the classes of all blocks included. Seconds of processor time stand beside those of the
clock, because other work on the machine stretches only the latter.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.harness import PACKAGES

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
ORDERS = ROOT / "examples" / "orders"
COUNTS = (1, 10, 100)

_ROUND = """
import json, logging, sys, time
logging.disable(logging.CRITICAL)
clocks = time.perf_counter, time.process_time
def since(start):
    return [clock() - at for clock, at in zip(clocks, start)]
start = [clock() for clock in clocks]
from apache_beam.yaml import yaml_provider
from blocks.catalog.reading import read_catalog
from blocks.snippets.building import check_snippet
yaml_provider.standard_providers()
for entry in read_catalog().entries:
    entry.load()
found = [since(start)]
for _ in range(2):
    start = [clock() for clock in clocks]
    problems = check_snippet(sys.argv[1]).problems
    found.append(since(start))
    assert not problems, problems
print(json.dumps(dict(zip(("imports", "first", "again"), found))))
"""


def snippet(count: int) -> str:
    """A snippet of `count` blocks: feeds of five, each with its own schema, mask, windows and table."""
    lines = [f"policy: {ORDERS}/privacy.yaml", "rejects: rejects", "pipeline:", "  type: composite", "  transforms:"]
    steps = [
        f'{{type: ReadJson, config: {{pattern: "*.jsonl", schema: "{ORDERS}/order.yaml"}}}}',
        "{type: MaskColumns}",
        "{type: FlattenRecords, config: {explode: items}}",
        "{type: WindowRows, config: {windowfn: {type: fixed, size: 1h}}}",
        "{type: WriteWarehouse, config: {table: items_%d, partition_by: day(ordered_at)}}",
    ]
    for feed in range(-(-count // len(steps))):
        lines += ["    - type: chain", f"      name: feed_{feed}", "      transforms:"]
        left = count - feed * len(steps)
        lines += [f"        - {step % feed if '%d' in step else step}" for step in steps[:left]]
    return "\n".join(lines) + "\n"


def measure(rounds: int) -> list[dict[str, object]]:
    """One entry a size, with every round, interleaved."""
    found: dict[int, list[dict[str, list[float]]]] = {count: [] for count in COUNTS}
    with tempfile.TemporaryDirectory() as folder:
        for count in COUNTS:
            Path(folder, f"{count}.yaml").write_text(snippet(count), encoding="utf-8")
        for _ in range(rounds):
            for count in COUNTS:
                command = [sys.executable, "-c", _ROUND, f"{count}.yaml"]
                environment = {**os.environ, "PYTHONPATH": str(ROOT)}
                told = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
                found[count].append(json.loads(told.stdout.splitlines()[-1]))
    return [
        {
            "blocks": count,
            **{
                f"{key}_{clock}": [round(one[key][at], 3) for one in of_count]
                for key in ("imports", "first", "again")
                for at, clock in enumerate(("seconds", "cpu_seconds"))
            },
        }
        for count, of_count in found.items()
    ]


def main() -> None:
    """Measures, prints a table and writes the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    results = measure(given.rounds)
    table = Table(title="`blocks check`, seconds (median)")
    for column in ("blocks", "imports", "cpu", "first check", "cpu", "check again", "cpu"):
        table.add_column(column, justify="right")
    for one in results:
        keys = [f"{key}_{clock}" for key in ("imports", "first", "again") for clock in ("seconds", "cpu_seconds")]
        cells = (f"{median(one[key]):.2f}" for key in keys)  # type: ignore[call-overload]
        table.add_row(str(one["blocks"]), *cells)
    Console(width=100).print(table)
    content = {
        "title": "`blocks check` on snippets of several sizes",
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version()},
        "versions": {name: version(name) for name in PACKAGES},
        "rounds": given.rounds,
        "results": results,
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "check.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
