import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from schema_strategies import schemas

from blocks.core.errors import SchemaError
from blocks.core.labels import LABEL, MASKED, Masked
from blocks.core.schema import read_schema, write_schema


@settings(max_examples=150, deadline=None)
@given(schemas())
def test_every_schema_survives_being_written_and_read(schema: pa.Schema) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "schema.yaml"
        path.write_text(write_schema(schema), encoding="utf-8")
        assert read_schema(path).equals(schema, check_metadata=True)


@pytest.mark.parametrize("format_", ["thrift", "avsc", "json", "yaml"])
def test_a_schema_of_any_format_survives_as_yaml(fixtures: Path, tmp_path: Path, format_: str) -> None:
    schema = read_schema(fixtures / f"transaction.{format_}", "Transaction")
    path = tmp_path / "again.yml"
    path.write_text(write_schema(schema))
    assert read_schema(path).equals(schema, check_metadata=True)


def test_the_written_form_is_what_a_person_would_write(tmp_path: Path) -> None:
    masked = Masked("hmac", "main", type="string").to_json()
    schema = pa.schema(
        [
            pa.field("id", pa.int64(), nullable=False, metadata={LABEL: "public"}),
            pa.field("email", pa.string(), metadata={LABEL: "pii.email", MASKED: masked}),
            pa.field("tags", pa.list_(pa.string())),
            pa.field("attrs", pa.map_(pa.string(), pa.int64())),
        ]
    )
    assert write_schema(schema) == (
        "fields:\n"
        "  - {name: id, type: int64, required: true, label: public}\n"
        "  - name: email\n"
        "    type: string\n"
        "    label: pii.email\n"
        "    masked: {key: main, method: hmac, type: string}\n"
        "  - name: tags\n"
        "    type: list\n"
        "    items: {type: string}\n"
        "  - name: attrs\n"
        "    type: map\n"
        "    values: {type: int64}\n"
    )


def test_a_schema_that_breaks_the_rules_is_not_written() -> None:
    time = pa.field("at", pa.timestamp("us"), metadata={"blocks.event_time": "true"})
    with pytest.raises(SchemaError, match="2 event times"):
        write_schema(pa.schema([time, time.with_name("also")]))


def test_a_type_that_yaml_cannot_say_is_refused_with_its_path() -> None:
    union = pa.struct([pa.field("u", pa.dense_union([pa.field("a", pa.int8())]))])
    with pytest.raises(SchemaError, match="dense_union") as caught:
        write_schema(pa.schema([pa.field("outer", union)]))
    assert "field `outer.u`" in str(caught.value)


def _labelled() -> pa.Schema:
    item = pa.field("item", pa.struct([pa.field("sku", pa.string(), metadata={LABEL: "public"})]), metadata={"a": "b"})
    key = pa.field("key", pa.string(), nullable=False, metadata={LABEL: "pii.attr"})
    value = pa.field("value", pa.int64(), metadata={LABEL: "secret"})
    return pa.schema(
        [
            pa.field("at", pa.timestamp("us", tz="UTC"), metadata={"blocks.event_time": "true"}),
            pa.field("items", pa.list_(item), metadata={LABEL: "pii.order"}),
            pa.field("attrs", pa.map_(key, value), metadata={LABEL: "pii"}),
        ],
        {"owner": "team"},
    )


def test_labels_survive_in_a_parquet_file(tmp_path: Path) -> None:
    pq.write_table(_labelled().empty_table(), tmp_path / "a.parquet")
    assert read_schema(tmp_path / "a.parquet").equals(_labelled(), check_metadata=True)


@pytest.mark.parametrize(("suffix", "opened"), [("arrow", pa.ipc.new_file), ("feather", pa.ipc.new_file)])
def test_labels_survive_in_an_arrow_file(tmp_path: Path, suffix: str, opened: object) -> None:
    path = tmp_path / f"a.{suffix}"
    with opened(str(path), _labelled()):  # type: ignore[operator]
        pass
    assert read_schema(path).equals(_labelled(), check_metadata=True)


def test_labels_survive_in_an_arrow_stream(tmp_path: Path) -> None:
    with pa.ipc.new_stream(str(tmp_path / "a.arrow"), _labelled()):
        pass
    assert read_schema(tmp_path / "a.arrow").equals(_labelled(), check_metadata=True)


def test_parquet_field_ids_are_not_part_of_the_schema(tmp_path: Path) -> None:
    inner = pa.field("a", pa.int64(), metadata={"PARQUET:field_id": "7", LABEL: "secret"})
    schema = pa.schema([pa.field("s", pa.struct([inner]), metadata={"PARQUET:field_id": "6"})])
    pq.write_table(schema.empty_table(), tmp_path / "ids.parquet")
    read = read_schema(tmp_path / "ids.parquet")
    assert read.field("s").metadata is None
    assert read.field("s").type.field("a").metadata == {LABEL.encode(): b"secret"}


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "a.feather"])
def test_a_file_that_is_not_arrow_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"not a file of this kind, but long enough to have a footer")
    with pytest.raises(SchemaError, match="not a") as caught:
        read_schema(tmp_path / name)
    assert caught.value.__cause__ is not None


def test_a_name_for_a_parquet_file_is_refused(tmp_path: Path) -> None:
    pq.write_table(_labelled().empty_table(), tmp_path / "a.parquet")
    with pytest.raises(SchemaError, match="one schema without a name"):
        read_schema(tmp_path / "a.parquet", "push")


def test_two_event_times_in_a_parquet_file_are_refused(tmp_path: Path) -> None:
    time = pa.field("at", pa.timestamp("us"), metadata={"blocks.event_time": "true"})
    pq.write_table(pa.schema([time, time.with_name("also")]).empty_table(), tmp_path / "a.parquet")
    with pytest.raises(SchemaError, match="2 event times: `at`, `also`"):
        read_schema(tmp_path / "a.parquet")
