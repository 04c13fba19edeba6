"""Every operator and function over every type: the typer says what Beam's planner says.

The record was written by the planner (`type_matrix`); the slow test asks it anew.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import pytest
from type_matrix import RECORD, SCHEMA, expressions, planned, query, recorded, shown

from blocks.sql.analysis import Analysis, Table
from blocks.sql.checks import CHECKS
from blocks.sql.functions.beam import beam_functions
from blocks.sql.functions.registry import Registry
from blocks.sql.parsing import parse
from blocks.sql.problems import SqlCheckError
from blocks.sql.resolving import resolve
from blocks.sql.typing.columns import as_given

REGISTRY = Registry(beam_functions())
# What plans and then fails, or means something else, is a problem of its own kind: the planner's answer is its type.
RUNS = ("runtime_type", "always_null", "loses_digits", "cut_decimal")
# Beam's planner folds these while it plans, or refuses them for what they hold; they are not told apart here.
TOLERABLE = 0.002


def answers(items: Sequence[str]) -> Iterator[str]:
    """What the typer and the checks say of each expression."""
    for item in items:
        try:
            parsed = parse(query([item]))
        except SqlCheckError:
            yield "refused"
            continue
        analysis = resolve(parsed, {"PCOLLECTION": Table("PCOLLECTION", SCHEMA)}, REGISTRY)
        yield "refused" if _refused(analysis) else shown(as_given(analysis.outputs()[0].type))


def _refused(analysis: Analysis) -> bool:
    problems = analysis.problems or [one for check in CHECKS for one in check(analysis)]
    mended = [rule for rule, _ in analysis.tolerated]
    return bool(mended) or any(one.severity == "error" and one.code not in RUNS for one in problems)


def test_the_typer_says_what_the_planner_says() -> None:
    record = recorded()
    found = dict(zip(record, answers(list(record)), strict=True))
    kinds = Counter(_kind(found[one], answer) for one, answer in record.items())
    wrong = [f"{one}: planner {answer}, typer {found[one]}" for one, answer in record.items() if found[one] != answer]
    assert (kinds["false accept"] + kinds["false reject"]) / len(record) <= TOLERABLE, "\n".join(wrong)
    assert kinds["another type"] / len(record) <= TOLERABLE, "\n".join(wrong)


def _kind(mine: str, planners: str) -> str:
    if mine == planners:
        return "agreed"
    if planners == "refused":
        return "false accept"
    return "false reject" if mine == "refused" else "another type"


def test_the_record_has_the_whole_matrix() -> None:
    assert set(recorded()) == {one for _, one in expressions()}


@pytest.mark.slow
@pytest.mark.jvm
@pytest.mark.timeout(1500)
def test_the_record_is_what_the_planner_says_today() -> None:
    record = recorded()
    taken = [one for one, answer in record.items() if answer != "refused"]
    refused = [one for one, answer in record.items() if answer == "refused"]
    changed = []
    for start in range(0, len(taken), 60):
        part = taken[start : start + 60]
        changed += [(one, now) for one, now in zip(part, planned(part), strict=True) if now != record[one]]
    # Each that is refused is a query of its own: a part of them, another one for every operator.
    for one in refused[::40]:
        changed += [(one, now) for now in planned([one]) if now != "refused"]
    assert changed == [], f"record them anew: python tests/sql/typing/type_matrix.py ({RECORD.name})"
