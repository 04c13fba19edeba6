"""mask, mask_left, mask_right, mask_keep_left, mask_keep_right.

Semantics of ksqlDB's functions of these names (ksqlDB reference, "Scalar functions: MASK"), except that a character
is a Unicode code point and not a UTF-16 unit: an upper-case letter (category Lu) becomes `X`, a lower-case letter (Ll)
`x`, a decimal digit (Nd) `n`, anything else `-`; a class whose character is null stays as it is. Letters and digits are
those of Unicode 13, whatever Python runs. A value shorter than the number of characters to keep is kept whole, as
ksqlDB does; `at_least` masks that many characters all the same.
"""

import unicodedata
from typing import Annotated, Literal

import pyarrow as pa
import pyarrow.types as pat
from pydantic import Field, model_validator

from blocks.core.keys import KeyRing
from blocks.core.masks.base import Kernel, Method, Remembered, as_text, by_distinct, is_text, refuse_type

OneCharacter = Annotated[str, Field(min_length=1, max_length=1)]

# Letters and digits of Unicode 14 to 16, first and last of each range, in which nothing older lies: they have no class,
# so that a text is masked alike on every Python, in Java (`blocks.udf.Characters`) and in DuckDB.
LATER = (
    (0x1C89, 0x1C8A),
    (0x2C2F, 0x2C2F),
    (0x2C5F, 0x2C5F),
    (0xA7C0, 0xA7C1),
    (0xA7CB, 0xA7DC),
    (0x10570, 0x105BC),
    (0x10D40, 0x10D85),
    (0x116D0, 0x116E3),
    (0x11BF0, 0x11BF9),
    (0x11F50, 0x11F59),
    (0x16130, 0x16139),
    (0x16AC0, 0x16AC9),
    (0x16D70, 0x16D79),
    (0x1CCF0, 0x1CCF9),
    (0x1DF00, 0x1DF2A),
    (0x1E4F0, 0x1E5FA),
)
_LATER = frozenset(one for first, last in LATER for one in range(first, last + 1))


class _Characters(dict[int, str]):
    """A table for `str.translate` that learns each code point when it first meets it."""

    def __init__(self, upper: str | None, lower: str | None, digit: str | None, other: str | None) -> None:
        super().__init__()
        self._by_category, self._other = {"Lu": upper, "Ll": lower, "Nd": digit}, other

    def __missing__(self, code_point: int) -> str:
        character = chr(code_point)
        category = "" if code_point in _LATER else unicodedata.category(character)
        found = self._by_category.get(category, self._other)
        self[code_point] = character if found is None else found
        return self[code_point]


class Mask(Method):
    """Every character becomes `X`, `x`, `n` or `-` by its class.

    Attributes:
      upper, lower, digit, other: the characters to write instead; null leaves the class as it is. At least one masks.
    """

    method: Literal["mask"] = "mask"
    upper: OneCharacter | None = "X"
    lower: OneCharacter | None = "x"
    digit: OneCharacter | None = "n"
    other: OneCharacter | None = "-"

    @model_validator(mode="after")
    def _masks_something(self) -> "Mask":
        if self.upper is self.lower is self.digit is self.other is None:
            raise ValueError("upper, lower, digit and other are all null, so nothing would be masked")
        return self

    def shows(self) -> float:
        """More with each class that stays as it is."""
        return 1e9 * [self.upper, self.lower, self.digit, self.other].count(None)

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

        many = Remembered(one)

        def convert(values: list[object]) -> pa.Array:
            return pa.array(many(values), pa.string())

        return lambda array: by_distinct(as_text(array), convert)


class MaskLeft(Mask):
    """The first n characters are masked."""

    method: Literal["mask_left"] = "mask_left"  # type: ignore[assignment]
    n: Annotated[int, Field(ge=1, strict=True)]

    def shows(self) -> float:
        """More, the fewer characters are masked."""
        return super().shows() - self.n

    def span(self, length: int) -> tuple[int, int]:
        """The first n."""
        return 0, min(self.n, length)


class MaskRight(Mask):
    """The last n characters are masked."""

    method: Literal["mask_right"] = "mask_right"  # type: ignore[assignment]
    n: Annotated[int, Field(ge=1, strict=True)]

    def shows(self) -> float:
        """More, the fewer characters are masked."""
        return super().shows() - self.n

    def span(self, length: int) -> tuple[int, int]:
        """The last n."""
        return max(length - self.n, 0), length


class MaskKeepLeft(Mask):
    """All but the first n characters are masked, and at least `at_least` of them."""

    method: Literal["mask_keep_left"] = "mask_keep_left"  # type: ignore[assignment]
    n: Annotated[int, Field(ge=0, strict=True)]
    at_least: Annotated[int, Field(ge=0, strict=True)] = 0

    def shows(self) -> float:
        """More, the more characters are kept."""
        return super().shows() + self.n

    def span(self, length: int) -> tuple[int, int]:
        """From n on."""
        return max(min(self.n, length - self.at_least), 0), length


class MaskKeepRight(Mask):
    """All but the last n characters are masked, and at least `at_least` of them."""

    method: Literal["mask_keep_right"] = "mask_keep_right"  # type: ignore[assignment]
    n: Annotated[int, Field(ge=0, strict=True)]
    at_least: Annotated[int, Field(ge=0, strict=True)] = 0

    def shows(self) -> float:
        """More, the more characters are kept."""
        return super().shows() + self.n

    def span(self, length: int) -> tuple[int, int]:
        """Up to the last n."""
        return 0, min(max(length - self.n, self.at_least), length)
