"""The engine that is asked for, or an error: never another one.

| name       | what runs                               | workers                                      |
|------------|-----------------------------------------|----------------------------------------------|
| `local`    | Beam's FnApiRunner in this process      | this process                                 |
| `prism`    | Beam's runner in Go, in its own process | this process, unless an environment is given |
| `flink`    | a Flink inside our job server           | this process, unless an environment is given |
| `flink`    | `--flink-master host:port`              | where the environment says                   |
| `spark`    | `--job-endpoint host:port`              | where the environment says                   |
| `dataflow` | Google's service                        | where the image says                         |
"""

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from blocks.core.errors import ConfigError, Problem, all_problems, nearest
from blocks.engines.engine import Engine

ENGINES = {
    "local": "in this process, on one core; for samples, tests and up to some gigabytes",
    "prism": "Beam's runner in Go on this machine; batch and streams",
    "flink": "a Flink inside a job server on this machine, or --flink-master host:port",
    "spark": "the job server at --job-endpoint host:port",
    "dataflow": "Google's service",
}
ENVIRONMENTS = {
    "LOOPBACK": "this process, for a runner on this machine",
    "DOCKER": "containers of the image in the config",
    "PROCESS": "processes that each worker machine starts, with the command in the config",
    "EXTERNAL": "a worker pool at host:port in the config",
}
_PROGRESS = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What is said about the engine, beside its name.

    Attributes:
      flink_master: `host:port` of the REST interface of a Flink cluster.
      flink_memory: heap of the job server's Java, as `2g`.
      job_endpoint: `host:port` of a job server that somebody else runs.
      environment_type: where workers run, one of `ENVIRONMENTS`.
      environment_config: of that type.
      prism_location: the program `prism`.
      options: Beam's pipeline options, each `name=value`.
    """

    flink_master: str | None = None
    flink_memory: str | None = None
    job_endpoint: str | None = None
    environment_type: str | None = None
    environment_config: str | None = None
    prism_location: Path | None = None
    options: tuple[str, ...] = ()


_ENVIRONMENT = {"environment_type", "environment_config"}
# Which of the options mean something to which engine; Beam's options go with all of them.
_TAKES = {
    "local": set[str](),
    "prism": {"prism_location", *_ENVIRONMENT},
    "flink": {"flink_master", "flink_memory", "job_endpoint", *_ENVIRONMENT},
    "spark": {"job_endpoint", *_ENVIRONMENT},
    "dataflow": {*_ENVIRONMENT},
}


def choose(name: str = "local", given: EngineOptions = EngineOptions(), progress: _PROGRESS | None = None) -> Engine:
    """The engine of a name, not started.

    Args:
      name: one of `ENGINES`.
      given: options; nothing is fetched, started or asked yet.
      progress: told how many of how many archives are there, while they are fetched.

    Raises:
      ConfigError: there is no such engine, options that do not go with it, a missing environment; all at once.
    """
    if name not in ENGINES:
        raise ConfigError(f"no engine `{name}`", where="--runner", fix=nearest(name, ENGINES))
    with all_problems(f"--runner {name}", ConfigError) as problems:
        problems.extend(_misplaced(name, given))
        maker: Callable[[EngineOptions, list[Problem], _PROGRESS | None], Engine | None] = _MAKERS[name]
        engine = maker(given, problems, progress)
    assert engine is not None
    return engine


def _misplaced(name: str, given: EngineOptions) -> Iterator[Problem]:
    for field in fields(EngineOptions):
        if field.name == "options" or getattr(given, field.name) is None or field.name in _TAKES[name]:
            continue
        goes = ", ".join(one for one, takes in _TAKES.items() if field.name in takes)
        option = "--" + field.name.replace("_", "-")
        yield Problem(f"{option} does not go with this runner", option, f"leave it out; it goes with: {goes}")


def _local(given: EngineOptions, problems: list[Problem], progress: _PROGRESS | None) -> Engine:
    from blocks.engines.beam_options import read_options
    from blocks.engines.local import LocalEngine

    return LocalEngine(read_options(given.options, {}, problems))


def _prism(given: EngineOptions, problems: list[Problem], progress: _PROGRESS | None) -> Engine:
    from blocks.engines.beam_options import read_options
    from blocks.engines.prism import PrismEngine

    options = read_options(given.options, {}, problems) | _environment(given, problems, here=True)
    return PrismEngine(given.prism_location, options)


def _flink(given: EngineOptions, problems: list[Problem], progress: _PROGRESS | None) -> Engine | None:
    from blocks.engines import remote
    from blocks.engines.beam_options import FLINK_OPTIONS, read_options
    from blocks.engines.flink import LOCAL, FlinkServer

    own = given.flink_master is None and given.job_endpoint is None
    options = read_options(given.options, FLINK_OPTIONS, problems) | _environment(given, problems, here=own)
    if given.job_endpoint is not None:
        if given.flink_master or given.flink_memory:
            what = "--job-endpoint is a job server with a master of its own"
            problems.append(Problem(what, "--job-endpoint", "leave out --flink-master and --flink-memory"))
        _check_address(given.job_endpoint, "--job-endpoint", problems)
        return remote.EndpointEngine("flink", given.job_endpoint, options)
    master = given.flink_master or LOCAL
    if master != LOCAL:
        _check_address(master, "--flink-master", problems)
    options.setdefault("job_name", f"blocks-{uuid.uuid4().hex[:12]}")
    memory = given.flink_memory or "2g"
    server = FlinkServer(master, memory=memory, configuration=_restarts(options), progress=progress)
    return remote.FlinkEngine(server, options)


def _restarts(options: Mapping[str, Any]) -> dict[str, str]:
    """Flink's configuration for what Beam's options ask; Beam 2.62 does not hand them on to Flink 1.19 (tried)."""
    retries, delay = options.get("number_of_execution_retries", -1), options.get("execution_retry_delay", -1)
    if retries < 1:
        return {}
    return {
        "restart-strategy.type": "fixed-delay",
        "restart-strategy.fixed-delay.attempts": str(retries),
        "restart-strategy.fixed-delay.delay": f"{delay if delay >= 0 else 1000} ms",
    }


def _spark(given: EngineOptions, problems: list[Problem], progress: _PROGRESS | None) -> Engine | None:
    from blocks.engines import remote
    from blocks.engines.beam_options import read_options

    options = read_options(given.options, {}, problems) | _environment(given, problems, here=False)
    if given.job_endpoint is None:
        fix = "start Beam's Spark job server next to the cluster, and give its address: --job-endpoint host:port"
        problems.append(Problem("there is no job server to hand the pipeline to", "--job-endpoint", fix))
        return None
    _check_address(given.job_endpoint, "--job-endpoint", problems)
    return remote.EndpointEngine("spark", given.job_endpoint, options)


def _dataflow(given: EngineOptions, problems: list[Problem], progress: _PROGRESS | None) -> Engine:
    from blocks.engines.beam_options import read_options
    from blocks.engines.dataflow import DataflowEngine, check_options

    options = read_options(given.options, {}, problems)
    if given.environment_type not in (None, "DOCKER"):
        fix = "leave it out, or --environment-type DOCKER --environment-config IMAGE"
        problems.append(Problem("Dataflow runs workers in containers only", "--environment-type", fix))
    if given.environment_config is not None:
        options.setdefault("sdk_container_image", given.environment_config)
    problems.extend(check_options(options))
    return DataflowEngine(options)


_MAKERS: dict[str, Callable[[EngineOptions, list[Problem], _PROGRESS | None], Engine | None]] = {
    "local": _local,
    "prism": _prism,
    "flink": _flink,
    "spark": _spark,
    "dataflow": _dataflow,
}


def _environment(given: EngineOptions, problems: list[Problem], *, here: bool) -> dict[str, Any]:
    """Beam's options for where workers run.

    Args:
      given: the type and its config.
      problems: gets what is missing.
      here: whether the runner is on this machine, so that workers can be in this process unless something is said.
    """
    kind, config = given.environment_type, given.environment_config
    if kind is None and config is not None:
        fix = "give the type as well: " + ", ".join(ENVIRONMENTS)
        problems.append(Problem("a config without a type", "--environment-config", fix))
    elif kind is None and not here:
        fix = "--environment-type DOCKER --environment-config IMAGE; docs/engines.md says what has to be in the image"
        problems.append(Problem("where workers run is not said", "--environment-type", fix))
    elif kind is not None and kind not in ENVIRONMENTS:
        problems.append(Problem(f"no environment `{kind}`", "--environment-type", nearest(kind.upper(), ENVIRONMENTS)))
    elif kind not in (None, "LOOPBACK") and not config:
        fix = {
            "DOCKER": "an image; Beam's own has no blocks in it",
            "PROCESS": """a command, {"command": "/path/to/boot"}""",
            "EXTERNAL": "the address of a worker pool, host:port",
        }[str(kind)]
        problems.append(Problem(f"{kind} needs a config", "--environment-config", fix))
    found = {"environment_type": kind or ("LOOPBACK" if here else None), "environment_config": config}
    return {name: value for name, value in found.items() if value is not None}


def _check_address(address: str, option: str, problems: list[Problem]) -> None:
    host, colon, port = address.rpartition(":")
    if not colon or not host or "/" in address or not port.isdigit() or not 0 < int(port) < 65536:
        problems.append(Problem("not an address", option, f"write {option} host:port, without http://"))
