"""Functions of the library that name a form run in DuckDB; the forms are held against Java's cases elsewhere."""

import pyarrow as pa
import pytest
from lowering_agreement import analysed

from blocks.sql.lowering import Lowered, LoweredRunner, lower

_SCHEMA = pa.schema([pa.field("s", pa.string()), pa.field("i", pa.int32())])


def test_a_function_with_a_form_runs_in_duckdb() -> None:
    lowered = lower(analysed("SELECT mask_left(s, 2) AS z, mask(s) AS y FROM PCOLLECTION", _SCHEMA))
    assert isinstance(lowered, Lowered), lowered
    batch = pa.RecordBatch.from_arrays([pa.array(["Ab1-", None]), pa.array([1, 2], pa.int32())], schema=_SCHEMA)
    assert LoweredRunner(lowered)(batch).batch.to_pylist() == [{"z": "Xx1-", "y": "Xxn-"}, {"z": None, "y": None}]


@pytest.mark.parametrize(
    ("call", "part"),
    [
        ("mask_left(s, i)", "literal from 0 to"),
        ("mask_left(s, -1)", "literal from 0 to"),
        ("levenshtein(s, 'x')", "only"),
    ],
)
def test_a_function_without_a_form_for_the_call_says_why(call: str, part: str) -> None:
    analysis = analysed(f"SELECT {call} AS z FROM PCOLLECTION", _SCHEMA)
    why = lower(analysis)
    assert isinstance(why, str)
    assert part in why, (why, analysis.problems)
