"""Where the Java steps of a query run: in the service, or in containers of a remote runner."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from apache_beam.portability import common_urns
from apache_beam.portability.api import beam_runner_api_pb2, endpoints_pb2

from blocks.engines.sql_service.jar import class_path

CONTAINER = "apache/beam_java17_sdk:2.70.0"
_TOKEN = "blocks-token"  # noqa: S105  # the name, not the secret


def local_environment(address: str, token: str) -> Any:
    """The worker pool of a service on this machine; nothing is staged."""
    payload = beam_runner_api_pb2.ExternalPayload(
        endpoint=endpoints_pb2.ApiServiceDescriptor(url=address), params={_TOKEN: token}
    )
    return beam_runner_api_pb2.Environment(
        urn=common_urns.environments.EXTERNAL.urn, payload=payload.SerializeToString()
    )


def docker_environment(udf_jars: Sequence[Path] = (), container: str = CONTAINER) -> Any:
    """Beam's Java container of the service's version, with the archive, its class path and the user's archives."""
    payload = beam_runner_api_pb2.DockerPayload(container_image=container)
    jars = [*class_path(), *udf_jars]
    return beam_runner_api_pb2.Environment(
        urn=common_urns.environments.DOCKER.urn,
        payload=payload.SerializeToString(),
        dependencies=[_artifact(jar) for jar in jars],
    )


def _artifact(jar: Path) -> Any:
    digest = hashlib.sha256(jar.read_bytes()).hexdigest()
    file = beam_runner_api_pb2.ArtifactFilePayload(path=str(jar), sha256=digest)
    role = beam_runner_api_pb2.ArtifactStagingToRolePayload(staged_name=f"{jar.stem}-{digest[:16]}.jar")
    return beam_runner_api_pb2.ArtifactInformation(
        type_urn=common_urns.artifact_types.FILE.urn,
        type_payload=file.SerializeToString(),
        role_urn=common_urns.artifact_roles.STAGING_TO.urn,
        role_payload=role.SerializeToString(),
    )


def with_environment(components: Any, namespace: str, wanted: Any) -> Any:
    """A copy of expanded components in which every environment that the service made is another one.

    Args:
      components: of an ExpansionResponse.
      namespace: of the expansion, with which the ids of new components begin.
      wanted: the environment; capabilities and resource hints stay those that the service named.
    """
    changed = beam_runner_api_pb2.Components()
    changed.CopyFrom(components)
    for name, environment in changed.environments.items():
        if name.startswith(namespace):
            environment.urn, environment.payload = wanted.urn, wanted.payload
            del environment.dependencies[:]
            environment.dependencies.extend(wanted.dependencies)
    return changed
