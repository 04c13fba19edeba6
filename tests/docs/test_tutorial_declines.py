"""The tutorial `declined-three-times.md` is true: its files are written, its commands run, what they print compared."""

import re
from pathlib import Path

from tests.docs.test_tutorial_sql import STEP, changed, run_command

PAGE = Path(__file__).parents[2] / "docs" / "tutorials" / "declined-three-times.md"
# The codes of cards depend on the reader's key: the page has names for them.
CARDS = {"main:98a6": "CARD-A", "main:9ed2": "CARD-B"}


def written(text: str) -> str:
    """The page, with the lines that are added to a file as a change of it."""
    return re.sub(r"^Add to (`[\w.]+`):\n\n```yaml\n", r"\1\n\n```added\n", text, flags=re.MULTILINE)


def test_every_step_of_the_tutorial_does_what_the_page_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BLOCKS_MASK_KEY", "01234567890123456789012345678901")
    monkeypatch.delenv("BLOCKS_WAREHOUSE", raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    done = []
    page = written(PAGE.read_text(encoding="utf-8"))
    for code, name in CARDS.items():
        page = page.replace(f"\n{name} ", f"\n{code} ")
    for step in STEP.finditer(page):
        if step["console"]:
            done.append(run_command(step["console"], capsys, fails=bool(step["fails"])))
            continue
        path, before = Path(step["file"]), ""
        if step["kind"] in ("diff", "added"):
            before = path.read_text(encoding="utf-8")
        text = changed(before, step["content"]) if step["kind"] == "diff" else before + step["content"]
        path.write_text(text, encoding="utf-8")
    assert done == [
        *("blocks check cards.yaml",) * 4,
        "blocks run cards.yaml",
        "python answer.py",
        "python training.py",
        "blocks test cards.yaml",
        "blocks run cards.yaml",
        "python live.py",
    ]
