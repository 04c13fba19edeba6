"""The page of errors and codes: every exception of the library, every code of a reject and of a query."""

import inspect
from collections.abc import Iterator

from blocks.catalog.model import Catalog, load_target
from blocks.catalog.reference.markdown import quoted, table
from blocks.core.errors import BlocksError
from blocks.core.reject_codes import CODES
from blocks.sql.codes import CODES as SQL_CODES

_TITLE = """\
# Errors and codes

Every error has three parts: what happened (expected and found), where (block, option, field path, file and line), and
what to do. Mistakes in a config, a schema or a snippet are reported all at once. No message shows a value of a record.
"""
_ERRORS = """\
## Errors

All of them are classes of `blocks`; `except blocks.BlocksError` catches them all. The command `blocks` ends with 2 for
a mistake in what was written, and with 1 for a failure of input, output or the run.
"""
_CODES = """\
## Codes of rejects

A record that a block cannot process goes to [rejects](../rejects.md) with one of these codes, and the rest goes on.
"""
_SQL = """\
## Problems of a query

Each problem of `SqlCheckError` has a code. "The planner" refuses such a query too; "later" is what it takes, and what
fails or misleads when it runs; "the library" is what only this library refuses.
"""
_WHO = {"planner": "the planner", "runtime": "later", "library": "the library"}


def errors_page(catalog: Catalog) -> str:
    """The page as Markdown."""
    errors = "\n\n".join(map(_error, error_classes(catalog)))
    codes = table(
        ("code", "blocks", "what is wrong with the record", "what to do"),
        ((f"`{code}`", _blocks(catalog, code), _meaning(code), _fix(code)) for code in codes_of(catalog)),
    )
    rows = ((f"`{name}`", _WHO[code.who], code.meaning) for name, code in SQL_CODES.items())
    queries = table(("code", "who sees it", "what is wrong"), rows)
    return "\n".join([_TITLE, _ERRORS, errors, "", _CODES, codes, "", _SQL, queries, ""])


def error_classes(catalog: Catalog) -> list[type[BlocksError]]:
    """The public exceptions, parents before children."""
    found = [load_target(target, name) for name, target in catalog.names.items() if name.endswith("Error")]
    return sorted((cls for cls in found if cls is not BlocksError), key=_place)


def _place(cls: type[BlocksError]) -> list[str]:
    return [one.__name__ for one in reversed(cls.__mro__) if issubclass(one, BlocksError)]


def told(cls: type[BlocksError]) -> tuple[str, str]:
    """What the docstring of an exception says: what happened, and what to do."""
    what, _, fix = inspect.cleandoc(cls.__doc__ or "").partition("\n\nTo do: ")
    return " ".join(what.split()), " ".join(fix.split())


def codes_of(catalog: Catalog) -> Iterator[str]:
    """Every code of the catalog once, in the order of the blocks."""
    return iter(dict.fromkeys(code for entry in catalog.entries for code in entry.codes))


def _error(cls: type[BlocksError]) -> str:
    what, fix = told(cls)
    kinds = quoted(one.__name__ for one in cls.__bases__ if one is not BlocksError)
    text = f"### {cls.__name__}\n\n{what}" + (f" A kind of {kinds}." if kinds else "")
    return f"{text}\n\n**To do.** {fix[:1].upper()}{fix[1:]}"


def _blocks(catalog: Catalog, code: str) -> str:
    names = dict.fromkeys(entry.name for entry in catalog.entries if code in entry.codes)
    return ", ".join(f"[{name}]({name}.md)" for name in names)


def _meaning(code: str) -> str:
    return CODES[code].meaning if code in CODES else ""


def _fix(code: str) -> str:
    return CODES[code].fix if code in CODES else ""
