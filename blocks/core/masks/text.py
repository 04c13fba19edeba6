"""mask, mask_left, mask_right, mask_keep_left, mask_keep_right.

Semantics of ksqlDB's functions of these names (ksqlDB reference, "Scalar functions: MASK"), except that a character
is a Unicode code point and not a UTF-16 unit: an upper-case letter (category Lu) becomes `X`, a lower-case letter (Ll)
`x`, a decimal digit (Nd) `n`, anything else `-`; a class whose character is null stays as it is. Letters and digits are
those of Unicode 13, whatever Python runs. A value shorter than the number of characters to keep is kept whole, as
ksqlDB does; `at_least` masks that many characters all the same.
"""

from typing import Annotated, Literal

import numpy as np
import pyarrow as pa
import pyarrow.types as pat
from pydantic import Field, model_validator

from blocks.core.keys import KeyRing
from blocks.core.masks.base import Kernel, Method, as_text, is_text, refuse_type
from blocks.core.masks.code_points import Characters, Numbers

OneCharacter = Annotated[str, Field(min_length=1, max_length=1)]

# No text of a column has as many characters.
_LONGEST = 1 << 31


def _capped(number: int) -> int:
    return min(number, _LONGEST)


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

    def spans(self, lengths: Numbers) -> tuple[Numbers | int, Numbers]:
        """The part [from, to) that is masked of values of these lengths."""
        return 0, lengths

    def kernel(self, data_type: pa.DataType, label: str, keys: KeyRing) -> Kernel:
        """Masks a whole column at once."""
        characters = Characters(self.upper, self.lower, self.digit, self.other)
        return lambda array: characters.mask(as_text(array), self.spans)


class MaskLeft(Mask):
    """The first n characters are masked."""

    method: Literal["mask_left"] = "mask_left"  # type: ignore[assignment]
    n: Annotated[int, Field(ge=1, strict=True)]

    def shows(self) -> float:
        """More, the fewer characters are masked."""
        return super().shows() - self.n

    def spans(self, lengths: Numbers) -> tuple[Numbers | int, Numbers]:
        """The first n."""
        return 0, np.minimum(_capped(self.n), lengths)


class MaskRight(Mask):
    """The last n characters are masked."""

    method: Literal["mask_right"] = "mask_right"  # type: ignore[assignment]
    n: Annotated[int, Field(ge=1, strict=True)]

    def shows(self) -> float:
        """More, the fewer characters are masked."""
        return super().shows() - self.n

    def spans(self, lengths: Numbers) -> tuple[Numbers | int, Numbers]:
        """The last n."""
        return np.maximum(lengths - _capped(self.n), 0), lengths


class MaskKeepLeft(Mask):
    """All but the first n characters are masked, and at least `at_least` of them."""

    method: Literal["mask_keep_left"] = "mask_keep_left"  # type: ignore[assignment]
    n: Annotated[int, Field(ge=0, strict=True)]
    at_least: Annotated[int, Field(ge=0, strict=True)] = 0

    def shows(self) -> float:
        """More, the more characters are kept."""
        return super().shows() + self.n

    def spans(self, lengths: Numbers) -> tuple[Numbers | int, Numbers]:
        """From n on."""
        return np.maximum(np.minimum(_capped(self.n), lengths - _capped(self.at_least)), 0), lengths


class MaskKeepRight(Mask):
    """All but the last n characters are masked, and at least `at_least` of them."""

    method: Literal["mask_keep_right"] = "mask_keep_right"  # type: ignore[assignment]
    n: Annotated[int, Field(ge=0, strict=True)]
    at_least: Annotated[int, Field(ge=0, strict=True)] = 0

    def shows(self) -> float:
        """More, the more characters are kept."""
        return super().shows() + self.n

    def spans(self, lengths: Numbers) -> tuple[Numbers | int, Numbers]:
        """Up to the last n."""
        return 0, np.minimum(np.maximum(lengths - _capped(self.n), _capped(self.at_least)), lengths)
