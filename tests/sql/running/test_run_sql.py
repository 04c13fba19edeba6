"""RunSql without Java: lowered queries, and everything that is refused when a pipeline is built."""

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.internal import pickler
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.testing.test_stream import TestStream
from apache_beam.transforms import window as w
from apache_beam.transforms.trigger import AccumulationMode, AfterCount, Repeatedly
from hypothesis import given, settings
from hypothesis import strategies as st
from sql_runs import batch_of, field, run, source

from blocks.core import labels
from blocks.core.batch_type import BatchType
from blocks.core.errors import BatchTypeError, ConfigError, PrivacyError, RejectedRecordError
from blocks.core.windows import WindowRows
from blocks.sql.problems import SqlCheckError
from blocks.sql.run_sql import RunSql
from blocks.testing.collecting import collect

UTC = dt.UTC
SCHEMA = pa.schema(
    [
        field("id", pa.int64(), required=True, key="true"),
        field("at", pa.timestamp("us", "UTC"), event_time="true"),
        field("price", pa.decimal128(10, 2)),
        field("quantity", pa.large_string()),
        field("email", pa.string(), "pii.email"),
        field("huge", pa.uint64()),
    ]
)
ROWS = [
    {
        "id": number,
        "at": dt.datetime(2026, 1, 1, 0, 0, number, 123456, UTC),
        "price": Decimal(number) / 4,
        "quantity": text,
        "email": f"person{number}@example.com",
        "huge": 2**64 - 1,
    }
    for number, text in enumerate(["1", "12", "x", None, "-3"])
]
BATCH = batch_of(SCHEMA, ROWS)


