"""The expansion service: discovery, expansion and its mistakes, with Beam's Python client and a worker that runs it."""

import contextlib
import decimal
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Optional

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
import yaml
from apache_beam.coders import RowCoder
from apache_beam.portability.api import beam_expansion_api_pb2 as api
from apache_beam.portability.api import beam_runner_api_pb2, external_transforms_pb2, schema_pb2
from apache_beam.transforms.external import SchemaAwareExternalTransform
from apache_beam.typehints.schemas import named_fields_to_schema
from expansion_pipelines import OPEN, ORDERS, POLICY, SCHEMA, applied, local_pipeline, rows_of, run, urn
from hypothesis import assume, given, strategies

import blocks
from blocks.catalog.model import Catalog
from blocks.catalog.reading import read_catalog
from blocks.core.block import BatchBlock
from blocks.core.errors import Problem
from blocks.snippets.expansion.configs import assembled
from blocks.snippets.expansion.service import EXPAND_URN, BlocksServicer, ExpansionService, ServiceError


@pytest.fixture(scope="module")
def service() -> Iterator[ExpansionService]:
    with ExpansionService() as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, to which the files that a config names are relative."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BLOCKS_MASK_KEY", "test-only key, 32 bytes or longer")
    Path("order.yaml").write_text(SCHEMA, encoding="utf-8")
    Path("privacy.yaml").write_text(POLICY, encoding="utf-8")
    return tmp_path


@pytest.fixture
def order(folder: Path) -> pa.Schema:
    return blocks.read_schema(folder / "order.yaml")


@pytest.fixture
def plain(order: pa.Schema) -> pa.Schema:
    """The columns whose types a Beam row tells by itself."""
    return pa.schema([field for field in order if field.name not in ("amount", "at")])


GOOD = '{"id": 1, "email": "marker@example.org", "at": "2026-01-31T12:00:00Z"}'


def without(rows: list[dict[str, Any]], *names: str) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name not in names} for row in rows]


class Shout(BatchBlock):
    """A second major of a block, as the tests serve one."""

    def __init__(self, suffix: str = "!") -> None:
        super().__init__()
        self._suffix = suffix

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        return schema.append(pa.field("shout", pa.string(), metadata={"blocks.label": "public"}))

    def batch_function(self, schema: pa.Schema) -> Any:
        output, suffix = self.output_schema(schema), self._suffix

        def shout(batch: pa.RecordBatch) -> pa.RecordBatch:
            column = pa.array([f"{one}{suffix}" for one in batch.column("id").to_pylist()])
            return pa.RecordBatch.from_arrays([*batch.columns, column], schema=output)

        return shout


class PicklesBatches(beam.PTransform):
    """A block with a step that does not say what it gives."""

    def __init__(self) -> None:
        super().__init__()

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        hidden = batches | beam.Map(lambda batch: batch).with_output_types(Any)
        return hidden | "Same" >> beam.Map(lambda batch: batch).with_output_types(batches.element_type)


def catalog_with(**changes: Any) -> Catalog:
    """The library's catalog and one more entry, which is MaskColumns but for some changes."""
    library = read_catalog()
    return replace(library, entries=(*library.entries, library.block("MaskColumns").model_copy(update=changes)))


# Discovery


def test_every_block_of_the_catalog_is_discovered_with_its_inputs_outputs_and_summary(service):
    found = {one.identifier: one for one in SchemaAwareExternalTransform.discover_iter(service.address, False)}
    entries = {urn(f"{entry.name}:v{entry.major}"): entry for entry in read_catalog().entries}
    assert set(found) == set(entries)
    for name, entry in entries.items():
        assert entry.summary in found[name].description
        assert list(found[name].inputs) == ([] if entry.takes == ("nothing",) else ["input"])
        assert ("rejects" in found[name].outputs) == entry.rejects
        assert ("output" in found[name].outputs) == (entry.gives != "tables")


