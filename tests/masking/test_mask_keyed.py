"""hmac, encrypt and hash_bucket against the standards' own implementations, done by hand."""

import base64
import datetime
import hashlib
import hmac
import re
import unicodedata
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV, AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st
from mask_cases import OTHER_SECRET, SECRET, masked, method, ring

from blocks.core.errors import MaskKeyError, SchemaError
from blocks.core.keys import KeyRing
from blocks.core.masks.keyed import canonical_text

UTC = datetime.UTC
MOMENT = datetime.datetime(2026, 3, 4, 5, 6, 7, 890123, UTC)
# Every leaf type that a schema can have, with values that are hard for text.
COLUMNS: dict[str, pa.Array] = {
    "string": pa.array(["a", "", None, "ä\u0301", "\U0001f600", "a\0b"]),
    "large_string": pa.array(["a", None], pa.large_string()),
    "string_view": pa.array(["a", None, "longer than twelve bytes"], pa.string_view()),
    "binary_view": pa.array([b"a", None], pa.binary_view()),
    "binary": pa.array([b"", b"\xff\x00", None], pa.binary()),
    "large_binary": pa.array([b"\xff", None], pa.large_binary()),
    "fixed_size_binary": pa.array([b"\xff\x00", None], pa.binary(2)),
    "bool": pa.array([True, False, None]),
    "int8": pa.array([-128, 127, None], pa.int8()),
    "int64": pa.array([-(1 << 63), (1 << 63) - 1, None], pa.int64()),
    "uint64": pa.array([0, (1 << 64) - 1, None], pa.uint64()),
    "float16": pa.array([1.5, None], pa.float16()),
    "float32": pa.array([1.1, -0.0, float("inf"), None], pa.float32()),
    "float64": pa.array([0.1, 5e-324, 1.7976931348623157e308, -0.0, float("-inf"), None], pa.float64()),
    "decimal128": pa.array([Decimal("-1.50"), Decimal("0.00"), None], pa.decimal128(18, 2)),
    "tiny decimal": pa.array([Decimal("0.0000001"), None], pa.decimal128(18, 7)),
    "decimal256": pa.array([Decimal(10) ** 60, None], pa.decimal256(76, 2)),
    "date32": pa.array([datetime.date(1, 1, 1), datetime.date(9999, 12, 31), None], pa.date32()),
    "date64": pa.array([datetime.date(2026, 1, 31), None], pa.date64()),
    "timestamp utc": pa.array([MOMENT, None], pa.timestamp("us", "UTC")),
    "timestamp zone": pa.array([MOMENT, None], pa.timestamp("us", "Europe/Madrid")),
    "timestamp ns": pa.array([1, -1, None], pa.timestamp("ns", "UTC")),
    "timestamp naive": pa.array([MOMENT.replace(tzinfo=None), None], pa.timestamp("ms")),
    "timestamp far": pa.array([1 << 60, -(1 << 60), None], pa.timestamp("us", "UTC")),
    "time32": pa.array([1, None], pa.time32("s")),
    "time64": pa.array([86_399_999_999, None], pa.time64("us")),
    "duration": pa.array([-5, None], pa.duration("us")),
    "null": pa.nulls(2),
}


def derived(purpose: str, length: int, secret: str = SECRET) -> bytes:
    return HKDF(SHA256(), length, salt=None, info=f"blocks/1/{purpose}".encode()).derive(secret.encode())


def digest(message: bytes, domain: str = "pii.x", secret: str = SECRET, purpose: str = "hmac-sha256") -> bytes:
    return hmac.new(derived(purpose, 32, secret), domain.encode() + b"\0" + message, hashlib.sha256).digest()


def test_hmac_is_that_of_the_standard_library_under_the_derived_key_with_the_domain_in_the_message() -> None:
    array = pa.array(["ana@example.org", None, "", "ana@example.org"])
    assert masked(array, "hmac").to_pylist() == [
        "main:" + digest(b"ana@example.org").hex(),
        None,
        "main:" + digest(b"").hex(),
        "main:" + digest(b"ana@example.org").hex(),
    ]
    assert masked(array, "hmac", domain="person")[0].as_py() == "main:" + digest(b"ana@example.org", "person").hex()
    assert masked(array, "hmac", label="pii.y")[0].as_py() == "main:" + digest(b"ana@example.org", "pii.y").hex()


