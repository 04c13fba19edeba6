"""The methods that mask a column: one family a file, each a validated config that makes a vectorised kernel."""

from typing import Annotated

from pydantic import Field

from blocks.core.masks.base import Method
from blocks.core.masks.keyed import Encrypt, HashBucket, Hmac
from blocks.core.masks.plain import Drop, Keep, Null, Redact
from blocks.core.masks.text import Mask, MaskKeepLeft, MaskKeepRight, MaskLeft, MaskRight
from blocks.core.masks.truncate import Truncate

# The order is that of strictness, strictest first: of several labels on a column the strictest action wins.
METHODS: tuple[type[Method], ...] = (
    Drop,
    Null,
    Redact,
    HashBucket,
    Mask,
    Hmac,
    Truncate,
    MaskKeepLeft,
    MaskKeepRight,
    MaskLeft,
    MaskRight,
    Encrypt,
    Keep,
)

AnyMethod = Annotated[
    Drop
    | Null
    | Redact
    | HashBucket
    | Mask
    | Hmac
    | Truncate
    | MaskKeepLeft
    | MaskKeepRight
    | MaskLeft
    | MaskRight
    | Encrypt
    | Keep,
    Field(discriminator="method"),
]

METHOD_NAMES: tuple[str, ...] = tuple(method.name() for method in METHODS)


def strictest(methods: list[Method]) -> Method:
    """The method that shows least: by the order of `METHODS`, then by its options; among equals the first."""
    return min(methods, key=lambda method: (METHODS.index(type(method)), method.shows()))


__all__ = [
    "METHODS",
    "METHOD_NAMES",
    "AnyMethod",
    "Drop",
    "Encrypt",
    "HashBucket",
    "Hmac",
    "Keep",
    "Mask",
    "MaskKeepLeft",
    "MaskKeepRight",
    "MaskLeft",
    "MaskRight",
    "Method",
    "Null",
    "Redact",
    "Truncate",
    "strictest",
]
