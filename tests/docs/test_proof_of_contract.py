"""The tests that the page of the contract names are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests" / "aggregating"


def missing(page: str) -> list[str]:
    """Files and tests that a page names and that are not there."""
    written = "\n".join(path.read_text(encoding="utf-8") for path in TESTS.glob("test_*.py"))
    files = [name for name in re.findall(r"`(test_\w+\.py)`", page) if not (TESTS / name).is_file()]
    paths = [name for name in re.findall(r"`(tests/[\w/]+\.py)`", page) if not (ROOT / name).is_file()]
    return [*files, *paths, *(name for name in re.findall(r"`(test_\w+)`", page) if f"def {name}(" not in written)]


def test_every_test_that_the_contract_names_is_there() -> None:
    page = (ROOT / "docs" / "aggregation-contract.md").read_text(encoding="utf-8")
    assert missing(page) == []
    assert page.count("`test_") > 12


def test_a_test_that_is_gone_is_found() -> None:
    assert missing("`test_gone.py`, `test_that_never_was`, `tests/no/such.py`") == [
        "test_gone.py",
        "tests/no/such.py",
        "test_that_never_was",
    ]
