"""Checks the demo's tables: every good event is in them, once, however often the demo was run.

python examples/check_demo.py OUTPUT EVENTS [--same]

With `--same` the tables must hold exactly as many rows as at the last call without it.
"""

import argparse
import json
from pathlib import Path

import pyarrow.compute as pc

import blocks
from blocks.testing.simulator import SimulatorConfig, expected_counts

TABLES = ("transactions", "pushes", "issues", "pull_requests")


def main() -> None:
    """Counts, compares and says what it found."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("output", type=Path)
    options.add_argument("events", type=int)
    options.add_argument("--same", action="store_true")
    given = options.parse_args()
    warehouse, noted = given.output / "warehouse", given.output / "rows.json"
    rows = {name: blocks.read_table(name, warehouse=str(warehouse)).num_rows for name in TABLES}
    # The same options as in `nox -s demo`; the snippet is not strict, so unknown fields are no fault.
    wanted = expected_counts(SimulatorConfig(events=given.events, seed=1, bad=0.001, late=0.01)).rows(strict=False)
    events = pc.count_distinct(blocks.read_table("transactions", warehouse=str(warehouse))["event_id"]).as_py()
    if events != wanted:
        raise SystemExit(f"transactions: {events:,} events, expected {wanted:,}")
    if given.same and rows != json.loads(noted.read_text()):
        raise SystemExit(f"a second run changed the number of rows: {noted.read_text()} to {json.dumps(rows)}")
    noted.write_text(json.dumps(rows))
    print(f"{events:,} good events are in the table, each once; rows: {rows}")


if __name__ == "__main__":
    main()
