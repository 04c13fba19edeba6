"""The block reference under `docs/reference/`, made from the catalog and the docstrings.

`python -m blocks.catalog.reference` writes it; with `--check` it only compares, and fails where a page is not up to
date.
"""

import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from blocks.catalog.model import Entry
from blocks.catalog.options import REQUIRED, Option, options_of
from blocks.catalog.reading import read_catalog
from blocks.core.errors import CatalogError, Problem, all_problems

FOLDER = Path(__file__).parents[2] / "docs" / "reference"
_MADE = "<!-- Made by `nox -s docs` from catalog.yaml and the docstrings: change those. -->\n\n"
_SECTION = re.compile(r"^(Args|Raises|Example):\n((?:[ ]+.*\n?|\n)+)", re.MULTILINE)


def pages() -> Iterator[tuple[str, str]]:
    """(file name, text) of every page: the index, and one a block."""
    entries = read_catalog().entries
    lines = [f"| [{entry.name}]({entry.name}.md) | {entry.version} | {entry.summary} |" for entry in entries]
    yield (
        "README.md",
        f"{_MADE}# Blocks\n\n| block | version | what it does |\n|---|---|---|\n" + "\n".join(lines) + "\n",
    )
    for entry in entries:
        yield f"{entry.name}.md", _MADE + _page(entry)


def _page(entry: Entry) -> str:
    cls = entry.load()
    text = inspect.getdoc(cls) or entry.summary
    sections = {match[1]: inspect.cleandoc(match[2]) for match in _SECTION.finditer(text)}
    summary, _, body = _SECTION.sub("", text).partition("\n\n")
    facts = {
        "version": f"{entry.version}, {entry.status}, since {entry.since}",
        "modes": ", ".join(entry.modes),
        "takes": ", ".join(entry.takes),
        "gives": entry.gives,
        "rejects": "yes" if entry.rejects else "no",
        "state": "yes" if entry.state else "no",
    }
    parts = [f"# {entry.name}", " ".join(summary.split()), _table(("", ""), facts.items()), _paragraphs(body)]
    parts += ["## Options", _table(("option", "type", "default", "what it says"), map(_row, options_of(cls).values()))]
    if "Raises" in sections:
        parts += ["## Errors", _listed(sections["Raises"])]
    if "Example" in sections:
        parts += ["## Example", f"```python\n{sections['Example']}\n```"]
    snippet = yaml.safe_dump([{"type": entry.name, "config": entry.example}], sort_keys=False, width=100).rstrip()
    parts += ["In a snippet:", f"```yaml\n{snippet}\n```"]
    return "\n\n".join(part for part in parts if part) + "\n"


def _row(option: Option) -> tuple[str, ...]:
    default = (
        "required" if option.default is REQUIRED else "" if option.default in (None, ()) else f"`{option.default}`"
    )
    return f"`{option.name}`", option.kind, default, option.description


def _table(titles: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(titles)} |", f"|{'---|' * len(titles)}"]
    lines += ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def _paragraphs(body: str) -> str:
    # `Input: ...` at the start of a line begins a paragraph of its own, with its word in bold.
    text = re.sub(r"^(\w[\w ]*):(?= )", r"\n**\1.**", body.strip(), flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def _listed(text: str) -> str:
    return re.sub(r"^(\w+): ", r"- `\1`: ", text, flags=re.MULTILINE)


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
                    problems.append(Problem("the page is not what the catalog and docstrings say", name, "nox -s docs"))
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in found.keys() - wanted.keys():
        (FOLDER / name).unlink()
    for name, text in wanted.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
