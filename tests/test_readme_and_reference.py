"""What the documents show is what happens."""

import importlib
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import blocks
from blocks.catalog import reference
from blocks.catalog.model import Entry
from blocks.catalog.reading import read_catalog
from blocks.catalog.reference import examples
from blocks.catalog.reference.block_page import block_page
from blocks.catalog.reference.errors_page import codes_of, error_classes, told
from blocks.core.errors import BlocksError, CatalogError, ColumnError
from blocks.core.labels import labels_of
from blocks.core.reject_codes import CODES
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


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    """The reference as it would be written now; it runs the example of every block."""
    return dict(reference.pages())


@pytest.fixture
def made(pages: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The same, for what would make the pages once more."""
    monkeypatch.setattr(reference, "pages", lambda: iter(pages.items()))
    return pages


def test_the_reference_is_what_the_catalog_says_and_the_examples_give(made: dict[str, str]) -> None:
    reference.main(["--check"])


@pytest.mark.parametrize("entry", read_catalog().entries, ids=lambda entry: f"{entry.name}@{entry.major}")
def test_the_page_of_a_block_shows_what_goes_in_and_what_comes_out(entry: Entry, pages: dict[str, str]) -> None:
    example = pages[reference.page_name(entry, read_catalog())].partition("\n## Example\n")[2]
    went_in = re.search(rf"Into {entry.name} go:|Input 2 of {entry.name}:|The file:", example)
    came_out = re.search(r"(Out come|The table then holds|The output `\w+`):\n\n\|.*\|\n\|---", example)
    assert went_in
    assert came_out


def test_an_example_that_gives_something_else_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = (ROOT / "docs" / "reference" / "MaskColumns.md").read_text(encoding="utf-8")
    entry = read_catalog().block("MaskColumns")
    assert block_page(entry) in kept
    monkeypatch.setattr(examples, "_KEY", "another key, with which masked values are other values")
    assert block_page(entry) not in kept


def test_a_page_that_is_out_of_date_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: dict[str, str]
) -> None:
    monkeypatch.setattr(reference, "FOLDER", tmp_path)
    reference.main([])
    (tmp_path / "ReadJson.md").write_text("old")
    (tmp_path / "Gone.md").write_text("a block that is no more")
    with pytest.raises(CatalogError) as caught:
        reference.main(["--check"])
    assert [problem.where for problem in caught.value.problems] == ["Gone.md", "ReadJson.md"]


def test_every_code_of_a_reject_has_a_meaning_and_belongs_to_a_block() -> None:
    assert set(codes_of(read_catalog())) == set(CODES)


def test_every_error_of_the_library_is_public_and_on_the_page_of_errors(pages: dict[str, str]) -> None:
    for module in pkgutil.walk_packages(blocks.__path__, "blocks."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    kinds = [BlocksError]
    for kind in kinds:
        kinds += [one for one in kind.__subclasses__() if one.__module__.startswith("blocks.")]
    titles = set(re.findall(r"^### (\w+)$", pages["errors.md"], re.MULTILINE))
    assert {kind.__name__ for kind in kinds} - {"BlocksError"} == titles


@pytest.mark.parametrize("error", error_classes(read_catalog()), ids=lambda error: error.__name__)
def test_an_error_says_what_happened_and_what_to_do(error: type[BlocksError]) -> None:
    assert all(told(error)), f"write what {error.__name__} means, and `To do: ...` as a paragraph of its own"


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
