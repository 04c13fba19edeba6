"""The tutorial `a-question-in-sql.md` is true: its files are written, its commands run, what they print compared."""

import re
import runpy
from pathlib import Path

import pytest
from typer.testing import CliRunner

from blocks.cli import app

PAGE = Path(__file__).parents[2] / "docs" / "tutorials" / "a-question-in-sql.md"
# A file's name alone on a line, then its content or a change of it; commands with what they print.
STEP = re.compile(
    r"^`(?P<file>[\w./-]+)`\n\n```(?P<kind>\w+)\n(?P<content>.*?)^```$"
    r"|^```console(?P<fails> fails)?\n(?P<console>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
ANY = "..."


def changed(text: str, diff: str) -> str:
    """The text with the lines of a diff that begin with `-` replaced by those with `+`."""
    old, new = ("".join(line[1:] + "\n" for line in diff.splitlines() if line[0] == sign) for sign in "-+")
    assert text.count(old) == 1, f"not there once: {old}"
    return text.replace(old, new)


def plain(text: str) -> list[str]:
    """Lines that say something, each without what only aligns it."""
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def assert_printed(wanted: list[str], printed: list[str]) -> None:
    """The wanted lines are printed, in order; between them others only where `...` stands."""
    at, free = 0, False
    for line in wanted:
        if line == ANY:
            free = True
            continue
        found = next((place for place in range(at, len(printed)) if printed[place] == line), None)
        assert found is not None, f"not printed here: {line}\n{printed[at:]}"
        assert free or found == at, f"printed before `{line}`: {printed[at:found]}"
        at, free = found + 1, False
    assert free or at == len(printed), f"printed too: {printed[at:]}"


def run_command(console: str, capsys: pytest.CaptureFixture[str], *, fails: bool) -> str:
    """Runs `blocks` or `python`; gives the command."""
    first, _, shown = console.partition("\n")
    command = first.removeprefix("$ ")
    program, *arguments = command.split()
    if program == "python":
        capsys.readouterr()
        runpy.run_path(arguments[0], run_name="__main__")
        printed, code = capsys.readouterr().out, 0
    else:
        assert program == "blocks"
        result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        printed, code = result.output, result.exit_code
    # Progress of a run that takes long.
    printed = re.sub(r"^\d+ s, rows out: .*\n", "", printed, flags=re.MULTILINE)
    assert_printed(plain(shown), plain(printed))
    assert (code != 0) == fails, printed
    return command


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_step_of_the_tutorial_does_what_the_page_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BLOCKS_MASK_KEY", "a key of the tests, at least 32 bytes long")
    monkeypatch.delenv("BLOCKS_WAREHOUSE", raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    done = []
    for step in STEP.finditer(PAGE.read_text(encoding="utf-8")):
        if step["file"]:
            path = Path(step["file"])
            path.parent.mkdir(exist_ok=True)
            is_change = step["kind"] == "diff"
            text = changed(path.read_text(encoding="utf-8"), step["content"]) if is_change else step["content"]
            path.write_text(text, encoding="utf-8")
        else:
            done.append(run_command(step["console"], capsys, fails=bool(step["fails"])))
    assert [" ".join(command.split()[:2]) for command in done] == [
        *("blocks check-sql",) * 4,
        "blocks check",
        "blocks test",
        "blocks run",
        "python answer.py",
    ]


def test_a_page_that_shows_another_output_is_found():
    with pytest.raises(AssertionError, match="not printed here: 3"):
        assert_printed(["1", "3"], ["1", "2"])


def test_lines_that_the_page_leaves_out_without_saying_so_are_found():
    with pytest.raises(AssertionError, match="printed too"):
        assert_printed(["1"], ["1", "2"])
