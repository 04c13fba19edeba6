"""What one key costs in the state of a stream of features: bytes, for 1,000, 100,000 and 10 million events in 30 days.

    python -m benchmarks.aggregation_state [--events 1000 100000 10000000]

The events of one key, evenly over 30 days, arrive in time in batches through a shard, which is encoded at the end as it
would lie in the runner's state. Each feature is measured alone; `last hour` is what all features share: the events that
a late one could still meet, here those of `lateness: 1h`.
"""

import argparse
import json
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from blocks.aggregating.plan import Plan, make_plan
from blocks.aggregating.reading import read_definition
from blocks.aggregating.shard import Shard
from blocks.aggregating.shard_state import ShardState
from blocks.core.policy import NO_POLICY

RESULTS = Path(__file__).parent / "results" / "aggregation_state.json"
DAY = 86_400_000_000
START = 1_767_225_600_000_000  # 2026-01-01
BATCH = 50_000
SCHEMA = pa.schema(
    [
        pa.field("user", pa.int64()),
        pa.field("at", pa.timestamp("us", "UTC")),
        pa.field("id", pa.int64()),
        pa.field("amount", pa.float64()),
        pa.field("merchant", pa.int64()),
    ]
)
FEATURES: dict[str, dict[str, Any]] = {
    "count": {"op": "count"},
    "sum": {"op": "sum", "column": "amount"},
    "max": {"op": "max", "column": "amount"},
    "last_k, k: 5": {"op": "last_k", "column": "merchant", "k": 5},
    "variance_samp": {"op": "variance_samp", "column": "amount"},
    "unique_count, max: 1000": {"op": "unique_count", "column": "merchant", "max": 1000},
    "approx_unique_count": {"op": "approx_unique_count", "column": "merchant"},
    "approx_percentile": {"op": "approx_percentile", "column": "amount", "share": 0.95},
}


def plan_of(features: dict[str, dict[str, Any]]) -> Plan:
    """A plan of features over 30 days, in tiles of a day."""
    named = [{"name": f"f{place}", "window": "30d", **one} for place, one in enumerate(features.values())]
    content = {
        "entity": {"key": "user"},
        "source": {"event_time": "at", "event_id": "id"},
        "features": named,
        "emit": {"every": "1d"},
        "lateness": "1h",
        "ahead": "36500d",
    }
    return make_plan(read_definition(content), SCHEMA, "AggregateEvents", NO_POLICY)


def events(plan: Plan, start: int, stop: int, count: int) -> pa.RecordBatch:
    """Projected events, from one place to before another of so many in 30 days."""
    place = np.arange(start, stop)
    random = np.random.default_rng(start)
    columns = {
        "user": pa.array(np.zeros(len(place), np.int64)),
        "time": pa.array(START + place * (30 * DAY // count)),
        "id": pa.array([b"%08d" % one for one in place.tolist()], pa.large_binary()),
        "amount": pa.array(np.round(random.lognormal(3, 1, len(place)), 2)),
        "merchant": pa.array(random.integers(0, 5_000, len(place))),
    }
    sources = {**plan.columns, "time": "time", "id": "id"}
    found = [columns["id" if sources[one.name] == "id" else sources[one.name]] for one in plan.projected]
    return pa.RecordBatch.from_arrays(
        [
            one if one.type.equals(field.type) else pa.array(place, field.type)
            for one, field in zip(found, plan.projected, strict=True)
        ],
        schema=plan.projected,
    )


def state_of(plan: Plan, count: int) -> tuple[Shard, ShardState]:
    """The state after so many events."""
    shard = Shard(plan)
    state = shard.coder.empty()
    # A clock at which every event may come.
    now = START + 30 * DAY
    for start in range(0, count, BATCH):
        batch = events(plan, start, min(start + BATCH, count), count)
        state = shard.arrive(state, batch, now).state
    return shard, state


def sizes(features: dict[str, dict[str, Any]], count: int) -> dict[str, int]:
    """Bytes of the whole state, of its tiles, and how many tiles and events one by one."""
    shard, state = state_of(plan_of(features), count)
    whole = len(shard.coder.encode(state))
    nothing = len(shard.coder.encode(shard.coder.empty().with_keys(state.keys)))
    few = {hop: one.take(np.zeros(0, np.int64)) for hop, one in state.tiles.items()}
    without = len(shard.coder.encode(_with_tiles(state, few)))
    return {
        "bytes": whole,
        "tile_bytes": whole - without,
        "recent_bytes": without - nothing,
        "empty_bytes": nothing,
        "tiles": sum(len(one.code) for one in state.tiles.values()),
        "recent": state.recent.num_rows,
    }


def _with_tiles(state: ShardState, tiles: Any) -> ShardState:
    return type(state)(**{**vars(state), "tiles": tiles})


def main() -> None:
    """Prints the table, and writes it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", nargs="*", type=int, default=[1_000, 100_000, 10_000_000])
    asked = parser.parse_args()
    table = Table(title="Bytes of state of one key, events of 30 days, features of 30 days", title_justify="left")
    table.add_column("feature")
    for count in asked.events:
        table.add_column(f"{count:,} events", justify="right")
    found: dict[str, dict[str, Any]] = {}
    groups = {name: {name: one} for name, one in FEATURES.items()} | {"all of them": FEATURES}
    for name, features in groups.items():
        start = time.perf_counter()
        found[name] = {str(count): sizes(features, count) for count in asked.events}
        found[name]["seconds"] = round(time.perf_counter() - start, 1)
        cells = [found[name][str(count)] for count in asked.events]
        table.add_row(name, *(f"{one['tile_bytes']:,} in {one['tiles']} tiles" for one in cells))
    last = [found["all of them"][str(count)] for count in asked.events]
    table.add_row("last hour", *(f"{one['recent_bytes']:,} for {one['recent']:,} events" for one in last))
    Console(width=140).print(table)
    versions = {"python": platform.python_version(), "pyarrow": version("pyarrow"), "numpy": version("numpy")}
    RESULTS.write_text(json.dumps({"versions": versions, "features": found}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
