"""Which columns an expression reads, and with which labels: every path is looked up in the schema.

A path through structs (`user.country`) is cut out in Arrow, so that the engine gets only what is read; behind the first
bracket (`items[1].sku`) it goes on in SQL. Labels are those of the leaves below what is read, inherited as in
`core/labels.py`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.types as pat
from sqlglot import exp

from blocks.core import labels
from blocks.core.errors import Problem, nearest
from blocks.core.labels import Leaf, Masked
from blocks.shaping.expressions.functions import refusal, stands_for_a_function
from blocks.shaping.expressions.syntax import Syntax


@dataclass(frozen=True, slots=True)
class Read:
    """A column, or a field within structs, that an expression reads.

    Attributes:
      path: position of the column, then of the fields within it.
      text: as people write it: `user.country`.
      field: the Arrow field; nullable if anything on the way is.
      labels: its own labels, or those of the nearest labelled ancestor.
      masked: how it, or that ancestor, was masked.
    """

    path: tuple[int, ...]
    text: str
    field: pa.Field
    labels: frozenset[str]
    masked: Masked | None

    @property
    def name(self) -> str:
        """What it is called in the engine: unlike any name of a user, and equal for equal paths."""
        return "c" + "_".join(map(str, self.path))


@dataclass(frozen=True, slots=True)
class Chain:
    """A column or field with what follows it.

    Attributes:
      read: what the engine is given.
      steps: what follows in SQL: a field's name, or the tree of a position or key in brackets.
      leaves: what of the column is read.
    """

    read: Read
    steps: tuple[Any, ...]
    leaves: tuple[Leaf, ...]


def find_columns(syntax: Syntax, schema: pa.Schema, problems: list[Problem]) -> dict[int, Chain]:
    """The column of every node that names one, by the node's id; adds a problem for each that is not there."""
    chains: dict[int, Chain] = {}
    waiting = [syntax.tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, exp.Column | exp.Dot | exp.Bracket):
            steps = _unrolled(node)
            if steps:
                chain = _Lookup(syntax, schema, problems).chain(steps, bare=node is syntax.tree)
                if chain is not None:
                    chains[id(node)] = chain
                waiting.extend(step for step in reversed(steps) if not isinstance(step, exp.Identifier))
                continue
        waiting.extend(reversed(list(operands(node))))
    return chains


def operands(node: Any) -> Iterator[Any]:
    """The expressions directly below a node; types, units and names are none."""
    for child in node.iter_expressions():
        if not isinstance(child, exp.DataType | exp.Var | exp.Identifier) and not isinstance(node, exp.Interval):
            yield child


def _unrolled(node: Any) -> list[Any]:
    """All steps of a chain of dots and brackets, from the column at its bottom outwards; empty if none is there."""
    steps: list[Any] = []
    while True:
        if isinstance(node, exp.Dot):
            steps.append(node.expression)
        elif isinstance(node, exp.Bracket):
            steps.append(node.expressions[0])
        elif isinstance(node, exp.Column):
            return [*node.parts, *reversed(steps)]
        elif not (isinstance(node, exp.Paren) and steps):
            return []
        node = node.this


class _Lookup:
    def __init__(self, syntax: Syntax, schema: pa.Schema, problems: list[Problem]) -> None:
        self._syntax, self._schema, self._problems = syntax, schema, problems

    def chain(self, steps: Sequence[Any], bare: bool) -> Chain | None:
        at = self._column(steps[0])
        position = 1
        while at is not None and position < len(steps) and isinstance(steps[position], exp.Identifier):
            at = self._child(at, steps[position])
            position += 1
        if at is None:
            return None
        read, rest = at, tuple(steps[position:])
        found: list[Leaf] = []
        for step in rest:
            at = self._child(at, step) if isinstance(step, exp.Identifier) else self._element(at, step, found)
            if at is None:
                return None
        problem = unreadable(read.field.type)
        if problem and (rest or not bare):
            self._add(steps[0], f"`{read.text}` is {read.field.type}, which expressions cannot read", problem)
            return None
        return Chain(read, rest, (*found, *_leaves(at)))

    def _column(self, name: Any) -> Read | None:
        position = self._schema.get_field_index(name.name)
        if position < 0:
            count = self._schema.names.count(name.name)
            if count:
                self._add(name, f"the schema has {count} columns `{name.name}`", "rename all but one of them before")
            elif not name.quoted and stands_for_a_function(name.name):
                self._add(name, *refusal(name.name))
            else:
                hint = "a text stands in single quotes, a column in double ones; " if name.quoted else ""
                self._add(name, f"no column `{name.name}`", hint + nearest(name.name, self._schema.names))
            return None
        field = self._schema.field(position)
        return Read((position,), field.name, field, labels.labels_of(field), labels.masked_of(field))

    def _child(self, at: Read, name: Any) -> Read | None:
        if not pat.is_struct(at.field.type):
            below = "; take an element first, as in [1]" if labels.is_list(at.field.type) else ""
            self._add(name, f"`{at.text}` is {_kind(at.field.type)} and has no field `{name.name}`", _FIELDS + below)
            return None
        position = at.field.type.get_field_index(name.name)
        if position < 0:
            names = [child.name for child in at.field.type]
            if name.name in names:
                what = f"`{at.text}` has {names.count(name.name)} fields `{name.name}`"
                self._add(name, what, "rename all but one of them before")
                return None
            self._add(name, f"no field `{name.name}` in `{at.text}`", nearest(name.name, names))
            return None
        return _below(at, at.field.type[position], (*at.path, position), f"{at.text}.{name.name}")

    def _element(self, at: Read, step: Any, found: list[Leaf]) -> Read | None:
        if pat.is_map(at.field.type):
            found.extend(_leaves(_below(at, at.field.type.key_field, at.path, at.text)))
            return _below(at, at.field.type.item_field, at.path, f"{at.text}{{}}")
        if labels.is_list(at.field.type):
            return _below(at, at.field.type.value_field, at.path, f"{at.text}[]")
        what = f"`{at.text}` is {_kind(at.field.type)}; brackets take an element of a list or a map"
        self._add(step, what, "for a part of a text use substring")
        return None

    def _add(self, node: Any, what: str, fix: str) -> None:
        self._problems.append(Problem(what, self._syntax.place(node), fix))


