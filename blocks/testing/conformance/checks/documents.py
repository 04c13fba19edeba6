"""The docstring of a block says what its user has to know, in the sections that every block has."""

import ast
import inspect
import re
from collections.abc import Iterator
from typing import Any

from blocks.catalog.options import described_arguments, options_of
from blocks.testing.conformance.case import Case

_SENTENCES = ("Input", "Output", "Rejects", "Nulls", "State", "Cost")


def is_documented(case: Case) -> Iterator[str]:
    """The docstring has every section, option and code of a reject, and an example that fits the options."""
    cls = case.entry.load()
    text = inspect.getdoc(cls) or ""
    if not re.match(r"[A-Z].*[.]$", re.split(r"\n\s*\n", text)[0].replace("\n", " ")):
        yield "the docstring does not begin with a sentence that says what the block does"
    for name in _SENTENCES:
        if not re.search(rf"(^|\s){name}: ?\S", text):
            yield f"no `{name}:`, what it {_asks(name)}"
    options, described = options_of(cls), described_arguments(cls)
    yield from (f"`Args:` does not describe `{name}`" for name in options if not described.get(name))
    yield from (f"`Args:` describes `{name}`, which is no option" for name in described if name not in options)
    yield from (
        f"the docstring does not explain the code `{code}`" for code in case.entry.codes if f"`{code}`" not in text
    )
    if options and not re.search(r"^Raises:\n +\S", text, re.MULTILINE):
        yield "no `Raises:`"
    yield from _example_breaches(text, case.entry.target.partition(":")[2], cls)


def _asks(name: str) -> str:
    return {
        "Input": "takes",
        "Output": "gives",
        "Rejects": "rejects, or `none`",
        "Nulls": "does with nulls",
        "State": "keeps and when it frees it, or `none`",
        "Cost": "costs",
    }[name]


def _example_breaches(text: str, name: str, cls: Any) -> Iterator[str]:
    section = re.search(r"^Example:\n((?:[ ]+.*\n?|\n)+)", text, re.MULTILINE)
    lines = re.findall(r"^\s*(?:>>>|\.\.\.) ?(.*)$", section[1], re.MULTILINE) if section else []
    if not lines:
        yield "no `Example:` with a line that begins with `>>>`"
        return
    try:
        tree = ast.parse("\n".join(lines))
    except SyntaxError as error:
        yield f"the example is not Python: {error.msg}"
        return
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _called(node) == name]
    if not calls:
        yield f"the example does not use {name}"
    for call in calls:
        try:
            keywords = {word.arg: None for word in call.keywords if word.arg}
            inspect.signature(cls).bind(*([None] * len(call.args)), **keywords)
        except TypeError as error:
            yield f"the example does not fit the options: {error}"


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
