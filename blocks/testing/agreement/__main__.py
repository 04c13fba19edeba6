"""Measures the agreement: python -m blocks.testing.agreement [--generated 2000] [--seed 1] [--pairs]."""

import argparse
import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from blocks.testing.agreement import measuring, recording, report, verdicts
from blocks.testing.agreement.corpus import read_corpus, read_tables
from blocks.testing.agreement.known import read_known

CORPUS = Path("tests/fixtures/sql/corpus")
BEAM = "2.70.0"


def main(arguments: list[str] | None = None) -> int:
    """Prints the table; 1 if the agreement over the corpus is worse than it may be."""
    parser = argparse.ArgumentParser(prog="python -m blocks.testing.agreement", description=__doc__)
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="folder of the queries and their tables")
    parser.add_argument("--generated", type=int, default=0, metavar="N", help="made queries beside those of the corpus")
    parser.add_argument("--seed", type=int, default=1, help="of the made queries")
    parser.add_argument("--start", type=int, default=0, help="number of the first made query")
    parser.add_argument("--attempts", type=int, default=150, help="questions for making one disagreement small")
    parser.add_argument("--pairs", action="store_true", help="every operator over every pair of types too")
    parser.add_argument("--json", type=Path, help="where to write the figures too")
    parser.add_argument(
        "--record", action="store_true", help="record the verdicts that the everyday tests compare with"
    )
    given = parser.parse_args(arguments)
    sides = measuring.Sides(verdicts.checks, verdicts.planner)
    cases, tables = read_corpus(given.corpus), read_tables(given.corpus)
    known = read_known(given.corpus / "known.yaml")
    parts = {"corpus": list(measuring.over_corpus(sides, cases, tables))}
    if given.record:
        recording.write(given.corpus / "recorded", cases, parts["corpus"])
    if given.generated:
        made = measuring.over_generated(sides, given.generated, given.seed, given.start, given.attempts)
        parts[f"generated, seed {given.seed}"] = list(made)
    if given.pairs:
        parts["pairs"] = list(measuring.over_pairs(sides))
    report.show(Console(width=110), parts, known)
    if given.json:
        packages = {name: version(name) for name in ("sqlglot", "pyarrow")}
        content = report.as_json(parts, {"beam-java": BEAM, "python": platform.python_version(), **packages})
        given.json.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    failed = report.failures(parts["corpus"], known)
    failed += [f"{case}: expected {case.expect}" for case in recording.unexpected(cases, parts["corpus"])]
    for line in failed:
        print(f"FAILED: {line}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