_FIELDS = "only a struct has fields"


def _kind(data_type: pa.DataType) -> str:
    return "a list" if labels.is_list(data_type) else "a map" if pat.is_map(data_type) else str(data_type)


def _below(parent: Read, field: pa.Field, path: tuple[int, ...], text: str) -> Read:
    own = labels.labels_of(field)
    masked = labels.masked_of(field)
    inherited = (own, masked) if own else (parent.labels, masked or parent.masked)
    return Read(path, text, field.with_nullable(field.nullable or parent.field.nullable), *inherited)


def _leaves(read: Read) -> Iterator[Leaf]:
    for leaf in labels.leaves_of(read.field):
        yield leaf if leaf.labels else Leaf(leaf.path, leaf.field, read.labels, leaf.masked or read.masked)


def merged_labels(leaves: Iterable[Leaf]) -> frozenset[str]:
    """The labels of a value made of these leaves: all of them; `public` only if each is, or if there is none.

    Nobody said of an unlabelled column that it is public, so public and unlabelled together are unlabelled. A column
    of private and unlabelled values can have neither: see `unlabelled_beside_private`.
    """
    found = [leaf.labels for leaf in leaves]
    merged = frozenset[str]().union(*found) if found else frozenset({labels.PUBLIC})
    return frozenset() if merged == {labels.PUBLIC} and not all(found) and found else merged


def unlabelled_beside_private(leaves: Iterable[Leaf]) -> tuple[str, str] | None:
    """(unlabelled leaf, private label) where a value is made of both; None where it is not.

    With the private label alone, what nobody labelled would pass wherever that label may go; without it, what is
    private would pass wherever unlabelled columns may.
    """
    found = list(leaves)
    private = sorted(label for leaf in found for label in leaf.labels - {labels.PUBLIC})
    unlabelled = next((leaf.path for leaf in found if not leaf.labels), None)
    return None if unlabelled is None or not private else (unlabelled, private[0])


def unreadable(data_type: pa.DataType) -> str:
    """What to do about a type that the engine cannot read without loss; empty for one that it can."""
    if pat.is_decimal256(data_type) or pat.is_float16(data_type) or pat.is_duration(data_type):
        return f"cast it before, to {_INSTEAD[str(data_type).split('[')[0].split('(')[0]]}"
    if pat.is_timestamp(data_type) and data_type.unit == "ns":
        # The engine computes in microseconds, and rounds silently on the way there.
        zone = f", tz={data_type.tz}" if data_type.tz else ""
        return f"cast it to timestamp[us{zone}] before: CastColumns"
    if pat.is_time64(data_type) and data_type.unit == "ns":
        return "cast it to time64[us] before: CastColumns"
    if pat.is_decimal128(data_type) and data_type.scale < 0:
        digits = min(data_type.precision - data_type.scale, 38)
        return f"cast it to decimal128({digits}, 0) before: CastColumns; the engine has no negative scale"
    if pat.is_struct(data_type) and not data_type.num_fields:
        return "leave it out: a struct without fields has no values"
    if pat.is_struct(data_type) and len({child.name.lower() for child in data_type}) < data_type.num_fields:
        return "rename the fields that differ in case only, or read one of them by its path"
    below = labels.children(data_type)
    if below:
        return next((problem for _, child in below if (problem := unreadable(child.type))), "")
    known = any(check(data_type) for check in _READABLE)
    return "" if known else "cast it before, or leave it out"


_INSTEAD = {
    "decimal256": "decimal128 (at most 38 digits)",
    "halffloat": "float",
    "duration": "int64, a number of its unit",
}
_READABLE = (
    pat.is_boolean,
    pat.is_integer,
    pat.is_floating,
    pat.is_decimal128,
    pat.is_string,
    pat.is_large_string,
    pat.is_string_view,
    pat.is_binary,
    pat.is_large_binary,
    pat.is_binary_view,
    pat.is_fixed_size_binary,
    pat.is_date,
    pat.is_time,
    pat.is_timestamp,
    pat.is_struct,
)
