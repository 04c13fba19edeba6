"""The table of operations on the page: nothing in it that is not there, and what it says of empty windows is so."""

import re
from pathlib import Path
from typing import Any

import pytest

from blocks.aggregating.ops import OPERATIONS
from blocks.aggregating.reading import OP_NAMES
from tests.aggregating.event_cases import OPERATIONS_TRIED

PAGE = (Path(__file__).parents[2] / "docs" / "aggregations.md").read_text(encoding="utf-8")


def table(page: str) -> dict[str, set[str]]:
    """Name of each operation to the options that the table gives it."""
    section = page.split("## Operations", 1)[1].split("\n## ", 1)[0]
    found: dict[str, set[str]] = {}
    for line in section.splitlines():
        if line.startswith("| `") and not line.startswith("| `op`"):
            for names, options in re.findall(r"((?:`\w+`(?:, )?)+)(?: \(([^)]*)\))?", line.split(" | ")[0]):
                for name in re.findall(r"`(\w+)`", names):
                    found[name] = set(re.findall(r"`(\w+)`", options))
    return found


def test_the_table_has_the_operations_that_there_are_and_no_others() -> None:
    assert sorted(table(PAGE)) == sorted(OP_NAMES)


@pytest.mark.parametrize("kind", OPERATIONS, ids=lambda kind: kind.name)
def test_the_table_has_no_option_that_an_operation_does_not_take(kind: Any) -> None:
    shared = {one for name, options in table(PAGE).items() if name == kind.name for one in options}
    assert shared <= set(kind.options)


def test_an_operation_that_is_not_there_is_found() -> None:
    planted = PAGE.replace("| `rate` (`per`)", "| `rate`, `speed` (`per`)")
    assert set(table(planted)) - set(OP_NAMES) == {"speed"}


def test_random_cases_try_every_operation() -> None:
    assert {one["op"] for one in OPERATIONS_TRIED} == set(OP_NAMES)
