"""`blocks run` and `blocks check`."""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import typer
from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from blocks.commands.failing import RunFailed
from blocks.commands.fetching import shown_fetching
from blocks.core import labels
from blocks.core.errors import BlocksError, Problem, SnippetError, all_problems
from blocks.core.looking import looking
from blocks.engines import EngineOptions, choose, engine
from blocks.snippets.building import build, check_snippet, mistakes
from blocks.snippets.plan import stages, state_file, write_state
from blocks.snippets.running import RunReport, StepReport, run, step_reports
from blocks.snippets.tables import TableReport, python_command

_LINE_SECONDS = 5.0
_SHOWN_COLUMNS, _SHOWN_CHARACTERS = 5, 19


def check_file(file: Path, settings: Iterable[str], start: str | None, end: str | None, strict: bool = False) -> None:
    """Builds a snippet and says that it can run, or raises every problem.

    Args:
      file: a snippet.
      settings: `NAME=VALUE` texts.
      start: the parameter `from`.
      end: the parameter `to`.
      strict: warnings are problems.

    Raises:
      SnippetError: every problem, each with file, line and column.
    """
    with looking():
        found = check_snippet(file, parameters(settings, start, end), runner=engine())
    problems = (*found.problems, *(found.warnings if strict else ()))
    for warning in () if strict else found.warnings:
        typer.echo(f"warning: {warning}", err=True)
    if problems or found.built is None:
        raise mistakes(file, problems)
    steps = len(found.built.steps)
    told = "no problems" if not found.warnings else f"no problems, {counted(len(found.warnings), 'warning')}"
    Console().print(f"{file}: {counted(steps, 'step')}, {told}", markup=False, highlight=False, soft_wrap=True)


def counted(number: int, word: str) -> str:
    """`1 step`, `2 steps`."""
    return f"{number:,} {word}" + ("" if number == 1 else "s")


def run_snippet(
    file: Path,
    settings: Iterable[str],
    start: str | None,
    end: str | None,
    runner: str,
    given: EngineOptions | None = None,
    state: Path | None = None,
) -> None:
    """Runs a snippet with progress, prints the report, and leaves behind what `blocks plan` compares with."""
    console = Console()
    chosen = choose(runner, given or EngineOptions(), shown_fetching(console))
    built = build(file, parameters(settings, start, end), runner=chosen.runner, options=chosen.options)
    for warning in built.warnings:
        typer.echo(f"warning: {warning}", err=True)
    if built.snippet.description:
        console.print(Text(f"{built.snippet.name}: {built.snippet.description.strip()}"))
    try:
        with chosen, progress(console, lambda: step_reports(built, chosen.counts())):
            report = run(built, chosen.counts)
    except BlocksError as error:
        raise RunFailed from error
    print_report(console, report)
    try:
        write_state(state or state_file(file), stages(built))
    except BlocksError as error:
        # The run itself succeeded.
        typer.echo(f"warning: {error}", err=True)


def parameters(settings: Iterable[str], start: str | None, end: str | None) -> dict[str, str]:
    """`NAME=VALUE` texts as a dict, with `from` and `to`.

    Raises:
      SnippetError: a text without `=`, or a parameter that is given twice.
    """
    found: dict[str, str] = {}
    with all_problems("the command line", SnippetError) as problems:
        for text in settings:
            name, equals, value = text.partition("=")
            if not equals or not name:
                problems.append(Problem("expected NAME=VALUE", "--set", "write --set events=events.jsonl"))
            elif name in found:
                problems.append(Problem(f"`{name}` is given twice", "--set", "give it once"))
            found[name] = value
        for name, given in (("from", start), ("to", end)):
            if given is not None and name in found:
                problems.append(Problem(f"`{name}` is given twice", f"--{name}", "give it once"))
            if given is not None:
                found[name] = given
    return found


