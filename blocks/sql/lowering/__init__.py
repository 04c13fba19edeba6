"""Lowering: queries, and parts of queries, that DuckDB runs in the worker's own process with results equal to Beam's.

Only what treats each row by itself, and only by forms that were compared with Beam SQL; see `expressions`.
"""

from blocks.sql.lowering.lowered import Lowered
from blocks.sql.lowering.runner import LoweredRunner, Ran
from blocks.sql.lowering.selects import lower
from blocks.sql.lowering.splitting import Split, split
from blocks.sql.lowering.trying import refusal

__all__ = ["Lowered", "LoweredRunner", "Ran", "Split", "lower", "refusal", "split"]
