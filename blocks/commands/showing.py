"""`blocks catalog`, `blocks show` and `blocks describe`."""

import inspect
import re
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from blocks.catalog.functions import TOPICS, DeclassifiesEntry
from blocks.catalog.options import REQUIRED, options_of
from blocks.catalog.own_functions import OwnFunctions
from blocks.catalog.reading import read_catalog
from blocks.catalog.reference.functions_page import engines, found, labels_effect, nulls, signatures
from blocks.core.errors import ConfigError, all_problems
from blocks.core.schema import describe, schema_of_option


def show_catalog(own: Path | None = None) -> None:
    """Prints a line a block, and a line a function of SQL.

    Args:
      own: a user's catalog, instead of the library's.

    Raises:
      ConfigError: the catalog, or functions that it names, cannot be used.
    """
    catalog = read_catalog(own)
    table = Table(box=box.SIMPLE_HEAD)
    for title in ("block", "version", "modes", "notes"):
        table.add_column(title, no_wrap=True)
    table.add_column("what it does", ratio=1)
    for entry in catalog.entries:
        notes: list[str] = [entry.status] if entry.status != "stable" else []
        notes += [word for word, holds in (("rejects", entry.rejects), ("state", entry.state)) if holds]
        table.add_row(entry.name, entry.version, ", ".join(entry.modes), ", ".join(notes), Text(entry.summary))
    functions = Table(box=box.SIMPLE_HEAD)
    for title in ("function of SQL", "version", "kind", "written in"):
        functions.add_column(title, no_wrap=True)
    functions.add_column("what it does", ratio=1)
    for one in sorted(catalog.functions, key=lambda one: TOPICS.index(one.topic)):
        if one.origin != "beam":
            version = one.version if one.status == "stable" else f"{one.version}, {one.status}"
            written = {"java": "Java", "scala": "Scala", "sql": "SQL"}[one.origin]
            functions.add_row(one.name, version, one.kind, written, Text(one.summary))
    for name, function in _own_functions(own).items():
        if name.endswith(f"_v{function.version}"):
            plain = name.removesuffix(f"_v{function.version}")
            functions.add_row(
                plain, str(function.version), function.kind, _written(function), Text(function.description)
            )
    console = Console()
    if table.row_count:
        console.print(table)
    console.print(functions)


def _own_functions(catalog: Path | None) -> dict[str, Any]:
    """The functions that a user's catalog names, by every name that they have."""
    if catalog is None or read_catalog(catalog).own == OwnFunctions():
        return {}
    from blocks.sql.running.libraries import functions_of

    with all_problems(str(catalog), ConfigError) as problems:
        found = functions_of((), (), catalog, problems)
    own = {one.name: one for one in found.own()}
    plain = {name.removesuffix(f"_v{one.version}") for name, one in own.items()}
    return own | {name: function for name in plain if (function := found.registry.find(name)) is not None}


def _written(function: Any) -> str:
    return "SQL" if function.origin == "sql" else f"archive {function.jar[:12]}"


def show(name: str, own: Path | None = None) -> None:
    """Prints what a block or a function of SQL does.

    Args:
      name: of it, with a version where it is not the newest.
      own: a user's catalog, whose functions are looked at too.

    Raises:
      CatalogError: there is neither; functions are looked for where the name begins with a small letter.
      ConfigError: functions that the user's catalog names cannot be used.
    """
    plain = name.partition("@")[0]
    function = _own_functions(own).get(name.replace("@", "_v"))
    if function is not None:
        show_own_function(plain, function)
    elif plain[:1].islower():
        show_function(name)
    else:
        show_block(name)


def show_own_function(name: str, function: Any) -> None:
    """Prints what a user's function does, how it is called, and where it runs."""
    from blocks.sql.functions.signatures import signature_text

    name = name.removesuffix(f"_v{function.version}")
    console = Console()
    facts = f"({function.kind}; {_written(function)}; runs on {engines(function)})"
    console.print(Text(f"{name} {function.version}", style="bold"), Text(facts))
    _show_calls(console, function, [signature_text(name, one) for one in function.overloads], None)


def show_function(name: str) -> None:
    """Prints what a function does, how it is called, what it does to labels, and where it runs.

    Raises:
      CatalogError: there is no such function or version.
    """
    entry = read_catalog().function(name)
    function = found(entry)
    console = Console()
    facts = [entry.status, entry.kind, f"written in {entry.origin.title() if entry.origin != 'sql' else 'SQL'}"]
    facts += [f"since {entry.since}", f"runs on {engines(function)}"]
    console.print(Text(f"{entry.name} {entry.version}", style="bold"), Text(f"({'; '.join(facts)})"))
    _show_calls(console, function, signatures(entry, function), entry.declassifies)


def _show_calls(console: Console, function: Any, signatures: list[str], declassifies: DeclassifiesEntry | None) -> None:
    for text in (function.description, "\n".join(signatures)):
        console.print()
        console.print(Text(text), soft_wrap=True)
    console.print()
    console.print(Text(f"NULL: {nulls(function)}"), soft_wrap=True)
    console.print(Text(f"Labels: {labels_effect(declassifies)}"), soft_wrap=True)
    table = Table(box=box.SIMPLE_HEAD, title="Examples", title_justify="left")
    for title in ("call", "result"):
        table.add_column(title, overflow="fold")
    for call, result in function.examples:
        table.add_row(Text(call), Text(result))
    console.print(table)


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
