"""Prepares a lowered query once, when a pipeline is built: what DuckDB does not take, Beam runs."""

import threading
from typing import Any

import duckdb

from blocks.shaping.expressions.engine import connect
from blocks.sql.lowering.lowered import Lowered
from blocks.sql.lowering.runner import BranchRunner

_LOCK = threading.Lock()
_OPEN: list[Any] = []


def refusal(lowered: Lowered) -> str:
    """Plans both forms of every branch over no rows; why DuckDB does not take one, empty if it takes all.

    It takes some milliseconds for each, too long for `check_sql`: RunSql asks once, when it is constructed.
    """
    with _LOCK:
        if not _OPEN:
            _OPEN.append(connect())
        try:
            for branch in lowered.branches:
                BranchRunner(_OPEN[0], lowered, branch).prepare_all()
        except duckdb.Error as error:
            # Its words may quote the query.
            return f"DuckDB does not take the query ({type(error).__name__})."
    return ""
