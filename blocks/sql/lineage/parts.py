"""The leaves that a value is made of."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from blocks.core import labels
from blocks.core.labels import Leaf


@dataclass(frozen=True, slots=True)
class Part:
    """A leaf that a value is made of.

    Attributes:
      leaf: path, labels and mask.
      tail: path of the leaf below the value, `.email` in a ROW, `[].sku` in an array.
      whole: whether the value is the leaf's as it is, so that its mask still holds.
      here: whether the query itself masked it; what the input's policy masked before is no raw value to anybody.
    """

    leaf: Leaf
    tail: str = ""
    whole: bool = True
    here: bool = False

    def in_part(self) -> "Part":
        """The same of a value that is computed of it."""
        return replace(self, whole=False) if self.whole else self


Parts = tuple[Part, ...]


def parts_of(field: pa.Field, path: Sequence[str]) -> Parts:
    """The parts of a column of an input, or of the field below it that a path leads to."""
    names, masked, shown = labels.labels_of(field), labels.masked_of(field), field.name
    for name in path:
        field = field.type.field(name)
        own, shown = labels.labels_of(field), f"{shown}.{name}"
        names, masked = (own, labels.masked_of(field)) if own else (names, masked)

    def inherited() -> Iterator[Part]:
        for leaf in labels.leaves_of(field):
            kept = (leaf.labels, leaf.masked) if leaf.labels else (names, leaf.masked or masked)
            tail = leaf.path.removeprefix(field.name)
            yield Part(Leaf(shown + tail, leaf.field, *kept), tail)

    return tuple(inherited())


def unmarked(data_type: pa.DataType) -> pa.DataType:
    """The type without labels and masks of the fields below it, so that those of the column hold for all of them."""
    fields = [
        labels.put(child.with_type(unmarked(child.type)), {labels.LABEL: None, labels.MASKED: None})
        for _, child in labels.children(data_type)
    ]
    return labels.with_children(data_type, fields)


def below(parts: Parts, path: Sequence[str]) -> Parts:
    """The parts below a path, where their own paths tell; all of them otherwise."""
    head = "".join(f".{name}" for name in path)
    if not head or not all(part.whole for part in parts):
        return parts
    # Behind the name its own fields, elements or keys follow.
    there = (
        replace(part, tail=part.tail[len(head) :])
        for part in parts
        if part.tail.startswith(head) and part.tail[len(head) : len(head) + 1] in ("", ".", "[", "{")
    )
    return tuple(there) or parts
