"""Which column a name means, by Calcite's rules: the innermost SELECT that has it, its case counting."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from blocks.core.errors import nearest
from blocks.sql.analysis import Column, Found, Relation, Scope

MOST_NAMES = 12


@dataclass(slots=True)
class Names:
    """What the names of one SELECT mean.

    Attributes:
      scope: the SELECT.
      outer: of the SELECT around it, None for the outermost.
      shared: columns of USING and NATURAL, which two relations have and which mean one column.
      columns: of each relation, by alias and name.
      aliases: names that the SELECT gives to its columns, which it does not see itself.
    """

    scope: Scope
    outer: "Names | None" = None
    shared: dict[str, Found] = field(default_factory=dict)
    columns: dict[str, dict[str, list[Column]]] = field(default_factory=dict)
    aliases: set[str] = field(default_factory=set)

    def add(self, relation: Relation) -> None:
        """Takes a relation of FROM."""
        named: dict[str, list[Column]] = {}
        for column in relation.columns:
            named.setdefault(column.name, []).append(column)
        self.scope.relations[relation.alias] = relation
        self.columns[relation.alias] = named

    def around(self) -> Iterator["Names"]:
        """These, and those of every SELECT around."""
        names: Names | None = self
        while names is not None:
            yield names
            names = names.outer

    def having(self, name: str) -> list[Found]:
        """The columns of a name in the relations of this SELECT."""
        if name in self.shared:
            return [self.shared[name]]
        return [
            Found(self.scope.relations[alias], column, (), self.scope)
            for alias, named in self.columns.items()
            for column in named.get(name, ())
        ]


@dataclass(frozen=True, slots=True)
class Unknown:
    """A name that means nothing, or too much.

    Attributes:
      code: of the problem.
      what: is wrong.
      fix: what to write instead.
      part: which of the names.
    """

    code: str
    what: str
    fix: str
    part: int = 0


class Missing(Relation):
    """A relation that is not there: every name may be its, so that one mistake is told once."""

    __slots__ = ()


def look_up(parts: Sequence[str], names: Names) -> tuple[Found, str] | Unknown | None:
    """The column that names with dots mean, and the rule by which it is tolerated (empty: Calcite takes it).

    None where a relation is missing that may have it.
    """
    if len(parts) == 1:
        return _simple(parts[0], names)
    for around in names.around():
        relation = around.scope.relations.get(parts[0])
        rest = parts[1:]
        if relation is None and parts[0] == "beam" and len(parts) > 2:
            # The schema of all inputs.
            inner = around.scope.relations.get(parts[1])
            if inner is not None and inner.kind == "table":
                relation, rest = inner, parts[2:]
        if relation is not None:
            return _of_relation(relation, rest, around, len(parts) - len(rest))
    for around in names.around():
        found = around.having(parts[0])
        if len(found) == 1 and found[0].column.type.name == "ROW":
            result = _path(found[0], parts[1:], 1)
            return result if isinstance(result, Unknown) else (result, "struct_field")
        if found:
            break
    return None if _is_missing(names) else _no_table(parts, names)


def _is_missing(names: Names) -> bool:
    return any(isinstance(one, Missing) for around in names.around() for one in around.scope.relations.values())


def _simple(name: str, names: Names) -> tuple[Found, str] | Unknown | None:
    for around in names.around():
        found = around.having(name)
        if len(found) == 1:
            return found[0], ""
        if found:
            tables = " or ".join(f"`{one.relation.alias}.{name}`" for one in found[:3] if one.relation.alias)
            return Unknown("ambiguous_column", f"ambiguous column `{name}`", f"write {tables or 'other names within'}")
    return None if _is_missing(names) else _no_column(name, names)


def _of_relation(
    relation: Relation, rest: Sequence[str], names: Names, part: int
) -> tuple[Found, str] | Unknown | None:
    if isinstance(relation, Missing):
        return None
    columns = names.columns[relation.alias].get(rest[0], [])
    if len(columns) > 1:
        what = f"ambiguous column `{rest[0]}`: `{relation.alias}` has {len(columns)} of this name"
        return Unknown("ambiguous_column", what, "give the columns different names within", part)
    if not columns:
        what = f"unknown column `{rest[0]}` in {relation.alias}"
        return Unknown("unknown_column", what, suggest(rest[0], [column.name for column in relation.columns]), part)
    result = _path(Found(relation, columns[0], (), names.scope), rest[1:], part + 1)
    return result if isinstance(result, Unknown) else (result, "")


def _path(found: Found, fields: Sequence[str], part: int) -> Found | Unknown:
    kind, shown = found.column.type, found.column.name
    for position, name in enumerate(fields):
        if kind.name != "ROW":
            what = f"`{shown}` is {kind}, which has no fields"
            fix = "write m['key'] for a map" if kind.name == "MAP" else "leave out what stands behind the dot"
            if kind.name == "ARRAY":
                fix = f"write {shown}[1].{name}, or UNNEST({shown})"
            return Unknown("unknown_column", what, fix, part + position)
        if name not in kind.names:
            return Unknown(
                "unknown_column", f"unknown field `{name}` in {shown}", suggest(name, kind.names), part + position
            )
        kind, shown = kind.inner[kind.names.index(name)], f"{shown}.{name}"
    return replace(found, path=tuple(fields)) if fields else found


def _no_column(name: str, names: Names) -> Unknown:
    known = [
        column.name for around in names.around() for one in around.scope.relations.values() for column in one.columns
    ]
    relations = [alias for alias in names.scope.relations if alias]
    if name in relations:
        what = f"`{name}` is a table, not a column"
        return Unknown("unknown_column", what, f"write one of its columns: {_listed(known)}")
    if name in names.aliases:
        what = f"`{name}` is a name that this SELECT gives, and does not see itself"
        return Unknown("unknown_column", what, "repeat the expression, or select from a subquery")
    within = [path for around in names.around() for path in _fields_named(around, name)]
    fix = f"write {within[0]}" if within else suggest(name, known)
    place = f" in {relations[0]}" if len(relations) == 1 else ""
    return Unknown("unknown_column", f"unknown column `{name}`{place}", fix)


def _fields_named(names: Names, name: str) -> Iterator[str]:
    for alias, relation in names.scope.relations.items():
        for column in relation.columns:
            if column.type.name == "ROW" and name in column.type.names:
                yield f"`{alias}.{column.name}.{name}`"


def _no_table(parts: Sequence[str], names: Names) -> Unknown:
    for around in names.around():
        found = around.having(parts[0])
        if found:
            kind = found[0].column.type
            what = f"`{parts[0]}` is a column of type {kind}, which has no fields"
            return Unknown("unknown_table", what, "write table.column, or column alone")
    tables = [alias for around in names.around() for alias in around.scope.relations if alias]
    return Unknown("unknown_table", f"unknown table `{parts[0]}`", suggest(parts[0], tables, "tables"))


def suggest(name: str, known: Iterable[str], what: str = "columns") -> str:
    """`did you mean `email`? columns: user_id, email, ...`."""
    every = list(dict.fromkeys(known))
    cased = next((one for one in every if one.lower() == name.lower()), None)
    if cased is not None:
        return f"did you mean `{cased}`? upper and lower case count"
    close = nearest(name, every).partition("?")
    hint = f"{close[0]}? " if close[1] and close[0].startswith("did you mean") else ""
    return f"{hint}{what}: {_listed(every)}" if every else f"there are no {what}"


def _listed(known: Sequence[str]) -> str:
    if len(known) <= MOST_NAMES:
        return ", ".join(known)
    return ", ".join(known[:MOST_NAMES]) + f", ... ({len(known)} in all)"


def parts_of(node: Any) -> list[Any]:
    """The identifiers of a Column, outermost first."""
    parts = [node.args.get(key) for key in ("catalog", "db", "table", "this")]
    return [part for part in parts if part is not None]
