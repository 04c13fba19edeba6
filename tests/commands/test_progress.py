"""Progress while a snippet runs: a table that moves on a terminal, lines elsewhere."""

import io
import threading

from rich.console import Console

from blocks.commands import running
from blocks.snippets.running import StepReport

WAIT_SECONDS = 30


class Steps:
    """Steps whose counters grow each time that they are asked for."""

    def __init__(self) -> None:
        self.asked = 0
        self.often = threading.Event()

    def __call__(self) -> list[StepReport]:
        self.asked += 1
        if self.asked >= 3:
            self.often.set()
        still = StepReport("read", "ReadJson", None, 7, 0, 0.5)
        moving = StepReport("mask", "MaskColumns", 7, 1000 * self.asked, None, 0.5)
        return [still, moving, StepReport("rows", "MapToFields", None, None, None, None)]


def test_lines_tell_the_steps_that_move(monkeypatch, capsys):
    monkeypatch.setattr(running, "_LINE_SECONDS", 0.001)
    steps = Steps()
    with running.progress(Console(file=io.StringIO()), steps):
        assert steps.often.wait(WAIT_SECONDS)
    first, second, *_ = capsys.readouterr().err.splitlines()
    assert first == "0 s, rows out: read 7, mask 1,000"
    assert second == "0 s, rows out: mask 2,000"


def test_nothing_is_asked_after_the_end(monkeypatch):
    monkeypatch.setattr(running, "_LINE_SECONDS", 0.001)
    steps = Steps()
    with running.progress(Console(file=io.StringIO()), steps):
        assert steps.often.wait(WAIT_SECONDS)
    asked = steps.asked
    assert not [thread for thread in threading.enumerate() if thread.name == "blocks progress"]
    assert steps.asked == asked


def test_a_terminal_shows_the_table_while_it_runs():
    steps, output = Steps(), io.StringIO()
    console = Console(file=output, force_terminal=True, width=100)
    with running.progress(console, steps):
        assert steps.often.wait(WAIT_SECONDS)
    assert "running, 0 s" in output.getvalue()
    assert "mask (MaskColumns)" in output.getvalue()


def test_the_table_tells_rates_and_leaves_out_what_was_not_counted():
    console = Console(file=io.StringIO(), width=100)
    reports = [
        StepReport("read", "ReadJson", None, 90, 10, 0.5),
        StepReport("Reshuffle", "Reshuffle", None, None, None, None),
    ]
    console.print(running.steps_table(reports, "title"))
    lines = [line.split() for line in console.file.getvalue().splitlines()]
    assert ["read", "(ReadJson)", "90", "10", "0.50", "200"] in lines
    assert ["Reshuffle"] in lines
