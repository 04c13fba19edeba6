"""`blocks catalog`, `blocks show` and `blocks describe`."""

import inspect
import re
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from blocks.catalog.options import REQUIRED, options_of
from blocks.catalog.reading import read_catalog
from blocks.core.schema import describe, schema_of_option


def show_catalog() -> None:
    """Prints a line a block."""
    table = Table(box=box.SIMPLE_HEAD)
    for title in ("block", "version", "modes", "notes"):
        table.add_column(title, no_wrap=True)
    table.add_column("what it does", ratio=1)
    for entry in read_catalog().entries:
        notes: list[str] = [entry.status] if entry.status != "stable" else []
        notes += [word for word, holds in (("rejects", entry.rejects), ("state", entry.state)) if holds]
        table.add_row(entry.name, entry.version, ", ".join(entry.modes), ", ".join(notes), Text(entry.summary))
    Console().print(table)


def show_block(name: str) -> None:
    """Prints what a block does, with its options."""
    entry = read_catalog().block(name)
    cls = entry.load()
    console = Console()
    facts = [entry.status, " and ".join(entry.modes), f"takes {', '.join(entry.takes)}", f"gives {entry.gives}"]
    facts += [word for word, holds in (("rejects", entry.rejects), ("keeps state", entry.state)) if holds]
    console.print(Text(f"{entry.name} {entry.version}", style="bold"), Text(f"({'; '.join(facts)})"))
    console.print()
    # A docstring has its own line breaks; a terminal that is narrower wraps them without adding any.
    console.print(Text(_without_arguments(inspect.getdoc(cls) or entry.summary)), soft_wrap=True)
    table = Table(box=box.SIMPLE_HEAD, title="Options", title_justify="left")
    for title in ("option", "type", "default"):
        table.add_column(title, overflow="fold")
    table.add_column("what it says", ratio=1)
    for option in options_of(cls).values():
        table.add_row(option.name, Text(option.kind), Text(_default(option.default)), Text(option.description))
    console.print(table)
    console.print(Text("In a snippet:", style="bold"))
    console.print(Text(_example(entry.name, entry.example)))


def _without_arguments(text: str) -> str:
    return re.sub(r"^Args:\n(?:[ ]+.*\n?|\n)+", "", text, flags=re.MULTILINE).rstrip() + "\n"


def _default(value: Any) -> str:
    if value is REQUIRED:
        return "required"
    if value is None or value == ():
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _example(name: str, config: dict[str, Any]) -> str:
    import yaml

    return yaml.safe_dump([{"type": name, "config": config}], sort_keys=False, width=100).rstrip()


def show_schema(source: str) -> None:
    """Prints the table of a schema.

    Args:
      source: `FILE` or `FILE:NAME`.
    """
    Console(soft_wrap=True).print(Text(str(describe(schema_of_option(source)))))
