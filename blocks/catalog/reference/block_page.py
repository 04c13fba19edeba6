"""The page of one block."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import yaml

from blocks.catalog.model import Entry
from blocks.catalog.options import REQUIRED, Option, options_of
from blocks.catalog.reference.column_words import column_rows
from blocks.catalog.reference.docstrings import block_of_code, paragraphs, raised, sections
from blocks.catalog.reference.examples import Shown, shown
from blocks.catalog.reference.markdown import code, table
from blocks.catalog.reference.tables import meaning, rejects_table, rows_table
from blocks.core.reject_codes import CODES


def block_page(entry: Entry) -> str:
    """The page as Markdown."""
    cls = entry.load()
    summary, body, found = sections(cls)
    parts = [f"# {entry.name}", summary, _facts(entry), paragraphs(body)]
    parts += ["## Options", table(("option", "type", "default", "what it says"), map(_row, options_of(cls).values()))]
    if entry.codes:
        codes = [(f"`{name}`", CODES[name].meaning, CODES[name].fix) for name in entry.codes if name in CODES]
        parts += ["## Codes of rejects", table(("code", "what is wrong with the record", "what to do"), codes)]
    if "Raises" in found:
        parts += ["## Errors", raised(found["Raises"])]
    parts += ["## How it is written", *_usage(entry, found.get("Example", ""))]
    parts += ["## Example", *_trials(entry)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _facts(entry: Entry) -> str:
    # Markdown has no table without a head; the first fact is as good as any.
    head = ("version", f"{entry.version}, {entry.status}, since {entry.since} of the library")
    rows = [
        ("modes", ", ".join(entry.modes)),
        ("takes", ", ".join(entry.takes) + _named(entry)),
        ("gives", entry.gives),
        *column_rows(entry),
        ("rejects", "yes" if entry.rejects else "no"),
        ("state", "yes" if entry.state else "no"),
    ]
    return table(head, rows)


def _named(entry: Entry) -> str:
    return f": {', '.join(f'`{name}`' for name in entry.inputs)}" if entry.inputs else ""


def _row(option: Option) -> tuple[str, ...]:
    return f"`{option.name}`", option.kind, _default(option.default), option.description


def _default(value: Any) -> str:
    if value is REQUIRED:
        return "required"
    if value is None or value == ():
        return ""
    # As it is written in YAML, and Python's readers know it too.
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _usage(entry: Entry, docstring: str) -> list[str]:
    parts = ["In Python:", block_of_code(docstring)] if docstring else []
    return [*parts, "In a snippet:", code("yaml", _steps((entry.name, entry.example)))]


def _trials(entry: Entry) -> Iterator[str]:
    """What the trials of the catalog give on a few rows."""
    shown_before: list[pa.Table] = []
    for trial in entry.trials:
        run = shown(entry, trial)
        yield f"### {trial.name}" if len(entry.trials) > 1 else ""
        yield code("yaml", _steps(*((step.type, step.config) for step in trial.before), (entry.name, run.config)))
        yield from _inputs(entry, run, shown_before)
        shown_before = run.inputs
        yield from _outputs(entry, run)


def _inputs(entry: Entry, run: Shown, shown_before: list[pa.Table]) -> Iterator[str]:
    if run.file:
        yield "The file:"
        yield code("text", run.file)
    elif run.inputs == shown_before:
        yield f"Into {entry.name} go the same rows."
    else:
        for number, rows in enumerate(run.inputs, 1):
            yield f"Into {entry.name} go:" if len(run.inputs) == 1 else f"Input {number} of {entry.name}:"
            yield rows_table(rows)


def _outputs(entry: Entry, run: Shown) -> Iterator[str]:
    before = meaning(run.inputs[0]) if run.inputs else ""
    for title, rows in run.outputs.items():
        alone = "The table then holds:" if entry.gives == "tables" else "Out come:"
        yield f"The output `{title}`:" if title else alone
        yield rows_table(rows)
        after = meaning(rows)
        if after and after != before:
            yield "with this meaning:"
            yield code("text", after)
    if run.rejects is not None:
        yield "Rejects:"
        yield rejects_table(run.rejects)


def _steps(*steps: tuple[str, dict[str, Any]]) -> str:
    """Steps of a snippet."""
    written = [{"type": name} | ({"config": config} if config else {}) for name, config in steps]
    return yaml.safe_dump(written, sort_keys=False, width=100).rstrip()