@pytest.fixture
def no_java(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing starts the SQL service."""
    from blocks.engines.sql_service import stage

    def refuse() -> Any:
        raise AssertionError("the SQL service was asked for")

    monkeypatch.setattr(stage, "service", refuse)


pytestmark = pytest.mark.usefixtures("no_java")


def built(block: RunSql, batch: pa.RecordBatch = BATCH) -> pa.Schema:
    """The schema of the block's output."""
    return (source(beam.Pipeline(), batch) | block).element_type.schema


def problems_of(block: Any, error: type[Exception] = SqlCheckError, batch: pa.RecordBatch = BATCH) -> list[Any]:
    with pytest.raises(error) as caught:
        source(beam.Pipeline(), batch) | block()
    return list(caught.value.problems)


def test_a_row_wise_query_runs_without_java_and_says_so():
    block = RunSql("SELECT id, id * 2 AS twice, at FROM PCOLLECTION WHERE id >= :least", parameters={"least": 3})
    found, _ = run(block, BATCH)
    assert found.to_pylist() == [
        {"id": 3, "twice": 6, "at": ROWS[3]["at"]},
        {"id": 4, "twice": 8, "at": ROWS[4]["at"]},
    ]
    assert block.explanation is not None
    assert block.explanation.engine == "duckdb"
    assert block.explanation.columns[1].sources == ("id",)
    assert "DuckDB" in str(block.explanation)


def test_a_column_that_is_passed_on_keeps_type_labels_and_marks():
    schema = built(RunSql("SELECT email, quantity, at AS moment, id FROM PCOLLECTION"))
    assert schema.field("email").equals(SCHEMA.field("email"), check_metadata=True)
    assert schema.field("quantity").type == pa.large_string()
    assert labels.event_time_of(schema) == "moment"
    assert labels.is_key(schema.field("id"))


def test_a_computed_column_has_the_labels_of_what_it_is_made_of():
    schema = built(RunSql("SELECT UPPER(email) AS mail, id + 1 AS next FROM PCOLLECTION"))
    assert labels.labels_of(schema.field("mail")) == {"pii.email"}
    assert labels.labels_of(schema.field("next")) == {"public"}


def test_a_column_of_a_type_that_sql_has_not_is_refused_only_where_it_is_read():
    assert built(RunSql("SELECT id FROM PCOLLECTION")).names == ["id"]
    for query in ("SELECT huge FROM PCOLLECTION", "SELECT * FROM PCOLLECTION"):
        (found,) = problems_of(lambda query=query: RunSql(query))
        assert "`huge`" in found.what
        assert found.fix


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
@settings(max_examples=30)
def test_a_value_of_a_parameter_is_compared_and_never_read_as_sql(text):
    block = RunSql("SELECT id FROM PCOLLECTION WHERE email = :who", parameters={"who": text})
    assert run_lowered(block) == [row["id"] for row in ROWS if row["email"] == text]


@pytest.mark.parametrize("text", ["' OR '1'='1", "\\' OR 1=1 --", "x'; DROP TABLE y; --", "person1@example.com' --"])
@pytest.mark.parametrize("dialect", ["beam", "bigquery", "duckdb", "spark", "postgres", "snowflake"])
def test_an_injection_finds_no_row_in_any_dialect(text, dialect):
    query = "SELECT id FROM PCOLLECTION WHERE email = :who"
    assert run_lowered(RunSql(query, parameters={"who": text}, dialect=dialect)) == []


def run_lowered(block: RunSql) -> list[int]:
    """The ids that a lowered query gives, without a runner."""
    from blocks.sql.lowering import LoweredRunner

    checked = block._judge({"PCOLLECTION": _table()}).checked
    assert checked.lowered is not None, checked.reason
    return LoweredRunner(checked.lowered)(BATCH).batch.column("id").to_pylist()


def _table() -> Any:
    from blocks.sql.analysis import Table

    return Table("PCOLLECTION", SCHEMA)


def test_rows_that_fail_go_to_rejects_masked_and_the_others_go_on(tmp_path):
    query = "SELECT id, CAST(quantity AS INTEGER) AS n FROM PCOLLECTION"
    found, rejects = run(lambda handler: RunSql(query, rejects=handler), BATCH, tmp_path)
    assert found.to_pylist() == [{"id": 0, "n": 1}, {"id": 1, "n": 12}, {"id": 3, "n": None}, {"id": 4, "n": -3}]
    (one,) = rejects
    assert (one["block"], one["code"], one["record"]["id"]) == ("RunSql", "expression_failed", 2)
    assert "email" not in one["record"]


def test_without_rejects_the_first_row_that_fails_stops_the_pipeline():
    with pytest.raises(RejectedRecordError, match="expression_failed") as caught:
        run(RunSql("SELECT CAST(quantity AS INTEGER) AS n FROM PCOLLECTION"), BATCH)
    assert "where: RunSql" in str(caught.value)
    assert "person" not in str(caught.value)


def test_every_wrong_option_is_told_at_once():
    with pytest.raises(ConfigError) as caught:
        RunSql(
            "  ",
            dialect="mysql",
            engine="spark",
            timestamps="micros",
            deadline=0,
            parameters={"a": [1]},
            udf_jars=["nowhere.jar"],
            sql_udfs=["nowhere"],
        )
    assert [one.where for one in caught.value.problems] == [
        "query",
        "dialect",
        "engine",
        "timestamps",
        "deadline",
        "parameters.a",
        "udf_jars[1]",
        "sql_udfs[1]",
    ]


def test_what_needs_no_schema_is_told_when_the_block_is_made():
    with pytest.raises(SqlCheckError, match="query:1:"):
        RunSql("SELECT FROM WHERE")
    with pytest.raises(SqlCheckError, match="no parameter `x`"):
        RunSql("SELECT id FROM PCOLLECTION WHERE id > :x")
    with pytest.raises(SqlCheckError, match="the query has no `:x`"):
        RunSql("SELECT id FROM PCOLLECTION WHERE email = ':x'", parameters={"x": 1})


def test_every_unknown_column_is_told_at_once_with_its_place():
    found = problems_of(lambda: RunSql("SELECT idd,\n emial FROM PCOLLECTION"))
    assert [(one.line, one.column) for one in found] == [(1, 8), (2, 2)]
    assert "did you mean `email`?" in found[1].fix


def test_duckdb_that_is_asked_for_where_beam_is_needed_is_an_error_with_the_reason():
    query = "SELECT quantity, COUNT(*) AS n FROM PCOLLECTION GROUP BY quantity"
    (found,) = problems_of(lambda: RunSql(query, engine="duckdb"), ConfigError)
    assert "cannot run in DuckDB" in found.what
    assert "GROUP BY" in found.what


def test_microseconds_that_beam_would_cut_are_refused_unless_the_user_says_so():
    queries = [
        "SELECT id, at FROM PCOLLECTION",
        "SELECT id FROM PCOLLECTION WHERE at > TIMESTAMP '2026-01-01 00:00:00'",
        "SELECT MAX(at) AS last FROM PCOLLECTION",
        "SELECT p.at FROM (SELECT at FROM PCOLLECTION) AS p",
    ]
    for query in queries:
        (found,) = problems_of(lambda query=query: RunSql(query, engine="beam"))
        assert "would cut the microseconds of `at`" in found.what
        assert query[found.column - 1 :].startswith("at")
        assert 'timestamps="milliseconds"' in found.fix


def test_a_table_of_whole_milliseconds_and_a_window_are_no_reason_to_refuse():
    from blocks.sql.running.reading import fine_times

    seconds = pa.schema([field("id", pa.int64()), field("at", pa.timestamp("ms", "UTC"))])
    query = "SELECT MAX(at) AS last FROM PCOLLECTION"
    assert fine_times(RunSql(query)._judge({"PCOLLECTION": _table_of(seconds)}).checked.analysis) == {}
    query = """SELECT COUNT(*) AS n, TUMBLE_START(at, INTERVAL '1' HOUR) AS since
               FROM PCOLLECTION GROUP BY TUMBLE(at, INTERVAL '1' HOUR)"""
    assert fine_times(RunSql(query)._judge({"PCOLLECTION": _table()}).checked.analysis) == {}


def _table_of(schema: pa.Schema) -> Any:
    from blocks.sql.analysis import Table

    return Table("PCOLLECTION", schema)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT email, COUNT(*) AS n FROM PCOLLECTION GROUP BY email",
        "SELECT DISTINCT email FROM PCOLLECTION",
        "SELECT a.id FROM PCOLLECTION a JOIN PCOLLECTION b ON a.email = b.email",
    ],
)
def test_a_labelled_column_that_would_be_shuffled_needs_a_policy(query):
    found = problems_of(lambda: RunSql(query, engine="beam"), PrivacyError)
    assert any("field `email`" in one.where and "destination `shuffle`" in one.where for one in found)
    assert all("shuffle: {labels:" in one.fix or "shuffle" in one.fix for one in found)
    policy = {"destinations": {"shuffle": {"labels": {"public": "keep"}}}}
    assert problems_of(lambda: RunSql(query, engine="beam", policy=policy), PrivacyError)


