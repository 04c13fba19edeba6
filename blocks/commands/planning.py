"""`blocks plan`: the fingerprint of every stage, what changed since the last run, and what a run will rewrite."""

from collections.abc import Iterable
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from blocks.commands.running import parameters
from blocks.snippets.building import build
from blocks.snippets.plan import Change, changes, gone, read_state, state_file

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
    built = build(file, parameters(settings, start, end))
    place = state or state_file(file)
    before = read_state(place)
    found = changes(built, before)
    console = Console(highlight=False)
    last = f"the last run is in {place}" if before is not None else f"no run yet in {place}"
    console.print(Text(f"{built.snippet.name}: {last}"), soft_wrap=True)
    console.print(_table(found))
    for label in gone(built, before):
        console.print(Text(f"gone: {label}"), soft_wrap=True)
    rewrites = [change.rewrites for change in found if change.rewrites]
    for text in rewrites:
        console.print(Text(f"writes {text}"), soft_wrap=True)
    if not rewrites and all(change.state == "same" for change in found):
        console.print("nothing changed: a run does what the last one did")


def _table(found: Iterable[Change]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("step", "block", "fingerprint", "state"):
        table.add_column(title, no_wrap=True)
    table.add_column("why", ratio=1)
    for change in found:
        stage = change.stage
        shown = (
            stage.step,
            f"{stage.block} {stage.version}",
            stage.fingerprint[:12],
            change.state,
            "; ".join(change.why),
        )
        table.add_row(*map(Text, shown), style=_STYLES[change.state])
    return table
