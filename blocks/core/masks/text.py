"""mask, mask_left, mask_right, mask_keep_left, mask_keep_right.

Semantics of ksqlDB's functions of these names (ksqlDB reference, "Scalar functions: MASK"), except that a character is a
Unicode code point and not a UTF-16 unit: an upper-case letter becomes `X`, a lower-case letter `x`, a decimal digit `n`,
anything else `-`. A value shorter than the number of characters to keep is kept whole, as ksqlDB does; `at_least` masks
that many characters all the same.
"""

from typing import Annotated, Literal

import pyarrow as pa
import pyarrow.types as pat
from pydantic import Field

from blocks.core.keys import KeyRing
from blocks.core.masks.base import Kernel, Method, as_text, by_distinct, is_text, refuse_type

OneCharacter = Annotated[str, Field(min_length=1, max_length=1)]


class _Characters(dict[int, str]):
    """A table for `str.translate` that learns each code point when it first meets it."""

    def __init__(self, upper: str, lower: str, digit: str, other: str) -> None:
        super().__init__()
        self._replacements = (upper, lower, digit, other)

    def __missing__(self, code_point: int) -> str:
        character, (upper, lower, digit, other) = chr(code_point), self._replacements
        found = (
            upper
            if character.isupper()
            else lower
            if character.islower()
            else digit
            if character.isdecimal()
            else other
        )
        self[code_point] = found
        return found


class Mask(Method):
    """Every character becomes `X`, `x`, `n` or `-` by its class.

    Attributes:
      upper, lower, digit, other: the characters to write instead.
    """

    method: Literal["mask"] = "mask"
    upper: OneCharacter = "X"
    lower: OneCharacter = "x"
    digit: OneCharacter = "n"
    other: OneCharacter = "-"

    def output_type(self, data_type: pa.DataType) -> pa.DataType:
        """String; the input is text or an integer."""
        if not (is_text(data_type) or pat.is_integer(data_type)):
            raise refuse_type(self.name(), data_type, "text and integers")
        return pa.string()

    def span(self, length: int) -> tuple[int, int]:
        """The part [from, to) of a value of this length that is masked."""
        return 0, length

    def kernel(self, data_type: pa.DataType, label: str, keys: KeyRing) -> Kernel:
        """Masks each distinct value once."""
        table = _Characters(self.upper, self.lower, self.digit, self.other)

        def one(value: str) -> str:
            start, stop = self.span(len(value))
            return value[:start] + value[start:stop].translate(table) + value[stop:]

        def convert(values: list[object]) -> pa.Array:
            return pa.array([one(str(value)) for value in values], pa.string())

        return lambda array: by_distinct(as_text(array), convert)


class MaskLeft(Mask):
    """The first n characters are masked."""

    method: Literal["mask_left"] = "mask_left"  # type: ignore[assignment]
    n: Annotated[int, Field(ge=1)]

    def span(self, length: int) -> tuple[int, int]:
        """The first n."""
        return 0, min(self.n, length)


class MaskRight(Mask):
    """The last n characters are masked."""

    method: Literal["mask_right"] = "mask_right"  # type: ignore[assignment]
    n: Annotated[int, Field(ge=1)]

    def span(self, length: int) -> tuple[int, int]:
        """The last n."""
        return max(length - self.n, 0), length


class MaskKeepLeft(Mask):
    """All but the first n characters are masked, and at least `at_least` of them."""

    method: Literal["mask_keep_left"] = "mask_keep_left"  # type: ignore[assignment]
    n: Annotated[int, Field(ge=0)]
    at_least: Annotated[int, Field(ge=0)] = 0

    def span(self, length: int) -> tuple[int, int]:
        """From n on."""
        return max(min(self.n, length - self.at_least), 0), length


class MaskKeepRight(Mask):
    """All but the last n characters are masked, and at least `at_least` of them."""

    method: Literal["mask_keep_right"] = "mask_keep_right"  # type: ignore[assignment]
    n: Annotated[int, Field(ge=0)]
    at_least: Annotated[int, Field(ge=0)] = 0

    def span(self, length: int) -> tuple[int, int]:
        """Up to the last n."""
        return 0, min(max(length - self.n, self.at_least), length)