def test_times_that_would_be_cut_and_columns_that_may_not_be_shuffled_are_told_at_once_with_their_places():
    query = "SELECT email, MAX(at) AS last FROM PCOLLECTION GROUP BY email"
    for error in (PrivacyError, SqlCheckError):
        found = problems_of(lambda: RunSql(query, engine="beam"), error)
        assert [(one.code, one.column) for one in found] == [("privacy", 8), ("fine_time", 19)]
    text = str(found[0])
    assert text.startswith("query:1:8: label pii.email and there is no policy")
    assert "(destination `shuffle`, field `email`)\n  |  SELECT email, MAX(at)" in text
    # Each kind goes away by its own cure, and the other stays.
    (only,) = problems_of(lambda: RunSql(query, engine="beam", timestamps="milliseconds"), PrivacyError)
    assert only.code == "privacy"
    keep = {"destinations": {"shuffle": {"labels": {"*": "keep"}}}}
    (only,) = problems_of(lambda: RunSql(query, engine="beam", policy=keep))
    assert only.code == "fine_time"


def test_without_a_policy_an_unlabelled_column_beside_a_private_one_is_no_safer():
    schema = pa.schema([field("email", pa.string(), "pii.email"), pa.field("n", pa.int64())])
    batch = pa.RecordBatch.from_pylist([], schema=schema)
    with pytest.raises(PrivacyError) as caught:
        source(beam.Pipeline(), batch) | RunSql("SELECT email, MAX(n) AS n FROM PCOLLECTION GROUP BY email")
    assert [one.where for one in caught.value.problems] == [
        "destination `shuffle`, field `email`",
        "destination `shuffle`, field `n`",
    ]


@pytest.mark.parametrize(
    "query", ["SELECT UPPER(email) AS mail FROM PCOLLECTION", "SELECT COUNT(*) AS n FROM PCOLLECTION"]
)
def test_rows_that_stay_alone_and_columns_that_are_not_read_need_none(query):
    # Refused no earlier than where the service would be asked.
    with pytest.raises(AssertionError, match="the SQL service was asked for"):
        source(beam.Pipeline(), BATCH) | RunSql(query, engine="beam")


