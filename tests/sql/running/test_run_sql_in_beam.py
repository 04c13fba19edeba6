"""RunSql through the SQL service: every type, rejects, functions of a user's archive, faults."""

import datetime as dt
import hashlib
import logging
from decimal import Decimal
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.testing.test_stream import TestStream
from sql_runs import batch_of, field, run, source
from test_boundary import VALUES

from blocks.core import labels
from blocks.core.batch_type import BatchType
from blocks.core.errors import BlocksError, ConfigError, PrivacyError, RejectedRecordError
from blocks.sql.boundary import is_finer
from blocks.sql.run_sql import RunSql

pytestmark = [pytest.mark.slow, pytest.mark.jvm]

UTC = dt.UTC
SCHEMA = pa.schema(
    [
        field("id", pa.int64(), required=True),
        field("at", pa.timestamp("us", "UTC"), event_time="true"),
        field("price", pa.decimal128(10, 2)),
        field("email", pa.large_string(), "pii.email"),
    ]
)
MARKER = "person-marker"
BATCH = batch_of(
    SCHEMA,
    [
        {
            "id": number,
            "at": dt.datetime(2026, 1, 1, number, tzinfo=UTC),
            "price": Decimal(number) / 4,
            "email": f"{MARKER}{number}@example.com",
        }
        for number in range(6)
    ],
)
KEEP = {"destinations": {name: {"labels": {"*": "keep"}} for name in ("shuffle", "rows")}}


def test_every_type_goes_through_beam_and_comes_back_as_it_was():
    kinds = [kind for kind, *_ in VALUES if not is_finer(kind)]
    # A ROW of nothing but NULLs is NULL to Beam SQL.
    nothing = {"a": None, "at": None, "t": None}
    values = [[one for one in values if one != nothing] for kind, _, values in VALUES if not is_finer(kind)]
    schema = pa.schema(
        [field("n", pa.int32(), required=True), *(field(f"c{at}", kind) for at, kind in enumerate(kinds))]
    )
    most = max(map(len, values))
    rows = [
        {"n": number, **{f"c{at}": one[number] if number < len(one) else None for at, one in enumerate(values)}}
        for number in range(most + 1)
    ]
    batch = batch_of(schema, rows)
    found, _ = run(RunSql("SELECT * FROM PCOLLECTION", engine="beam"), batch)
    assert found.schema.equals(schema, check_metadata=True)
    assert sorted(found.to_pylist(), key=lambda row: row["n"]) == batch.to_pylist()


def test_computed_and_passed_on_columns_keep_types_labels_and_marks():
    query = "SELECT id, price * 2 AS twice, UPPER(email) AS mail, email, at FROM PCOLLECTION WHERE id > :n"
    block = RunSql(query, engine="beam", parameters={"n": 4}, timestamps="milliseconds")
    found, _ = run(block, BATCH)
    assert found.to_pylist() == [
        {
            "id": 5,
            "twice": Decimal("2.500000000"),
            "mail": f"{MARKER.upper()}5@EXAMPLE.COM",
            "email": f"{MARKER}5@example.com",
            "at": dt.datetime(2026, 1, 1, 5, tzinfo=UTC),
        }
    ]
    assert found.schema.field("email").equals(SCHEMA.field("email"), check_metadata=True)
    assert labels.labels_of(found.schema.field("mail")) == {"pii.email"}
    assert labels.event_time_of(found.schema) == "at"


def test_both_engines_give_the_same_rows_for_the_same_query():
    query = "SELECT id, price / 2 AS half, email FROM PCOLLECTION WHERE MOD(id, 2) = 0 OR email LIKE '%5@%'"
    found = [run(RunSql(query, engine=engine), BATCH)[0].sort_by("id") for engine in ("beam", "auto")]
    assert found[0].equals(found[1])
    assert found[0].schema.equals(found[1].schema, check_metadata=True)


