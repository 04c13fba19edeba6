"""The reference under `docs/reference/`, made from the catalog, the docstrings and the trials of each block.

`python -m blocks.catalog.reference` writes it; with `--check` it only compares, and fails where a page is not up to
date. Both run the example of every block, so a page shows what its block does now.
"""

from collections.abc import Iterator
from pathlib import Path

from blocks.catalog.model import Catalog, Entry, newest
from blocks.catalog.reading import read_catalog
from blocks.catalog.reference.block_page import block_page
from blocks.catalog.reference.errors_page import errors_page
from blocks.catalog.reference.functions_page import functions_page
from blocks.catalog.reference.markdown import table
from blocks.catalog.reference.python_page import python_page
from blocks.core.errors import CatalogError, Problem, all_problems

FOLDER = Path(__file__).parents[3] / "docs" / "reference"
_MADE = "<!-- Made by `nox -s docs` from catalog.yaml and the code: change those. -->\n\n"


def pages() -> Iterator[tuple[str, str]]:
    """(file name, text) of every page: the index, errors and codes, Python names, SQL functions, and one a block."""
    catalog = read_catalog()
    yield "README.md", _MADE + _index(catalog)
    yield "errors.md", _MADE + errors_page(catalog)
    yield "python.md", _MADE + python_page(catalog)
    yield "functions.md", _MADE + functions_page(catalog)
    for entry in catalog.entries:
        yield page_name(entry, catalog), _MADE + block_page(entry)


def page_name(entry: Entry, catalog: Catalog) -> str:
    """File name of a block's page: `MaskColumns.md`, and `MaskColumns@1.md` for a major that is not the newest."""
    main = newest([one for one in catalog.entries if one.name == entry.name])
    return f"{entry.name}.md" if entry.major == main.major else f"{entry.name}@{entry.major}.md"


def _index(catalog: Catalog) -> str:
    rows = [
        (
            f"[{page_name(entry, catalog)[:-3]}]({page_name(entry, catalog)})",
            entry.version + (f", {entry.status}" if entry.status != "stable" else ""),
            entry.summary,
        )
        for entry in catalog.entries
    ]
    functions = "The functions that a query of `RunSql` may call are on [a page of their own](functions.md)."
    return "# Blocks\n\n" + table(("block", "version", "what it does"), rows) + f"\n\n{functions}\n"


def main(arguments: list[str]) -> None:
    """Writes the pages, or with `--check` compares them.

    Raises:
      CatalogError: (with `--check`) every page that is missing, old or of no block.
    """
    wanted = dict(pages())
    found = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md")}
    if "--check" in arguments:
        with all_problems("docs/reference", CatalogError) as problems:
            for name in sorted(wanted.keys() | found.keys()):
                if wanted.get(name) != found.get(name):
                    problems.append(Problem("the page is not what the catalog and code say", name, "nox -s docs"))
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in found.keys() - wanted.keys():
        (FOLDER / name).unlink()
    for name, text in wanted.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
