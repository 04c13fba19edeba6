"""Shows how far the fetching of Java archives is."""

import sys
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

# Off a terminal, so many lines at most.
_LINES = 10


def shown_fetching(console: Console) -> Callable[[int, int], None]:
    """What to call with how many of how many archives are there; a bar on a terminal, else a few lines.

    Nothing is shown before the first call: mostly all archives are there.
    """
    if not console.is_terminal:

        def line(done: int, total: int) -> None:
            if done == total or done % max(1, total // _LINES) == 0:
                print(f"fetching Java archives: {done} of {total}", file=sys.stderr, flush=True)

        return line
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    shown = Progress(*columns, console=console, transient=True)
    task = shown.add_task("fetching Java archives", total=None)

    def bar(done: int, total: int) -> None:
        shown.start()
        shown.update(task, completed=done, total=total)
        if done == total:
            shown.stop()

    return bar
