"""What can be told of the columns of an output that could not be built, so that checking goes on below a mistake.

Only what is certain is reported: a step below a mistake is told of a column that cannot be there whatever the mistake
turns out to be, and of nothing that may be a consequence of it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from blocks.catalog.flow import flow, missing, needed
from blocks.catalog.model import Entry
from blocks.core.batch_type import BatchType
from blocks.core.errors import BlocksError, Problem, unknown_column


@dataclass(frozen=True)
class Known:
    """Columns that an output may have.

    Attributes:
      names: every column that it may have, as far as the steps before say.
      guesses: what else may be the name of one, because a mistake mentions it.
      fields: those of which type, labels and masks are certain too.
      prefixes: columns of which it may have parts.
    """

    names: tuple[str, ...]
    guesses: frozenset[str] = frozenset()
    fields: Mapping[str, pa.Field] = field(default_factory=dict)
    prefixes: tuple[str, ...] = ()

    def may_have(self, name: str) -> bool:
        """Whether a column of this name is possible."""
        return (
            name in self.names
            or name in self.guesses
            or any(re.match(rf"{re.escape(one)}(\W|_|$)", name) for one in self.prefixes)
        )


class Unbuilt:
    """Element type of an output that could not be built.

    Args:
      known: its columns; None if nothing can be told of them.
    """

    def __init__(self, known: Known | None = None) -> None:
        self.known = known


def known_of(element_type: Any) -> Known | None:
    """What is known of the columns of an input, built or not."""
    if isinstance(element_type, Unbuilt):
        return element_type.known
    if isinstance(element_type, BatchType):
        schema = element_type.schema
        return Known(tuple(schema.names), fields={field.name: field for field in schema})
    return None


def column_problems(entry: Entry, config: Mapping[str, Any], inputs: Sequence[Known | None]) -> Iterator[Problem]:
    """A problem for every column that a config names and the input cannot have, or has with another type or mask."""
    known = inputs[0] if inputs else None
    if known is None:
        return
    try:
        wanted = needed(entry, config)
    except BlocksError:
        return  # a definition that cannot be read, which the block has told of
    for need, name in wanted:
        if not known.may_have(name):
            yield unknown_column(name, [*known.names, *known.prefixes], need.option)
    certain = pa.schema([one.with_name(name) for name, one in known.fields.items()])
    uncertain = {unknown_column(name, ()).what for _, name in wanted if name not in certain.names}
    yield from (problem for problem in missing(entry, config, certain) if problem.what not in uncertain)


def below(
    entry: Entry | None,
    config: Mapping[str, Any],
    written: Mapping[str, Any],
    inputs: Sequence[Known | None],
    mistaken: bool,
    keys: Sequence[str] = (),
) -> Known | None:
    """What is known below a step that could not be built.

    Args:
      entry: of the step; None for a transform of Beam, below which nothing is known.
      config: its options, as far as they are right.
      written: its options as they stand in the file.
      inputs: of its inputs.
      mistaken: whether the step has a mistake of its own; if not, it only stands below one.
      keys: names that the step gives its inputs.
    """
    given = [one for one in inputs if one is not None]
    if entry is None or entry.gives != "batches" or len(given) < len(inputs):
        return None
    gives = entry.columns.gives
    if gives.columns == "schema" and config.get(str(gives.schema_option)) is None and not given:
        return None
    try:
        found = flow(entry, config, [one.names for one in given], keys if entry.inputs else ())
    except (BlocksError, TypeError, ValueError):
        # A schema that cannot be read, or an option whose form only the block itself would refuse.
        return None
    names = dict.fromkeys(found.columns)
    guesses = frozenset[str]().union(*(known.guesses for known in given))
    fields: dict[str, pa.Field] = {}
    for name, origin in found.columns.items():
        if origin.how in ("kept", "renamed") and len(origin.sources) == 1 and not found.changes:
            number, source = origin.sources[0]
            if source in given[number].fields:
                fields[name] = given[number].fields[source]
    prefixes = {name for _, name in found.parts} | {one for known in given for one in known.prefixes}
    if gives.columns == "parts":
        fields = {}
    if mistaken and _shapes(entry):
        # What the mistake was meant to be is not known: every column of the input, and every word that the config
        # has, may be a column of the output.
        names.update(dict.fromkeys(name for known in given for name in known.names))
        guesses |= set(_words(written))
        fields = {}
    return Known(tuple(names), guesses, fields, tuple(sorted(prefixes)))


def _shapes(entry: Entry) -> bool:
    """Whether options decide which columns there are; if none does, a mistake in them changes nothing about columns."""
    gives = entry.columns.gives
    chosen = (gives.only, gives.without, gives.renamed, gives.typed, *gives.added)
    return gives.columns not in ("input", "union") or gives.labels != "carried" or any(chosen)


def _words(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
        yield from re.findall(r"\w+", value)
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _words(key)
            yield from _words(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _words(one)
