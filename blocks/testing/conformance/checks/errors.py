"""Whoever writes a wrong config is told what is wrong, where, and what to do."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam

from blocks.catalog.options import REQUIRED, Option, options_of
from blocks.core.errors import BlocksError
from blocks.snippets.configs import block_of
from blocks.testing.conformance.case import Case
from blocks.testing.conformance.check import lacking_parts


def errors_have_three_parts(case: Case) -> Iterator[str]:
    """A misspelt, missing or mistyped option, and input of a wrong kind, are errors with three parts."""
    options = {name: option for name, option in options_of(case.entry.load()).items() if name != "rejects"}
    with tempfile.TemporaryDirectory() as folder:
        config = case.config(Path(folder), case.feed(), case.kind)
        for title, changed, said in _mistakes(config, options):
            yield from _breaches(title, said, _error(case, changed))
        if case.kind in ("batches", "several"):
            yield from _breaches("an input that is no batches", "", _input_error(case, folder))


def _mistakes(config: dict[str, Any], options: dict[str, Option]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """(what is wrong, the config, what its error names) of some wrong configs."""
    misspelt = f"{max(options, key=len)}_" if options else "unknown"
    yield f"the unknown option `{misspelt}`", {**config, misspelt: 1}, misspelt.removesuffix("_")
    for name, option in options.items():
        if option.default is REQUIRED:
            yield f"no `{name}`", {one: value for one, value in config.items() if one != name}, name
        if (wrong := _wrong(option)) is not None:
            yield f"`{name}` of a wrong type", {**config, name: wrong}, name


def _wrong(option: Option) -> Any:
    """A value that is not of the option's type; None if any is."""
    if option.kind == "anything":
        return None
    if "number" not in option.kind:
        return 3.5
    return None if "mapping" in option.kind else {"no such": ["thing"]}


def _error(case: Case, config: dict[str, Any]) -> BlocksError | None:
    try:
        block_of(case.entry, config, folder=case.root)
    except BlocksError as error:
        return error
    return None


def _input_error(case: Case, folder: str) -> BlocksError | None:
    numbers = beam.Pipeline() | beam.Create([1, 2])
    try:
        _ = ((numbers,) if case.kind == "several" else numbers) | case.block(folder)
    except BlocksError as error:
        return error
    return None


def _breaches(title: str, said: str, error: BlocksError | None) -> Iterator[str]:
    if error is None:
        yield f"{title} is no error"
        return
    yield from (f"{title}: {lack}" for lack in lacking_parts(error))
    if said not in str(error):
        yield f"{title}: the error does not name `{said}`: {error}"
