"""The examples of the documents run and print what the documents say."""

import doctest
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```pycon\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PAGES = [page for page in sorted((ROOT / "docs").rglob("*.md")) if FENCE.search(page.read_text(encoding="utf-8"))]


def failures(text: str, name: str = "page") -> str:
    """What differs when all examples of a page run one after the other, as a reader would type them; "" if nothing."""
    source = "\n\n".join(FENCE.findall(text))
    test = doctest.DocTestParser().get_doctest(source, {"__name__": "__main__"}, name, name, 0)
    report: list[str] = []
    doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS).run(test, out=report.append)
    return "".join(report)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_example_of_a_page_prints_what_the_page_says(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BLOCKS_MASK_KEY", "test-only key, 32 bytes or longer")
    assert failures(page.read_text(encoding="utf-8"), page.name) == ""


def test_an_example_that_prints_something_else_is_found():
    assert "Got:\n    4" in failures("```pycon\n>>> 2 + 2\n5\n```\n")


def test_an_error_with_another_message_is_found():
    page = "```pycon\n>>> int('x')\nTraceback (most recent call last):\n    ...\nValueError: something else\n```\n"
    assert "invalid literal" in failures(page)
