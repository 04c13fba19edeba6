"""Columns, lineage and leaks, told from catalog and config alone; and the same as what the blocks themselves say."""

import sys

import pyarrow as pa
import pytest

from blocks.catalog.flow import Origin, carried, columns_of, flow, leaks, missing, needed
from blocks.catalog.model import Entry
from blocks.catalog.reading import read_catalog
from blocks.core import labels
from blocks.core.policy import read_policy
from blocks.core.schema import read_schema

CATALOG = read_catalog()
ORDER = read_schema("examples/orders/order.yaml")
POLICY = {"destinations": {"warehouse": {"labels": {"public": "keep", "pii.email": "redact"}}}}


def entry(**columns) -> Entry:
    """An entry that has nothing but columns."""
    base = CATALOG.block("WindowRows").model_dump(by_alias=True)
    return Entry.model_validate(base | {"columns": columns})


def test_lineage_needs_no_class(monkeypatch):
    for module in [name for name in sys.modules if name.startswith("blocks.masking")]:
        monkeypatch.delitem(sys.modules, module)
    flow(CATALOG.block("MaskColumns"), {}, [ORDER.names])
    assert not [name for name in sys.modules if name.startswith("blocks.masking")]


def test_kept_renamed_cast_and_computed_columns_have_their_sources():
    told = flow(
        entry(
            gives={
                "columns": "input",
                "renamed": "names",
                "typed": "types",
                "added": [{"expressions": "computed"}],
            }
        ),
        {"names": {"a": "b"}, "types": {"n": "int64"}, "computed": {"twice": "n + n", "c": "upper(who.name) || a"}},
        [["a", "n", "who"]],
    )
    assert dict(told.columns) == {
        "b": Origin("renamed", ((0, "a"),)),
        "n": Origin("cast", ((0, "n"),)),
        "who": Origin("kept", ((0, "who"),)),
        "twice": Origin("computed", ((0, "n"),)),
        "c": Origin("computed", ((0, "who"), (0, "a"))),
    }


def test_chosen_columns_stand_in_the_order_in_which_they_are_named():
    chosen = entry(gives={"columns": "input", "only": "columns", "without": "drop"})
    assert list(flow(chosen, {"columns": ["c", "a"]}, [["a", "b", "c"]]).columns) == ["c", "a"]
    assert list(flow(chosen, {"drop": "b"}, [["a", "b", "c"]]).columns) == ["a", "c"]


def test_a_union_has_the_columns_of_all_inputs_and_all_their_sources():
    told = flow(CATALOG.block("UnionBatches"), {}, [["a", "b"], ["b", "c"]])
    assert told.columns["b"] == Origin("kept", ((0, "b"), (1, "b")))
    assert list(told.columns) == ["a", "b", "c"]


def test_a_part_comes_from_the_longest_column_that_its_name_begins_with():
    told = flow(CATALOG.block("FlattenRecords"), {"row_id": "id"}, [["user", "user_address", "amount"]])
    assert told.origin("user_address_city") == Origin("part", ((0, "user_address"),))
    assert told.origin("user_name") == Origin("part", ((0, "user"),))
    assert told.origin("amount") == Origin("kept", ((0, "amount"),))
    assert told.origin("id") == Origin("computed")
    assert told.origin("users") is None


def test_a_table_that_is_joined_brings_its_columns_with_a_prefix():
    joined = entry(gives={"columns": "input", "added": [{"prefix": "prefix", "but": "on", "only": "columns"}]})
    told = flow(joined, {"prefix": "m_", "on": "id"}, [["id", "a"], ["id", "name", "city"]])
    assert list(told.columns) == ["id", "a", "m_name", "m_city"]
    assert told.columns["m_name"] == Origin("joined", ((1, "name"),))
    mapped = {"prefix": "m_", "on": {"merchant": "id"}}
    assert list(flow(joined, mapped, [["merchant"], ["id", "name"]]).columns) == ["merchant", "m_name"]
    assert list(flow(joined, {"columns": ["city"]}, [["a"], ["id", "city"]]).columns) == ["a", "city"]


def test_a_schema_declares_the_columns_of_a_reader():
    config = {"schema": "examples/orders/order.yaml"}
    assert list(flow(CATALOG.block("ReadJson"), config, []).columns) == ORDER.names
    dotted = {**config, "event_time": "address.at"}
    assert list(flow(CATALOG.block("ReadJson"), dotted, []).columns) == [*ORDER.names, "event_time"]


@pytest.mark.parametrize(
    ("form", "value", "names"),
    [
        ("names", "a", ["a"]),
        ("names", ["a", "b"], ["a", "b"]),
        ("keys", {"a": "x"}, ["a"]),
        ("values", {"x": "a"}, ["a"]),
        ("expression", "a > 1 AND who.name = 'x'", ["a", "who"]),
        ("expressions", {"x": "a + b", "y": "b"}, ["a", "b"]),
        ("expectations", [{"column": "a"}, {"unique": ["b"]}, {"where": "c < 1"}], ["a", "b", "c"]),
        ("transforms", ["day(a)", "b", "bucket(16, c)"], ["a", "b", "c"]),
        ("paths", ["a.b[].c", "d"], ["a", "d"]),
    ],
)
def test_every_form_in_which_an_option_names_columns_is_read(form, value, names):
    one = entry(needs=[{"option": "event_time", "form": form}], gives={"columns": "input"})
    assert [name for _, name in needed(one, {"event_time": value})] == names


def test_every_column_that_is_missing_or_of_another_type_is_told():
    one = entry(needs=[{"option": "columns", "types": ["number"]}], gives={"columns": "input"})
    schema = pa.schema([("amount", pa.decimal128(9, 2)), ("at", pa.timestamp("us"))])
    told = [(one.what, one.fix) for one in missing(one, {"columns": ["amount", "at", "amont"]}, schema)]
    assert told == [
        ("column `at` is timestamp[us]", "WindowRows needs number"),
        ("no column `amont`", "did you mean `amount`? there is: amount, at"),
    ]


def test_a_column_that_must_be_masked_in_one_way_is_told():
    told = list(missing(CATALOG.block("UnmaskColumns"), {"columns": ["email"]}, ORDER))
    assert [one.what for one in told] == ["column `email` is not masked with encrypt"]


def test_leaks_are_told_from_the_destinations_of_an_entry():
    schema = pa.schema([pa.field("email", pa.string(), metadata={"blocks.label": "pii.email"}), ("n", pa.int64())])
    told = list(leaks(CATALOG.block("WriteWarehouse"), [schema], read_policy(POLICY)))
    assert [(one.where, one.what) for one in told] == [
        ("field `email`", "label pii.email must go through redact first")
    ]
    assert not list(leaks(CATALOG.block("WindowRows"), [schema], read_policy(POLICY)))


def test_labels_come_from_every_source_and_from_below_it():
    schema = pa.schema(
        [
            pa.field("who", pa.struct([labels.with_labels(pa.field("name", pa.string()), ["pii.name"])])),
            labels.with_labels(pa.field("mail", pa.string()), ["pii.email"]),
            labels.with_labels(pa.field("n", pa.int64()), ["public"]),
        ]
    )
    assert carried(Origin("computed", ((0, "who"), (0, "mail"), (0, "n"))), [schema]) == {"pii.name", "pii.email"}


def test_an_expression_that_cannot_be_parsed_names_no_columns():
    assert columns_of("a +") == []
