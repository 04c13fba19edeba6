"""`blocks test`: runs the tests that stand in a snippet's file, or the examples of functions of SQL."""

import time
from collections.abc import Iterable
from pathlib import Path

import typer
from rich.console import Console
from rich.text import Text

from blocks.catalog.own_functions import names_functions
from blocks.commands.failing import FAILED
from blocks.commands.running import counted, parameters
from blocks.core.errors import ConfigError, SnippetError, nearest
from blocks.snippets.cases.functions import Tried, run_examples
from blocks.snippets.cases.reading import Case
from blocks.snippets.cases.running import Result, cases_of, run_cases

_FORM = "write `tests:`, a list of {name: ..., inputs: {ReadJson: [{...}]}, expect: {WriteWarehouse: [{...}]}}"


def run_tests_of(file: Path, settings: Iterable[str], start: str | None, end: str | None, only: str = "") -> None:
    """Runs the tests of a snippet, prints what differs, and ends with 1 if a test failed.

    Args:
      file: a snippet; or a folder of functions in SQL, or a catalog that names functions, whose examples are run.
      settings: `NAME=VALUE` texts; parameters of a test win.
      start: the parameter `from`.
      end: the parameter `to`.
      only: a text that the names of the tests to run have in them.

    Raises:
      SnippetError: mistakes in the snippet or its tests, or no test to run.
      ConfigError: functions that cannot be used, or no function to try.
    """
    console, begun = Console(highlight=False), time.monotonic()
    if file.is_dir() or names_functions(file):
        _run_examples_of(file, only, console, begun)
        return
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
    console.print(_summary(results, begun), soft_wrap=True)
    if failed:
        raise typer.Exit(FAILED)


def _run_examples_of(path: Path, only: str, console: Console, begun: float) -> None:
    tried = []
    for one in run_examples(path, only):
        tried.append(one)
        console.print(_tried_line(one), soft_wrap=True)
    if not tried:
        what = f"no function has `{only}` in its name" if only else "no function has an example"
        raise ConfigError(what, where=str(path), fix="leave -k out" if only else "give each function one")
    for line in dict.fromkeys(line for one in tried for line in one.failures):
        console.print(Text(f"\n{line}", style="red"), soft_wrap=True)
    failed = sum(bool(one.failures) for one in tried)
    skipped = sum(bool(one.skipped and not one.failures) for one in tried)
    functions = counted(len({one.function for one in tried}), "function")
    console.print(_told(failed, skipped, len(tried), functions, begun), soft_wrap=True)
    if failed:
        raise typer.Exit(FAILED)


def _tried_line(one: Tried) -> Text:
    word, style = (
        ("FAILED", "bold red") if one.failures else ("skipped", "yellow") if one.skipped else ("passed", "green")
    )
    line = Text.assemble((word, style), f" {one.function} [{one.engine}]")
    line.append(f": {one.skipped}" if one.skipped else f": {counted(one.count, 'example')}")
    return line


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


def _summary(results: list[Result], begun: float) -> Text:
    failed = sum(bool(result.failures) for result in results)
    skipped = sum(bool(result.skipped) for result in results)
    cases = counted(len({result.case.name for result in results}), "test")
    return _told(failed, skipped, len(results), cases, begun)


def _told(failed: int, skipped: int, count: int, of: str, begun: float) -> Text:
    parts = [(failed, "failed"), (count - failed - skipped, "passed"), (skipped, "skipped")]
    told = ", ".join(f"{number} {word}" for number, word in parts if number)
    seconds = time.monotonic() - begun
    return Text(f"\n{told} ({of}) in {seconds:.1f} s", style="bold red" if failed else "bold green")
