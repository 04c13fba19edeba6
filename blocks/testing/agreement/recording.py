"""Recorded verdicts: what the checks and the planner said of each case when someone last looked.

    two columns
      planner: order_id BIGINT NOT NULL, amount DECIMAL
      ours:    order_id BIGINT NOT NULL, amount DECIMAL
    unknown column in the output
      planner: refused
      ours:    unknown_column 1:8

The everyday tests compare `ours` with the checks of today and need no JVM; a change shows as a diff that is reviewed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from blocks.testing.agreement.comparing import Compared
from blocks.testing.agreement.corpus import Case
from blocks.testing.agreement.report import schema_text
from blocks.testing.agreement.verdicts import Verdict

_PLANNER, _OURS, _REFUSED = "  planner: ", "  ours:    ", "refused"


@dataclass(frozen=True, slots=True)
class Recorded:
    """Both verdicts, one line each: the output schema, `refused` (the planner), or code and place of each problem."""

    planner: str
    ours: str


def line_of(verdict: Verdict) -> str:
    """A verdict of the checks in one line."""
    if verdict.accepts:
        return schema_text(verdict.schema)
    pairs = zip(verdict.codes, verdict.places, strict=True)
    return ", ".join(f"{code} {line}:{column}" for code, (line, column) in pairs) or verdict.message


def write(folder: Path, cases: Sequence[Case], compared: Iterable[Compared]) -> None:
    """Records all verdicts, a file for each file of the corpus."""
    folder.mkdir(exist_ok=True)
    found = {one.name: one for one in compared}
    for file, group in groupby(cases, key=lambda case: case.file):
        lines: list[str] = []
        for case in group:
            one = found[str(case)]
            planner = schema_text(one.theirs.schema) if one.theirs.accepts else _REFUSED
            lines += [case.name, _PLANNER + planner, _OURS + line_of(one.ours)]
        (folder / f"{file}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def read(folder: Path) -> Mapping[str, Recorded]:
    """By the name of the case, `file: name`."""
    return {name: one for path in sorted(folder.glob("*.txt")) for name, one in _entries(path)}


def _entries(path: Path) -> Iterator[tuple[str, Recorded]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    for name, planner, ours in zip(lines[::3], lines[1::3], lines[2::3], strict=True):
        if not (planner.startswith(_PLANNER) and ours.startswith(_OURS)):
            raise ValueError(f"{path.name}: {name}: expected a line for the planner and one for the checks")
        yield f"{path.stem}: {name}", Recorded(planner.removeprefix(_PLANNER), ours.removeprefix(_OURS))


def unexpected(cases: Iterable[Case], compared: Iterable[Compared]) -> list[Case]:
    """Cases of which the planner says something else than the corpus expects."""
    accepted = {one.name: one.theirs.accepts for one in compared}
    return [case for case in cases if case.expect != "odd" and accepted[str(case)] != (case.expect == "valid")]
