"""Mask keys: named in a policy, opened by URI on the worker, never part of a pickle, a log or an error.

A URI is `env:NAME` (an environment variable) or `file:PATH` (a file's content without its last line break). Others come
from `register_key_source`, for secret managers. The secret may be any text of at least 16 bytes, or `hex:...` or
`base64:...`. Each use derives a key of its own (HKDF-SHA-256, RFC 5869), so that no key serves two algorithms.
"""

import base64
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from blocks.core.errors import MaskKeyError, nearest

MIN_BYTES = 16
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NO_URI = ("a key is a URI, and this is none", "write env:NAME or file:PATH, never the secret itself")


def _from_environment(name: str) -> bytes:
    value = os.environ.get(name)
    if value is None:
        raise MaskKeyError(
            f"the environment variable {name} is not set", fix=f"set {name} on every worker, not only where you start"
        )
    return value.encode()


def _from_file(path: str) -> bytes:
    try:
        return Path(path).read_bytes().removesuffix(b"\n").removesuffix(b"\r")
    except OSError as cause:
        raise MaskKeyError(
            f"the key file cannot be read: {cause.strerror or type(cause).__name__}",
            fix="put the file on every worker, readable for the pipeline's user",
        ) from None


_SOURCES: dict[str, Callable[[str], bytes]] = {"env": _from_environment, "file": _from_file}


def register_key_source(scheme: str, read: Callable[[str], bytes]) -> None:
    """Makes `SCHEME:REST` a key URI.

    Args:
      scheme: the part before the colon.
      read: gets the rest, gives the secret; runs on every worker, so register it in a module that workers import.
    """
    _SOURCES[scheme] = read


def key_uri_problem(uri: str) -> tuple[str, str] | None:
    """(what, fix) when a URI cannot be a key's, without opening it; None when it can."""
    # The text may be a secret that was pasted in by mistake: no part of it is ever repeated.
    scheme, colon, rest = uri.partition(":")
    if not colon or not rest or not scheme.isidentifier():
        return _NO_URI
    if scheme not in _SOURCES:
        return "a key URI of an unknown kind", f"{nearest(scheme, _SOURCES)}; see register_key_source for others"
    if scheme == "env" and not _VARIABLE.fullmatch(rest):
        return "what follows `env:` is not the name of a variable", _NO_URI[1]
    return None


class KeyRing:
    """Opens the keys of a policy, each once.

    Pickles as names and URIs only: what was opened stays behind.

    Args:
      uris: key name to URI.
    """

    def __init__(self, uris: Mapping[str, str]) -> None:
        self._uris = dict(uris)
        self._secrets: dict[str, bytes] = {}

    def __reduce__(self) -> tuple[type["KeyRing"], tuple[dict[str, str]]]:
        return KeyRing, (self._uris,)

    def __repr__(self) -> str:
        return f"KeyRing({sorted(self._uris)})"

    def derive(self, name: str, purpose: str, length: int) -> bytes:
        """A key of `length` bytes for one purpose.

        Raises:
          MaskKeyError: no such key in the policy, it cannot be opened, or it has fewer than 16 bytes.
        """
        if name not in self._secrets:
            self._secrets[name] = self._open(name)
        return HKDF(SHA256(), length, salt=None, info=b"blocks/1/" + purpose.encode()).derive(self._secrets[name])

    def _open(self, name: str) -> bytes:
        uri = self._uris.get(name)
        if uri is None:
            raise MaskKeyError(f"the policy has no key `{name}`", where="keys", fix=nearest(name, self._uris))
        scheme, _, rest = uri.partition(":")
        where = f"key `{name}`"
        read = _SOURCES.get(scheme)
        if read is None:
            raise MaskKeyError(
                "a key URI of a kind that this worker does not know",
                where=where,
                fix="call register_key_source in a module that every worker imports",
            )
        try:
            found = read(rest)
            if not isinstance(found, bytes):
                raise TypeError
        except MaskKeyError as error:
            raise MaskKeyError(error.what, where=where, fix=error.fix) from None
        except Exception as cause:
            # A source of the user's own raises what it likes, and its message can show the secret.
            raise MaskKeyError(
                f"the source of the key failed ({type(cause).__name__})",
                where=where,
                fix="try the source by itself on a worker; it gives bytes",
            ) from None
        try:
            secret = _decoded(found)
        except ValueError:
            # The message can show characters of the secret.
            raise MaskKeyError(
                "the key says hex: or base64: and is not", where=where, fix="check the secret's encoding"
            ) from None
        if len(secret) < MIN_BYTES:
            raise MaskKeyError(
                f"the key has fewer than {MIN_BYTES} bytes",
                where=where,
                fix="use 32 random bytes: openssl rand -hex 32",
            )
        return secret


def _decoded(secret: bytes) -> bytes:
    if secret.startswith(b"hex:"):
        return bytes.fromhex(secret[4:].decode())
    if secret.startswith(b"base64:"):
        return base64.b64decode(secret[7:], validate=True)
    return secret