def test_the_config_of_a_block_is_discovered_with_types_and_descriptions():
    configs = BlocksServicer().DiscoverSchemaTransform(api.DiscoverSchemaTransformRequest()).schema_transform_configs
    fields = {field.name: field for field in configs[urn("ReadJson:v1")].config_schema.fields}
    assert all(field.type.nullable and field.description for field in fields.values())
    kinds = {name: field.type.atomic_type for name, field in fields.items()}
    assert kinds["pattern"] == kinds["config"] == kinds["input_schema"] == kinds["rejects"] == schema_pb2.STRING
    assert kinds["strict"] == schema_pb2.BOOLEAN
    assert kinds["max_depth"] == schema_pb2.INT64
    assert "required" in fields["schema"].description
    columns = {field.name: field for field in configs[urn("UnmaskColumns:v1")].config_schema.fields}
    assert columns["columns"].type.array_type.element_type.atomic_type == schema_pb2.STRING
    assert "in YAML" in columns["keys"].description
    said = {
        option.name: option.value.atomic_value.string for option in configs[urn("ReadJson:v1")].config_schema.options
    }
    assert said["blocks.version"] == read_catalog().block("ReadJson").version
    assert said["blocks.status"] == read_catalog().block("ReadJson").status


def test_a_block_that_cannot_be_loaded_is_left_out_and_the_others_are_served():
    catalog = catalog_with(name="Broken", target="blocks.no_such_module:Broken")
    found = BlocksServicer(catalog=catalog).DiscoverSchemaTransform(api.DiscoverSchemaTransformRequest())
    assert set(found.schema_transform_configs) == {
        urn(f"{entry.name}:v{entry.major}") for entry in read_catalog().entries
    }


def test_two_majors_of_a_block_are_served_side_by_side(folder, plain):
    catalog = catalog_with(version="2.0.0", target=f"{__name__}:Shout")
    with ExpansionService(catalog=catalog) as two:
        pipeline = local_pipeline()
        rows = rows_of(pipeline, plain, without(ORDERS, "amount", "at"))
        first = applied(two.address, "MaskColumns:v1", rows, {"policy": POLICY, "destination": "warehouse"})
        second = applied(two.address, "MaskColumns:v2", rows, {"suffix": "?", "rows_policy": OPEN})
        found = run(pipeline, folder, first=first, second=second)
    assert [row["shout"] for row in found["second"]] == ["1?", "2?"]
    assert "shout" not in found["first"][0]


# Expansion


def test_a_block_masks_the_rows_that_another_language_labels(service, folder, plain):
    pipeline = local_pipeline()
    rows = rows_of(pipeline, plain, without(ORDERS, "amount", "at"))
    config = {"policy": "privacy.yaml", "destination": "warehouse"}
    masked = applied(service.address, "MaskColumns:v1", rows, config)
    found = run(pipeline, folder, masked=masked)["masked"]
    wanted = blocks.MaskColumns(policy="privacy.yaml", destination="warehouse")
    batch = pa.RecordBatch.from_pylist(without(ORDERS, "amount", "at"), plain)
    assert found == wanted.batch_function(plain)(batch).to_pylist()
    assert found[0]["email"].startswith("main:")
    assert "Marker" not in json.dumps(found)


def test_labels_and_masks_go_from_block_to_block_through_rows(service, folder, plain):
    pipeline = local_pipeline()
    rows = rows_of(pipeline, plain, without(ORDERS, "amount", "at"))
    # What is encrypted may leave as rows, and nothing else that is personal.
    seen = POLICY.replace("  rows: *masked\n", "") + "  rows: *encrypted\n"
    encrypted = applied(service.address, "MaskColumns:v1", rows, {"policy": seen, "destination": "support"}, "Encrypt")
    config = {"keys": '{main: "env:BLOCKS_MASK_KEY"}', "columns": ["email"], "rows_policy": OPEN}
    back = applied(service.address, "UnmaskColumns:v1", encrypted, config)
    found = run(pipeline, folder, encrypted=encrypted, back=back)
    assert "marker" not in json.dumps(found["encrypted"]).lower()
    assert sorted(str(row["email"]) for row in found["back"]) == ["None", "marker@example.org"]


def test_decimals_times_and_nested_columns_pass_with_a_schema_file(service, folder, order):
    pipeline = local_pipeline()
    whole = {**ORDERS[0], "amount": decimal.Decimal("12.50"), "at": 1_700_000_000_000_000}
    rows = rows_of(pipeline, order, [whole, ORDERS[1]])
    config = {"input_schema": "order.yaml:order", "rows_policy": OPEN, "max_rows": np.int64(1)}
    found = run(pipeline, folder, same=applied(service.address, "AsBatches:v1", rows, config))["same"]
    assert [row["amount"] for row in found] == ["12.50", None]
    assert found[0]["address"] == {"street": "Marker St", "country": "PL"}
    assert found[0]["at"] == "Timestamp(1700000000)"


