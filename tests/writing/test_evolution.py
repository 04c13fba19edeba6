import pyarrow as pa
import pytest
from warehouse_data import EVENTS, batch_of, day, event, ids, write

from blocks.core.errors import SchemaError
from blocks.writing.evolution import changes, check_evolution
from blocks.writing.warehouse import WriteWarehouse, read_table

HAVE = pa.schema(
    [
        ("n", pa.int32()),
        ("d", pa.decimal128(10, 2)),
        ("s", pa.struct([("x", pa.float32())])),
        ("l", pa.list_(pa.int32())),
        pa.field("required", pa.string(), nullable=False),
    ]
)


def only(schema, **types):
    fields = {field.name: field for field in schema}
    fields.update({name: pa.field(name, kind) for name, kind in types.items()})
    return pa.schema(list(fields.values()))


@pytest.mark.parametrize(
    ("come", "path"),
    [
        (only(HAVE, n=pa.int64()), "n"),
        (only(HAVE, d=pa.decimal128(20, 2)), "d"),
        (only(HAVE, s=pa.struct([("x", pa.float64())])), "s.x"),
        (only(HAVE, s=pa.struct([("x", pa.float32()), ("y", pa.string())])), "s.y"),
        (only(HAVE, l=pa.list_(pa.int64())), "l[]"),
        (only(HAVE, extra=pa.string()), "extra"),
    ],
)
def test_new_nullable_fields_and_wider_types_are_safe(come, path):
    assert [(change.path, change.safe) for change in changes(HAVE, come)] == [(path, True)]


@pytest.mark.parametrize(
    ("come", "path"),
    [
        (only(HAVE, n=pa.string()), "n"),
        (only(HAVE, n=pa.float64()), "n"),
        (only(HAVE, d=pa.decimal128(10, 3)), "d"),
        (only(HAVE, s=pa.string()), "s"),
        (only(HAVE, required=pa.string()), "required"),
        (HAVE.append(pa.field("extra", pa.string(), nullable=False)), "extra"),
        (HAVE.remove(4), "required"),
    ],
)
def test_everything_else_is_not_safe(come, path):
    assert [(change.path, change.safe) for change in changes(HAVE, come)] == [(path, False)]


def test_narrower_types_and_missing_nullable_columns_are_no_change():
    wide = pa.schema([("n", pa.int64()), ("d", pa.decimal128(20, 2)), ("more", pa.string())])
    assert list(changes(wide, pa.schema([("n", pa.int32()), ("d", pa.decimal128(5, 2))]))) == []


def test_all_differences_are_told_at_once():
    come = only(HAVE, n=pa.string(), d=pa.bool_(), s=pa.int64())
    with pytest.raises(SchemaError) as error:
        check_evolution(list(changes(HAVE, come)), True, "t")
    assert len(error.value.problems) == 3


def test_a_table_takes_new_columns_and_wider_types_and_old_rows_are_null(tmp_path):
    small = pa.schema([("id", pa.int32()), EVENTS.field("occurred_at")])
    write(WriteWarehouse("t", warehouse=tmp_path), batch_of([{"id": 1, "occurred_at": day(1)}], small), schema=small)
    write(WriteWarehouse("t", warehouse=tmp_path), batch_of([event(2, day(2))]))
    found = read_table("t", tmp_path)
    assert found.schema.field("id").type == pa.int64()
    assert {row["id"]: row["country"] for row in found.to_pylist()} == {1: None, 2: "DE"}
    # The older, narrower input still fits.
    write(WriteWarehouse("t", warehouse=tmp_path), batch_of([{"id": 3, "occurred_at": day(1)}], small), schema=small)
    assert ids(read_table("t", tmp_path)) == [1, 2, 3]


def test_a_table_that_may_not_evolve_refuses_at_construction(tmp_path):
    small = pa.schema([("id", pa.int32()), EVENTS.field("occurred_at")])
    write(WriteWarehouse("t", warehouse=tmp_path), batch_of([{"id": 1, "occurred_at": day(1)}], small), schema=small)
    with pytest.raises(SchemaError, match="4 problems") as error:
        write(WriteWarehouse("t", warehouse=tmp_path, allow_evolution=False), batch_of([event(2, day(2))]))
    assert "allow_evolution=True" in str(error.value)
    assert ids(read_table("t", tmp_path)) == [1]


def test_other_partitions_than_the_tables_are_refused_at_construction(tmp_path):
    write(WriteWarehouse("t", warehouse=tmp_path, partition_by="day(occurred_at)"), batch_of([event(1, day(1))]))
    with pytest.raises(SchemaError, match=r"partitioned by day\(occurred_at\), not by month\(occurred_at\)"):
        write(WriteWarehouse("t", warehouse=tmp_path, partition_by="month(occurred_at)"), batch_of([event(2, day(1))]))


def test_a_column_does_not_mix_two_masks(tmp_path):
    def masked(key):
        mask = f'{{"key":"{key}","method":"hmac","options":{{}},"type":"string"}}'
        return EVENTS.set(1, pa.field("country", pa.string(), metadata={"blocks.masked": mask}))

    write(WriteWarehouse("t", warehouse=tmp_path), batch_of([event(1, day(1))], masked("a")), schema=masked("a"))
    with pytest.raises(SchemaError, match="masked by hmac with key a in the table and masked by hmac with key b"):
        write(WriteWarehouse("t", warehouse=tmp_path), batch_of([event(2, day(1))], masked("b")), schema=masked("b"))
