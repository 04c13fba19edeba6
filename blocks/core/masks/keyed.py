"""hmac, encrypt and hash_bucket: masks that need a key.

A masked value begins with the key's id (`main:3f5a...`), so that values of two keys never match by accident and a
reader knows which key to ask for. The message of an HMAC, and the associated data of an encryption, hold the domain
(the column's label unless the policy names another), so that equal values of different meaning do not match.
"""

import base64
import hashlib
import os
import re
import unicodedata
from collections.abc import Callable
from typing import Annotated, Any, Literal

import pyarrow as pa
import pyarrow.types as pat
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV, AESSIV
from pydantic import Field

from blocks.core.errors import MaskKeyError
from blocks.core.keys import KeyRing
from blocks.core.masks.base import (
    Kernel,
    Method,
    Remembered,
    as_text,
    by_distinct,
    has_text,
    is_bytes,
    is_text,
    refuse_type,
)

_NONCE_BYTES = 12
_SPACES = re.compile(r"\s+")


def canonical_text(text: str) -> str:
    """The text as it is compared: Unicode NFC, case folded, white space trimmed and runs of it one space."""
    if text.isascii():
        return " ".join(text.lower().split())
    folded = unicodedata.normalize("NFC", text).casefold()
    # Folding can give sequences that compose again.
    return _SPACES.sub(" ", unicodedata.normalize("NFC", folded)).strip()


class _Keyed(Method):
    """Options of every method with a key.

    Attributes:
      key: name in the policy's `keys`; stays with the values as the key's id.
      domain: what the values are, part of what is computed; the column's label unless given.
    """

    key: Annotated[str, Field(min_length=1)]
    # A NUL ends the domain in the message of an HMAC.
    domain: Annotated[str, Field(pattern=r"^[^\x00]*$")] | None = None

    def key_name(self) -> str:
        """The key's name."""
        return self.key

    def options(self, label: str) -> dict[str, Any]:
        """The domain too, so that equal marks mean comparable values."""
        return {**super().options(label), "domain": self._domain(label)}

    def output_type(self, data_type: pa.DataType) -> pa.DataType:
        """String; the input is any type whose values have a text."""
        if not has_text(data_type):
            raise refuse_type(self.name(), data_type, "text, bytes, numbers, booleans, dates and times")
        return pa.string()

    def _domain(self, label: str) -> str:
        return self.domain if self.domain is not None else label


class Hmac(_Keyed):
    """HMAC-SHA-256 (RFC 2104) of the value, as text `KEY:DIGEST`.

    The message is the domain, a NUL and the value: its bytes, or its text in UTF-8. The key is derived from the
    policy's for this use (see `blocks.core.keys`).

    Attributes:
      encoding: `hex` or `base64` (URL-safe, without padding).
      canonical: `text` folds case, white space and Unicode form of strings first, so that equal addresses written
        differently match; `none` takes them as they are.
    """

    method: Literal["hmac"] = "hmac"
    encoding: Literal["hex", "base64"] = "hex"
    canonical: Literal["text", "none"] = "text"

    def injective(self, data_type: pa.DataType) -> bool:
        """Not where texts are folded: `A` and `a` get one code."""
        return not self._folds(data_type)

    def identifies(self) -> bool:
        """True: equal values have equal codes."""
        return True

    def _folds(self, data_type: pa.DataType) -> bool:
        return self.canonical == "text" and is_text(data_type)

    def kernel(self, data_type: pa.DataType, label: str, keys: KeyRing) -> Kernel:
        """One HMAC for each distinct value."""
        digest = hmac_function(keys, self.key, self._domain(label))
        fold = canonical_text if self._folds(data_type) else str
        encode = bytes.hex if self.encoding == "hex" else _base64_text
        prefix, raw = self.key + ":", is_bytes(data_type)
        many = Remembered(lambda value: prefix + encode(digest(value if raw else fold(value).encode())))

        def convert(values: list[Any]) -> pa.Array:
            return pa.array(many(values), pa.string())

        return lambda array: by_distinct(_message(array), convert)


def hmac_function(keys: KeyRing, key: str, domain: str, purpose: str = "hmac-sha256") -> Callable[[bytes], bytes]:
    """The HMAC-SHA-256 of messages under a key of the ring, separated by domain and, in the key itself, by purpose."""
    secret = keys.derive(key, purpose, 32)
    # RFC 2104 with both pads hashed once: a quarter of the time of hmac.digest, which looks up the hash at each call.
    block = secret.ljust(hashlib.sha256().block_size, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block) + domain.encode() + b"\0")
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))

    def digest(message: bytes) -> bytes:
        first, second = inner.copy(), outer.copy()
        first.update(message)
        second.update(first.digest())
        return second.digest()

    return digest


def _message(array: pa.Array) -> pa.Array:
    return array.cast(pa.binary()) if is_bytes(array.type) else as_text(array)


