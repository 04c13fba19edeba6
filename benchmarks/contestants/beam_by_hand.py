"""What a data team writes first: json.loads, dicts, hashlib, one element at a time, Beam's own Parquet sink.

Without partitions, rejects, or a check of anything; and with dicts instead of beam.Rows, which would be slower.
"""

import datetime
import json
import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import apache_beam as beam
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from benchmarks.contestants.work import ATTRIBUTES, OUTPUT, card, hmac_text, key, network


class Mask(beam.DoFn):
    def setup(self) -> None:
        self._key = key()

    def process(self, event: dict[str, Any]) -> Iterator[dict[str, Any]]:
        user = event["user"]
        user["id"] = hmac_text(self._key, "pii.user_id", user["id"])
        user["email"] = hmac_text(self._key, "pii.email", user.get("email"))
        user["phone"] = hmac_text(self._key, "pii.phone", user.get("phone"))
        user["name"] = None if user.get("name") is None else "[redacted]"
        birth = user.get("birth_date")
        user["birth_date"] = None if birth is None else datetime.date(int(birth[:4]), 1, 1)
        address = user.get("address") or {}
        address["postcode"] = (address.get("postcode") or "")[:3] or None
        number = event.get("card")
        if number:
            number["number"] = card(number.get("number"))
        device = event.get("device")
        if device:
            device["ip"] = network(device.get("ip"))
        yield event


def money(value: Any) -> Decimal | None:
    return None if value is None else Decimal(value).quantize(Decimal("0.01"))


def moment(value: str | None) -> datetime.datetime | None:
    return None if value is None else datetime.datetime.fromisoformat(value)


def flatten(event: dict[str, Any]) -> Iterator[dict[str, Any]]:
    user, device, paid, merchant = (event.get(name) or {} for name in ("user", "device", "card", "merchant"))
    address, attributes = user.get("address") or {}, event.get("attributes") or {}
    for item in event.get("items") or [{}]:
        row = {
            "event_id": event["event_id"],
            "sequence": event.get("sequence"),
            "occurred_at": moment(event["occurred_at"]),
            "received_at": moment(event.get("received_at")),
            "type": event.get("type"),
            "status": event.get("status"),
            "user_id": user["id"],
            "user_name": user["name"],
            "user_email": user["email"],
            "user_phone": user["phone"],
            "user_birth_date": user["birth_date"],
            "user_address_postcode": address.get("postcode"),
            "user_address_country": address.get("country"),
            "device_os": device.get("os"),
            "device_ip": device.get("ip"),
            "card_number": paid.get("number"),
            "card_network": paid.get("network"),
            "merchant_id": merchant.get("id"),
            "merchant_name": merchant.get("name"),
            "merchant_category": merchant.get("category"),
            "items_sku": item.get("sku"),
            "items_description": item.get("description"),
            "items_quantity": item.get("quantity"),
            "items_unit_price": money(item.get("unit_price")),
            "amount": money(event["amount"]),
            "currency": event.get("currency"),
            "balance": money(event.get("balance")),
            "tags": event.get("tags"),
        }
        row.update({f"attributes_{name}": attributes.get(name) for name in ATTRIBUTES})
        yield row


def parse(line: str) -> dict[str, Any]:
    return json.loads(line, parse_float=Decimal)  # type: ignore[no-any-return]


def main(source: str, out: str) -> None:
    with beam.Pipeline(runner=FnApiRunner()) as p:
        (
            p
            | beam.io.ReadFromText(source)
            | "Parse" >> beam.Map(parse)
            | "Mask" >> beam.ParDo(Mask())
            | "Flatten" >> beam.FlatMap(flatten)
            | beam.io.WriteToParquet(f"{out}/events", OUTPUT, codec="zstd", file_name_suffix=".parquet")
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