def test_a_config_in_yaml_is_the_same_as_fields(service, folder, plain):
    pipeline = local_pipeline()
    rows = rows_of(pipeline, plain, without(ORDERS, "amount", "at"))
    text = "policy: privacy.yaml\ndestination: warehouse\n"
    one = applied(service.address, "MaskColumns:v1", rows, {"config": text}, "Text")
    other = applied(
        service.address, "MaskColumns:v1", rows, {"config": "destination: warehouse", "policy": POLICY}, "Both"
    )
    found = run(pipeline, folder, one=one, other=other)
    assert found["one"] == found["other"] != []


def test_bytes_become_rows_and_rejects_an_output(service, folder):
    pipeline = local_pipeline()
    lines = pipeline | beam.Create([GOOD.encode(), b'{"id": "no"}']).with_output_types(bytes)
    config = {"schema": "order.yaml:order", "rejects": "{policy: privacy.yaml}", "rows_policy": OPEN}
    outputs = applied(service.address, "ReadJson:v1", lines, config)
    found = run(pipeline, folder, good=outputs["output"], bad=outputs["rejects"])
    assert [row["email"] for row in found["good"]] == ["marker@example.org"]
    assert [(row["block"], row["field_path"]) for row in found["bad"]] == [("ReadJson", "id")]


def test_a_block_begins_a_pipeline_and_writes_rejects_to_files(service, folder):
    Path("orders.jsonl").write_text(GOOD + '\n{"id": "no"}\n')
    pipeline = local_pipeline()
    config = {
        "pattern": "orders.jsonl",
        "schema": "order.yaml:order",
        "rejects": "{path: rejects, policy: privacy.yaml}",
    }
    orders = applied(service.address, "ReadJson:v1", pipeline, {**config, "rows_policy": OPEN})
    assert [row["id"] for row in run(pipeline, folder, orders=orders)["orders"]] == [1]
    assert len(list((folder / "rejects").rglob("*.parquet"))) == 1


def test_a_block_with_several_inputs_takes_them_in_the_order_of_their_names(service, folder):
    here = pa.schema([pa.field("id", pa.int64()), pa.field("x", pa.string())])
    there = pa.schema([pa.field("x", pa.string()), pa.field("id", pa.int64())])
    pipeline = local_pipeline()
    inputs = {
        "b": rows_of(pipeline, there, [{"id": 2, "x": "there"}], "There"),
        "a": rows_of(pipeline, here, [{"id": 1, "x": "here"}], "Here"),
    }
    found = run(pipeline, folder, both=applied(service.address, "UnionBatches:v1", inputs, {}))["both"]
    assert [list(row.items()) for row in found] == [[("id", 1), ("x", "here")], [("id", 2), ("x", "there")]]


def test_a_block_with_several_outputs_gives_each_by_its_name(service, folder):
    schema = pa.schema(
        [pa.field("id", pa.int64()), pa.field("items", pa.list_(pa.struct([pa.field("sku", pa.string())])))]
    )
    pipeline = local_pipeline()
    rows = rows_of(pipeline, schema, [{"id": 1, "items": [{"sku": "a"}, {"sku": "b"}]}])
    tables = applied(
        service.address,
        "FlattenRecords:v1",
        rows,
        {"tables": True, "row_id": "row", "parent_id": "parent", "position": "place"},
    )
    found = run(pipeline, folder, main=tables["main"], items=tables["items"])
    assert [row["id"] for row in found["main"]] == [1]
    assert [row["sku"] for row in found["items"]] == ["a", "b"]


def test_a_block_that_ends_a_pipeline_gives_nothing_and_writes_its_table(service, folder, plain):
    pipeline = local_pipeline()
    rows = rows_of(pipeline, plain, without(ORDERS, "amount", "at"))
    policy = 'destinations: {warehouse: {labels: {"*": keep}}, shuffle: {labels: {"*": keep}}}'
    config = {"table": "orders", "format": "parquet", "warehouse": str(folder / "lake"), "policy": policy}
    assert applied(service.address, "WriteWarehouse:v1", rows, config) == {}
    pipeline.run().wait_until_finish()
    written = blocks.read_table("orders", warehouse=folder / "lake", format="parquet")
    assert sorted(written.column("id").to_pylist()) == [1, 2]


