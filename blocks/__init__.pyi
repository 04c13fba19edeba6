# Made from catalog.yaml by `python -m blocks.catalog.stub`; do not edit.

from typing import Any

from blocks.aggregating.aggregate_events import AggregateEvents as AggregateEvents
from blocks.aggregating.seed_aggregates import SeedAggregates as SeedAggregates
from blocks.aggregating.sessionize_events import SessionizeEvents as SessionizeEvents
from blocks.core.batch_type import BatchCoder as BatchCoder, BatchType as BatchType
from blocks.core.batches import AsBatches as AsBatches, AsRows as AsRows, UnionBatches as UnionBatches
from blocks.core.block import BatchBlock as BatchBlock, Outcome as Outcome, StepMetrics as StepMetrics
from blocks.core.errors import (
    BatchTypeError as BatchTypeError,
    BlocksError as BlocksError,
    CatalogError as CatalogError,
    ColumnError as ColumnError,
    ConfigError as ConfigError,
    ConflictError as ConflictError,
    MaskKeyError as MaskKeyError,
    PolicyError as PolicyError,
    PrivacyError as PrivacyError,
    ReadError as ReadError,
    RejectedRecordError as RejectedRecordError,
    SchemaError as SchemaError,
    SnippetError as SnippetError,
    WarehouseError as WarehouseError,
)
from blocks.core.keys import register_key_source as register_key_source
from blocks.core.policy import Policy as Policy, read_policy as read_policy
from blocks.core.reject_records import RejectMaker as RejectMaker
from blocks.core.rejects import REJECT_SCHEMA as REJECT_SCHEMA, Reject as Reject, Rejects as Rejects
from blocks.core.schema import describe as describe, read_schema as read_schema, write_schema as write_schema
from blocks.core.window_elements import WindowElements as WindowElements
from blocks.core.windows import WindowRows as WindowRows
from blocks.engines.errors import EngineError as EngineError
from blocks.engines.jars import JarError as JarError
from blocks.flattening.records import FlattenRecords as FlattenRecords
from blocks.masking.mask_columns import MaskColumns as MaskColumns
from blocks.masking.unmask_columns import UnmaskColumns as UnmaskColumns
from blocks.reading.read_json import ReadJson as ReadJson
from blocks.reading.read_parquet import ReadParquet as ReadParquet
from blocks.shaping.cast_columns import CastColumns as CastColumns
from blocks.shaping.check_rows import CheckRows as CheckRows
from blocks.shaping.compute_columns import ComputeColumns as ComputeColumns
from blocks.shaping.deduplicate_rows import DeduplicateRows as DeduplicateRows
from blocks.shaping.filter_rows import FilterRows as FilterRows
from blocks.shaping.join_table import JoinTable as JoinTable
from blocks.shaping.rename_columns import RenameColumns as RenameColumns
from blocks.shaping.sample_rows import SampleRows as SampleRows
from blocks.shaping.select_columns import SelectColumns as SelectColumns
from blocks.shaping.split_rows import Split as Split, SplitRows as SplitRows, split_of as split_of
from blocks.snippets.expansion.service import ServiceError as ServiceError
from blocks.sql.checking import check_sql as check_sql
from blocks.sql.problems import SqlCheckError as SqlCheckError, SqlPrivacyError as SqlPrivacyError
from blocks.sql.run_sql import RunSql as RunSql
from blocks.writing.orphans import remove_orphans as remove_orphans
from blocks.writing.warehouse import WriteWarehouse as WriteWarehouse, read_table as read_table

__all__ = [
    "AggregateEvents",
    "AsBatches",
    "AsRows",
    "BatchBlock",
    "BatchCoder",
    "BatchType",
    "BatchTypeError",
    "BlocksError",
    "CastColumns",
    "CatalogError",
    "CheckRows",
    "ColumnError",
    "ComputeColumns",
    "ConfigError",
    "ConflictError",
    "DeduplicateRows",
    "EngineError",
    "FilterRows",
    "FlattenRecords",
    "JarError",
    "JoinTable",
    "MaskColumns",
    "MaskKeyError",
    "Outcome",
    "Policy",
    "PolicyError",
    "PrivacyError",
    "REJECT_SCHEMA",
    "ReadError",
    "ReadJson",
    "ReadParquet",
    "Reject",
    "RejectMaker",
    "RejectedRecordError",
    "Rejects",
    "RenameColumns",
    "RunSql",
    "SampleRows",
    "SchemaError",
    "SeedAggregates",
    "SelectColumns",
    "ServiceError",
    "SessionizeEvents",
    "SnippetError",
    "Split",
    "SplitRows",
    "SqlCheckError",
    "SqlPrivacyError",
    "StepMetrics",
    "UnionBatches",
    "UnmaskColumns",
    "WarehouseError",
    "WindowElements",
    "WindowRows",
    "WriteWarehouse",
    "__version__",
    "check_sql",
    "describe",
    "load",
    "read_policy",
    "read_schema",
    "read_table",
    "register_key_source",
    "remove_orphans",
    "split_of",
    "write_schema",
]

__version__: str

def load(name: str, version: int | str | None = None) -> Any: ...
