"""hmac, encrypt and hash_bucket: masks that need a key.

A masked value begins with the key's id (`main:3f5a...`), so that values of two keys never match by accident and a reader
knows which key to ask for. The message of an HMAC, and the associated data of an encryption, hold the domain (the
column's label unless the policy names another), so that equal values of different meaning do not match.
"""

import base64
import hashlib
import hmac
import os
import re
import unicodedata
from collections.abc import Callable
from typing import Annotated, Any, Literal

import pyarrow as pa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV, AESSIV
from pydantic import Field

from blocks.core.errors import MaskKeyError
from blocks.core.keys import KeyRing
from blocks.core.masks.base import Kernel, Method, as_text, by_distinct, is_bytes, is_text

_NONCE_BYTES = 12
_SPACES = re.compile(r"\s+")


def canonical_text(text: str) -> str:
    """The text as it is compared: Unicode NFC, case folded, white space trimmed and runs of it one space."""
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
    domain: str | None = None

    def key_name(self) -> str:
        """The key's name."""
        return self.key

    def _domain(self, label: str) -> str:
        return self.domain if self.domain is not None else label


class Hmac(_Keyed):
    """HMAC-SHA-256 (RFC 2104) of the value, as text `KEY:DIGEST`.

    Attributes:
      encoding: `hex` or `base64` (URL-safe, without padding).
      canonical: `text` folds case, white space and Unicode form of strings first, so that equal addresses written
        differently match; `none` takes them as they are.
    """

    injective = True
    method: Literal["hmac"] = "hmac"
    encoding: Literal["hex", "base64"] = "hex"
    canonical: Literal["text", "none"] = "text"

    def output_type(self, data_type: pa.DataType) -> pa.DataType:
        """String."""
        return pa.string()

    def kernel(self, data_type: pa.DataType, label: str, keys: KeyRing) -> Kernel:
        """One HMAC for each distinct value."""
        digest = hmac_function(keys, self.key, self._domain(label))
        fold = canonical_text if self.canonical == "text" and is_text(data_type) else str
        encode = bytes.hex if self.encoding == "hex" else _base64_text
        prefix = self.key + ":"

        def convert(values: list[Any]) -> pa.Array:
            messages = values if is_bytes(data_type) else [fold(value).encode() for value in values]
            return pa.array([prefix + encode(digest(message)) for message in messages], pa.string())

        return lambda array: by_distinct(array if is_bytes(data_type) else as_text(array), convert)


def hmac_function(keys: KeyRing, key: str, domain: str) -> Callable[[bytes], bytes]:
    """The HMAC-SHA-256 of messages under a key of the ring, separated by domain."""
    secret = keys.derive(key, "hmac-sha256", 32)
    prefix = domain.encode() + b"\0"
    return lambda message: hmac.digest(secret, prefix + message, hashlib.sha256)


def _base64_text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _unbase64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class HashBucket(_Keyed):
    """A keyed hash of the value modulo a number of buckets, as int64.

    Attributes:
      buckets: how many; few enough that each holds many people.
    """

    method: Literal["hash_bucket"] = "hash_bucket"
    buckets: Annotated[int, Field(ge=2, le=1 << 31)]

    def output_type(self, data_type: pa.DataType) -> pa.DataType:
        """int64."""
        return pa.int64()

    def kernel(self, data_type: pa.DataType, label: str, keys: KeyRing) -> Kernel:
        """One HMAC for each distinct value."""
        digest = hmac_function(keys, self.key, "bucket\0" + self._domain(label))

        def convert(values: list[Any]) -> pa.Array:
            messages = values if is_bytes(data_type) else [str(value).encode() for value in values]
            return pa.array(
                [int.from_bytes(digest(message)[:8], "big") % self.buckets for message in messages], pa.int64()
            )

        return lambda array: by_distinct(array if is_bytes(data_type) else as_text(array), convert)


class Encrypt(_Keyed):
    """Encryption that `UnmaskColumns` undoes, as text `KEY:BASE64`.

    Attributes:
      mode: `deterministic` is AES-SIV (RFC 5297, 256-bit keys): equal values give equal text, so it can be joined and
        shows repetition; `random` is AES-GCM-SIV (RFC 8452, 256-bit key, 96-bit nonce): equal values give different text.
    """

    injective = True
    method: Literal["encrypt"] = "encrypt"
    mode: Literal["deterministic", "random"] = "deterministic"

    def output_type(self, data_type: pa.DataType) -> pa.DataType:
        """String."""
        return pa.string()

    def kernel(self, data_type: pa.DataType, label: str, keys: KeyRing) -> Kernel:
        """Each distinct value once where equal text is wanted, each value on its own where not."""
        seal, prefix = self._cipher(keys, label)[0], self.key + ":"
        raw = is_bytes(data_type)

        def convert(values: list[Any]) -> pa.Array:
            sealed = (None if value is None else seal(value if raw else str(value).encode()) for value in values)
            return pa.array([None if one is None else prefix + _base64_text(one) for one in sealed], pa.string())

        def kernel(array: pa.Array) -> pa.Array:
            ready = array if raw else as_text(array)
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
            except (ValueError, InvalidTag):
                raise MaskKeyError(
                    "a value was not encrypted with this key",
                    where=f"key `{self.key}`",
                    fix="use the key and the domain with which the column was masked",
                ) from None
            return opened if raw else opened.decode()

        def convert(values: list[Any]) -> pa.Array:
            opened = pa.array([one(value) for value in values], pa.binary() if raw else pa.string())
            return opened.cast(data_type)

        return lambda array: by_distinct(array, convert)

    def _cipher(self, keys: KeyRing, label: str) -> tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]:
        domain = self._domain(label).encode()
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
