"""How long the texts of an expression can become: the engine's own lengths wrap around at 4 GiB, silently.

A bound is a polynomial of the bytes that a row has in the columns that are read: (3, 2) is 3 + 2 * bytes. It is at
least that of every part of the expression, so that no text on the way is longer either.
"""

import math
import re
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

import pyarrow as pa
import pyarrow.types as pat
from sqlglot import exp

from blocks.core import labels
from blocks.shaping.expressions.columns import Chain, operands
from blocks.shaping.expressions.functions import LONGEST_TEXT

Bound = tuple[float, ...]

# Half of what the engine's lengths can count.
LONGEST_RESULT = 2**31 - 1
# An expression that may exceed it with so few bytes in a row is refused at construction.
PLAIN_ROW = 1_000
# A number, a time or a truth value as text.
_WORD = 64
# Most values in a byte of Arrow, where each is true or false, and what each of them needs in the text of a list.
_A_BYTE, _EACH = 8, 8
# Letters of another case or form, in bytes for a byte.
_LETTERS = {"upper": 2, "lower": 2, "nfc_normalize": 3, "strip_accents": 3}


def bound_of(node: Any, chains: Mapping[int, Chain]) -> Bound:
    """The most bytes of text that an expression, and anything within it, can have for a row.

    Args:
      node: the tree of an expression, or a part of it.
      chains: from `find_columns`.
    """
    chain = chains.get(id(node))
    if chain is not None:
        steps = [bound_of(step, chains) for step in chain.steps if not isinstance(step, exp.Identifier)]
        return _sum([_column(chain.read.field.type), *steps])
    if isinstance(node, exp.Literal):
        return (len(node.this.encode()) + _WORD,)
    parts = [bound_of(child, chains) for child in _parts(node)]
    whole = _sum([(_WORD,), *parts])
    if isinstance(node, exp.Cast):
        # Bytes as text have four characters each.
        return _product(whole, (4,))
    return _call(node, parts, whole) if isinstance(node, exp.Anonymous) else whole


def at_most(bound: Bound, size: int) -> float:
    """The bound for a row, or rows together, of so many bytes; infinite where it cannot be told."""
    try:
        found = sum(factor * float(size) ** power for power, factor in enumerate(bound))
    except OverflowError:
        return math.inf
    return found if math.isfinite(found) else math.inf


def _column(data_type: pa.DataType) -> Bound:
    if labels.children(data_type):
        # As text, every value of a struct has the name of its field.
        return (_WORD, _A_BYTE * (_EACH + len(str(data_type))))
    return (0, 1) if _holds_text(data_type) else (_WORD, 1)


def _holds_text(data_type: pa.DataType) -> bool:
    return any(check(data_type) for check in _TEXTS)


_TEXTS = (
    *(pat.is_string, pat.is_large_string, pat.is_string_view),
    *(pat.is_binary, pat.is_large_binary, pat.is_binary_view, pat.is_fixed_size_binary),
)


def _parts(node: Any) -> list[Any]:
    found = []
    for child in operands(node):
        found.extend(_parts(child) if isinstance(child, exp.If) else [child])
    return found


def _call(node: Any, parts: Sequence[Bound], whole: Bound) -> Bound:
    match name := node.this.lower():
        case "replace":
            return _product(whole, _replaced(node.expressions, parts))
        case "regexp_replace":
            return _product(whole, _matched(node.expressions))
        case "array_to_string" | "concat_ws":
            # A separator for each element: there are no more of them than arguments, or bytes in a list.
            separator = parts[1] if name == "array_to_string" else _product(parts[0], (len(parts),))
            return _sum([whole, _product(parts[0], separator) if name == "array_to_string" else separator])
        case "lpad" | "rpad":
            return _sum([whole, (4 * LONGEST_TEXT,)])
        case "string_split":
            # As text, every piece has a comma, a space and quotation marks around it.
            return _product(whole, (8,))
        case "strftime":
            return _product(whole, (_WORD,))
    return _product(whole, (_LETTERS.get(name, 1),))


def _replaced(arguments: Sequence[Any], parts: Sequence[Bound]) -> Bound:
    """For each byte of the text so many, where every piece of it is replaced."""
    searched, put = arguments[1], arguments[2]
    length = max(len(searched.this.encode()), 1) if isinstance(searched, exp.Literal) else 1
    if isinstance(put, exp.Literal):
        return (max(1, len(put.this.encode()) / length),)
    return _sum([(1,), _product(parts[2], (1 / length,))])


def _matched(arguments: Sequence[Any]) -> Bound:
    """As `_replaced`: a match can be empty, between any two letters, and a group is at most the whole match."""
    put = arguments[2].name
    references = len(re.findall(r"\\\d", put))
    everywhere = len(arguments) > 3 and "g" in arguments[3].name
    return (1 + references + (len(put.encode()) if everywhere else 0),)


def _sum(bounds: Sequence[Bound]) -> Bound:
    return tuple(sum(factors) for factors in zip_longest(*bounds, fillvalue=0))


def _product(one: Bound, other: Bound) -> Bound:
    found = [0.0] * (len(one) + len(other) - 1)
    for place, factor in enumerate(one):
        for shift, second in enumerate(other):
            found[place + shift] += factor * second
    return tuple(found)
