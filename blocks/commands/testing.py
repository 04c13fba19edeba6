"""`blocks test`: runs the tests that stand in a snippet's file."""

import time
from collections.abc import Iterable
from pathlib import Path

import typer
from rich.console import Console
from rich.text import Text

from blocks.commands.failing import FAILED
from blocks.commands.running import counted, parameters
from blocks.core.errors import SnippetError, nearest
from blocks.snippets.cases.reading import Case
from blocks.snippets.cases.running import Result, cases_of, run_cases

_FORM = "write `tests:`, a list of {name: ..., inputs: {ReadJson: [{...}]}, expect: {WriteWarehouse: [{...}]}}"


def run_tests_of(file: Path, settings: Iterable[str], start: str | None, end: str | None, only: str = "") -> None:
    """Runs the tests of a snippet, prints what differs, and ends with 1 if a test failed.

    Args:
      file: a snippet.
      settings: `NAME=VALUE` texts; parameters of a test win.
      start: the parameter `from`.
      end: the parameter `to`.
      only: a text that the names of the tests to run have in them.

    Raises:
      SnippetError: mistakes in the snippet or its tests, or no test to run.
    """
    console, begun = Console(highlight=False), time.monotonic()
    values = parameters(settings, start, end)
    snippet, cases = cases_of(file, values, only)
    if not snippet.cases:
        raise SnippetError("the snippet has no tests", where=str(file), fix=_FORM)
    results = []
    for result in run_cases(file, values, only):
        results.append(result)
        console.print(_line(result), soft_wrap=True)
    if not cases:
        names = nearest(only, [case.name for case in snippet.cases])
        raise SnippetError(f"no test has `{only}` in its name", where=f"{file}: -k", fix=names)
    failed = [result for result in results if result.failures]
    for result in failed:
        console.print(Text(f"\n{_title(result.case, result.mode)}", style="bold"), soft_wrap=True)
        console.print(Text(f"  {snippet.document.where(result.case.place)}"), soft_wrap=True)
        for line in result.failures:
            style = "red" if "missing: " in line else "yellow" if "unexpected: " in line else ""
            console.print(Text(f"  {line}", style=style), soft_wrap=True)
    console.print(_summary(results, time.monotonic() - begun), soft_wrap=True)
    if failed:
        raise typer.Exit(FAILED)


def _title(case: Case, mode: str) -> str:
    return f"{case.name} [{mode}]"


def _line(result: Result) -> Text:
    word, style = (
        ("skipped", "yellow") if result.skipped else ("FAILED", "bold red") if result.failures else ("passed", "green")
    )
    line = Text.assemble((word, style), f" {_title(result.case, result.mode)}")
    if result.skipped:
        line.append(f": {result.skipped}")
    return line


def _summary(results: list[Result], seconds: float) -> Text:
    failed = sum(bool(result.failures) for result in results)
    skipped = sum(bool(result.skipped) for result in results)
    parts = [(failed, "failed"), (len(results) - failed - skipped, "passed"), (skipped, "skipped")]
    told = ", ".join(f"{number} {word}" for number, word in parts if number)
    cases = len({result.case.name for result in results})
    return Text(f"\n{told} ({counted(cases, 'test')}) in {seconds:.1f} s", style="bold red" if failed else "bold green")
