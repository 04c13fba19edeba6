"""The gRPC service: what blocks there are, each put into a pipeline of another language, and a worker that runs it.

Beam's Python servicer expands but cannot tell what it has (`DiscoverSchemaTransform`), answers every mistake with a
stack trace, and expands anything that a client names, pickled code too. This one serves the blocks of a catalog only.

    with ExpansionService() as service:
        print(service.address)      # localhost:41237, say

It listens on the loopback interface. Whoever can reach it can have blocks read and write with the rights of its
process, and its worker runs the code of pipelines: there is no authentication, as in all of Beam's services.
Source: Beam's beam_expansion_api.proto and schema transform payloads (external_transforms.proto).
"""

import contextlib
import logging
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import grpc  # type: ignore[import-untyped]
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability import common_urns
from apache_beam.portability.api import beam_expansion_api_pb2 as api
from apache_beam.portability.api import (
    beam_expansion_api_pb2_grpc,
    beam_fn_api_pb2_grpc,
    external_transforms_pb2,
    schema_pb2,
)
from apache_beam.runners.portability import expansion_service
from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer
from apache_beam.transforms.ptransform import PTransform
from apache_beam.utils import thread_pool_executor

from blocks.catalog.model import Catalog, Entry
from blocks.catalog.reading import read_catalog
from blocks.core.errors import BlocksError, ConfigError
from blocks.snippets.expansion.columns import check_readable, sent_schemas
from blocks.snippets.expansion.configs import config_schema, decoded
from blocks.snippets.expansion.names import entry_of, urn_of
from blocks.snippets.expansion.served import OUTPUT, REJECTS, ServedBlock

EXPAND_URN = common_urns.schematransform_based_expand.urn
LOOPBACK = "localhost"
_STOP_SECONDS = 10
_LOGGER = logging.getLogger(__name__)


class ServiceError(BlocksError, OSError):
    """An expansion service that cannot listen where it should.

    To do: choose another port, or end what listens there.
    """


@dataclass
class _Request:
    """One call of `Expand`: what it may use, and the error of `blocks` that ended it."""

    catalog: Catalog
    schemas: Mapping[str, schema_pb2.Schema]
    error: BlocksError | None = None


_REQUEST: ContextVar[_Request | None] = ContextVar("expansion request", default=None)


@contextlib.contextmanager
def _noted() -> Iterator[None]:
    """Keeps an error of `blocks` for the answer: Beam's servicer turns every exception into a stack trace."""
    try:
        yield
    except BlocksError as error:
        request = _REQUEST.get()
        if request is not None:
            request.error = error
        raise


class _Noting(ServedBlock):
    def expand(self, inputs: Any) -> Any:
        with _noted():
            return super().expand(inputs)


@PTransform.register_urn(EXPAND_URN, external_transforms_pb2.SchemaTransformPayload)
def _made(_: Any, payload: external_transforms_pb2.SchemaTransformPayload, __: Any) -> ServedBlock:
    """The block of a payload; Beam calls this for its URN."""
    request = _REQUEST.get()
    with _noted():
        if request is None:
            what = "blocks are expanded by their own service only"
            raise ConfigError(what, where=payload.identifier, fix="start it: blocks expansion-service")
        entry = entry_of(payload.identifier, request.catalog)
        return _Noting(entry, decoded(payload, f"config of {entry.name}"), request.schemas)


class BlocksServicer(expansion_service.ExpansionServiceServicer):
    """Answers for the blocks of a catalog.

    Args:
      options: Beam's; their environment is where the blocks will run.
      catalog: whose blocks are served; the library's unless given.
    """

    def __init__(self, options: PipelineOptions | None = None, catalog: Catalog | None = None) -> None:
        super().__init__(options)
        self._catalog = catalog or read_catalog()
        self._discovered: api.DiscoverSchemaTransformResponse | None = None

    def DiscoverSchemaTransform(  # noqa: N802 - a name of the protocol
        self, request: api.DiscoverSchemaTransformRequest, context: Any = None
    ) -> api.DiscoverSchemaTransformResponse:
        """Every block with its config, inputs, outputs and description; a block that cannot be loaded is left out."""
        if self._discovered is None:
            answer = api.DiscoverSchemaTransformResponse()
            for entry in self._catalog.entries:
                try:
                    described = _described(entry)
                except BlocksError as error:
                    # What one block needs may not be installed; the others are still of use.
                    _LOGGER.warning("not served: %s", error)
                    continue
                answer.schema_transform_configs[urn_of(entry)].CopyFrom(described)
            self._discovered = answer
        return self._discovered

    def Expand(  # noqa: N802 - a name of the protocol
        self, request: api.ExpansionRequest, context: Any = None
    ) -> api.ExpansionResponse:
        """The transform of a block in the components of a pipeline, or what is wrong, in three parts."""
        urn = request.transform.spec.urn
        if urn != EXPAND_URN:
            what = f"expected the transform {EXPAND_URN}, got `{urn}`"
            error = ConfigError(what, where="the expansion service of blocks", fix="use a block by its identifier")
            return api.ExpansionResponse(error=str(error))
        current = _Request(self._catalog, sent_schemas(request))
        try:
            check_readable(current.schemas, f"`{request.transform.unique_name}`")
        except BlocksError as error:
            return api.ExpansionResponse(error=str(error))
        token = _REQUEST.set(current)
        try:
            answer = super().Expand(request, context)
        finally:
            _REQUEST.reset(token)
        if current.error is not None:
            return api.ExpansionResponse(error=str(current.error))
        if answer.error:
            _LOGGER.error("an expansion failed:\n%s", answer.error)
            return api.ExpansionResponse(error=str(_unknown(request, answer.error)))
        return answer


