"""Docstrings in Google's style as Markdown."""

import inspect
import re
from typing import Any

from blocks.catalog.reference.markdown import code

# What a paragraph may begin with, to be shown in bold. Any other line with a colon is a sentence.
WORDS = (
    "Input",
    "Output",
    "Columns",
    "Rows",
    "Row ids",
    "Conservation",
    "Rejects",
    "Labels",
    "Nulls",
    "Floats",
    "Windows",
    "Times",
    "State",
    "Cost",
    "Memory",
    "Metrics",
    "Source",
)
_WORDS = "|".join(WORDS)
_SECTION = re.compile(r"^(Args|Attributes|Returns|Yields|Raises|Example):\n((?:[ ]+.*\n?|\n)+)", re.MULTILINE)


def sections(thing: Any) -> tuple[str, str, dict[str, str]]:
    """Summary, the text without its sections, and name of a section to its text, of a docstring."""
    text = inspect.getdoc(thing) or ""
    found = {match[1]: inspect.cleandoc(match[2]) for match in _SECTION.finditer(text)}
    summary, _, body = _SECTION.sub("", text).partition("\n\n")
    return " ".join(summary.split()), body.strip(), found


def paragraphs(body: str) -> str:
    """Text in which `Input: ...` begins a paragraph of its own, with its word in bold."""
    text = re.sub(rf"^({_WORDS}):(?= )", r"\n**\1.**", body, flags=re.MULTILINE)
    # Several may stand on one line: `Rejects: none. Nulls: kept.`
    text = re.sub(rf"(?<=\.) ({_WORDS}): ", r"\n\n**\1.** ", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def raised(text: str) -> str:
    """The section `Raises` as a list; each error leads to what it means in general."""

    def item(match: re.Match[str]) -> str:
        errors = [f"[`{name}`](errors.md#{name.lower()})" for name in match[1].split(", ")]
        return f"- {', '.join(errors)}: "

    text = re.sub(r"^(\w+Error(?:, \w+Error)*): ", item, text, flags=re.MULTILINE)
    return re.sub(r"^(\w+): ", r"- `\1`: ", text, flags=re.MULTILINE)


def listed(text: str) -> str:
    """A section of names and what they are, as a list."""
    return re.sub(r"^(\w+): ", r"- `\1`: ", text, flags=re.MULTILINE)


def block_of_code(text: str) -> str:
    """The section `Example`."""
    return code("python", text)
