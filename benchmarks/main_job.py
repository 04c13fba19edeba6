"""The figures of the main job. `nox -s bench`, or with `-- --events 50000 --rounds 1` for a quick look."""

import argparse
import json
import tempfile
from pathlib import Path

from benchmarks.contestants.work import checksum
from benchmarks.harness import Contestant, compare, contestant
from blocks.testing.simulator import SimulatorConfig, write_events

RESULTS = Path(__file__).parent / "results"
ENVIRONMENT = {"BLOCKS_MASK_KEY": "benchmark-only key, 32 bytes or longer"}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=int, default=500_000)
    options.add_argument("--large", type=int, default=5_000_000, help="events for the memory figure; 0 to leave it out")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--reshuffle-rows", type=int, default=983_040)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "events.jsonl")
        report = write_events(source, SimulatorConfig(events=given.events, seed=1, late=0.01))
        title = (
            f"{given.events:,} nested events, {report.bytes / 1e6:,.0f} MB of JSON lines: read, mask, flatten, write"
        )
        names = {
            "this library": "blocks_pipeline",
            "Beam, by hand per element": "beam_by_hand",
            "Beam YAML, what it can": "beam_yaml",
            "pyarrow without Beam": "arrow_limit",
        }
        _agree(names, str(source))
        compare(
            title,
            [
                Contestant(name, contestant(module, str(source), "{out}"), given.events)
                for name, module in names.items()
            ],
            given.rounds,
            ENVIRONMENT,
            RESULTS / "main_job.json",
        )
        rows = given.reshuffle_rows
        compare(
            f"{rows:,} rows made, shuffled and counted (without imports)",
            [
                Contestant("batches", contestant("reshuffle_batches", str(rows), "{out}"), rows),
                Contestant("rows", contestant("reshuffle_rows", str(rows), "{out}"), rows),
            ],
            given.rounds,
            ENVIRONMENT,
            RESULTS / "reshuffle.json",
        )
        if given.large:
            large = Path(folder, "large.jsonl")
            write_events(large, SimulatorConfig(events=given.large, seed=1, late=0.01))
            compare(
                "Peak memory by input size",
                [
                    Contestant(f"{count:,} events", contestant("blocks_pipeline", str(path), "{out}"), count)
                    for count, path in ((given.events, source), (given.large, large))
                ],
                1,
                ENVIRONMENT,
                RESULTS / "memory.json",
            )


def _agree(names: dict[str, str], source: str) -> None:
    """The contestants do the same work: same rows, sums and masked values (Beam YAML has no decimals to compare)."""
    found = {}
    for name, module in names.items():
        if module == "beam_yaml":
            continue
        with tempfile.TemporaryDirectory() as out:
            Contestant(name, contestant(module, source, out), 0).run(ENVIRONMENT)
            found[name] = checksum(out)
    if len({json.dumps(one) for one in found.values()}) != 1:
        raise SystemExit(f"the contestants disagree: {found}")


if __name__ == "__main__":
    main()