def _unknown(request: api.ExpansionRequest, trace: str) -> BlocksError:
    """An error of Beam or of a library: its last line; the stack trace is in the log of the service."""
    last = next((line for line in reversed(trace.splitlines()) if line and not line[0].isspace()), "")
    where = f"`{request.transform.unique_name}`"
    return BlocksError(
        f"the block could not be put into the pipeline: {last}", where=where, fix="see the service's log"
    )


def _described(entry: Entry) -> api.SchemaTransformConfig:
    takes_input = entry.takes != ("nothing",)
    outputs = [] if entry.gives == "tables" else [OUTPUT]
    return api.SchemaTransformConfig(
        config_schema=config_schema(entry),
        input_pcollection_names=["input"] if takes_input else [],
        output_pcollection_names=outputs + ([REJECTS] if entry.rejects else []),
        description=f"{entry.summary} ({entry.name} {entry.version}, {entry.status})",
    )


@dataclass
class ExpansionService:
    """A running service.

    Attributes:
      port: to listen on; 0 for any that is free.
      host: interface; the loopback one unless given.
      catalog: whose blocks are served; the library's unless given.
      environment_type: Beam's name of where the blocks will run (DOCKER, EXTERNAL, PROCESS); a worker in this process
        unless given.
      environment_config: what that needs: the image, the address of a worker pool, the command.
      address: where it listens, once it does.

    Example:
      >>> with ExpansionService() as service:
      ...     rows | SchemaAwareExternalTransform("beam:schematransform:blocks:MaskColumns:v1", service.address, ...)
    """

    port: int = 0
    host: str = LOOPBACK
    catalog: Catalog | None = None
    environment_type: str | None = None
    environment_config: str | None = None
    address: str = field(default="", init=False)

    def __enter__(self) -> "ExpansionService":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Begins to listen.

        Raises:
          ConfigError: an environment without what it needs.
          ServiceError: the port is taken, or the host is not one of this machine.
          CatalogError: the catalog cannot be read.
        """
        if self.environment_config and not self.environment_type:
            fix = "say which: --environment-type DOCKER, EXTERNAL or PROCESS"
            raise ConfigError("a config of an environment, and no environment", where="environment_config", fix=fix)
        if self.environment_type in ("EXTERNAL", "PROCESS") and not self.environment_config:
            what, fix = f"{self.environment_type} needs to know where", "give its address, or its command"
            raise ConfigError(what, where="environment_config", fix=fix)
        self._bind()
        kind, config = self.environment_type, self.environment_config
        if kind is None:
            pool = BeamFnExternalWorkerPoolServicer()
            beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(pool, self._server)
            kind, config = "EXTERNAL", self.address
        # What blocks need is installed where they run: nothing is staged from here.
        beam_options = PipelineOptions(
            flags=[], sdk_location="container", environment_type=kind, environment_config=config
        )
        servicer = BlocksServicer(beam_options, self.catalog)
        # Importing every block takes seconds: now, rather than while the first pipeline waits.
        servicer.DiscoverSchemaTransform(api.DiscoverSchemaTransformRequest())
        beam_expansion_api_pb2_grpc.add_ExpansionServiceServicer_to_server(servicer, self._server)
        self._server.start()

    def _bind(self) -> None:
        """Makes the server and takes the port."""
        options = [
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", -1),
            # Two services on one port would each get some of the calls.
            ("grpc.so_reuseport", 0),
            # Workers ask whether the connection lives, more often than gRPC likes by default.
            ("grpc.http2.max_pings_without_data", 0),
            ("grpc.http2.max_ping_strikes", 0),
        ]
        self._server = grpc.server(thread_pool_executor.shared_unbounded_instance(), options=options)
        where = f"{self.host}:{self.port}"
        try:
            port = self._server.add_insecure_port(where)
        except RuntimeError as cause:
            what = "cannot listen on the port: it is taken, or the host is not here"
            fix = "end the process that has it, or take another; 0 is any that is free"
            raise ServiceError(what, where=where, fix=fix) from cause
        self.address = f"{self.host}:{port}"

    def stop(self) -> None:
        """Ends it; calls that have begun are ended too."""
        self._server.stop(None).wait(_STOP_SECONDS)
