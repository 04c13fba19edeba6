"""A query as a step of a pipeline: Arrow messages in, Arrow messages out."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.transforms.external import ExternalTransform

from blocks.core.errors import Problem
from blocks.engines.errors import EngineError
from blocks.engines.sql_service import endings
from blocks.engines.sql_service.client import SqlService, service
from blocks.engines.sql_service.environments import docker_environment, local_environment, with_environment
from blocks.engines.sql_service.tables import DEADLINE_SECONDS, Table, UserJar, request_of, schema_message

URN = "blocks:sql:run:v1"
ROWS, ERRORS = "rows", "errors"


class SqlStage(beam.PTransform):
    """Runs a query of Beam SQL on Arrow batches, in the SQL service.

    Input: a dict from the name of a table to a PCollection[bytes] of bare Arrow IPC messages (record batches, as
    `BatchCoder` writes them) of the table's schema. A row is in the window of its batch; its timestamp is its event
    time, or the batch's where it has none.
    Output: a dict of two PCollection[bytes]. `rows`: bare Arrow IPC messages of the output schema; a message has rows
    of one window, and the earliest of their timestamps. `errors`: where `collect`, an Arrow IPC stream for each row in
    which an expression failed, of one row: `function` (empty for one of the engine), `message` (without values),
    `table` (the name of the table that the step reads, empty where it reads another step) and `row` (the struct of all
    columns that the step is given: the table's own, as they came), in the global window.
    State: that of the query's groups and joins. Cost: a row is an object in Java.

    Args:
      query: in Beam's Calcite dialect.
      tables: by name.
      output_schema: that `rows` is written in; its columns in the order of the query's. None takes what the engine
        says, see `PlanResult.schema`. Decimals are rounded half up to its scale; what does not fit stops the pipeline.
      udf_jars: archives with functions of the user.
      deadline: seconds that one call of a function may take; then the service ends and the pipeline fails.
      rows_per_batch: upper bound.
      collect: whether a row in which an expression fails goes to `errors`; else it stops the pipeline. A failure in an
        aggregate always stops it.
      remote: whether the pipeline goes to a runner elsewhere: the steps then run in Beam's Java container, which is
        given the archives, and not in the service.
      sql_service: that of this process unless given.

    Raises:
      ConfigError: archives that cannot be used.
      EngineError: (when applied) the engine does not take the query, with all that it says; or it cannot be started.
    """

    def __init__(
        self,
        query: str,
        tables: Mapping[str, "Table | pa.Schema"],
        output_schema: pa.Schema | None = None,
        udf_jars: Sequence["UserJar | Path | str"] = (),
        *,
        deadline: float = DEADLINE_SECONDS,
        rows_per_batch: int = 32_768,
        collect: bool = False,
        remote: bool = False,
        sql_service: SqlService | None = None,
    ) -> None:
        super().__init__()
        more: dict[str, Any] = {"rows": rows_per_batch, "errors": "collect" if collect else "stop"}
        if output_schema is not None:
            more["output"] = schema_message(output_schema)
        self._request = request_of(query, tables, udf_jars, deadline, **more)
        self._remote, self._service = remote, sql_service

    def expand(self, pcolls: Any) -> Any:
        """Asks the service for the steps."""
        stub = _Stub(self._service or service(), self._remote, self._request["jars"])
        outputs = dict(pcolls) | "Expanded" >> _Expanded(URN, json.dumps(self._request).encode(), stub)
        return {ROWS: outputs[ROWS], ERRORS: outputs[ERRORS]}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_service": None}


def expansion_stub(sql_service: SqlService | None = None, *, remote: bool = False) -> Any:
    """An `expansion_service` for Beam's own `SqlTransform`, over rows: what this one is measured by.

    Args:
      sql_service: that of this process unless given.
      remote: as in `SqlStage`.
    """
    return _Stub(sql_service or service(), remote, [])


class _Stub:
    """What Beam's ExternalTransform asks: the service, with its token, and with the environment that is wanted."""

    def __init__(self, sql_service: SqlService, remote: bool, jars: Sequence[str]) -> None:
        self._service, self._remote, self._jars = sql_service, remote, jars

    def Expand(self, request: Any) -> Any:  # noqa: N802  # Beam's name
        endings.watch()
        response = self._service.expand(request)
        if response.error:
            raise _refused(response.error)
        wanted = (
            docker_environment([Path(jar) for jar in self._jars])
            if self._remote
            else local_environment(self._service.address, self._service.token)
        )
        response.components.CopyFrom(with_environment(response.components, request.namespace, wanted))
        return response

    def artifact_service(self) -> None:
        """Nobody asks for artifacts."""


class _Expanded(ExternalTransform):
    def _resolve_artifacts(self, components: Any, service: Any, dest: Any) -> Any:
        """Archives are files of this machine already: Beam would copy each of them through gRPC."""
        return components


def _refused(error: str) -> EngineError:
    try:
        told = json.loads(error)["problems"]
    except ValueError:
        return EngineError("the SQL service cannot make steps of the query", where="RunSql", fix="look into its log")
    problems = [
        Problem(one["message"], f"query, line {one['line']}, column {one['column']}" if one["line"] else "query")
        for one in told
    ]
    refused = EngineError("the engine does not take the query", where="RunSql", problems=problems)
    # (message, line, column) in the query as the engine got it: who wrote it from another tells where that was.
    refused.told = tuple((one["message"], int(one["line"]), int(one["column"])) for one in told)
    return refused
