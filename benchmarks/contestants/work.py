"""The same work, said once: the masks by plain hashlib and string slicing, the columns, the checksum of a result."""

import hashlib
import hmac
import ipaddress
import os
import re
import unicodedata
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SCHEMA = "examples/partner_events/transaction.thrift:Transaction"
POLICY = "examples/partner_events/policies/privacy.yaml"
ATTRIBUTES = ("channel", "campaign", "terminal")

OUTPUT = pa.schema(
    [
        ("event_id", pa.string()),
        ("sequence", pa.int64()),
        ("occurred_at", pa.timestamp("us", tz="UTC")),
        ("received_at", pa.timestamp("us", tz="UTC")),
        ("type", pa.string()),
        ("status", pa.string()),
        ("user_id", pa.string()),
        ("user_name", pa.string()),
        ("user_email", pa.string()),
        ("user_phone", pa.string()),
        ("user_birth_date", pa.date32()),
        ("user_address_postcode", pa.string()),
        ("user_address_country", pa.string()),
        ("device_os", pa.string()),
        ("device_ip", pa.string()),
        ("card_number", pa.string()),
        ("card_network", pa.string()),
        ("merchant_id", pa.string()),
        ("merchant_name", pa.string()),
        ("merchant_category", pa.string()),
        ("items_sku", pa.string()),
        ("items_description", pa.string()),
        ("items_quantity", pa.int32()),
        ("items_unit_price", pa.decimal128(18, 2)),
        ("amount", pa.decimal128(18, 2)),
        ("currency", pa.string()),
        ("balance", pa.decimal128(18, 2)),
        ("tags", pa.list_(pa.string())),
        ("attributes_channel", pa.string()),
        ("attributes_campaign", pa.string()),
        ("attributes_terminal", pa.string()),
    ]
)

_SPACES = re.compile(r"\s+")


def key() -> bytes:
    """The key that the library derives for HMACs, so that results can be compared."""
    secret = os.environ["BLOCKS_MASK_KEY"].encode()
    return HKDF(SHA256(), 32, salt=None, info=b"blocks/1/hmac-sha256").derive(secret)


def hmac_text(secret: bytes, label: str, value: str | None) -> str | None:
    if value is None:
        return None
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", value).casefold())
    message = label.encode() + b"\0" + _SPACES.sub(" ", folded).strip().encode()
    return "main:" + hmac.digest(secret, message, hashlib.sha256).hex()


def card(value: str | None) -> str | None:
    return None if value is None else "n" * max(len(value) - 4, 0) + value[-4:]


def network(value: str | None) -> str | None:
    if value is None:
        return None
    address = ipaddress.ip_address(value)
    low = address.max_prefixlen - (24 if address.version == 4 else 48)
    return str(type(address)((int(address) >> low) << low))


def checksum(folder: str) -> dict[str, object]:
    """What two results of the same work share: rows, sums, distinct masked values."""
    files = [str(path) for path in Path(folder).rglob("*.parquet") if "rejects" not in path.parts]
    columns = ["event_id", "amount", "items_quantity", "user_email", "card_number", "device_ip"]
    table = pa.concat_tables([pq.ParquetFile(path).read(columns) for path in files])
    emails = "".join(sorted(value for value in set(table["user_email"].to_pylist()) if value))
    return {
        "rows": table.num_rows,
        "amount": str(pc.sum(table["amount"]).as_py()),
        "quantity": pc.sum(table["items_quantity"]).as_py(),
        "emails": hashlib.sha256(emails.encode()).hexdigest()[:16],
        "cards": len(pc.unique(table["card_number"])),
        "networks": len(pc.unique(table["device_ip"])),
    }


@lru_cache(maxsize=1)
def key_once() -> bytes:
    """The key, for callers that have no setup."""
    return key()
