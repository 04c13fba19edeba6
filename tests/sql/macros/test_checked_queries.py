"""SQL functions in queries that are checked as a whole."""

import pyarrow as pa
import pytest
from macro_queries import function_file

from blocks.sql.checking import check_sql
from blocks.sql.functions.registry import library
from blocks.sql.problems import SqlCheckError

SCHEMA = pa.schema(
    [
        pa.field("x", pa.float64(), metadata={"blocks.label": "public"}),
        pa.field("email", pa.string(), metadata={"blocks.label": "pii.email"}),
    ]
)


def checked(query, registry=None):
    return check_sql(query, {"PCOLLECTION": SCHEMA}, registry=registry)


def test_beam_gets_a_query_without_functions_in_sql():
    result = checked("SELECT safe_divide(x, 2) AS half, coalesce_blank(email, 'none') AS email FROM PCOLLECTION")
    assert "safe_divide" not in result.sql
    assert "coalesce_blank" not in result.sql
    assert [function.name for function in result.functions] == ["coalesce_blank", "safe_divide"]
    assert result.schema.field("half").type == pa.float64()


def test_a_query_with_functions_in_sql_alone_runs_without_a_jvm():
    assert checked("SELECT clamp(x, 0, 1) AS x FROM PCOLLECTION").engine == "duckdb"


def test_beam_gets_a_version_by_the_name_that_the_service_has():
    assert "mask_left_v1" not in checked("SELECT mask_left_v1(email, 3) AS email FROM PCOLLECTION").sql


def test_labels_go_through_functions_in_sql():
    schema = checked("SELECT yes_no(contains_text(email, 'a')) AS a FROM PCOLLECTION").schema
    assert schema.field("a").metadata[b"blocks.label"] == b"pii.email"


def test_a_function_in_sql_that_masks_takes_no_label_away(tmp_path):
    function_file(tmp_path, "hidden", "(v VARCHAR) RETURNS VARCHAR", "mask(v)")
    registry = library().with_folder(tmp_path)
    field = checked("SELECT hidden(email) AS e FROM PCOLLECTION", registry).schema.field("e")
    assert field.metadata[b"blocks.label"] == b"pii.email"
    assert b"blocks.masked" not in field.metadata


def test_an_argument_of_a_wrong_type_is_told_at_its_place():
    with pytest.raises(SqlCheckError) as caught:
        checked("SELECT x,\n  day_name(email) AS d FROM PCOLLECTION")
    (problem,) = caught.value.problems
    # Calcite casts texts, and so the query would run until it meets a text that is no time.
    assert (problem.code, problem.line, problem.column) == ("runtime_type", 2, 12)


def test_an_argument_that_no_overload_takes_is_told_with_the_signatures():
    with pytest.raises(SqlCheckError) as caught:
        checked("SELECT age_in_years(TRUE, x) AS d FROM PCOLLECTION")
    (problem,) = caught.value.problems
    assert problem.code == "unknown_function"
    assert "age_in_years(born DATE, at_day DATE) INTEGER" in problem.fix


def test_a_misspelt_function_gets_the_nearest_name():
    with pytest.raises(SqlCheckError) as caught:
        checked("SELECT safe_divid(x, 2) AS d FROM PCOLLECTION")
    assert "safe_divide" in caught.value.problems[0].fix