# Mistakes


def refused(service: Any, name: str, given: Any, config: dict[str, Any]) -> str:
    with pytest.raises(RuntimeError) as caught:
        applied(service.address, name, given, config)
    text = str(caught.value)
    assert "Traceback" not in text
    assert "\n  where: " in text
    assert "  to do: " in text
    return text


@pytest.mark.parametrize(
    ("name", "config", "said"),
    [
        ("MaskColums:v1", {}, ["no block `MaskColums`", "did you mean `MaskColumns`?"]),
        ("MaskColumns:v9", {}, ["no version 9 of `MaskColumns`", "MaskColumns@1"]),
        ("MaskColumns", {}, ["is not the URN of a block", "NAME:vMAJOR"]),
        (
            "MaskColumns:v1",
            {"polcy": "privacy.yaml", "destination": "warehouse"},
            ["unknown option `polcy`", "did you mean `policy`?", "option `policy` is missing"],
        ),
        ("MaskColumns:v1", {"policy": "privacy.yaml", "destination": 3}, ["expected text, got a whole number"]),
        ("MaskColumns:v1", {"config": "destination: 7\npolicy: privacy.yaml"}, ["config of MaskColumns:1:14"]),
        ("MaskColumns:v1", {"config": "a: b\n  c: d"}, ["not YAML", "config of MaskColumns:2:4"]),
        ("MaskColumns:v1", {"config": "- a"}, ["expected a mapping of options in YAML, got a list"]),
        ("MaskColumns:v1", {"config": "policy: privacy.yaml", "policy": "x"}, ["`policy` stands in the row and in"]),
        (
            "MaskColumns:v1",
            {"policy": "nowhere.yaml", "destination": "warehouse"},
            ["nowhere.yaml", "cannot read the policy"],
        ),
        ("MaskColumns:v1", {"policy": POLICY, "destination": "warehose"}, ["warehose", "warehouse"]),
        (
            "MaskColumns:v1",
            {"policy": POLICY, "destination": "warehouse", "rejects": "{path: x}"},
            ["unknown option `rejects`"],
        ),
        (
            "MaskColumns:v1",
            {"policy": POLICY, "destination": "warehouse", "input_schema": "order.yaml:order"},
            ["no column `amount`", "no column `at`"],
        ),
        (
            "WindowRows:v1",
            {"windowfn": "{type: fixd, size: 1h}"},
            ["`fixd` is not a window", "{type: fixed, size: 1h}"],
        ),
        ("WriteWarehouse:v1", {"table": "t", "rejects": "[1]"}, ["expected a mapping, got a list", "without `path`"]),
        ("WriteWarehouse:v1", {"table": "t", "rejects": "{pth: x}"}, ["unknown key `pth`", "did you mean `path`?"]),
        ("ReadParquet:v1", {"pattern": "x.parquet", "schema": "order.yaml:order"}, ["input"]),
    ],
)
def test_a_mistake_in_a_config_is_told_in_three_parts(service, folder, plain, name, config, said):
    rows = rows_of(local_pipeline(), plain, [])
    text = refused(service, name, rows, config)
    for part in said:
        assert part in text


def test_a_policy_that_does_not_let_a_column_into_rows_is_refused_with_every_column(service, folder, plain):
    rows = rows_of(local_pipeline(), plain, without(ORDERS, "amount", "at"))
    text = refused(service, "UnionBatches:v1", rows, {})
    assert "UnionBatches, output `output`, which leaves as rows" in text
    assert "`email`" in text
    assert "`address.street`" in text
    assert "give `rows_policy`" in text
    kept = POLICY.replace("rows: *masked", "rows: {protected: true, labels: {public: keep}}")
    text = refused(service, "MaskColumns:v1", rows, {"policy": kept, "destination": "warehouse"})
    assert "field `email`" in text


def test_rows_whose_types_are_not_told_need_a_schema_file(service, folder, order):
    rows = rows_of(local_pipeline(), pa.schema([order.field("amount")]), [])
    sent = rows | "Bare" >> beam.Map(lambda row: row).with_output_types(Any)
    text = refused(service, "UnionBatches:v1", sent, {"rows_policy": OPEN})
    assert "expected rows, got elements of" in text


