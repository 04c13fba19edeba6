"""Laws over random nested data: flattening is what it says, batch by batch or together, and can be taken back."""

from typing import Any

import pyarrow as pa
from flatten_data import batches
from flatten_oracle import SEPARATOR, naive_rows, normal, unflatten
from hypothesis import given, settings
from hypothesis import strategies as st

from blocks.flattening.paths import every_list, places
from blocks.flattening.records import FlattenRecords

SETTINGS = settings(max_examples=120, deadline=None)


def flat(batch: pa.RecordBatch, **options: Any) -> list[dict[str, Any]]:
    block = FlattenRecords(separator=SEPARATOR, **options)
    pieces = list(block.batch_function(batch.schema)(batch))
    schema = block.output_schema(batch.schema)
    for piece in pieces:
        check(piece, batch)
        assert piece.schema.equals(schema, check_metadata=True)
    return [row for piece in pieces for row in piece.to_pylist()]


def check(piece: pa.RecordBatch, batch: pa.RecordBatch) -> None:
    """The piece is valid Arrow, unless pyarrow made the batch invalid: indices into an empty dictionary."""
    try:
        batch.validate(full=True)
    except pa.ArrowInvalid:
        return
    piece.validate(full=True)


def tables_of(batch: pa.RecordBatch, **options: Any) -> dict[str, list[dict[str, Any]]]:
    block = FlattenRecords(separator=SEPARATOR, tables=True, **options)
    schemas = block.output_schemas(batch.schema)
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in schemas}
    for name, piece in block.tables_function(batch.schema)(batch):
        check(piece, batch)
        assert piece.schema.equals(schemas[name], check_metadata=True)
        found[name] += piece.to_pylist()
    return found


def draw_chain(data: st.DataObject, schema: pa.Schema) -> tuple[list[str], list[str]]:
    lists = [place for place in places(schema, {}) if place.is_list]
    if not lists:
        return [], []
    place = data.draw(st.sampled_from(lists))
    chain = [*place.inside, place.path]
    return chain, data.draw(st.lists(st.sampled_from(chain), unique=True))


@SETTINGS
@given(batch=batches())
def test_without_explode_every_row_stays_one_row_with_structs_as_columns(batch: pa.RecordBatch) -> None:
    assert flat(batch) == naive_rows(batch.schema, batch.to_pylist())


@SETTINGS
@given(batch=batches(), data=st.data())
def test_explode_gives_the_rows_of_the_slow_definition(batch: pa.RecordBatch, data: st.DataObject) -> None:
    chain, outer = draw_chain(data, batch.schema)
    found = flat(batch, explode=data.draw(st.permutations(chain)), outer=outer, position="position")
    assert found == naive_rows(batch.schema, batch.to_pylist(), chain, outer)


@SETTINGS
@given(batch=batches(), data=st.data())
def test_listed_keys_of_any_map_become_columns(batch: pa.RecordBatch, data: st.DataObject) -> None:
    maps = [p.path for p in places(batch.schema, {}) if not p.inside and pa.types.is_map(p.type)]
    keys = {path: data.draw(st.sampled_from((["k"], ["l", "x"]))) for path in maps}
    assert flat(batch, map_keys=keys) == naive_rows(batch.schema, batch.to_pylist(), map_keys=keys)


@SETTINGS
@given(batch=batches(), data=st.data())
def test_flattening_parts_of_a_batch_gives_parts_of_its_rows(batch: pa.RecordBatch, data: st.DataObject) -> None:
    chain, outer = draw_chain(data, batch.schema)
    options: dict[str, Any] = {"explode": chain, "outer": outer, "row_id": "#"}
    cut = data.draw(st.integers(0, batch.num_rows))
    assert flat(batch.slice(0, cut), **options) + flat(batch.slice(cut), **options) == flat(batch, **options)


@SETTINGS
@given(batch=batches(), data=st.data())
def test_slicing_and_copying_change_nothing(batch: pa.RecordBatch, data: st.DataObject) -> None:
    chain, outer = draw_chain(data, batch.schema)
    copied = pa.RecordBatch.from_pylist(batch.to_pylist(), schema=batch.schema)
    options: dict[str, Any] = {"explode": chain, "outer": outer, "row_id": "#"}
    assert flat(copied, **options) == flat(batch, **options)


@SETTINGS
@given(batch=batches(maps=False, identified=True))
def test_child_tables_hold_everything_that_the_records_held(batch: pa.RecordBatch) -> None:
    tables = tables_of(batch, key="id")
    whole = [
        {field.name: normal(field.type, record[field.name]) for field in batch.schema} for record in batch.to_pylist()
    ]
    assert unflatten(batch.schema, tables) == whole
    for name, rows in tables.items():
        assert len({row["_row_id"] for row in rows}) == len(rows), name


@SETTINGS
@given(batch=batches(), data=st.data())
def test_rows_are_conserved_by_list_length(batch: pa.RecordBatch, data: st.DataObject) -> None:
    lists = [path for (path,) in every_list(places(batch.schema, {})) if path in batch.schema.names]
    if not lists:
        return
    name = data.draw(st.sampled_from(lists))
    lengths = [len(value or ()) for value in batch.column(name).to_pylist()]
    assert len(flat(batch, explode=name, outer=False)) == sum(lengths)
    assert len(flat(batch, explode=name)) == sum(max(1, length) for length in lengths)
    assert len(tables_of(batch, explode=name)[name]) == sum(lengths)
