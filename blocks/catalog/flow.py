"""What a block does to columns, from its catalog entry and config alone: no class is imported, nothing is built.

Three questions are answered here: which columns a config needs (`needed`), where each column of the output comes from
(`flow`), and which columns would go to a destination that the policy closes to them (`leaks`).
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.types as pat

from blocks.catalog.model import Added, Entry, Need
from blocks.core import labels
from blocks.core.errors import ConfigError, Problem, unknown_column
from blocks.core.policy import NO_POLICY, Policy, refusals
from blocks.core.schema import schema_of_option

_KINDS: dict[str, Any] = {
    "text": lambda kind: pat.is_string(kind) or pat.is_large_string(kind) or pat.is_string_view(kind),
    "number": lambda kind: pat.is_integer(kind) or pat.is_floating(kind) or pat.is_decimal(kind),
    "time": lambda kind: pat.is_timestamp(kind) or pat.is_date(kind),
    "boolean": pat.is_boolean,
    "binary": lambda kind: pat.is_binary(kind) or pat.is_large_binary(kind) or pat.is_fixed_size_binary(kind),
    "list": labels.is_list,
    "struct": pat.is_struct,
    "map": pat.is_map,
}


@dataclass(frozen=True)
class Origin:
    """Where a column comes from.

    Attributes:
      how: `kept`, `renamed`, `cast`, `computed`, `part`, `masked`, `unmasked`, `declared` or `joined`.
      sources: (number of the input, column), in order; none for a column that comes from no input.
    """

    how: str
    sources: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class Flow:
    """Columns of an output.

    Attributes:
      columns: name to origin; where the input has `parts` only those that are added.
      parts: (number of the input, column) of the columns that further columns are parts of, whose names depend on what
        is below.
      changes: columns that may change in type or be missing, because a policy decides.
    """

    columns: Mapping[str, Origin]
    parts: tuple[tuple[int, str], ...] = ()
    changes: bool = False

    def origin(self, name: str) -> Origin | None:
        """The origin of a column; of one that is a part, by the longest column that its name begins with."""
        found = [source for source in self.parts if re.match(rf"{re.escape(source[1])}(\W|_|$)", name)]
        if name in self.columns or not found:
            return self.columns.get(name)
        longest = max(found, key=lambda source: len(source[1]))
        return Origin("kept" if longest[1] == name else "part", (longest,))


def needed(entry: Entry, config: Mapping[str, Any]) -> list[tuple[Need, str]]:
    """(need, column) of every column that a config names."""
    return [(need, name) for need in entry.columns.needs for name in _needed(need, config)]


def _needed(need: Need, config: Mapping[str, Any]) -> list[str]:
    if need.form == "query":
        from blocks.sql.running.flowing import columns_named

        return columns_named(str(config.get(need.option) or ""), config)
    if need.form == "features":
        from blocks.aggregating.flowing import columns_named as columns_of_features

        given = config.get(need.option)
        return [] if given is None else columns_of_features(given)
    if need.form == "sessions":
        from blocks.aggregating.sessions.flowing import columns_named as columns_of_sessions

        given = config.get(need.option)
        return [] if given is None else columns_of_sessions(given)
    return _names(need.form, config.get(need.option))


def missing(entry: Entry, config: Mapping[str, Any], schema: pa.Schema) -> Iterator[Problem]:
    """A problem for every needed column that the input does not have, or has with another type or mask."""
    for need, name in needed(entry, config):
        where = _place(need, config.get(need.option), name)
        if name not in schema.names:
            yield unknown_column(name, schema.names, where)
            continue
        column = schema.field(name)
        if need.types and not any(_KINDS[kind](column.type) for kind in need.types):
            what = f"column `{name}` is {column.type}"
            yield Problem(what, where, f"{entry.name} needs {' or '.join(need.types)}")
        masked = labels.masked_of(column)
        if need.masked and (masked is None or masked.method != need.masked):
            what = f"column `{name}` is not masked with {need.masked}"
            yield Problem(what, where, "name a column that is")


def _place(need: Need, value: Any, name: str) -> str:
    """Where in an option a column is named: `columns.total`, `expect[3]`."""
    if isinstance(value, Mapping):
        parts: Iterable[tuple[str, Any]] = ((f".{key}", {key: one}) for key, one in value.items())
    elif need.form == "expectations":
        parts = ((f"[{number}]", [one]) for number, one in enumerate(value, 1))
    else:
        return need.option
    return need.option + next((place for place, part in parts if name in _names(need.form, part)), "")


def flow(entry: Entry, config: Mapping[str, Any], inputs: Sequence[Sequence[str]], names: Sequence[str] = ()) -> Flow:
    """The columns of the output.

    Args:
      entry: of the block.
      config: as in a snippet: plain values.
      inputs: column names of each input; none for a block that begins a pipeline.
      names: of the inputs, where the block knows several by name.

    Raises:
      ConfigError: several inputs without names, for a block that tells them apart by name.
    """
    gives = entry.columns.gives
    changes = gives.labels == "masked"
    found: dict[str, Origin] = {}
    parts: tuple[tuple[int, str], ...] = ()
    if gives.columns == "parts":
        parts = tuple((number, name) for number, names in enumerate(inputs) for name in names)
    elif gives.columns == "schema":
        schema = _schema(config, gives.schema_option)
        # Without a schema the input tells it: the type of rows, or the files themselves.
        found = {name: Origin("declared") for name in (schema.names if schema is not None else (inputs or ((),))[0])}
    elif gives.columns == "query":
        from blocks.sql.running.flowing import sources_of

        told = sources_of(str(config.get(str(gives.query)) or ""), config, inputs)
        found = {name: Origin(how, sources) for name, (how, sources) in told.items()}
    elif gives.columns == "features":
        found = _features(config.get(str(gives.features)), inputs, names)
    elif gives.columns == "partials":
        found = _partials(config.get(str(gives.features)), list((inputs or ((),))[0]))
    elif gives.columns == "sessions":
        found = _sessions(config.get(str(gives.sessions)), list((inputs or ((),))[0]))
    elif gives.columns != "none":
        found = _kept(entry, config, inputs if gives.columns == "union" else inputs[:1])
    for added in gives.added:
        found.update(_added(added, config, inputs))
    return Flow(found, parts, changes)


def _features(given: Any, inputs: Sequence[Sequence[str]], names: Sequence[str]) -> dict[str, Origin]:
    from blocks.aggregating.flowing import added_to_moments, sources_of

    if len(inputs) > 1 and len(names) < len(inputs):
        raise ConfigError(f"{len(inputs)} inputs", where="AggregateEvents", fix="say which is which")
    events = names.index("events") if "events" in names else 0
    columns = list(inputs[events]) if inputs else []
    told = {} if given is None else sources_of(given, columns)
    found: dict[str, Origin] = {}
    if "as_of" in names:
        moments = names.index("as_of")
        found = {name: Origin("kept", ((moments, name),)) for name in inputs[moments]}
        told = added_to_moments(told, given)
    return found | {name: Origin(how, tuple((events, one) for one in of)) for name, (how, of) in told.items()}


def _partials(given: Any, columns: list[str]) -> dict[str, Origin]:
    from blocks.aggregating.flowing import partials_of

    told = {} if given is None else partials_of(given, columns)
    return {name: Origin(how, tuple((0, one) for one in of)) for name, (how, of) in told.items()}


def _sessions(given: Any, columns: list[str]) -> dict[str, Origin]:
    from blocks.aggregating.sessions.flowing import sources_of

    told = {} if given is None else sources_of(given, columns)
    return {name: Origin(how, tuple((0, one) for one in sources)) for name, (how, sources) in told.items()}


def leaks(entry: Entry, schemas: Iterable[pa.Schema], policy: Policy | None) -> Iterator[Problem]:
    """A problem for every column of an input that would go to a destination which the policy closes to it.

    Blocks that mask change what reaches the destination, so that only their output tells.
    """
    if entry.columns.gives.labels in ("masked", "declared"):
        return
    for destination in entry.destinations:
        if destination == "rejects":
            continue
        for schema in schemas:
            yield from refusals(schema, policy or NO_POLICY, destination)


def carried(origin: Origin, schemas: Sequence[pa.Schema]) -> frozenset[str]:
    """The private labels that the sources of a column have, below them included."""
    found = (leaf.labels for number, name in origin.sources for leaf in labels.leaves_of(schemas[number].field(name)))
    return frozenset(label for of_leaf in found for label in of_leaf if label != labels.PUBLIC)


def _kept(entry: Entry, config: Mapping[str, Any], inputs: Sequence[Sequence[str]]) -> dict[str, Origin]:
    gives = entry.columns.gives
    only = _list(config.get(gives.only)) if gives.only else []
    without = set(_list(config.get(gives.without))) if gives.without else set()
    renamed = _mapping(config.get(gives.renamed)) if gives.renamed else {}
    typed = _mapping(config.get(gives.typed)) if gives.typed else {}
    plain = {"masked": "masked", "unmasked": "unmasked"}.get(gives.labels, "kept")
    sources: dict[str, list[tuple[int, str]]] = {}
    for number, names in enumerate(inputs):
        for name in names:
            sources.setdefault(name, []).append((number, name))
    chosen = [name for name in only if name in sources] if only else [name for name in sources if name not in without]
    found: dict[str, Origin] = {}
    for name in chosen:
        how = "renamed" if name in renamed else "cast" if name in typed else plain
        if plain == "unmasked":
            how = "unmasked" if name in {one for _, one in needed(entry, config)} else "kept"
        found[str(renamed.get(name, name))] = Origin(how, tuple(sources[name]))
    return found


def _added(added: Added, config: Mapping[str, Any], inputs: Sequence[Sequence[str]]) -> dict[str, Origin]:
    if added.path and "." not in str(config.get(added.path) or ""):
        return {}
    if added.name or added.named_by:
        made_of = tuple((0, column) for column in _list(config.get(added.of or "")))
        named = [added.name] if added.name else _list(config.get(added.named_by or ""))
        return {name: Origin("computed", made_of) for name in named}
    if added.expressions:
        own = set(inputs[0]) if inputs else set()
        return {
            str(name): Origin("computed", tuple((0, column) for column in columns_of(str(text)) if column in own))
            for name, text in _mapping(config.get(added.expressions)).items()
        }
    prefix = str(config.get(added.prefix) or "") if added.prefix else ""
    if added.schema_option and (schema := _schema(config, added.schema_option)) is not None:
        names: Iterable[str] = schema.names
        number = None
    else:
        names, number = (inputs[1], 1) if len(inputs) > 1 else ((), None)
    only = _list(config.get(added.only)) if added.only else []
    left_out = config.get(added.but) if added.but else None
    # A mapping is from the rows' columns to those of the table.
    but = set(map(str, left_out.values())) if isinstance(left_out, Mapping) else set(_list(left_out))
    return {
        prefix + name: Origin("joined", () if number is None else ((number, name),))
        for name in names
        if name not in but and (not only or name in only)
    }


def _schema(config: Mapping[str, Any], option: str | None) -> pa.Schema | None:
    given = config.get(option) if option else None
    return None if given is None else schema_of_option(given)


def _names(form: str, value: Any) -> list[str]:
    if value is None:
        return []
    if form == "keys":
        return list(_mapping(value)) if isinstance(value, Mapping) else _list(value)
    if form == "values":
        return [str(one) for one in _mapping(value).values()] if isinstance(value, Mapping) else _list(value)
    if form == "expression":
        return columns_of(str(value))
    if form == "expressions":
        return list(dict.fromkeys(name for text in _mapping(value).values() for name in columns_of(str(text))))
    if form == "expectations":
        return list(dict.fromkeys(name for one in value for name in _expected(one)))
    if form == "transforms":
        # `day(at)`, `bucket(16, id)`: the column is the last word.
        return [match[1] for text in _list(value) if (match := re.search(r"(\w+)\s*\)*\s*$", text))]
    if form == "paths":
        return list(dict.fromkeys(re.split(r"[.\[{]", text)[0] for text in _list(value)))
    return _list(value)


def _expected(one: Any) -> list[str]:
    if not isinstance(one, Mapping):
        return []
    plain = [name for key in ("column", "unique") for name in _list(one.get(key))]
    return plain + (columns_of(str(one["where"])) if one.get("where") is not None else [])


def columns_of(expression: str) -> list[str]:
    """The columns that a SQL expression names, each once; none if it cannot be parsed, which its block reports."""
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    try:
        parsed = sqlglot.parse_one(expression, dialect="duckdb")
    except (SqlglotError, RecursionError):
        return []
    # `user.country` is the field of a struct: the column is the first part.
    return list(dict.fromkeys(node.parts[0].name for node in parsed.dfs() if isinstance(node, exp.Column)))


def _list(value: Any) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else [str(one) for one in value]


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}
