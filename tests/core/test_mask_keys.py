"""Keys: opened by URI on the worker, derived for each use, and shown nowhere."""

import base64
import pickle
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from blocks.core import keys
from blocks.core.errors import MaskKeyError, PolicyError
from blocks.core.keys import KeyRing, key_uri_problem, register_key_source
from blocks.core.policy import read_policy

SECRET = "f3b1c9d27a6e4805-secret-of-this-test"
VARIABLE = "BLOCKS_TEST_MASK_KEY"


def derived(secret: bytes, purpose: str = "hmac-sha256", length: int = 32) -> bytes:
    return HKDF(SHA256(), length, salt=None, info=f"blocks/1/{purpose}".encode()).derive(secret)


def ring(uri: str = f"env:{VARIABLE}") -> KeyRing:
    return KeyRing({"main": uri})


def message(uri: str = f"env:{VARIABLE}", name: str = "main") -> str:
    with pytest.raises(MaskKeyError) as caught:
        ring(uri).derive(name, "hmac-sha256", 32)
    error: BaseException | None = caught.value
    while error is not None and not error.__suppress_context__:
        error = error.__cause__ or error.__context__
        assert error is None or SECRET not in str(error)
    shown = str(caught.value)
    assert caught.value.problems[0].fix, shown
    assert caught.value.problems[0].where, shown
    assert SECRET not in shown
    return shown


def test_each_use_has_a_key_of_its_own_by_hkdf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, SECRET)
    assert ring().derive("main", "hmac-sha256", 32) == derived(SECRET.encode())
    assert ring().derive("main", "aes-siv", 64) == derived(SECRET.encode(), "aes-siv", 64)


@pytest.mark.parametrize(
    ("written", "secret"),
    [
        (SECRET.encode(), SECRET.encode()),
        (SECRET.encode() + b"\n", SECRET.encode()),
        (SECRET.encode() + b"\r\n", SECRET.encode()),
        (SECRET.encode() + b"\n\n", SECRET.encode() + b"\n"),
        (bytes(range(32)), bytes(range(32))),
        (b"hex:" + bytes(range(32)).hex().encode() + b"\n", bytes(range(32))),
        (b"base64:" + base64.b64encode(bytes(range(32))), bytes(range(32))),
    ],
)
def test_a_key_file_is_read_without_its_last_line_break(tmp_path: Path, written: bytes, secret: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(written)
    assert ring(f"file:{path}").derive("main", "hmac-sha256", 32) == derived(secret)


def test_a_missing_variable_or_file_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert f"the environment variable {VARIABLE} is not set" in message()
    assert "the key file cannot be read" in message(f"file:{tmp_path / 'none'}")
    assert "the key file cannot be read" in message(f"file:{tmp_path}")
    assert "no key `other`" in message(name="other")


@pytest.mark.parametrize("secret", ["", "fifteen letters", "hex:0011", "base64:AAAA"])
def test_a_short_key_is_refused(monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
    monkeypatch.setenv(VARIABLE, secret)
    assert "fewer than 16 bytes" in message()


@pytest.mark.parametrize("secret", [f"hex:{SECRET}", f"base64:{SECRET}", "base64:ä"])
def test_a_key_that_is_not_in_its_encoding_is_refused_without_showing_it(
    monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    monkeypatch.setenv(VARIABLE, secret)
    assert "says hex: or base64: and is not" in message()


@pytest.mark.parametrize(
    "pasted",
    [
        SECRET,
        f"vault:{SECRET}",
        f"MyS3cret:{SECRET}",
        "MyS3cret:rest",
        f"{SECRET}:x",
        f"hex:{SECRET}",
        f"env:{SECRET}",
        "env:",
        "env",
        "file:",
        ":x",
        "",
    ],
)
def test_text_that_is_no_key_uri_is_refused_and_never_repeated(pasted: str) -> None:
    problem = key_uri_problem(pasted)
    assert problem is not None
    with pytest.raises(PolicyError) as caught:
        read_policy({"keys": {"main": pasted}, "destinations": {}})
    for part in (SECRET, "MyS3cret", "rest"):
        assert part not in str(caught.value)
        assert part not in repr(caught.value)


def test_a_source_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_SOURCES", dict(keys._SOURCES))
    register_key_source("vault", lambda rest: f"{rest}-{SECRET}".encode())
    assert key_uri_problem("vault:team/key") is None
    assert ring("vault:team/key").derive("main", "hmac-sha256", 32) == derived(f"team/key-{SECRET}".encode())


def test_a_source_that_fails_or_gives_no_bytes_does_not_show_what_it_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_SOURCES", dict(keys._SOURCES))

    def failing(rest: str) -> bytes:
        raise RuntimeError(f"cannot decode {SECRET}")

    register_key_source("failing", failing)
    register_key_source("text", lambda rest: SECRET)  # type: ignore[arg-type, return-value]
    assert "the source of the key failed (RuntimeError)" in message("failing:x")
    assert "the source of the key failed (TypeError)" in message("text:x")


def test_a_source_that_the_worker_does_not_know_is_an_error_with_the_module_to_import() -> None:
    assert "register_key_source in a module" in message("vault:x")


def test_an_opened_ring_pickles_and_prints_without_its_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, SECRET)
    opened = ring()
    opened.derive("main", "hmac-sha256", 32)
    pickled = pickle.dumps(opened)
    for text in (SECRET.encode(), SECRET.encode().hex().encode(), base64.b64encode(SECRET.encode())):
        assert text not in pickled
    assert SECRET not in repr(opened)
    assert pickle.loads(pickled).derive("main", "x", 16) == opened.derive("main", "x", 16)
