"""keep, drop, null and redact."""

from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from blocks.core.keys import KeyRing
from blocks.core.labels import Masked
from blocks.core.masks.base import Kernel, Method


class Keep(Method):
    """Values pass as they are."""

    method: Literal["keep"] = "keep"

    def injective(self, data_type: pa.DataType) -> bool:
        """True: values are as they were."""
        return True

    def identifies(self) -> bool:
        """True: values are as they were."""
        return True

    def kernel(self, data_type: pa.DataType, label: str, keys: KeyRing) -> Kernel:
        """The identity."""
        return lambda array: array

    def masked(self, data_type: pa.DataType, label: str) -> Masked | None:
        """None: nothing was masked."""
        return None


class Drop(Method):
    """The column goes; a struct loses the field, a map loses both sides."""

    method: Literal["drop"] = "drop"

    def kernel(self, data_type: pa.DataType, label: str, keys: KeyRing) -> Kernel:
        """Never called: a dropped column has no values."""
        raise AssertionError("a dropped column has no kernel")


class Null(Method):
    """The column stays with its type, every value null."""

    gives_null = True
    method: Literal["null"] = "null"

    def kernel(self, data_type: pa.DataType, label: str, keys: KeyRing) -> Kernel:
        """Nulls of the same type."""
        return lambda array: pa.nulls(len(array), data_type)


class Redact(Method):
    """Every value becomes one text; nulls stay null. The column becomes a string.

    Attributes:
      text: what stands instead of each value.
    """

    method: Literal["redact"] = "redact"
    text: str = "[redacted]"

    def output_type(self, data_type: pa.DataType) -> pa.DataType:
        """String, whatever the input."""
        return pa.string()

    def kernel(self, data_type: pa.DataType, label: str, keys: KeyRing) -> Kernel:
        """The text where a value is."""
        text = pa.scalar(self.text, pa.string())
        return lambda array: pc.if_else(array.is_valid(), text, pa.scalar(None, pa.string()))