def _base64_text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _unbase64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class HashBucket(_Keyed):
    """A keyed hash of the value modulo a number of buckets, as int64.

    The first 8 bytes, big-endian, of an HMAC as for `hmac` under a key of its own, modulo `buckets`.

    Attributes:
      buckets: how many; few enough that each holds many people.
    """

    method: Literal["hash_bucket"] = "hash_bucket"
    buckets: Annotated[int, Field(ge=2, le=1 << 31, strict=True)]

    def shows(self) -> float:
        """More, the more buckets there are."""
        return self.buckets

    def output_type(self, data_type: pa.DataType) -> pa.DataType:
        """int64."""
        super().output_type(data_type)
        return pa.int64()

    def kernel(self, data_type: pa.DataType, label: str, keys: KeyRing) -> Kernel:
        """One HMAC for each distinct value."""
        digest = hmac_function(keys, self.key, self._domain(label), "hash-bucket")
        buckets, raw = self.buckets, is_bytes(data_type)

        def one(value: Any) -> int:
            return int.from_bytes(digest(value if raw else str(value).encode())[:8], "big") % buckets

        many = Remembered(one)

        def convert(values: list[Any]) -> pa.Array:
            return pa.array(many(values), pa.int64())

        return lambda array: by_distinct(_message(array), convert)


class Encrypt(_Keyed):
    """Encryption that `UnmaskColumns` undoes, as text `KEY:BASE64`.

    Attributes:
      mode: `deterministic` is AES-SIV (RFC 5297, 256-bit keys): equal values give equal text, so it can be joined and
        shows repetition; `random` is AES-GCM-SIV (RFC 8452, 256-bit key, 96-bit nonce): equal values give different
        text.
    """

    method: Literal["encrypt"] = "encrypt"
    mode: Literal["deterministic", "random"] = "deterministic"

    def injective(self, data_type: pa.DataType) -> bool:
        """True: what can be undone cannot collide."""
        return True

    def identifies(self) -> bool:
        """Only the deterministic mode gives a value the same text in the next run."""
        return self.mode == "deterministic"

    def shows(self) -> float:
        """The deterministic mode shows which values are equal."""
        return 1 if self.mode == "deterministic" else 0

    def kernel(self, data_type: pa.DataType, label: str, keys: KeyRing) -> Kernel:
        """Each distinct value once where equal text is wanted, each value on its own where not."""
        seal, prefix = self._cipher(keys, label)[0], self.key + ":"
        raw = is_bytes(data_type)

        def convert(values: list[Any]) -> pa.Array:
            sealed = (None if value is None else seal(value if raw else str(value).encode()) for value in values)
            return pa.array([None if one is None else prefix + _base64_text(one) for one in sealed], pa.string())

        def kernel(array: pa.Array) -> pa.Array:
            ready = _exact(array)
            return by_distinct(ready, convert) if self.mode == "deterministic" else convert(ready.to_pylist())

        return kernel

    def unmask_kernel(self, data_type: pa.DataType, label: str, keys: KeyRing) -> Kernel:
        """The reverse of `kernel`: strings to the type before masking.

        Raises:
          MaskKeyError: (by the kernel) a value of another key, or one that this key did not make.
        """
        unseal, prefix, raw = self._cipher(keys, label)[1], self.key + ":", is_bytes(data_type)

        def one(value: str) -> object:
            try:
                if not value.startswith(prefix):
                    raise ValueError
                opened = unseal(_unbase64(value[len(prefix) :]))
                return opened if raw else opened.decode()
            except (ValueError, InvalidTag):
                raise MaskKeyError(
                    "a value was not encrypted with this key",
                    where=f"key `{self.key}`",
                    fix="use the key and the domain with which the column was masked",
                ) from None

        def convert(values: list[Any]) -> pa.Array:
            opened = pa.array([one(value) for value in values], pa.binary() if raw else pa.string())
            try:
                return _from_exact(opened, data_type)
            except pa.ArrowException:
                # Arrow's message shows the value.
                raise MaskKeyError(
                    f"a decrypted value is no {data_type}",
                    where=f"key `{self.key}`",
                    fix="the mask mark names another type than was masked; take the schema that MaskColumns gave",
                ) from None

        return lambda array: by_distinct(array, convert)

    def _cipher(self, keys: KeyRing, label: str) -> tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]:
        domain = self._domain(label).encode()
        # AES-SIV in `cryptography` refuses an empty value; the last byte makes it one of at least one.
        if self.mode == "deterministic":
            # AES-SIV takes two 256-bit keys as one of 64 bytes.
            siv = AESSIV(keys.derive(self.key, "aes-siv", 64))
            return (
                lambda value: siv.encrypt(value + b"\1", [domain]),
                lambda sealed: siv.decrypt(sealed, [domain])[:-1],
            )
        gcm = AESGCMSIV(keys.derive(self.key, "aes-gcm-siv", 32))

        def seal(value: bytes) -> bytes:
            nonce = os.urandom(_NONCE_BYTES)
            return nonce + gcm.encrypt(nonce, value + b"\1", domain)

        def unseal(sealed: bytes) -> bytes:
            return gcm.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], domain)[:-1]

        return seal, unseal


def _counted(data_type: pa.DataType) -> pa.DataType | None:
    """The integers behind a type whose text Arrow cannot read again at any value (years beyond 9999, times of day)."""
    if pat.is_timestamp(data_type) or pat.is_date64(data_type) or pat.is_time64(data_type):
        return pa.int64()
    if pat.is_duration(data_type):
        return pa.int64()
    return pa.int32() if pat.is_date32(data_type) or pat.is_time32(data_type) else None


def _exact(array: pa.Array) -> pa.Array:
    """Bytes, or a text that `_from_exact` reads as the very same value."""
    counted = _counted(array.type)
    return _message(array if counted is None else array.view(counted))


def _from_exact(array: pa.Array, data_type: pa.DataType) -> pa.Array:
    counted = _counted(data_type)
    if counted is not None:
        return array.cast(counted).view(data_type)
    if pat.is_null(data_type):
        return pa.nulls(len(array))
    return array.cast(data_type)