def test_inputs_have_names():
    pipeline = beam.Pipeline()
    one, two = source(pipeline, BATCH, "one"), source(pipeline, BATCH, "two")
    with pytest.raises(ConfigError, match="2 inputs without names") as caught:
        (one, two) | RunSql("SELECT id FROM PCOLLECTION")
    assert "{'orders': orders, 'users': users} | RunSql(...)" in str(caught.value)
    found = {"orders": one, "users": two} | "Named" >> RunSql("SELECT id FROM users WHERE id > 1")
    assert found.element_type == BatchType(pa.schema([SCHEMA.field("id")]))


def test_rows_are_no_input():
    rows = beam.Pipeline() | beam.Create([{"id": 1}])
    with pytest.raises(BatchTypeError, match="expected a PCollection of batches"):
        rows | RunSql("SELECT id FROM PCOLLECTION")


def test_explain_needs_no_pipeline():
    explanation = RunSql("SELECT o.id, u.email FROM o JOIN u ON o.id = u.id").explain(o=SCHEMA, u=SCHEMA)
    assert explanation.engine == "beam"
    assert "join" in explanation.reason.lower()
    assert [one.sources for one in explanation.columns] == [("o.id",), ("u.email",)]
    assert explanation.columns[1].labels == ("pii.email",)
    lowered = RunSql("SELECT id != 1 AS other FROM PCOLLECTION;").explain(SCHEMA)
    assert [what for _, what in lowered.notes] == ["`!=` is written `<>`", "the `;` at the end is left out"]


def test_a_block_travels_to_workers():
    block = RunSql("SELECT id FROM PCOLLECTION WHERE id > :n", parameters={"n": 3})
    copy = pickler.loads(pickler.dumps(block))
    assert run(copy, BATCH)[0].to_pylist() == [{"id": 4}]


def test_an_empty_batch_and_no_rows_left_give_none():
    block = RunSql("SELECT id FROM PCOLLECTION WHERE id > 100")
    assert run(block, BATCH)[0].num_rows == 0
    assert run(RunSql("SELECT id FROM PCOLLECTION"), BATCH.slice(0, 0))[0].num_rows == 0


def test_a_stream_keeps_its_windows_times_and_triggers():
    block = RunSql("SELECT id, at FROM PCOLLECTION WHERE id <> 2")
    stream = (
        TestStream(output_tags=None)
        .advance_watermark_to(0)
        .add_elements([BATCH.slice(0, 2)])
        .add_elements([BATCH.slice(2)])
        .advance_watermark_to_infinity()
    )
    pipeline = beam.Pipeline(runner=BundleBasedDirectRunner())
    read = pipeline | stream
    typed = read | beam.Map(lambda batch: batch).with_output_types(BatchType(SCHEMA))
    windowed = typed | WindowRows(
        w.FixedWindows(2),
        trigger=Repeatedly(AfterCount(1)),
        accumulation_mode=AccumulationMode.DISCARDING,
        allowed_lateness=1e9,
    )
    out = windowed | block
    assert out.windowing == windowed.windowing
    found = collect(out)
    pipeline.run().wait_until_finish()
    by_window: dict[str, list[int]] = {}
    for window, batch in found.windowed():
        by_window.setdefault(window, []).extend(batch.column("id").to_pylist())
    start = int(dt.datetime(2026, 1, 1, tzinfo=UTC).timestamp())
    assert sorted(sorted(ids) for ids in by_window.values()) == [[0, 1], [3], [4]]
    assert all(str(start)[:6] in window for window in by_window)


def test_own_functions_in_sql_are_found_in_their_folder(tmp_path: Path):
    (tmp_path / "twice.sql").write_text(
        "-- name: twice\n-- version: 1\n-- description: Two times a number.\n"
        "-- signature: (number BIGINT) RETURNS BIGINT\n-- example: twice(2) -> 4\n\nnumber * 2\n"
    )
    block = RunSql("SELECT twice(id) AS t FROM PCOLLECTION WHERE id = 3", sql_udfs=[tmp_path])
    assert run(block, BATCH)[0].to_pylist() == [{"t": 6}]
    assert block.explanation is not None
    assert block.explanation.functions == ("twice 1 (sql)",)
