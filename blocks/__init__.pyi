# Made from catalog.yaml by `python -m blocks.catalog.stub`; do not edit.

from typing import Any

from blocks.core.batch_type import BatchCoder as BatchCoder
from blocks.core.batch_type import BatchType as BatchType
from blocks.core.batches import AsBatches as AsBatches
from blocks.core.batches import AsRows as AsRows
from blocks.core.batches import UnionBatches as UnionBatches
from blocks.core.block import BatchBlock as BatchBlock
from blocks.core.block import Outcome as Outcome
from blocks.core.block import StepMetrics as StepMetrics
from blocks.core.errors import (
    BatchTypeError as BatchTypeError,
)
from blocks.core.errors import (
    BlocksError as BlocksError,
)
from blocks.core.errors import (
    CatalogError as CatalogError,
)
from blocks.core.errors import (
    ColumnError as ColumnError,
)
from blocks.core.errors import (
    ConfigError as ConfigError,
)
from blocks.core.errors import (
    ConflictError as ConflictError,
)
from blocks.core.errors import (
    MaskKeyError as MaskKeyError,
)
from blocks.core.errors import (
    PolicyError as PolicyError,
)
from blocks.core.errors import (
    PrivacyError as PrivacyError,
)
from blocks.core.errors import (
    ReadError as ReadError,
)
from blocks.core.errors import (
    RejectedRecordError as RejectedRecordError,
)
from blocks.core.errors import (
    SchemaError as SchemaError,
)
from blocks.core.errors import (
    SnippetError as SnippetError,
)
from blocks.core.errors import (
    WarehouseError as WarehouseError,
)
from blocks.core.policy import Policy as Policy
from blocks.core.policy import read_policy as read_policy
from blocks.core.rejects import REJECT_SCHEMA as REJECT_SCHEMA
from blocks.core.rejects import Reject as Reject
from blocks.core.rejects import Rejects as Rejects
from blocks.core.schema import describe as describe
from blocks.core.schema import read_schema as read_schema
from blocks.core.schema import write_schema as write_schema
from blocks.core.windows import WindowRows as WindowRows
from blocks.flattening.records import FlattenRecords as FlattenRecords
from blocks.masking.mask_columns import MaskColumns as MaskColumns
from blocks.masking.unmask_columns import UnmaskColumns as UnmaskColumns
from blocks.reading.read_json import ReadJson as ReadJson
from blocks.reading.read_parquet import ReadParquet as ReadParquet
from blocks.writing.warehouse import WriteWarehouse as WriteWarehouse
from blocks.writing.warehouse import read_table as read_table

__all__ = [
    "REJECT_SCHEMA",
    "AsBatches",
    "AsRows",
    "BatchBlock",
    "BatchCoder",
    "BatchType",
    "BatchTypeError",
    "BlocksError",
    "CatalogError",
    "ColumnError",
    "ConfigError",
    "ConflictError",
    "FlattenRecords",
    "MaskColumns",
    "MaskKeyError",
    "Outcome",
    "Policy",
    "PolicyError",
    "PrivacyError",
    "ReadError",
    "ReadJson",
    "ReadParquet",
    "Reject",
    "RejectedRecordError",
    "Rejects",
    "SchemaError",
    "SnippetError",
    "StepMetrics",
    "UnionBatches",
    "UnmaskColumns",
    "WarehouseError",
    "WindowRows",
    "WriteWarehouse",
    "__version__",
    "describe",
    "load",
    "read_policy",
    "read_schema",
    "read_table",
    "write_schema",
]

__version__: str

def load(name: str) -> Any: ...
