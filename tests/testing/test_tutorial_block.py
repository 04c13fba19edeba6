"""The tutorial on a block of one's own, run from its first command to its last, in an empty folder."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "tutorials" / "your-own-block.md"
# A file's name alone on a line, then its content; commands with what they print; changes of the file before.
STEP = re.compile(
    r"^`(?P<file>[\w./]+)`\n\n```\w+\n(?P<content>.*?)^```$"
    r"|^```console(?P<fails> fails)?\n(?P<console>.*?)^```$"
    r"|^```diff\n(?P<diff>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
PROGRAMS = {
    "blocks": [sys.executable, "-m", "blocks.cli"],
    "pytest": [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--color=no"],
    "python": [sys.executable],
}


def run_page(text: str, folder: Path) -> list[str]:
    """Does what a page says, in order; gives the commands that were run."""
    done = []
    for step in STEP.finditer(text):
        if step["file"]:
            (folder / step["file"]).parent.mkdir(parents=True, exist_ok=True)
            (folder / step["file"]).write_text(step["content"], encoding="utf-8")
        elif step["diff"]:
            change(folder / "our_blocks" / "bucket_amounts.py", step["diff"])
        else:
            done.append(run_command(step["console"], folder, fails=bool(step["fails"])))
    return done


def change(file: Path, diff: str) -> None:
    before, after = (re.search(rf"^{re.escape(sign)}(.*)$", diff, re.MULTILINE)[1] for sign in "-+")
    content = file.read_text(encoding="utf-8")
    assert content.count(before) == 1
    file.write_text(content.replace(before, after), encoding="utf-8")


def run_command(console: str, folder: Path, *, fails: bool) -> str:
    command, *shown = console.rstrip("\n").split("\n")
    program, *arguments = shlex.split(command.removeprefix("$ "))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    done = subprocess.run(
        [*PROGRAMS[program], *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    assert (done.returncode != 0) == fails, said
    for line in shown:
        assert line in said, f"{command} does not print: {line}\n{said}"
    return command


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_step_of_the_tutorial_does_what_the_page_says(tmp_path):
    done = run_page(PAGE.read_text(encoding="utf-8"), tmp_path)
    assert [command.split()[1] for command in done] == [
        "blocks",
        "pytest",
        "pytest",
        "pytest",
        "python",
        "python",
        "pytest",
    ]


def test_the_block_of_the_tutorial_does_what_its_own_tests_say(tmp_path):
    steps = {step["file"]: step["content"] for step in STEP.finditer(PAGE.read_text(encoding="utf-8")) if step["file"]}
    (tmp_path / "conftest.py").touch()
    for name in ("our_blocks/bucket_amounts.py", "tests/test_bucket_amounts.py", "catalog.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(steps[name], encoding="utf-8")
    assert run_command("$ pytest -q tests -k 'not test_conforms'\n6 passed", tmp_path, fails=False)


def test_a_page_that_shows_another_output_is_found(tmp_path):
    with pytest.raises(AssertionError, match="does not print: 3"):
        run_page("```console\n$ python -c 'print(1 + 1)'\n3\n```\n", tmp_path)
