"""`blocks simulate`."""

import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from blocks.testing.simulator import SimulatorConfig, write_events


def simulate_partner_events(
    out: Path, *, events: int, seed: int, bad: float, late: float, days: int, users: int | None
) -> None:
    """Writes a file of events and says what is in it.

    Args:
      out: the file.
      events: as of `SimulatorConfig`, like the rest.
      seed: likewise.
      bad: likewise.
      late: likewise.
      days: likewise.
      users: likewise.
    """
    config = SimulatorConfig(events=events, seed=seed, bad=bad, late=late, days=days, users=users)
    console, start = Console(), time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # Without a terminal the last line is enough.
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("events", total=events)
        report = write_events(out, config, lambda written: progress.update(task, completed=written))
    seconds = time.monotonic() - start
    bad_codes = ", ".join(f"{code} {number:,}" for code, number in report.bad.items()) or "none"
    console.print(
        f"{report.events:,} events, {report.file_bytes / 1e6:,.1f} MB in {seconds:,.1f} s "
        f"({report.events / max(seconds, 1e-9):,.0f} events/s): {out}\n"
        f"bad: {bad_codes}; late: {report.late:,}; users: {report.users:,}",
        highlight=False,
        soft_wrap=True,
        markup=False,
    )
