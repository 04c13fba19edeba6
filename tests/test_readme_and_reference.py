"""What the documents show is what happens."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from blocks.catalog import reference
from blocks.core.errors import CatalogError, ColumnError
from blocks.core.labels import labels_of
from blocks.testing.simulator import SimulatorConfig, write_events

ROOT = Path(__file__).parents[1]


def test_the_example_of_the_readme_prints_what_the_readme_says(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text()
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    printed = re.search(r"prints\n\n```\n(.*?)```", text, re.DOTALL)
    assert code
    assert printed
    (tmp_path / "events").mkdir()
    write_events(tmp_path / "events" / "day.jsonl.gz", SimulatorConfig(events=1000, seed=7, bad=0.01))
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    result = subprocess.run(
        [sys.executable, "-c", code[1]],
        cwd=tmp_path,
        env={**os.environ, "BLOCKS_MASK_KEY": "k" * 32},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert result.returncode == 0, result.stderr
    assert _shape(result.stdout) == _shape(printed[1])


def _shape(text: str) -> list[str]:
    """Lines without the digests, which depend on the key, and without pandas' spacing."""
    return [" ".join(re.sub(r"main:[0-9a-f]+\.\.\.", "main:...", line).split()) for line in text.splitlines()]


def test_the_reference_is_what_catalog_and_docstrings_say() -> None:
    reference.main(["--check"])


def test_a_page_that_is_out_of_date_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "FOLDER", tmp_path)
    reference.main([])
    (tmp_path / "ReadJson.md").write_text("old")
    (tmp_path / "Gone.md").write_text("a block that is no more")
    with pytest.raises(CatalogError) as caught:
        reference.main(["--check"])
    assert [problem.where for problem in caught.value.problems] == ["Gone.md", "ReadJson.md"]


def test_links_between_documents_lead_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert broken == []


def test_the_block_of_the_page_on_writing_blocks_works_as_it_stands() -> None:
    text = (ROOT / "docs" / "writing-a-block.md").read_text()
    code = re.search(r"```python\n(from.*?)```", text, re.DOTALL)
    assert code
    names: dict[str, Any] = {}
    exec(code[1], names)  # the page's own code
    block = names["RenameColumns"]
    schema = pa.schema([pa.field("uid", pa.string(), metadata={"blocks.label": "pii.user"}), ("amount", pa.int64())])
    batch = pa.RecordBatch.from_pylist([{"uid": "u1", "amount": 12}], schema=schema)
    renamed = block({"uid": "user_id"}).batch_function(schema)(batch)
    assert renamed.to_pylist() == [{"user_id": "u1", "amount": 12}]
    assert labels_of(renamed.schema.field("user_id")) == {"pii.user"}
    with pytest.raises(ColumnError) as caught:
        block({"udi": "a", "x": "b", "uid": "amount"}).output_schema(schema)
    assert [problem.what for problem in caught.value.problems] == [
        "no column `udi`",
        "no column `x`",
        "2 columns would be named `amount`",
    ]