def test_rows_that_fail_are_rejected_with_the_functions_name_and_without_what_the_policy_hides(
    own_jar, tmp_path, caplog
):
    query = "SELECT own_throwing(id) AS id, email, 10 / (id - 4) AS q FROM PCOLLECTION"
    with caplog.at_level(logging.DEBUG):
        found, rejects = run(
            lambda handler: RunSql(query, udf_jars=[own_jar], policy=KEEP, rejects=handler), BATCH, tmp_path / "rejects"
        )
    assert sorted(row["id"] for row in found.to_pylist()) == [0, 1, 2, 5]
    assert [(one["code"], one["record"]["id"]) for one in rejects] == [("expression_failed", 4), ("failed_function", 3)]
    assert "own_throwing" in rejects[1]["message"]
    assert "planted" not in str(rejects)
    assert MARKER not in str(rejects)
    assert MARKER not in caplog.text


def test_without_rejects_a_function_that_fails_stops_the_pipeline_with_three_parts(own_jar):
    with pytest.raises(RejectedRecordError, match="failed_function") as caught:
        run(RunSql("SELECT own_throwing(id) AS id FROM PCOLLECTION", udf_jars=[own_jar]), BATCH)
    assert "own_throwing" in str(caught.value)
    assert "to do:" in str(caught.value)
    assert "planted" not in str(caught.value)


def test_a_function_of_an_archive_with_its_hash_runs_and_is_named_in_explain(own_jar):
    sha256 = hashlib.sha256(own_jar.read_bytes()).hexdigest()
    block = RunSql(
        "SELECT own_twice(id) AS t FROM PCOLLECTION WHERE id = 3", udf_jars=[{"path": own_jar, "sha256": sha256}]
    )
    assert run(block, BATCH)[0].to_pylist() == [{"t": 6}]
    assert block.explanation is not None
    assert block.explanation.functions == (f"own_twice 1 (jar, archive {sha256[:12]})",)


def test_an_archive_that_a_catalog_names_runs_in_both_its_versions_and_not_with_another_hash(versions_jar, tmp_path):
    sha256 = hashlib.sha256(versions_jar.read_bytes()).hexdigest()
    catalog = tmp_path / "catalog.yaml"
    catalog.write_text(f"udf_jars:\n  - {{path: {versions_jar}, sha256: {sha256}}}\n")
    query = (
        "SELECT own_times(id) AS n, own_times_v1(id) AS a, own_times_v2(id) AS b FROM PCOLLECTION WHERE id IN (3, 5)"
    )
    found, rejects = run(lambda handler: RunSql(query, catalog=catalog, rejects=handler), BATCH, tmp_path / "rejects")
    assert found.to_pylist() == [{"n": 6, "a": 3, "b": 6}]
    assert [one["code"] for one in rejects] == ["failed_function"]
    assert "own_times_v2" in rejects[0]["message"] or "own_times_v1" in rejects[0]["message"]
    alone = RunSql("SELECT own_times_v1(id) AS n FROM PCOLLECTION WHERE id = 3", catalog=catalog)
    assert run(alone, BATCH)[0].to_pylist() == [{"n": 3}]
    catalog.write_text(f"udf_jars:\n  - {{path: {versions_jar}, sha256: {'a' * 64}}}\n")
    with pytest.raises(ConfigError, match=f"has the SHA-256 {sha256}, expected {'a' * 64}"):
        RunSql(query, catalog=catalog)


def test_an_archive_that_is_changed_after_the_pipeline_was_made_does_not_run(versions_jar, tmp_path):
    own = tmp_path / "own.jar"
    own.write_bytes(versions_jar.read_bytes())
    catalog = tmp_path / "catalog.yaml"
    catalog.write_text(f"udf_jars:\n  - {{path: own.jar, sha256: {hashlib.sha256(own.read_bytes()).hexdigest()}}}\n")
    block = RunSql("SELECT own_times(id) AS n FROM PCOLLECTION", catalog=catalog)
    own.write_bytes(own.read_bytes() + b"\0")
    with pytest.raises(ConfigError, match="expected SHA-256"):
        run(block, BATCH)


