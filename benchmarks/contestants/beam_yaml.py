"""Beam YAML doing what it can of it: Python callables a field, Beam's Explode and WriteToParquet.

It has no masks, no rejects, no partitions and no decimals; amounts become floats, times stay text.
"""

import sys

import apache_beam as beam
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.yaml.yaml_transform import YamlTransform

SCALARS = ("event_id", "received_at", "type", "status", "currency", "occurred_at")
NESTED = (
    ("user", "birth_date"),
    ("device", "os"),
    ("card", "network"),
    ("merchant", "id"),
    ("merchant", "name"),
    ("merchant", "category"),
    ("attributes", "channel"),
    ("attributes", "campaign"),
    ("attributes", "terminal"),
)
HMACS = (("id", "pii.user_id"), ("email", "pii.email"), ("phone", "pii.phone"))


def callable_(body: str, output: str = "string") -> str:
    # Its checked types have no null.
    body = f"({body}) or ''" if output == "string" else body
    code = f"from benchmarks.contestants import work\ndef get(row):\n  event = row.event\n  return {body}"
    lines = "\n".join("            " + line for line in code.split("\n"))
    return f"\n          callable: |\n{lines}\n          output_type: {output}"


def fields() -> str:
    found = {name: callable_(f"event.get({name!r})") for name in SCALARS}
    found |= {f"{one}_{two}": callable_(f"(event.get({one!r}) or {{}}).get({two!r})") for one, two in NESTED}
    for name, label in HMACS:
        found[f"user_{name}"] = callable_(f"work.hmac_text(work.key_once(), {label!r}, event['user'].get({name!r}))")
    found["card_number"] = callable_("work.card((event.get('card') or {}).get('number'))")
    found["device_ip"] = callable_("work.network((event.get('device') or {}).get('ip'))")
    found["amount"] = callable_("float(event['amount'])", "number")
    found["item"] = callable_(
        "[__import__('json').dumps(item) for item in event.get('items') or [{}]]",
        "{type: array, items: {type: string}}",
    )
    return "".join(f"\n        {name}:{body}" for name, body in found.items())


def pipeline(source: str, out: str) -> str:
    item = (
        "\n        item_sku:\n          callable: |\n            import json\n            def get(row):\n"
        "              return json.loads(row.item).get('sku') or ''\n          output_type: string"
    )
    return f"""
type: chain
transforms:
  - type: ReadFromText
    config: {{path: {source}}}
  - type: MapToFields
    config:
      language: python
      fields:
        event:
          callable: |
            import json
            def get(row):
              return json.loads(row.line)
  - type: MapToFields
    config:
      language: python
      fields:{fields()}
  - type: Explode
    config: {{fields: [item]}}
  - type: MapToFields
    config:
      language: python
      append: true
      drop: [item]
      fields:{item}
  - type: WriteToParquet
    config: {{path: {out}/events}}
"""


def main(source: str, out: str) -> None:
    with beam.Pipeline(runner=FnApiRunner()) as p:
        p | YamlTransform(pipeline(source, out))


if __name__ == "__main__":
    main(*sys.argv[1:])
