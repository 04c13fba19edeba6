"""Batches as rows, for blocks that take rows."""

from typing import Any

import apache_beam as beam
import pyarrow as pa

from blocks.core import labels
from blocks.core.batches import AsRows


def open_policy(names: set[str], destination: str) -> dict[str, Any]:
    """A policy that lets labels pass one destination as they are."""
    return {"destinations": {destination: {"labels": dict.fromkeys(sorted(names), "keep")}}}


def rows_of(schema: pa.Schema) -> beam.PTransform:
    """What takes test rows of a schema apart, personal-looking ones too: they are made up."""
    private = {label for leaf in labels.leaves(schema) for label in leaf.labels} - {labels.PUBLIC}
    return AsRows(open_policy(private | {labels.PUBLIC}, "rows") if private else None)
