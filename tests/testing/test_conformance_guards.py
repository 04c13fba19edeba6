"""Every check of the conformance suite finds the block that breaks its promise; a good block passes them all."""

from pathlib import Path

import pytest

from blocks.catalog.model import Catalog, Entry
from blocks.catalog.reading import read_catalog
from blocks.testing.conformance import CHECKS, Case, NotConforming, hold

ROOT = Path(__file__).parents[2]
INPUT = {
    "at": {"type": "timestamp", "required": True, "label": "public", "event_time": True},
    "kind": {"type": "string", "label": "public"},
    "number": {"type": "int64", "label": "public"},
    "email": {"type": "string", "label": "pii.email"},
}
CHECK = {check.name: check for check in CHECKS}


def case_of(name: str, *, trial: dict | None = None, **changes) -> Case:
    """A case of a block of `broken_blocks`, with the entry of one that keeps its promises, but for the changes."""
    config = {"column": "email", "name": "copy"}
    content = {
        "name": name,
        "version": "1.0.0",
        "status": "stable",
        "class": f"broken_blocks:{name}",
        "summary": "Copies a column.",
        "modes": ["batch", "stream"],
        "rejects": False,
        "state": False,
        "since": "0.1.0",
        "takes": ["batches"],
        "gives": "batches",
        "columns": {
            "needs": [{"option": "column"}],
            "gives": {"columns": "input", "added": [{"named_by": "name", "of": "column"}]},
        },
        "conserves": "rows_in = rows_out",
        "example": config,
        "trials": [{"config": config, "input": INPUT, **(trial or {})}],
        **changes,
    }
    entry = Entry.model_validate(content)
    return Case(entry, entry.trials[0], Catalog((entry,), {}), ROOT)


REJECTS = {
    "rejects": True,
    "codes": ["bad_word"],
    "conserves": "rows_in = rows_out + rejects",
    "trial": {"bad": {"kind": ["bad"]}},
}
READER = {
    "modes": ["batch"],
    "takes": ["nothing"],
    "columns": {"gives": {"columns": "schema", "schema": "schema", "labels": "declared"}},
    "example": {"pattern": "orders/*.parquet", "schema": "examples/orders/order.yaml"},
    "trial": {
        "config": {"pattern": "${input}", "schema": "examples/orders/order.yaml"},
        "input": "examples/orders/order.yaml",
    },
}
WRITER = {
    "takes": ["batches"],
    "gives": "tables",
    "destinations": ["warehouse"],
    "columns": {"gives": {"columns": "none"}},
    "example": {"folder": "out"},
    "trial": {"config": {"folder": "${folder}"}},
}
FAULTS = [
    ("builds_from_config", "NoTransform", {}, "is no beam.PTransform"),
    ("builds_from_config", "CopyColumn", {"example": {"colum": "email"}}, "unknown option `colum`"),
    ("builds_from_config", "CopyColumn", {"class": "broken_blocks:Talks"}, "the class is named Talks"),
    ("gives_what_it_declares", "LosesLabels", {}, "`copy` has the private labels {}"),
    ("gives_what_it_declares", "ChangesTypes", {}, "`number` is string, before it was int64"),
    ("gives_what_it_declares", "CopyColumn", {"columns": {"gives": {"columns": "input"}}}, "gives `copy`, which the"),
    ("needs_what_it_declares", "NeedsMore", {}, "without `number` the block does not build"),
    ("needs_what_it_declares", "NoticesNothing", {}, "without `email`, which the entry needs, the block builds"),
    ("asks_the_policy", "WritesRaw", WRITER, "raw columns would go to warehouse"),
    ("conserves_rows", "LosesRows", {}, "rows_in = rows_out, but rows_in 150, rows_out 149"),
    ("gives_the_same_again", "DrawsLots", {}, "rows missing"),
    ("any_bundling", "NumbersRows", {}, "rows missing"),
    ("stream_equals_batch", "OtherInStreams", {}, "as a stream"),
    ("sliced_batches", "ForgetsOffsets", {}, "as a slice"),
    ("empty_batches", "WantsRows", {}, "IndexError"),
    ("all_null_batches", "SkipsNulls", {}, "rows_out 0"),
    ("dictionary_batches", "ReadTables", READER, "expected a batch of"),
    ("rejects_what_it_declares", "RejectsUndeclared", REJECTS, "the code `unheard_of`"),
    ("rejects_what_it_declares", "NeverRejects", REJECTS, "it rejects none of the bad rows"),
    ("rejects_what_it_declares", "RejectsWords", {**REJECTS, "trial": {}}, "no trial has `bad`"),
    ("rejects_what_it_declares", "RejectsWords", {}, "options of the block say otherwise"),
    ("leaks_no_marker", "LosesLabels", {}, "output column `copy`: a value of `email` (raw)"),
    ("leaks_no_marker", "Talks", {}, "the log: a value of `email` (upper)"),
    ("leaks_no_marker", "ShowsRejects", REJECTS, "rejects, column `message`: a value of `email` (raw)"),
    ("leaks_no_marker", "ShowsRejects", REJECTS, "the error: a value of `email` (raw)"),
    ("pickles", "HoldsAGenerator", {}, "cannot pickle"),
    ("pickles", "ForgetsItsName", {}, "gives other columns or labels"),
    ("stays_arrow", "PicklesBatches", {}, "does not say what it gives"),
    ("stays_arrow", "HidesBatches", {}, "a batch was pickled while it ran"),
    ("errors_have_three_parts", "SaysLittle", {}, "does not say what to do: no"),
    ("is_documented", "Talks", {}, "no `Nulls:`, what it does with nulls"),
    ("is_documented", "RejectsUndeclared", {**REJECTS, "codes": ["unheard_of"]}, "explain the code `unheard_of`"),
    ("is_documented", "CopyColumn", {"class": "broken_blocks:WantsRows"}, "`Args:` does not describe `column`"),
    ("builds_in_a_snippet", "WantsObjects", {}, "WantsObjects"),
]


