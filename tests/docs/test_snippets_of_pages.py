"""The snippets of the documents pass their own tests: each YAML that begins with the name of its file is that file."""

import re
from pathlib import Path

import pytest

from blocks.snippets.building import check_snippet
from blocks.snippets.cases.running import run_cases

DOCS = Path(__file__).parents[2] / "docs"
FILE = re.compile(r"^```yaml\n# (\S+\.yaml)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# Page to the snippets on it that have tests.
SNIPPETS = {"windows.md": "visits.yaml", "aggregations.md": "training.yaml"}


def files_of(page: str) -> dict[str, str]:
    """Name to content of the files that a page shows."""
    return dict(FILE.findall(page))


@pytest.mark.parametrize("page", SNIPPETS)
def test_the_snippet_of_a_page_passes_its_tests(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, content in files_of((DOCS / page).read_text(encoding="utf-8")).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf-8")
    assert check_snippet(SNIPPETS[page]).problems == ()
    results = list(run_cases(SNIPPETS[page]))
    assert [one.failures for one in results if one.failures] == []
    assert sum(not one.skipped for one in results) >= 1


def test_a_snippet_that_does_not_pass_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, content in files_of((DOCS / "windows.md").read_text(encoding="utf-8")).items():
        (tmp_path / name).write_text(content.replace("gap: 30m", "gap: 5m"), encoding="utf-8")
    assert any(one.failures for one in run_cases("visits.yaml"))