def test_a_decimal_without_precision_asks_for_the_schema(service, folder):
    kind = beam.typehints.row_type.RowTypeConstraint.from_fields([("amount", Optional[decimal.Decimal])])  # noqa: UP045
    rows = local_pipeline() | beam.Create([]) | beam.Map(lambda row: row).with_output_types(kind)
    text = refused(service, "UnionBatches:v1", rows, {"rows_policy": OPEN})
    assert "field `amount`" in text
    assert "input_schema" in text


def test_a_column_that_the_schema_file_does_not_name_is_not_lost_without_a_word(service, folder, plain):
    Path("less.yaml").write_text("name: less\nfields:\n  - {name: id, type: int64, label: public}\n")
    rows = rows_of(local_pipeline(), plain, [])
    text = refused(service, "UnionBatches:v1", rows, {"input_schema": "less.yaml:less"})
    assert "the rows have a column `email`" in text


def test_a_label_that_is_none_is_refused(service, folder):
    schema = pa.schema([pa.field("id", pa.int64(), metadata={"blocks.label": "not a label!"})])
    text = refused(service, "UnionBatches:v1", rows_of(local_pipeline(), schema, []), {})
    assert "label" in text


def test_two_inputs_for_a_block_that_takes_one_are_refused(service, folder, plain):
    pipeline = local_pipeline()
    inputs = {"a": rows_of(pipeline, plain, [], "A"), "b": rows_of(pipeline, plain, [], "B")}
    config = {"policy": POLICY, "destination": "warehouse"}
    assert "takes one input, got 2: a, b" in refused(service, "MaskColumns:v1", inputs, config)
    assert "there is no input" in refused(service, "MaskColumns:v1", local_pipeline(), config)


def test_a_block_that_would_have_batches_pickled_is_refused(folder, plain):
    with ExpansionService(catalog=catalog_with(name="Hidden", target=f"{__name__}:PicklesBatches")) as planted:
        rows = rows_of(local_pipeline(), plain, [])
        assert "batches would be pickled" in refused(planted, "Hidden:v1", rows, {"rows_policy": OPEN})


def request(urn_: str, payload: bytes) -> api.ExpansionRequest:
    spec = beam_runner_api_pb2.FunctionSpec(urn=urn_, payload=payload)
    return api.ExpansionRequest(transform=beam_runner_api_pb2.PTransform(unique_name="planted", spec=spec))


def test_code_that_a_client_sends_is_not_run(tmp_path):
    class Planted:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "run"),)

    from apache_beam.internal import pickler

    answer = BlocksServicer().Expand(request("beam:transform:pickled_python:v1", pickler.dumps(Planted())))
    assert "expected the transform" in answer.error
    assert not (tmp_path / "run").exists()


def test_a_config_row_that_is_none_is_refused_without_its_bytes():
    schema = named_fields_to_schema([("keys", str), ("n", int)])
    payload = external_transforms_pb2.SchemaTransformPayload(
        identifier=urn("UnmaskColumns:v1"), configuration_schema=schema, configuration_row=b"\x02\x00secret-bytes"
    )
    answer = BlocksServicer().Expand(request(EXPAND_URN, payload.SerializeToString()))
    assert "the config row cannot be decoded" in answer.error
    assert "secret" not in answer.error


def test_a_mapping_and_a_list_may_be_sent_as_such():
    schema = named_fields_to_schema([("keys", dict[str, str]), ("columns", list[str])])
    row = RowCoder(schema).encode(beam.Row(keys={"main": "env:BLOCKS_MASK_KEY"}, columns=["email"]))
    payload = external_transforms_pb2.SchemaTransformPayload(
        identifier=urn("UnmaskColumns:v1"), configuration_schema=schema, configuration_row=row
    )
    # The config is right: what is missing is the input.
    answer = BlocksServicer().Expand(request(EXPAND_URN, payload.SerializeToString()))
    assert "there is no input" in answer.error


