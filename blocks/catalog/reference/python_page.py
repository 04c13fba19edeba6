"""The page of the public names of `blocks` that are no blocks and no errors."""

import inspect
import re
from typing import Any

from blocks.catalog.model import Catalog, load_target
from blocks.catalog.reference.docstrings import block_of_code, listed, paragraphs, raised, sections
from blocks.catalog.reference.markdown import code

_TITLE = """\
# Python

What `blocks` has beside [the blocks](README.md) and [the errors](errors.md). Every name is loaded when it is first
used, so that `import blocks` is quick."""


def python_page(catalog: Catalog) -> str:
    """The page as Markdown."""
    import blocks

    names = {"load": blocks.load} | {
        name: load_target(target, name) for name, target in catalog.names.items() if not name.endswith("Error")
    }
    parts = [_part(name, thing) for name, thing in sorted(names.items(), key=lambda one: one[0].lower())]
    return "\n\n".join([_TITLE, *parts]) + "\n"


def _part(name: str, thing: Any) -> str:
    if not (inspect.isclass(thing) or inspect.isroutine(thing)):
        return "\n\n".join([f"## {name}", code("text", str(thing))])
    summary, body, found = sections(thing)
    parts = [f"## {name}", code("python", f"blocks.{name}{_signature(thing)}"), summary, paragraphs(body)]
    parts += [listed(found[title]) for title in ("Args", "Attributes") if title in found]
    parts += [f"**{title}.** {found[title]}" for title in ("Returns", "Yields") if title in found]
    if "Raises" in found:
        parts += ["**Raises.**", raised(found["Raises"])]
    if "Example" in found:
        parts.append(block_of_code(found["Example"]))
    return "\n\n".join(part for part in parts if part)


def _signature(thing: Any) -> str:
    # Annotations that are texts have quotes, as defaults that are texts do.
    text = re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(inspect.signature(thing))).replace("<factory>", "...")
    # People know Arrow by its short name, and everything else by its last word.
    text = re.sub(r"\b(?:\w+\.)+(?=[A-Z])", lambda one: "pa." if one[0].startswith("pyarrow.") else "", text)
    if len(text) <= 90:
        return text
    inner, _, result = text[1:].rpartition(")")
    arguments = _split(inner)
    return "(\n" + "".join(f"    {one},\n" for one in arguments) + ")" + result


def _split(inner: str) -> list[str]:
    """Arguments of a signature, split at the commas between them and not at those within brackets."""
    found, depth, start = [], 0, 0
    for at, letter in enumerate(inner):
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth == 0:
            found.append(inner[start:at].strip())
            start = at + 1
    return [*found, inner[start:].strip()]
