"""The tutorial `a-new-partner.md` is true: its files are written, its commands run, what they print compared."""

import re
from pathlib import Path

from typer.testing import CliRunner

from blocks.cli import app

PAGE = Path(__file__).parents[2] / "docs" / "tutorials" / "a-new-partner.md"
_FENCE = re.compile(r"((?:^(?!```)[^\n]+\n)+)?\n?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ANY = "..."
# What differs from run to run, longest form first.
_VOLATILE = (
    (re.compile(r"\b[0-9a-f]{12}\b  |\bXXXXXXXX    "), "HEX"),
    (re.compile(r"\b[0-9a-f]{8}\b|\bX{8}\b"), "HEX"),
    (re.compile(r"\b\d+\.\d+ s\b|\bX s\b"), "N s"),
    (re.compile(r"^( (?:\w+) +\d+ +\d+ +(?:\d+)?) +(?:[\d.,]+|X) +(?:[\d.,]+|X)$"), r"\1 N N"),
    (re.compile(r" +"), " "),
)


def steps() -> list[tuple[str, str, str]]:
    """(kind, name, content) of every block of the page: a file, lines to add to or mend in one, or a command."""
    found = []
    for match in _FENCE.finditer(PAGE.read_text(encoding="utf-8")):
        before, kind, content = match[1] or "", match[2], match[3]
        if kind == "console":
            found.append(("command", content.partition("\n")[0].removeprefix("$ "), content.partition("\n")[2]))
        elif kind in ("yaml", "json"):
            names = re.findall(r"`([\w.]+\.\w+)`", before)
            if not names:
                continue
            how = "add" if "Add to" in before else "mend" if "becomes" in before else "file"
            found.append((how, names[-1], content))
    return found


def plain(text: str) -> list[str]:
    lines = []
    for line in text.splitlines():
        shown = line.rstrip()
        for form, instead in _VOLATILE:
            shown = form.sub(instead, shown)
        if shown.strip(" ─"):
            lines.append(shown.rstrip())
    return lines


def assert_printed(wanted: list[str], printed: list[str]) -> None:
    """The wanted lines are printed, in order; between them others only where `...` stands."""
    at, free = 0, False
    for line in wanted:
        if line == _ANY:
            free = True
            continue
        if free:
            assert line in printed[at:], f"not printed: {line}"
            at = printed.index(line, at)
        assert at < len(printed), f"not printed: {line}"
        assert printed[at] == line
        at, free = at + 1, False
    assert free or at == len(printed), f"printed too: {printed[at:]}"


def test_the_page_is_true(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BLOCKS_MASK_KEY", "a key of the tests, at least 32 bytes long")
    monkeypatch.delenv("BLOCKS_WAREHOUSE", raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    commands = 0
    for kind, name, content in steps():
        path = Path(name)
        if kind == "file":
            assert not path.exists()
            path.write_text(content, encoding="utf-8")
        elif kind == "add":
            path.write_text(path.read_text(encoding="utf-8") + content, encoding="utf-8")
        elif kind == "mend":
            lines, (new,) = path.read_text(encoding="utf-8").splitlines(), content.splitlines()
            (old,) = [line for line in lines if line.startswith(new.partition(", type")[0])]
            path.write_text("\n".join(new if line == old else line for line in lines) + "\n", encoding="utf-8")
        else:
            program, *arguments = name.split()
            assert program == "blocks"
            result = CliRunner().invoke(app, arguments, catch_exceptions=False)
            assert_printed(plain(content), plain(result.output))
            assert result.exit_code == (2 if "Error: " in content else 0)
            commands += 1
    assert commands == 6
    assert {path.name for path in tmp_path.glob("*.*")} >= {
        "payments.jsonl",
        "payment.yaml",
        "privacy.yaml",
        "payments.yaml",
    }