def test_what_a_function_of_an_archive_sees_is_for_the_policy_to_say(own_jar):
    pipeline = beam.Pipeline()
    schema = pa.schema([field("id", pa.int64(), "pii.id"), field("n", pa.int64(), "pii.n")])
    batch = batch_of(schema, [{"id": 1, "n": 2}])
    with pytest.raises(PrivacyError, match="destination `rows`, field `id`") as caught:
        source(pipeline, batch) | RunSql("SELECT own_twice(id) AS t, n FROM PCOLLECTION", udf_jars=[own_jar])
    assert len(caught.value.problems) == 1
    query = "SELECT own_twice(id) AS t, n FROM PCOLLECTION"
    assert run(RunSql(query, udf_jars=[own_jar], policy=KEEP), batch)[0].to_pylist() == [{"t": 2, "n": 2}]


def test_a_function_that_never_ends_stops_the_pipeline_at_its_deadline(own_jar):
    block = RunSql("SELECT own_looping(id) AS id FROM PCOLLECTION", udf_jars=[own_jar], deadline=1)
    with pytest.raises(BlocksError, match="longer on one row than it may"):
        run(block, BATCH)
    # The next query has a service of its own.
    assert run(RunSql("SELECT id FROM PCOLLECTION WHERE id = 1", engine="beam"), BATCH)[0].to_pylist() == [{"id": 1}]


def test_groups_joins_and_unions_meet_rows_of_all_inputs():
    other = pa.schema([field("k", pa.int16(), required=True), field("label", pa.string())])
    inputs = {"events": BATCH, "labels": batch_of(other, [{"k": 1, "label": "one"}, {"k": 5, "label": None}])}
    found, _ = run(RunSql("SELECT l.label, e.id FROM events e JOIN labels l ON e.id = l.k", policy=KEEP), inputs)
    assert sorted(map(str, found.to_pylist())) == ["{'label': 'one', 'id': 1}", "{'label': None, 'id': 5}"]
    query = "SELECT MOD(id, 2) AS odd, COUNT(*) AS n, SUM(price) AS total FROM PCOLLECTION GROUP BY MOD(id, 2)"
    found, _ = run(RunSql(query), BATCH)
    assert found.sort_by("odd").to_pylist() == [
        {"odd": 0, "n": 3, "total": Decimal("1.500000000")},
        {"odd": 1, "n": 3, "total": Decimal("2.250000000")},
    ]


def test_rows_counted_without_a_column_are_all_there():
    assert run(RunSql("SELECT COUNT(*) AS n FROM PCOLLECTION"), BATCH)[0].to_pylist() == [{"n": 6}]


@pytest.mark.xfail(strict=True, reason="BundleBasedDirectRunner runs no steps of other languages")
def test_a_test_stream_goes_through_beam():
    pipeline = beam.Pipeline(runner=BundleBasedDirectRunner())
    stream = TestStream().advance_watermark_to(0).add_elements([BATCH]).advance_watermark_to_infinity()
    typed = pipeline | stream | beam.Map(lambda batch: batch).with_output_types(BatchType(SCHEMA))
    typed | RunSql("SELECT id FROM PCOLLECTION", engine="beam")
    pipeline.run().wait_until_finish()


def service_log() -> Path:
    from blocks.engines.sql_service import service

    owned: Any = service()._owned
    return Path(owned.log)


def test_no_log_of_the_service_shows_a_value(own_jar, tmp_path):
    query = "SELECT own_throwing(id) AS id, CAST(email AS INTEGER) AS n FROM PCOLLECTION"
    run(lambda handler: RunSql(query, udf_jars=[own_jar], policy=KEEP, rejects=handler), BATCH, tmp_path / "rejects")
    text = service_log().read_text(errors="replace")
    assert MARKER not in text
    assert "planted" not in text
