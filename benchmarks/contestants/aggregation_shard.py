"""One shard of a stream without Beam: `... aggregation_shard OUT --keys 100000 --shards 64 --batch 20000`.

Its part of the keys have had events for 30 days; then its part of each batch arrives: the state is read, the rows are
made, the state is written. All shards of one core together do as many events a second as this one does alone.
"""

import json
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.contestants import aggregation_work as work
from blocks.aggregating.plan import make_plan
from blocks.aggregating.projecting import Projector
from blocks.aggregating.reading import read_definition
from blocks.aggregating.shard import Shard
from blocks.core.policy import read_policy

_ARRIVALS = 10


def main() -> None:
    given = work.options(
        {},
        {
            "shards": (64, "of the stream"),
            "batch": (20_000, "events that come at once, for all shards"),
            "each": (1, "events that a key had before"),
            "features": (3, "of the definition: 3 or 10"),
        },
    )
    features = work.SUMS if given.features == 3 else work.FEATURES
    plan = make_plan(read_definition(work.definition(features)), work.SCHEMA, "AggregateEvents", read_policy(None))
    shard, project = Shard(plan), Projector(plan, "AggregateEvents", "0", None)
    keys, events = max(given.keys // given.shards, 1), max(given.batch // given.shards, 1)
    draw, step = np.random.default_rng(1), max(30 * work.DAY // given.each, 1)
    state, now = shard.coder.empty(), work.START + 40 * work.DAY
    for number in range(given.each):
        times = work.START + number * step + np.sort(draw.integers(0, step, keys))
        state = shard.arrive(state, project(_events(draw.permutation(keys), times))[0], now).state
    content = shard.coder.encode(state)
    batches = [
        project(_events(draw.integers(0, keys, events), _after(draw, number, events)))[0] for number in range(_ARRIVALS)
    ]
    before = time.process_time()
    rows = 0
    for batch in batches:
        found = shard.arrive(shard.coder.decode(content), batch, now)
        content = shard.coder.encode(found.state)
        rows += found.rows.num_rows
    seconds = time.process_time() - before
    told = {"milliseconds": 1e3 * seconds / _ARRIVALS, "rows": rows, "bytes": len(content), "keys": keys}
    Path(given.out, "shard.json").write_text(json.dumps(told))
    Path(given.out, "seconds").write_text(str(seconds))


def _after(draw: np.random.Generator, number: int, events: int) -> np.ndarray:
    minute = work.HOUR // 60
    return work.START + 30 * work.DAY + number * minute + np.sort(draw.integers(0, minute, events))


def _events(users: np.ndarray, times: np.ndarray) -> pa.RecordBatch:
    count = len(users)
    ids = pc.binary_join_element_wise("e", pa.array(times).cast(pa.string()), pa.array(users).cast(pa.string()), "-")
    texts = [
        pc.binary_join_element_wise(prefix, pa.array(users % many).cast(pa.string()), "") for prefix, many in _TEXTS
    ]
    status = pa.array(["OK", "DECLINED"]).take(pa.array((users % 20 == 0).astype(np.int8)))
    arrays = [ids, texts[0], pa.array(times).cast(pa.timestamp("us", "UTC")), pa.array(np.round(users % 997 / 7, 2))]
    assert count == len(times)
    return pa.RecordBatch.from_arrays([*arrays, texts[1], texts[2], status], schema=work.SCHEMA)


_TEXTS = (("user-", 1 << 40), ("m", 2_000), ("c", 30))


if __name__ == "__main__":
    main()
