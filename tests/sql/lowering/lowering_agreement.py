"""Holds what DuckDB gives for a query against what Beam gives: names, types, NULLs, values, and the rows that fail."""

import re
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from lowering_beam import BeamRows
from lowering_cells import cells_of, comparable

from blocks.sql.analysis import Analysis, Table
from blocks.sql.functions.registry import library
from blocks.sql.lowering import Lowered, LoweredRunner, lower
from blocks.sql.parsing import parse
from blocks.sql.resolving import resolve
from blocks.sql.types import from_arrow

REGISTRY = library()
_FAR_YEAR = re.compile(r"(?<!\d)(0000|-\d{4,}|\d{5,})-\d\d-\d\d")


def analysed(query: str, schema: pa.Schema) -> Analysis:
    """Names and types of a query over PCOLLECTION."""
    return resolve(parse(query), {"PCOLLECTION": Table("PCOLLECTION", schema)}, REGISTRY)


def differences(
    beam: BeamRows,
    queries: Sequence[str],
    batch: pa.RecordBatch,
    cut_signs: bool = False,
    nulls_may_fail: bool = False,
    far_years_may_fail: bool = False,
) -> list[str]:
    """What is not equal, in words; a query that is not lowered counts as such.

    Args:
      beam: answers for Beam.
      queries: over columns of the batch.
      batch: rows.
      nulls_may_fail: whether one may fail where the other gives NULL: of an operand that fails beside one that is NULL.
      far_years_may_fail: whether a text of a year before 1 or after 9999 may fail instead.
      cut_signs: whether half a sign, which Beam writes as `?`, may fail instead.
    """
    found = []
    for query, answer in zip(queries, beam.ask(batch, queries), strict=True):
        lowered = lower(analysed(query, batch.schema))
        if isinstance(lowered, str):
            found.append(f"{query}: {lowered}")
        elif "error" in answer:
            found.append(f"{query}: Beam refuses it: {answer['error'][-300:]}")
        else:
            told = _compared(lowered, batch, answer, cut_signs, nulls_may_fail, far_years_may_fail)
            found.extend(f"{query}: {line}" for line in told)
    return found


def _compared(
    lowered: Lowered, batch: pa.RecordBatch, answer: dict[str, Any], cut_signs: bool, nulls: bool, years: bool
) -> list[str]:
    planned = [(one["name"], one["type"], one["nullable"]) for one in answer["fields"]]
    ours = [(field.name, str(from_arrow(field)), field.nullable) for field in lowered.schema]
    found = [] if planned == ours else [f"Beam gives {planned}, DuckDB {ours}"]
    ran = LoweredRunner(lowered)(batch)
    kinds = lowered.schema.types
    results = iter(zip(*map(cells_of, ran.batch.columns), strict=True))
    for at, expected in enumerate(answer["rows"]):
        fails = isinstance(expected, dict)
        if ran.failed is not None and ran.failed[at]:
            halved = cut_signs and not fails and expected is not None and "?" in str(expected)
            far = years and _FAR_YEAR.search(str(expected)) is not None
            if not fails and not halved and not far and not (nulls and expected == [None]):
                found.append(f"row {batch.slice(at, 1).to_pylist()[0]}: Beam gives {expected}, DuckDB fails")
            continue
        if expected is None:
            continue
        got = next(results, None)
        if fails and nulls and got == (None,):
            continue
        if fails or got is None:
            found.append(f"row {batch.slice(at, 1).to_pylist()[0]}: Beam {expected}, DuckDB {got}")
            continue
        both = [[comparable(cell, kind) for cell, kind in zip(row, kinds, strict=True)] for row in (expected, got)]
        if both[0] != both[1]:
            found.append(f"row {batch.slice(at, 1).to_pylist()[0]}: Beam {both[0]}, DuckDB {both[1]}")
    found.extend(f"one row too many: {row}" for row in results)
    return found
