"""The demo snippet on Flink against local. `python -m benchmarks.engines`, or with `--events 50000 --rounds 1`."""

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.harness import Contestant, compare
from benchmarks.main_job import ENVIRONMENT, RESULTS
from blocks.engines.errors import EngineError
from blocks.engines.prism import prism_program
from blocks.testing.simulator import SimulatorConfig, write_events

DEMO = Path(__file__).parents[1] / "examples" / "demo.yaml"


def command(runner: str, source: Path, *more: str) -> list[str]:
    settings = ("--set", f"events={source}", "--set", "output={out}")
    return [sys.executable, "-m", "blocks.cli", "run", str(DEMO), *settings, "--runner", runner, *more]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=int, default=500_000)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "events.jsonl")
        write_events(source, SimulatorConfig(events=given.events, seed=1, bad=0.001, late=0.01))
        runners = {
            "local": command("local", source),
            "Flink in its job server": command("flink", source),
            "Flink, two tasks at once": command("flink", source, "--option", "parallelism=2"),
        }
        if _has_prism():
            runners["Prism"] = command("prism", source)
        title = f"the demo, {given.events:,} events, whole process with the start of the runner"
        contestants = [Contestant(name, line, given.events) for name, line in runners.items()]
        compare(title, contestants, given.rounds, ENVIRONMENT, RESULTS / "engines.json")


def _has_prism() -> bool:
    try:
        return prism_program().exists()
    except EngineError:
        return False


if __name__ == "__main__":
    main()
