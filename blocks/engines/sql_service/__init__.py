"""The SQL service: one Java process that plans Beam SQL and runs it, on Arrow batches.

    from blocks.engines.sql_service import SqlStage, Table, service

    found = service().plan("SELECT id, amount * 2 AS twice FROM PCOLLECTION", {"PCOLLECTION": schema})
    outputs = {"PCOLLECTION": messages} | SqlStage(query, {"PCOLLECTION": Table(schema)}, found.schema)
    outputs["rows"]      # PCollection[bytes]: bare Arrow IPC messages of found.schema
    outputs["errors"]    # PCollection[bytes]: an Arrow IPC stream for each row in which a function failed

Knows nothing of blocks of SQL: queries are taken as they are.
"""

from blocks.engines.sql_service.client import PlanProblem, PlanResult, SqlService, service
from blocks.engines.sql_service.jar import ready_jar
from blocks.engines.sql_service.shared import SharedStatus, start_shared, status, stop_shared
from blocks.engines.sql_service.stage import SqlStage
from blocks.engines.sql_service.tables import Table, UserJar

__all__ = [
    "PlanProblem",
    "PlanResult",
    "SharedStatus",
    "SqlService",
    "SqlStage",
    "Table",
    "UserJar",
    "ready_jar",
    "service",
    "start_shared",
    "status",
    "stop_shared",
]
