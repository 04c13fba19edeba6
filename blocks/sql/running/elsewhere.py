"""Whether a pipeline runs where the SQL service of this process can be reached."""

from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions, PortableOptions
from apache_beam.runners.portability.portable_runner import PortableRunner

_HERE = ("localhost", "127.0.0.1", "[::1]", "::1")
_LOCAL_JOB_SERVERS = ("PrismRunner",)


def runs_elsewhere(pipeline: Any) -> bool:
    """Whether the workers of a pipeline are on other machines.

    | runner | workers of Java |
    |---|---|
    | in this process, or with environment LOOPBACK | the SQL service of this process |
    | environment EXTERNAL at this machine | likewise |
    | environment DOCKER, PROCESS, or EXTERNAL at another machine | Beam's container for Java, on each worker machine |
    | Dataflow | likewise |

    Args:
      pipeline: being built; its runner and options are known.
    """
    kinds = {one.__name__ for one in type(pipeline.runner).__mro__}
    if "DataflowRunner" in kinds:
        return True
    options = (getattr(pipeline, "_options", None) or PipelineOptions([])).view_as(PortableOptions)
    environment = str(options.environment_type or "").upper()
    if environment == "LOOPBACK":
        return False
    if environment == "EXTERNAL":
        address = str(options.environment_config or "").removeprefix("http://")
        return address.rpartition(":")[0] not in _HERE
    if environment:
        return True
    # What Beam itself takes where nothing is said.
    return isinstance(pipeline.runner, PortableRunner) and not kinds & set(_LOCAL_JOB_SERVERS)
