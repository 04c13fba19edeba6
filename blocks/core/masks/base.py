"""What every mask method is: a frozen config, the type it gives, and a kernel over one Arrow array."""

from collections.abc import Callable
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat
from pydantic import BaseModel, ConfigDict

from blocks.core.errors import SchemaError
from blocks.core.keys import KeyRing
from blocks.core.labels import Masked
from blocks.core.schema.types import type_text

Kernel = Callable[[pa.Array], pa.Array]


class Method(BaseModel):
    """A way to mask the values of one leaf column.

    Attributes:
      method: the name in a policy.
      gives_null: a value that is there can become null.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    gives_null: ClassVar[bool] = False
    method: str

    @classmethod
    def name(cls) -> str:
        """The name of the method in a policy."""
        return str(cls.model_fields["method"].default)

    def key_name(self) -> str:
        """Name of the key in the policy's `keys`, empty without one."""
        return ""

    def injective(self, data_type: pa.DataType) -> bool:
        """Whether different values of a type stay different, so that map keys masked this way cannot collide."""
        return False

    def identifies(self) -> bool:
        """Whether equal values, and few others, get equal masks: a masked key column still identifies a row."""
        return False

    def shows(self) -> float:
        """How much it shows, to compare two settings of one method: the lower, the stricter."""
        return 0

    def options(self, label: str) -> dict[str, Any]:
        """The options that make a difference to the values of a column with this label."""
        return self.model_dump(exclude={"method", "key"}, exclude_defaults=True)

    def output_type(self, data_type: pa.DataType) -> pa.DataType:
        """The type of the masked column.

        Raises:
          SchemaError: the method does not work on this type.
        """
        return data_type

    def kernel(self, data_type: pa.DataType, label: str, keys: KeyRing) -> Kernel:
        """Makes the function that masks an array; called once per worker.

        Args:
          data_type: type of the array.
          label: label of the column, the default domain of keyed methods.
          keys: opens keys by name.
        """
        raise NotImplementedError

    def masked(self, data_type: pa.DataType, label: str) -> Masked | None:
        """The mark that the masked column carries; None where values are as they were."""
        return Masked(self.name(), self.key_name(), self.options(label), type_text(data_type))


def refuse_type(method: str, data_type: pa.DataType, takes: str) -> SchemaError:
    """The error of a method on a type that it does not take."""
    return SchemaError(
        f"`{method}` masks {takes}, not {data_type}", fix="choose another method for this label, such as drop or hmac"
    )


def is_text(data_type: pa.DataType) -> bool:
    """Whether it is a string type."""
    return bool(pat.is_string(data_type) or pat.is_large_string(data_type) or pat.is_string_view(data_type))


def is_bytes(data_type: pa.DataType) -> bool:
    """Whether it is a binary type."""
    return bool(
        pat.is_binary(data_type)
        or pat.is_large_binary(data_type)
        or pat.is_fixed_size_binary(data_type)
        or pat.is_binary_view(data_type)
    )


def has_text(data_type: pa.DataType) -> bool:
    """Whether every value of the type has a text of its own (`as_text`): not intervals, unions and the like."""
    return bool(
        is_text(data_type)
        or is_bytes(data_type)
        or pat.is_boolean(data_type)
        or pat.is_integer(data_type)
        or pat.is_floating(data_type)
        or pat.is_decimal(data_type)
        or pat.is_timestamp(data_type)
        or pat.is_date(data_type)
        or pat.is_time(data_type)
        or pat.is_duration(data_type)
        or pat.is_null(data_type)
    )


def as_text(array: pa.Array) -> pa.Array:
    """The array as strings: text as it is, everything else as Arrow prints it (decimals with their scale)."""
    if pat.is_string(array.type):
        return array
    if is_bytes(array.type):
        # Bytes need not be UTF-8; latin-1 maps each byte to one code point.
        return pa.array(
            [None if value is None else value.decode("latin-1") for value in array.to_pylist()], pa.string()
        )
    return array.cast(pa.string())


def by_distinct(array: pa.Array, convert: Callable[[list[object]], pa.Array]) -> pa.Array:
    """`convert` applied to the distinct non-null values and spread back, so that cost follows distinct values.

    Args:
      array: any hashable type.
      convert: gets the distinct values as Python objects, gives as many Arrow values.
    """
    if len(array) == array.null_count:
        return pa.nulls(len(array), convert([]).type)
    encoded = pc.dictionary_encode(array)
    found = convert(encoded.dictionary.to_pylist())
    # Arrow does not take from views yet.
    kind = {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}.get(found.type, found.type)
    return found.cast(kind).take(encoded.indices).cast(found.type)


class Remembered:
    """A function of one value, applied to many, that remembers what it gave for the last ones.

    The distinct values of one batch come back in the next, because few users make most events. At most `most` values
    and results are held, per column and worker; past that all are forgotten at once.

    Args:
      one: the function; its results are strings or numbers, or None, which is not remembered.
      most: how many to hold.
    """

    def __init__(self, one: Callable[[Any], Any], most: int = 1 << 16) -> None:
        self._one, self._most = one, most
        self._known: dict[Any, Any] = {}

    def __call__(self, values: list[Any]) -> list[Any]:
        """The results, in order."""
        known, one = self._known, self._one
        results = []
        for value in values:
            result = known.get(value)
            if result is None:
                result = one(value)
                if len(known) >= self._most:
                    known.clear()
                known[value] = result
            results.append(result)
        return results