def test_a_type_that_beam_cannot_hand_over_is_told_with_its_field():
    # As Java sends SqlTypes.DATE: with an argument, which Beam's Python class does not take.
    text = schema_pb2.FieldType(atomic_type=schema_pb2.STRING)
    number = schema_pb2.FieldType(atomic_type=schema_pb2.INT64)
    value = schema_pb2.FieldValue(atomic_value=schema_pb2.AtomicTypeValue(string=""))
    date = schema_pb2.LogicalType(
        urn="beam:logical_type:date:v1", representation=number, argument_type=text, argument=value
    )
    small = schema_pb2.FieldType(atomic_type=schema_pb2.BYTE)
    kinds = {
        "birthday": schema_pb2.FieldType(logical_type=date),
        "days": schema_pb2.FieldType(array_type=schema_pb2.ArrayType(element_type=small)),
        "name": text,
    }
    fields = [schema_pb2.Field(name=name, type=kind) for name, kind in kinds.items()]
    row = schema_pb2.Schema(fields=fields, id="dates").SerializeToString()
    coder = beam_runner_api_pb2.Coder(spec=beam_runner_api_pb2.FunctionSpec(urn="beam:coder:row:v1", payload=row))
    sent = request(EXPAND_URN, b"")
    sent.components.coders["rows"].CopyFrom(coder)
    sent.components.pcollections["given"].CopyFrom(beam_runner_api_pb2.PCollection(coder_id="rows"))
    sent.transform.inputs["input"] = "given"
    answer = BlocksServicer().Expand(sent)
    assert "2 problems" in answer.error
    assert "cannot read the logical type `beam:logical_type:date:v1`" in answer.error
    assert "field `birthday`" in answer.error
    assert "a negative BYTE" in answer.error
    assert "field `days`" in answer.error
    assert "send it as text" in answer.error


# A config as it was meant


@given(strategies.text(min_size=1))
def test_text_for_an_option_that_takes_only_text_is_never_read_as_yaml(text):
    problems: list[Problem] = []
    document = assembled(read_catalog().block("MaskColumns"), {"destination": text}, problems)
    assert document.data == {"destination": text}
    assert problems == []


@given(strategies.from_regex(r"[A-Za-z_][A-Za-z0-9_.()]{0,20}", fullmatch=True))
def test_the_name_of_a_column_stays_text_where_a_list_may_stand_too(name):
    assume(name not in ("true", "false"))
    problems: list[Problem] = []
    assert assembled(read_catalog().block("WriteWarehouse"), {"key": name}, problems).data == {"key": name}
    assert problems == []


_NAMES = strategies.text("abcyno10:{}[]#&* -", min_size=1, max_size=8)


@given(strategies.one_of(strategies.lists(_NAMES), strategies.dictionaries(_NAMES, _NAMES)))
def test_lists_and_mappings_in_yaml_are_what_they_would_be_in_a_snippet(value):
    problems: list[Problem] = []
    row = {"explode" if isinstance(value, list) else "map_keys": yaml.safe_dump(value)}
    document = assembled(read_catalog().block("FlattenRecords"), row, problems)
    assert list(document.data.values()) == [value]
    assert problems == []


# The server


def test_a_port_that_is_taken_is_an_error_and_not_shared():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ServiceError, match="it is taken") as caught:
            ExpansionService(port=taken.getsockname()[1], host="127.0.0.1").start()
        assert str(taken.getsockname()[1]) in str(caught.value)
    with ExpansionService() as first, pytest.raises(ServiceError, match="it is taken"):
        ExpansionService(port=int(first.address.rpartition(":")[2])).start()


def test_it_listens_on_the_loopback_interface_only(service):
    assert service.address.startswith("localhost:")
    port = int(service.address.rpartition(":")[2])
    outside = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for address in outside - {one for one in outside if one.startswith("127.")}:
        with contextlib.suppress(OSError), socket.create_connection((address, port), 1):
            pytest.fail(f"reached at {address}")


def test_blocks_can_run_in_an_environment_of_ones_own(folder, plain):
    with ExpansionService(environment_type="EXTERNAL", environment_config="workers.example:50000") as remote:
        pipeline = local_pipeline()
        rows = rows_of(pipeline, plain, [])
        applied(remote.address, "MaskColumns:v1", rows, {"policy": POLICY, "destination": "warehouse"})
        proto = pipeline.to_runner_api()
    assert any(b"workers.example:50000" in one.payload for one in proto.components.environments.values())
    with pytest.raises(blocks.ConfigError, match="no environment"):
        ExpansionService(environment_config="image").start()


def test_the_command_serves_until_it_is_terminated(folder):
    command = [sys.executable, "-m", "blocks.cli", "expansion-service"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            address = line.split(",")[0].removeprefix("expansion service at ")
            found = list(SchemaAwareExternalTransform.discover_iter(address, False))
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            process.kill()
    assert urn("MaskColumns:v1") in {one.identifier for one in found}
