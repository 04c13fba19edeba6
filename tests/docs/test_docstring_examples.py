"""The example in the docstring of every block runs: it is built on rows of its kind, and what it prints is true.

An example is run with what its block needs to be there: `events`, `orders` and the like are batches, `p` is the
pipeline, `rejects` takes rejects, files that are named are there, and `show` prints the rows of a PCollection.
"""

import datetime
import doctest
import inspect
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

import blocks
from blocks.catalog.reading import read_catalog
from blocks.core.schema.yaml_form import of_columns
from blocks.testing.collecting import Collected, collect
from blocks.testing.feeding import Feed
from blocks.testing.simulator import SimulatorConfig, write_events

ROOT = Path(__file__).parents[2]
ENTRIES = read_catalog().entries
AT = datetime.datetime(2026, 3, 1, 9, 10, tzinfo=datetime.UTC)

Rows = tuple[dict[str, Any], list[dict[str, Any]]]

EVENTS: Rows = (
    {
        "id": {"type": "int64", "label": "public"},
        "event_id": {"type": "string", "label": "public"},
        "user_id": {"type": "string", "label": "public"},
        "occurred_at": {"type": "timestamp[us, tz=UTC]", "label": "public", "event_time": True},
        "amount": {"type": "decimal128(18, 2)", "label": "public"},
        "country": {"type": "string", "label": "public"},
        "user": {"type": "struct", "label": "public", "fields": [{"name": "country", "type": "string"}]},
    },
    [
        {
            "id": 1,
            "event_id": "e1",
            "user_id": "u1",
            "occurred_at": AT,
            "amount": Decimal("12.50"),
            "country": "SE",
            "user": {"country": "se"},
        }
    ],
)
ITEM = {"type": "struct", "fields": [{"name": "sku", "type": "string"}, {"name": "price", "type": "decimal128(9, 2)"}]}
CITY = {"type": "struct", "fields": [{"name": "city", "type": "string"}]}
COUNTRY = {"type": "struct", "fields": [{"name": "country", "type": "string"}]}
# What the example of a block is run on, where it is not EVENTS.
GIVEN: dict[str, Rows] = {
    "SelectColumns": (
        {"user_id": "string", "amount": "decimal128(9, 2)"},
        [{"user_id": "u1", "amount": Decimal("12.50")}],
    ),
    "RenameColumns": ({"uid": "string", "amount": "decimal128(9, 2)"}, [{"uid": "u1", "amount": Decimal("12.50")}]),
    "CastColumns": ({"amount": "string", "day": "string"}, [{"amount": "12.5", "day": "2026-01-31"}]),
    "SampleRows": ({"user_id": "int64"}, [{"user_id": number} for number in range(60)]),
    "ComputeColumns": (
        {"price": "decimal128(9, 2)", "quantity": "int64", "user": COUNTRY},
        [{"price": Decimal("2.50"), "quantity": 4, "user": {"country": "se"}}],
    ),
    "FlattenRecords": (
        {"order_id": "string", "user": CITY, "items": {"type": "list", "items": ITEM}},
        [
            {
                "order_id": "o1",
                "user": {"city": "Oslo"},
                "items": [{"sku": "a", "price": Decimal("1.50")}, {"sku": "b", "price": Decimal("2.00")}],
            },
            {"order_id": "o2", "user": None, "items": []},
        ],
    ),
}


def examples_of(cls: type) -> list[doctest.Example]:
    section = re.search(r"^Example:\n((?:[ ]+.*\n?|\n)+)", inspect.getdoc(cls) or "", re.MULTILINE)
    return doctest.DocTestParser().get_examples(inspect.cleandoc(section[1])) if section else []


def cells(text: str) -> list[list[str]]:
    """A printed table without its spacing."""
    return [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in text.strip().splitlines()]


def shown(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {one!r}" for name, one in value.items()) + "}"
    return "" if value is None else str(value)


def printed(found: Collected) -> str:
    """The rows as an example shows them."""
    table = found.table()
    lines = [table.schema.names, *([shown(value) for value in row.values()] for row in table.to_pylist())]
    return "\n".join(" | ".join(line) for line in lines)


