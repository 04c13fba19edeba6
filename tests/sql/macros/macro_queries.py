"""Queries over a few columns, with the SQL functions in them written out."""

from pathlib import Path

import pyarrow as pa

from blocks.sql.analysis import Table
from blocks.sql.dialect.beam import Beam
from blocks.sql.functions.registry import library
from blocks.sql.macros.inlining import inline
from blocks.sql.parsing import parse
from blocks.sql.resolving import resolve

SCHEMA = pa.schema(
    [
        pa.field("a", pa.int32()),
        pa.field("b", pa.int64()),
        pa.field("n", pa.int64(), nullable=False),
        pa.field("x", pa.float64()),
        pa.field("y", pa.float64()),
        pa.field("text", pa.string()),
        pa.field("flag", pa.bool_()),
        pa.field("number", pa.float64()),
    ]
)


def analysis_of(query, registry=None, schema=SCHEMA):
    """Names and types of a query over PCOLLECTION, which has to be without mistakes."""
    analysis = resolve(parse(query), {"PCOLLECTION": Table("PCOLLECTION", schema)}, registry or library())
    assert not analysis.problems, analysis.problems
    return analysis


def written_tree(query, registry=None):
    """The tree of a query, its SQL functions written out."""
    analysis = analysis_of(query, registry)
    return inline(analysis.tree, analysis, registry or library())


def written_out(expression, registry=None):
    """The text of an expression over PCOLLECTION, its SQL functions written out."""
    tree = written_tree(f"SELECT {expression} AS outcome FROM PCOLLECTION", registry)
    return tree.selects[0].this.sql(dialect=Beam)


def function_file(
    folder: Path, name: str, signature: str, expression: str, *, nulls="null", version=1, file=None
) -> Path:
    """A file of a SQL function."""
    path = folder / (file or f"{name}.sql")
    path.parent.mkdir(exist_ok=True, parents=True)
    head = [f"name: {name}", f"version: {version}", "description: For a test.", f"nulls: {nulls}"]
    head += [*(f"signature: {one}" for one in signature.split(" | ")), f"example: {name}() -> 1"]
    path.write_text("".join(f"-- {line}\n" for line in head) + f"\n{expression}\n", encoding="utf-8")
    return path
