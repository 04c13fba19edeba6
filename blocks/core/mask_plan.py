"""What masking does to a schema, and the function that does it to batches.

The plan walks the schema once, when the pipeline is built; the kernels that it names are made on the worker, where the
keys can be opened.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa
import pyarrow.types as pat

from blocks.core import labels, nested
from blocks.core.dictionaries import decode_batch, decode_schema
from blocks.core.errors import PrivacyError, Problem, SchemaError, all_problems
from blocks.core.keys import KeyRing
from blocks.core.labels import Leaf
from blocks.core.masks import Drop, Keep, Method
from blocks.core.policy import Policy, refusal

Convert = Callable[[pa.Array], pa.Array]


@dataclass(frozen=True)
class _Node:
    """One kept field of the result: where it comes from, and what becomes of it."""

    source: int
    field: pa.Field
    method: Method | None
    label: str
    type_before: pa.DataType
    children: tuple["_Node", ...]

    @property
    def unchanged(self) -> bool:
        return isinstance(self.method, Keep) if self.method else False


@dataclass(frozen=True)
class MaskPlan:
    """How a schema is masked for a destination.

    Attributes:
      schema: the schema of the result.
      nodes: what becomes of each kept column.
      keys: name to URI of the keys that the kernels need.
    """

    schema: pa.Schema
    nodes: tuple[_Node, ...]
    keys: Mapping[str, str]

    def batch_function(self) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        """The function that masks a batch.

        Raises:
          MaskKeyError: a key cannot be opened here.
        """
        ring = KeyRing(self.keys)
        converts = [(node.source, _convert(node, ring)) for node in self.nodes]
        schema = self.schema

        def mask(batch: pa.RecordBatch) -> pa.RecordBatch:
            batch = decode_batch(batch)
            columns = [convert(batch.column(source)) for source, convert in converts]
            return pa.RecordBatch.from_arrays(columns, schema=schema)

        return mask


def plan_masking(
    schema: pa.Schema,
    policy: Policy,
    destination: str,
    where: str,
    refused: Literal["raise", "drop"] = "raise",
) -> MaskPlan:
    """Plans the masking of a schema for a destination.

    Args:
      schema: schema of the input.
      policy: from `read_policy`.
      destination: name in the policy.
      where: the block, for errors.
      refused: what to do with a leaf that the policy does not let pass: an error, or drop it (as rejects do).

    Raises:
      PrivacyError: every leaf that may not pass, with the line to add.
      SchemaError: every leaf whose method does not work on its type; a result without any column.
    """
    schema = decode_schema(schema)
    rules = policy.destination(destination, schema)
    refusals: list[Problem] = []
    mistakes: list[Problem] = []

    def action(leaf: Leaf) -> Method:
        found = policy.action(rules, leaf)
        if found is None and refused == "raise":
            refusals.append(refusal(leaf, found, policy, destination))
        return found or Drop()

    planner = _Planner(action, mistakes)
    nodes = tuple(
        node
        for position, field in enumerate(schema)
        if (node := planner.node(position, field, field.name, frozenset(), None, False)) is not None
    )
    with all_problems(where, PrivacyError) as problems:
        problems.extend(refusals)
    with all_problems(where, SchemaError) as problems:
        problems.extend(mistakes)
        if refused == "raise" and len(schema) and not nodes and not mistakes:
            # Batches without columns have no rows either.
            fix = "keep or mask at least one column, such as a public one"
            problems.append(Problem(f"the policy drops every column for `{destination}`", "", fix))
    return MaskPlan(pa.schema([node.field for node in nodes], schema.metadata), nodes, policy.keys)


_FOR_KEYS = "use hmac with canonical: none, encrypt, keep or drop for the keys of a map"


class _Planner:
    def __init__(self, action: Callable[[Leaf], Method], mistakes: list[Problem]) -> None:
        self._action, self._mistakes = action, mistakes

    def node(
        self,
        source: int,
        field: pa.Field,
        path: str,
        inherited: frozenset[str],
        masked: labels.Masked | None,
        key: bool,
    ) -> _Node | None:
        own = labels.labels_of(field)
        names, mark = (own, labels.masked_of(field)) if own else (inherited, labels.masked_of(field) or masked)
        below = labels.children(field.type)
        if below:
            return self._parent(source, field, path, names, mark, below)
        method = self._action(Leaf(path, field, names, mark))
        if isinstance(method, Drop):
            return None
        if key and not method.injective(field.type):
            what = f"`{method.name()}` would make different keys of a map equal"
            self._mistakes.append(Problem(what, f"field `{path}`", _FOR_KEYS))
            return None
        try:
            after = method.output_type(field.type)
        except SchemaError as error:
            self._mistakes.append(Problem(error.what, f"field `{path}`", error.fix))
            return None
        label = min(names, default="")
        result = field.with_type(after)
        if (made := method.masked(field.type, label)) is not None:
            # The label may be an ancestor's: beside the mark it must stand on the field itself.
            meaning = {labels.MASKED: made.to_json(), labels.LABEL: ",".join(sorted(names)) or None}
            # A masked time is not the time of the event, and only some masks still tell rows apart.
            meaning |= {labels.EVENT_TIME: None, labels.EPOCH: None}
            meaning |= {} if method.identifies() else {labels.KEY: None}
            result = labels.put(result, meaning)
            result = result.with_nullable(True) if method.gives_null else result
        return _Node(source, result, method, label, field.type, ())

    def _parent(
        self,
        source: int,
        field: pa.Field,
        path: str,
        names: frozenset[str],
        mark: labels.Masked | None,
        below: list[tuple[str, pa.Field]],
    ) -> _Node | None:
        is_map = pat.is_map(field.type)
        kept = [
            node
            for position, (suffix, child) in enumerate(below)
            if (node := self.node(position, child, path + suffix, names, mark, is_map and position == 0)) is not None
        ]
        if not kept or (is_map and len(kept) < 2):
            # An empty struct or list tells nothing; a map without keys or without values is none.
            return None
        if len(kept) == len(below) and all(_whole(node) for node in kept):
            # A list of a fixed size stays one.
            return _Node(source, field, None, "", field.type, tuple(kept))
        return _Node(source, field.with_type(_type_of(field.type, kept)), None, "", field.type, tuple(kept))


def _type_of(before: pa.DataType, kept: list[_Node]) -> pa.DataType:
    fields = [node.field for node in kept]
    if pat.is_struct(before):
        return pa.struct(fields)
    if pat.is_map(before):
        return pa.map_(fields[0], fields[1], keys_sorted=False)
    if pat.is_large_list(before) or pat.is_large_list_view(before):
        return pa.large_list(fields[0])
    return pa.list_(fields[0])


def _convert(node: _Node, ring: KeyRing) -> Convert:
    if node.method is not None:
        kernel = node.method.kernel(node.type_before, node.label, ring)
        return kernel if node.unchanged else lambda array: kernel(nested.plain(array))
    if _whole(node):
        return lambda array: array
    converts = [(child.source, _convert(child, ring)) for child in node.children]
    data_type = node.field.type
    if pat.is_struct(data_type):
        fields = list(data_type)

        def struct(array: pa.Array) -> pa.Array:
            array = nested.plain(array)
            parts = nested.struct_children(array)
            return nested.rebuild_struct(array, [convert(parts[source]) for source, convert in converts], fields)

        return struct
    by_position = dict(converts)
    return lambda array: nested.map_children(array, data_type, lambda position, child: by_position[position](child))


def _whole(node: _Node) -> bool:
    """Whether everything below is kept as it is, so that the array needs no taking apart."""
    if node.method is not None:
        return node.unchanged
    return node.field.type.equals(node.type_before) and all(_whole(child) for child in node.children)