@pytest.mark.parametrize(
    ("check", "name", "changes", "said"), FAULTS, ids=[f"{check}-{name}" for check, name, *_ in FAULTS]
)
def test_a_broken_block_is_found(check, name, changes, said):
    with pytest.raises(NotConforming) as caught:
        hold(case_of(name, **changes), CHECK[check])
    assert said in str(caught.value)
    assert str(caught.value).startswith(f"{name} 1.0.0, trial `plain`: {CHECK[check].promise}")


def test_every_check_has_a_fault_that_it_finds():
    elsewhere = {"builds_in_beam_yaml", "many_bundlings"}
    assert {check for check, *_ in FAULTS} | elsewhere == set(CHECK)


@pytest.mark.slow
def test_a_broken_block_is_found_by_many_bundlings():
    with pytest.raises(NotConforming, match="in batches of 1"):
        hold(case_of("NumbersRows"), CHECK["many_bundlings"])


def test_a_block_that_the_provider_listing_lacks_is_found(monkeypatch):
    from blocks.snippets import beam_yaml

    catalog = read_catalog(ROOT / "catalog.yaml")
    entry = catalog.block("UnionBatches")
    case = Case(entry, entry.trials[0], catalog, ROOT)
    hold(case, CHECK["builds_in_beam_yaml"])
    listed = beam_yaml.providers()
    del listed[0]["transforms"]["UnionBatches@1"]
    monkeypatch.setattr(beam_yaml, "providers", lambda: listed)
    with pytest.raises(NotConforming, match="UnionBatches@1"):
        hold(case, CHECK["builds_in_beam_yaml"])


@pytest.mark.parametrize("check", [check for check in CHECKS if not check.slow], ids=lambda check: check.name)
def test_a_good_block_is_not_found(check):
    case = case_of("CopyColumn")
    if check.of(case):
        hold(case, check)


def test_a_column_that_is_made_of_one_may_be_named_by_an_option():
    from blocks.catalog.flow import Origin, flow

    case = case_of("CopyColumn")
    found = flow(case.entry, {"column": "email", "name": "copy"}, [["email"]])
    assert found.columns["copy"] == Origin("computed", ((0, "email"),))
