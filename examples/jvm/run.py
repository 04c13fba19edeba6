"""Runs the Java and the Scala pipeline with a block of this library, on this machine, and prints their rows.

BLOCKS_MASK_KEY="$(openssl rand -hex 32)" python examples/jvm/run.py

Three parts: the expansion service, which also runs the block; Beam's Python direct runner as a job server, which runs
pipelines of any language; and the pipeline's own process, which runs its Java steps.
"""

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from apache_beam.runners.portability.local_job_service import LocalJobServicer
from compiling import HERE, JAVA, compile_all

from blocks.snippets.expansion.service import ExpansionService

PIPELINES = ("MaskPayments", "MaskPaymentsInScala")
# Beam's Java libraries are older than the runtime; it would say so in many lines.
QUIET = ("--enable-native-access=ALL-UNNAMED", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")


@contextlib.contextmanager
def job_server() -> Iterator[str]:
    """Address of a job server that runs pipelines on Beam's Python direct runner, in this process."""
    servicer = LocalJobServicer()
    port = servicer.start_grpc_server(0)
    try:
        yield f"localhost:{port}"
    finally:
        servicer.stop()


def run(main: str, classes: str, *arguments: str, seconds: float = 240) -> "subprocess.CompletedProcess[str]":
    """Runs the `main` of a class.

    Args:
      main: name of the class.
      classes: class path, from `compile_all`.
      arguments: of the pipeline.
      seconds: after which it is ended.
    """
    command = [JAVA, *QUIET, "-cp", classes, f"blocks.examples.{main}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds)  # noqa: S603


def main() -> None:
    """Compiles and runs both."""
    with tempfile.TemporaryDirectory() as folder, ExpansionService() as service, job_server() as jobs:
        classes = compile_all(Path(folder, "classes"))
        for number, name in enumerate(PIPELINES):
            output = Path(folder, f"{number}.json")
            given = [f"--blocks={service.address}", f"--policy={HERE / 'privacy.yaml'}", f"--output={output}"]
            done = run(name, classes, *given, "--runner=PortableRunner", f"--jobEndpoint={jobs}")
            if done.returncode:
                sys.exit(f"{name} failed:\n{done.stdout}{done.stderr}")
            print(f"{name}:\n{output.read_text()}")


if __name__ == "__main__":
    main()