def namespace(name: str, p: beam.Pipeline, rejects: Any) -> dict[str, Any]:
    """What an example finds."""
    columns, rows = GIVEN.get(name, EVENTS)
    schema = of_columns(columns, f"the example of {name}")
    feed = Feed((pa.RecordBatch.from_pylist(rows, schema=schema),))

    def source(label: str) -> beam.PCollection:
        return p | label >> feed.source()

    policy = {
        "keys": {"main": "env:BLOCKS_MASK_KEY"},
        "destinations": {"support": {"labels": {"pii.email": {"method": "encrypt", "key": "main"}}}},
    }
    emails = pa.schema([pa.field("email", pa.string(), metadata={"blocks.label": "pii.email"})])
    letters = Feed((pa.RecordBatch.from_pylist([{"email": "ann@example.com"}], schema=emails),))
    events = source("events")
    return {name: getattr(blocks, name) for name in dir(blocks)} | {
        "beam": beam,
        "p": p,
        "rejects": rejects,
        "schema": schema,
        "events": events,
        "orders": events,
        "users": events,
        "batches": events,
        "cards": source("cards"),
        "transfers": source("transfers"),
        "rows": source("for rows") | "rows" >> blocks.AsRows(),
        "masked": p | "letters" >> letters.source() | "mask" >> blocks.MaskColumns(policy, "support"),
    }


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with the files that examples name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BLOCKS_MASK_KEY", "test-only key, 32 bytes or longer")
    monkeypatch.delenv("BLOCKS_WAREHOUSE", raising=False)
    partner = ROOT / "examples" / "partner_events"
    for name in ("transaction.thrift", "common.thrift", "policies"):
        (tmp_path / name).symlink_to(partner / name)
    (tmp_path / "privacy.yaml").symlink_to(partner / "policies" / "privacy.yaml")
    (tmp_path / "events").mkdir()
    write_events(tmp_path / "events" / "day.jsonl.gz", SimulatorConfig(events=20, seed=7))
    (tmp_path / "archive").mkdir()
    columns, rows = EVENTS
    archived = pa.Table.from_pylist(rows, schema=of_columns(columns, "archive"))
    pq.write_table(archived, tmp_path / "archive" / "1.parquet")
    pq.write_table(pa.table({"code": ["SE"], "region": ["Nordic"]}), tmp_path / "countries.parquet")


def differences(cls: type) -> list[str]:
    """What the example of a block prints in another way than its docstring says; raises what the example raises."""
    shows: list[tuple[doctest.Example, Collected]] = []
    p = beam.Pipeline(runner=FnApiRunner())
    with blocks.Rejects("rejects/") as rejects:
        names = namespace(cls.__name__, p, rejects) | {cls.__name__: cls}
        for example in examples_of(cls):
            names["show"] = lambda pcoll, example=example: shows.append((example, collect(pcoll)))
            exec(example.source, names)  # the docstring's own code
            assert not example.want or shows[-1][0] is example, "only show(...) prints"
    if shows:
        p.run().wait_until_finish()
    return [
        f"{example.source}printed\n{printed(found)}\nand not\n{example.want}"
        for example, found in shows
        if cells(printed(found)) != cells(example.want)
    ]


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.name}@{entry.major}")
def test_the_example_of_a_docstring_runs_and_prints_what_it_says(entry):
    cls = entry.load()
    assert examples_of(cls), f"the docstring of {entry.name} has no example"
    assert differences(cls) == []


@pytest.mark.usefixtures("files")
def test_an_example_that_prints_something_else_is_found(monkeypatch):
    cls = blocks.load("FlattenRecords", version=1)
    monkeypatch.setattr(cls, "__doc__", cls.__doc__.replace("| 2.00", "| 2.01"))
    (found,) = differences(cls)
    assert "2.00" in found.partition("and not")[0]


@pytest.mark.usefixtures("files")
def test_an_example_with_a_column_that_is_not_there_is_found(monkeypatch):
    cls = blocks.load("FlattenRecords", version=1)
    monkeypatch.setattr(cls, "__doc__", cls.__doc__.replace('explode="items"', 'explode="item"'))
    with pytest.raises(blocks.ColumnError):
        differences(cls)
