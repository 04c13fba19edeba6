"""Shows how far the fetching of Java archives is."""

from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


def shown_fetching(console: Console) -> Callable[[int, int], None]:
    """What to call with how many of how many archives are there; a bar on a terminal, else a few lines.

    Nothing is shown before the first call: mostly all archives are there.
    """
    from blocks.engines.jars import told_in_lines

    if not console.is_terminal:
        return told_in_lines()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    shown = Progress(*columns, console=console, transient=True)
    task = shown.add_task("fetching Java archives", total=None)

    def bar(done: int, total: int) -> None:
        shown.start()
        shown.update(task, completed=done, total=total)
        if done == total:
            shown.stop()

    return bar
