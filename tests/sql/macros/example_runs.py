"""Runs examples of SQL functions on both engines; `python example_runs.py` records those that are new."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from blocks.sql.analysis import Analysis, Table
from blocks.sql.dialect.beam import Beam
from blocks.sql.functions.registry import library
from blocks.sql.lowering import LoweredRunner, lower
from blocks.sql.macros.inlining import inline
from blocks.sql.macros.macro import library_macros
from blocks.sql.parsing import parse
from blocks.sql.resolving import resolve
from blocks.sql.types import to_arrow

RECORDED = Path(__file__).with_name("recorded_examples.json")
SCHEMA = pa.schema([pa.field("id", pa.int64(), nullable=False)])
ROW = pa.RecordBatch.from_pydict({"id": [1]}, schema=SCHEMA)


def analysed(expressions: Sequence[str], schema: pa.Schema = SCHEMA) -> Analysis:
    """A query of these columns over one row, its SQL functions written out."""
    columns = ", ".join(f"{expression} AS e{number}" for number, expression in enumerate(expressions))
    tables = {"PCOLLECTION": Table("PCOLLECTION", schema)}
    parsed = parse(f"SELECT {columns} FROM PCOLLECTION")
    analysis = resolve(parsed, tables, library())
    assert not analysis.problems, "\n".join(map(str, analysis.problems))
    return resolve(replace(parsed, tree=inline(analysis.tree, analysis, library())), tables, library())


def schema_of(analysis: Analysis) -> pa.Schema:
    return pa.schema(
        [pa.field(column.name, to_arrow(column.type), column.type.nullable) for column in analysis.outputs()]
    )


def on_duckdb(expressions: Sequence[str]) -> list[Any]:
    """The values of expressions, in DuckDB."""
    # A condition that is a literal is left out by Calcite, and so not lowered: here it is one of the row.
    of_the_row = [one.replace("TRUE", "(id = 1)").replace("FALSE", "(id <> 1)") for one in expressions]
    lowered = lower(analysed(of_the_row))
    assert not isinstance(lowered, str), lowered
    ran = LoweredRunner(lowered)(ROW)
    assert ran.failed is None
    return [column[0].as_py() for column in ran.batch.columns]


def on_beam(expressions: Sequence[str]) -> list[Any]:
    """The values of expressions, in Beam SQL."""
    import apache_beam as beam
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner

    from blocks.engines.sql_service import SqlStage

    analysis = analysed(expressions)
    output = schema_of(analysis)
    _FOUND.clear()
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        rows = pipeline | beam.Create([ROW.serialize().to_pybytes()])
        stage = SqlStage(analysis.tree.sql(dialect=Beam), {"PCOLLECTION": SCHEMA}, output)
        for name, side in ({"PCOLLECTION": rows} | stage).items():
            side | f"Keep {name}" >> beam.Map(_keep, name)
    ((name, content),) = _FOUND
    assert name == "rows", content
    batch = pa.ipc.read_record_batch(pa.py_buffer(content), output)
    return [column[0].as_py() for column in batch.columns]


_FOUND: list[tuple[str, bytes]] = []


def _keep(content: bytes, name: str) -> None:
    _FOUND.append((name, content))


def typed(call: str, result: str) -> str:
    """The result of an example as an expression of the type of the call."""
    kind = analysed([call]).outputs()[0].type
    return f"CAST({result} AS {'DECIMAL(38, 9)' if kind.name == 'DECIMAL' else kind})"


def recorded() -> dict[str, dict[str, str]]:
    """Function and major version, as `clamp_v1`, to call to result."""
    return json.loads(RECORDED.read_text(encoding="utf-8")) if RECORDED.exists() else {}


def current() -> dict[str, dict[str, str]]:
    """The examples in the heads of the files."""
    return {
        f"{macro.function.name}_v{macro.function.version}": dict(macro.function.examples) for macro in library_macros()
    }


if __name__ == "__main__":
    kept = recorded()
    merged = {name: examples | kept.get(name, {}) for name, examples in (kept | current()).items()}
    RECORDED.write_text(json.dumps(merged, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