def test_hmac_of_another_key_is_another_and_says_so() -> None:
    (found,) = masked(pa.array(["a"]), "hmac", key="other").to_pylist()
    assert found == "other:" + digest(b"a", secret=OTHER_SECRET).hex()


def test_hmac_in_base64_is_url_safe_and_without_padding() -> None:
    (found,) = masked(pa.array(["a"]), "hmac", encoding="base64").to_pylist()
    assert found == "main:" + base64.urlsafe_b64encode(digest(b"a")).decode().rstrip("=")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (pa.array([b"\xff\x00"]), b"\xff\x00"),
        (pa.array([b"\xff\x00"], pa.binary(2)), b"\xff\x00"),
        (pa.array([-5]), b"-5"),
        (pa.array([True]), b"true"),
        (pa.array([1.5]), b"1.5"),
        (pa.array([Decimal("1.50")], pa.decimal128(9, 2)), b"1.50"),
        (pa.array([datetime.date(2026, 1, 31)]), b"2026-01-31"),
        (pa.array([MOMENT], pa.timestamp("us", "UTC")), b"2026-03-04 05:06:07.890123Z"),
        (pa.array(["A"], pa.large_string()), b"a"),
        (pa.array(["A"], pa.string_view()), b"a"),
    ],
)
def test_the_message_of_an_hmac_is_the_bytes_or_the_text_of_the_value(array: pa.Array, message: bytes) -> None:
    assert masked(array, "hmac").to_pylist() == ["main:" + digest(message).hex()]


@pytest.mark.parametrize(
    "written",
    ["Zoë  Kovač", "zoë kovač", "ZOË KOVAČ", unicodedata.normalize("NFD", "Zoë Kovač"), "\u00a0zoë\tkovač\n"],
)
def test_one_name_written_in_several_ways_gets_one_code(written: str) -> None:
    assert masked(pa.array([written]), "hmac").to_pylist() == ["main:" + digest("zoë kovač".encode()).hex()]


def test_without_canonical_every_writing_has_its_own_code() -> None:
    found = masked(pa.array(["A", "a", " a"]), "hmac", canonical="none").to_pylist()
    assert found == ["main:" + digest(text).hex() for text in (b"A", b"a", b" a")]


@given(st.text())
def test_canonical_text_does_not_depend_on_unicode_form_and_space(text: str) -> None:
    expected = canonical_text(text)
    assert canonical_text(unicodedata.normalize("NFD", text)) == expected
    assert canonical_text(f" {text}\t") == expected
    assert not re.search(r"^\s|\s$|\s\s", expected)


@given(st.text(st.characters(max_codepoint=127)))
def test_canonical_text_of_ascii_is_what_it_is_of_other_text(text: str) -> None:
    # A letter beyond ASCII takes the general way.
    assert canonical_text(text + " é") == (canonical_text(text) + " é").strip()


def test_hash_bucket_is_the_first_eight_bytes_of_an_hmac_under_a_key_of_its_own() -> None:
    found = masked(pa.array(["A", None, "b"]), "hash_bucket", buckets=1000)
    own = [digest(text, purpose="hash-bucket") for text in (b"A", b"b")]
    expected = [int.from_bytes(one[:8], "big") % 1000 for one in own]
    assert found.to_pylist() == [expected[0], None, expected[1]]


def test_hash_buckets_are_all_in_range_and_all_used() -> None:
    found = masked(pa.array(range(2000)), "hash_bucket", buckets=7).to_pylist()
    assert set(found) == set(range(7))
    # 2,000 values in 7 buckets: 286 each, give or take six standard deviations.
    assert all(190 < found.count(bucket) < 380 for bucket in range(7))


