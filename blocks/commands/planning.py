"""`blocks plan`: the fingerprint of every stage, what changed since the last run, and what a run will rewrite."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.console import Console
from rich.text import Text

from blocks.commands.running import parameters
from blocks.core.looking import looking
from blocks.snippets.building import build
from blocks.snippets.plan import Change, causes, changes, gone, read_state, state_file

_STYLES = {"same": "dim", "new": "green", "changed": "yellow"}


def plan_file(file: Path, settings: Iterable[str], start: str | None, end: str | None, state: Path | None) -> None:
    """Prints the plan of a snippet.

    Args:
      file: a snippet.
      settings: `NAME=VALUE` texts.
      start: the parameter `from`.
      end: the parameter `to`.
      state: what the last run left behind; in `.blocks/plans` of the working directory unless given.

    Raises:
      SnippetError: every problem of the snippet.
      ConfigError: the file of the last run cannot be read.
    """
    with looking():
        built = build(file, parameters(settings, start, end))
    place = state or state_file(file)
    before = read_state(place)
    found = changes(built, before)
    console = Console(highlight=False)
    last = f"the last run is in {place}" if before is not None else f"no run yet in {place}"
    console.print(Text(f"{built.snippet.name}: {last}"), soft_wrap=True)
    for line in _lines(found):
        console.print(line, soft_wrap=True)
    for label in gone(built, before):
        console.print(Text(f"gone: {label}"), soft_wrap=True)
    rewrites = [change.rewrites for change in found if change.rewrites]
    for text in rewrites:
        console.print(Text(f"writes {text}"), soft_wrap=True)
    if not rewrites and all(change.state == "same" for change in found):
        console.print("nothing changed: a run does what the last one did")


def _lines(found: list[Change]) -> Iterator[Text]:
    """One line for each step, and below it why it is not what it was."""
    told = causes(found)
    rows = [
        (change.stage.step, f"{change.stage.block} {change.stage.version}", change.stage.fingerprint[:12], change.state)
        for change in found
    ]
    titles = ("step", "block", "fingerprint", "state")
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    yield Text(_aligned(titles, widths), style="bold")
    for change, row in zip(found, rows, strict=True):
        style = _STYLES[change.state]
        yield Text(_aligned(row, widths), style=style)
        yield from (Text(f"  {why}", style=style) for why in told.get(change.stage.step, ()))


def _aligned(row: Iterable[str], widths: Iterable[int]) -> str:
    return "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
