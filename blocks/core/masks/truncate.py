"""truncate: a value keeps its coarse part. A value that cannot be read as what it should be becomes null."""

import ipaddress
import math
import re
from fractions import Fraction
from typing import Annotated, Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from blocks.core.keys import KeyRing
from blocks.core.masks.base import Kernel, Method, Remembered, by_distinct, is_text, refuse_type

_ISO_DATE = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01])([Tt ][0-9:.,Zz+-]*)?)?")


class IpPrefix(BaseModel):
    """How many leading bits of an address stay."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    v4: Annotated[int, Field(ge=0, le=31, strict=True)] = 24
    v6: Annotated[int, Field(ge=0, le=127, strict=True)] = 48


class Truncate(Method):
    """Keeps the coarse part of a value; exactly one option says which.

    Attributes:
      date: `month` or `year`: dates and timestamps go to its first instant (UTC), ISO 8601 text is cut.
      bucket: numbers go down to a multiple of it.
      ip_prefix: IP addresses in text keep these leading bits, the others are 0. An IPv4 address in an IPv6 one (mapped,
        or 6to4, which holds it in its first 48 bits) is cut as IPv4.
      characters: text keeps its first characters (code points).
    """

    gives_null = True
    method: Literal["truncate"] = "truncate"
    date: Literal["month", "year"] | None = None
    bucket: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    ip_prefix: IpPrefix | None = None
    characters: Annotated[int, Field(ge=1, strict=True)] | None = None

    @field_validator("bucket", mode="before")
    @classmethod
    def _number(cls, value: object) -> object:
        if isinstance(value, bool | str):
            raise ValueError("input should be a number")
        return value

    @model_validator(mode="after")
    def _one_option(self) -> "Truncate":
        given = [name for name in ("date", "bucket", "ip_prefix", "characters") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"truncate takes exactly one of date, bucket, ip_prefix, characters; got {given or 'none'}"
            )
        return self

    def shows(self) -> float:
        """More of a month than of a year, of a small bucket, of a long prefix."""
        if self.date:
            return 1 if self.date == "month" else 0
        if self.bucket is not None:
            return -self.bucket
        return (self.characters or 0) if self.ip_prefix is None else self.ip_prefix.v4 + self.ip_prefix.v6

    def output_type(self, data_type: pa.DataType) -> pa.DataType:
        """The same type, if it fits the option."""
        if self.date and not (pat.is_date(data_type) or pat.is_timestamp(data_type) or is_text(data_type)):
            raise refuse_type("truncate: date", data_type, "dates, timestamps and ISO 8601 text")
        numeric = pat.is_integer(data_type) or pat.is_floating(data_type) or pat.is_decimal(data_type)
        if self.bucket is not None and not numeric:
            raise refuse_type("truncate: bucket", data_type, "numbers")
        if self.bucket is not None and not self.bucket.is_integer() and not pat.is_floating(data_type):
            raise refuse_type(f"truncate: bucket {self.bucket}", data_type, "floating-point numbers")
        if (self.ip_prefix or self.characters) and not is_text(data_type):
            raise refuse_type("truncate: ip_prefix and characters", data_type, "text")
        return data_type

    def kernel(self, data_type: pa.DataType, label: str, keys: KeyRing) -> Kernel:
        """Arrow kernels for dates, numbers and text; each distinct address once."""
        if self.date:
            return self._dates(data_type, self.date)
        if self.bucket is not None:
            return _buckets(data_type, self.bucket)
        if self.characters is not None:
            stop = self.characters
            return lambda array: pc.utf8_slice_codeunits(_sliceable(array), 0, stop).cast(data_type)
        prefix = self.ip_prefix or IpPrefix()

        many = Remembered(lambda value: _network(value, prefix))

        def networks(values: list[object]) -> pa.Array:
            return pa.array(many(values), data_type)

        return lambda array: by_distinct(array, networks)

    @staticmethod
    def _dates(data_type: pa.DataType, unit: str) -> Kernel:
        if not is_text(data_type):
            return lambda array: _floor(array, unit)

        def cut(values: list[object]) -> pa.Array:
            found = (_ISO_DATE.fullmatch(str(value)) for value in values)
            group = 1 if unit == "year" else 0
            return pa.array([match and (match[1] if group else f"{match[1]}-{match[2]}") for match in found], data_type)

        return lambda array: by_distinct(array, cut)


def _sliceable(array: pa.Array) -> pa.Array:
    return array.cast(pa.string()) if pat.is_string_view(array.type) else array


def _floor(array: pa.Array, unit: str) -> pa.Array:
    """Dates and timestamps rounded down in UTC; null where the result is before the type's first value."""
    zoned = pat.is_timestamp(array.type) and array.type.tz is not None
    # Arrow rounds in the zone of the type, whose months begin at other instants.
    moments = array.cast(pa.timestamp(array.type.unit, "UTC")) if zoned else array
    floored = pc.floor_temporal(moments, unit=unit)
    # Before its first value a type begins again at its last one.
    fits = pc.less_equal(floored, moments)
    return pc.if_else(fits, floored, pa.scalar(None, floored.type)).cast(array.type)


def _buckets(data_type: pa.DataType, size: float) -> Kernel:
    if pat.is_floating(data_type):
        return lambda array: pc.multiply(pc.floor(pc.divide(array.cast(pa.float64()), size)), size).cast(data_type)
    step = int(size)

    def down(values: list[Any]) -> pa.Array:
        # math.floor of an exact quotient: integers cannot overflow on the way, Decimal's // would round toward zero.
        results = [math.floor(Fraction(value) / step) * step for value in values]
        return pa.array([_fitting(result, data_type) for result in results], data_type)

    return lambda array: by_distinct(array, down)


def _fitting(value: int, data_type: pa.DataType) -> object:
    try:
        return pa.scalar(value, data_type).as_py()
    except (pa.ArrowInvalid, OverflowError):
        return None


def _network(text: str, prefix: IpPrefix) -> str | None:
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address.sixtofour or address
    bits = prefix.v4 if address.version == 4 else prefix.v6
    low = address.max_prefixlen - bits
    return str(type(address)((int(address) >> low) << low))