@contextmanager
def progress(console: Console, steps: Callable[[], Iterable[StepReport]]) -> Iterator[None]:
    """Shows what steps have done so far: a table that moves on a terminal, a line every 5 s elsewhere.

    Args:
      console: where to.
      steps: asked from another thread.
    """
    start = time.monotonic()
    if console.is_terminal:

        def picture() -> Table:
            return steps_table(steps(), f"running, {time.monotonic() - start:,.0f} s")

        with Live(get_renderable=picture, console=console, refresh_per_second=4, transient=True):
            yield
        return
    done = threading.Event()

    def lines() -> None:
        before: dict[str, int] = {}
        while not done.wait(_LINE_SECONDS):
            now = {one.name: one.rows_out for one in steps() if one.rows_out is not None}
            # Of many steps only those that work now are of interest.
            moved = ", ".join(f"{name} {rows:,}" for name, rows in now.items() if rows != before.get(name))
            before = now
            print(f"{time.monotonic() - start:,.0f} s, rows out: {moved or 'no more'}", file=sys.stderr, flush=True)

    thread = threading.Thread(target=lines, name="blocks progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def steps_table(steps: Iterable[StepReport], title: str) -> Table:
    """Rows, rejects and time of every step."""
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", collapse_padding=True, pad_edge=False)
    table.add_column("step", overflow="fold")
    for name in ("rows in", "rows out", "rejected", "seconds", "rows/s"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in steps:
        numbers = (one.rows_in, one.rows_out, one.rejected)
        seconds = "" if one.seconds is None else f"{one.seconds:,.2f}"
        rate = "" if one.rows_per_second is None else f"{one.rows_per_second:,.0f}"
        shown = ["" if number is None else f"{number:,}" for number in numbers]
        # A step without a name of its own has that of its block.
        name = one.name if one.name.split("/")[-1] == one.type else f"{one.name} ({one.type})"
        table.add_row(Text(name), *shown, seconds, rate)
    return table


def print_report(console: Console, report: RunReport) -> None:
    """Prints what a run did."""
    console.print(steps_table(report.steps, f"{report.name}: done in {report.seconds:,.1f} s"))
    _print_rejects(console, report)
    for table in report.tables:
        rows = "" if table.rows is None else f", {table.rows:,} rows"
        console.print(Text.assemble((table.name, "bold"), f": {table.where}{rows}"), soft_wrap=True)
        if table.sample is not None and table.sample.num_rows:
            console.print(_sample(table))
        for tool, command in table.commands.items():
            # Not wrapped, so that it can be copied.
            console.print(Text(f"  {tool}:"))
            console.print(Text(f"    {command}"), soft_wrap=True)
        console.print()


def _print_rejects(console: Console, report: RunReport) -> None:
    if report.rejects:
        total = sum(report.rejects.values())
        counted = ", ".join(f"{code} {number:,}" for code, number in report.rejects.items())
        console.print(Text(f"rejected: {total:,} ({counted})"), soft_wrap=True)
    elif report.rejects is not None:
        console.print(Text("rejected: none"))
    for one in report.steps:
        if one.rows_in and not one.rows_out and one.rejected == one.rows_in:
            warning = f"`{one.name}` rejected every record: is the input what the schema says?"
            console.print(Text(warning, style="bold red"), soft_wrap=True)
    if report.rejects_at:
        command = python_command(
            "import duckdb",
            f"rejects = duckdb.read_parquet({json.dumps(report.rejects_at)})",
            'duckdb.sql("SELECT block, code, field_path, message, count(*) FROM rejects GROUP BY ALL").show()',
        )
        console.print(Text(f"  {report.rejects_at}\n    {command}"), soft_wrap=True)
    console.print()


def _sample(table: TableReport) -> Table:
    """Some rows: the event time, masked columns and others, as many as can be read; none that are private and raw.

    A terminal, or the log of a job, is no destination of the policy.
    """
    assert table.sample is not None
    sample = table.sample
    filled = [
        field
        for field in sample.schema
        if sample.column(field.name).null_count < sample.num_rows
        and not any(leaf.labels - {labels.PUBLIC} and leaf.masked is None for leaf in labels.leaves_of(field))
    ]
    first = sorted(filled, key=lambda one: (not labels.is_event_time(one), labels.masked_of(one) is None))
    shown = first[:_SHOWN_COLUMNS]
    picture = Table(box=box.SIMPLE_HEAD)
    for field in shown:
        mark = labels.masked_of(field)
        picture.add_column(Text(field.name + (f"\n({mark.method})" if mark else "")), overflow="ellipsis")
    for row in sample.select([field.name for field in shown]).to_pylist():
        picture.add_row(*(Text(_short(row[field.name])) for field in shown))
    more = len(sample.schema) - len(shown)
    if more > 0:
        picture.caption = f"and {more} more columns"
    return picture


def _short(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    text = "" if value is None else str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 3] + "..."