def test_deterministic_encryption_is_aes_siv_with_the_domain_as_associated_data() -> None:
    found = masked(pa.array(["ana", "ana", None]), "encrypt").to_pylist()
    sealed = AESSIV(derived("aes-siv", 64)).encrypt(b"ana\1", [b"pii.x"])
    text = "main:" + base64.urlsafe_b64encode(sealed).decode().rstrip("=")
    assert found == [text, text, None]


def test_random_encryption_is_aes_gcm_siv_and_differs_each_time() -> None:
    found = masked(pa.array(["ana", "ana", None]), "encrypt", mode="random").to_pylist()
    assert found[0] != found[1]
    assert found[2] is None
    for text in found[:2]:
        sealed = base64.urlsafe_b64decode(text.removeprefix("main:") + "==")
        assert AESGCMSIV(derived("aes-gcm-siv", 32)).decrypt(sealed[:12], sealed[12:], b"pii.x") == b"ana\1"


@pytest.mark.parametrize("mode", ["deterministic", "random"])
@pytest.mark.parametrize("name", COLUMNS)
def test_what_was_encrypted_comes_back_exactly(name: str, mode: str) -> None:
    array = COLUMNS[name]
    sealed = masked(array, "encrypt", mode=mode)
    again = method("encrypt", mode=mode).unmask_kernel(array.type, "pii.x", ring())(sealed)
    assert again.type == array.type
    assert again.equals(array)
    assert str(again) == str(array), "minus zero, too"


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("how", [("hmac", {}), ("hash_bucket", {"buckets": 9})])
def test_keyed_methods_take_every_leaf_type_and_keep_nulls(name: str, how: tuple[str, dict[str, Any]]) -> None:
    array = COLUMNS[name]
    found = masked(array, how[0], **how[1])
    assert found.is_null().equals(array.is_null())


@pytest.mark.parametrize("name", ["hmac", "encrypt", "hash_bucket"])
@pytest.mark.parametrize("kind", [pa.month_day_nano_interval(), pa.dense_union([pa.field("a", pa.int64())])])
def test_a_type_without_a_text_of_its_own_is_refused_when_the_pipeline_is_built(name: str, kind: pa.DataType) -> None:
    options = {"buckets": 2} if name == "hash_bucket" else {}
    with pytest.raises(SchemaError, match=f"`{name}` masks text, bytes"):
        method(name, **options).output_type(kind)


@pytest.mark.parametrize(
    "broken",
    [
        "other:AAAA",
        "main:",
        "main:AAAA",
        "main:!!!",
        "main:ä",
        "raw-secret-value",
        "main:" + base64.urlsafe_b64encode(bytes(40)).decode(),
    ],
)
@pytest.mark.parametrize("mode", ["deterministic", "random"])
def test_a_value_that_the_key_did_not_make_is_refused_without_showing_it(broken: str, mode: str) -> None:
    with pytest.raises(MaskKeyError) as caught:
        method("encrypt", mode=mode).unmask_kernel(pa.string(), "pii.x", ring())(pa.array([broken]))
    assert broken not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_value_of_another_domain_or_another_key_is_refused() -> None:
    sealed = masked(pa.array(["ana"]), "encrypt")
    with pytest.raises(MaskKeyError, match="not encrypted with this key"):
        method("encrypt").unmask_kernel(pa.string(), "pii.y", ring())(sealed)
    changed = KeyRing({"main": "env:BLOCKS_TEST_OTHER_KEY"})
    with pytest.raises(MaskKeyError, match="not encrypted with this key"):
        method("encrypt").unmask_kernel(pa.string(), "pii.x", changed)(sealed)


def test_a_mark_that_names_a_wrong_type_is_an_error_without_the_value() -> None:
    sealed = masked(pa.array(["raw-secret-value"]), "encrypt")
    with pytest.raises(MaskKeyError, match="no int64") as caught:
        method("encrypt").unmask_kernel(pa.int64(), "pii.x", ring())(sealed)
    assert "raw-secret-value" not in str(caught.value)
    assert caught.value.__suppress_context__
