"""Prism, Beam's runner in Go: a program that is there, never one that is fetched on the way.

Beam's own PrismRunner downloads it when it is missing, which fails where there is no network, and DirectRunner then
goes on with another runner without a word.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from apache_beam.version import __version__ as beam_version

from blocks.engines.errors import EngineError
from blocks.engines.jars import cache_folder
from blocks.engines.processes import OwnedProcess
from blocks.engines.remote import JobServerEngine

PRISM_VARIABLE = "BLOCKS_PRISM"
PRISM_MODULE = f"github.com/apache/beam/sdks/v2/go/cmd/prism@v{beam_version}"
_DEADLINE_SECONDS = 30.0
_READY = r"endpoint\S*?(?:[=: ]|\x1b\[[0-9;]*m)+\"?(localhost:\d+)"


def prism_program(location: Path | None = None) -> Path:
    """The program: the one that is given, `$BLOCKS_PRISM`, `prism` on the PATH, where Go installs it, or the built one.

    Raises:
      EngineError: it is not there; also if the given one is not, whatever else there is.
    """
    install = f"python -m blocks.engines.prism_build, or go install {PRISM_MODULE}"
    named = location or os.environ.get(PRISM_VARIABLE)
    if named:
        if (found := shutil.which(named)) is None:
            where = f"--prism-location {named}" if location else f"environment variable {PRISM_VARIABLE}"
            raise EngineError("there is no such program", where=where, fix=f"give the path of `prism`; {install}")
        return Path(found)
    go = Path(os.environ.get("GOPATH") or Path.home() / "go").expanduser() / "bin" / "prism"
    places = [
        os.environ.get("GOBIN", "") and str(Path(os.environ["GOBIN"], "prism")),
        "prism",
        str(go),
        str(built_prism()),
    ]
    for place in places:
        if place and (found := shutil.which(place)) is not None:
            return Path(found)
    where = f"{PRISM_VARIABLE}, the PATH, {go}, {built_prism()}"
    raise EngineError("there is no program `prism`", where=where, fix=f"{install}\nor give --prism-location PATH")


def built_prism() -> Path:
    """Where `blocks.engines.prism_build` puts the program of this version of Beam."""
    return cache_folder().parent / "prism" / f"prism-{beam_version}"


class PrismEngine(JobServerEngine):
    """Prism in a process of its own, for the time of a run.

    Args:
      location: the program; see `prism_program`.
      options: of Beam.
    """

    def __init__(self, location: Path | None, options: Mapping[str, Any]) -> None:
        super().__init__("prism", options, retain_unknown=True)
        self._location = location

    def _start(self, stack: contextlib.ExitStack) -> str:
        program = prism_program(self._location)
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="blocks-prism-"))
        command = [str(program), "--job_port=0", "--serve_http=false", "--log_kind=text", "--log_level=info"]
        process = stack.enter_context(OwnedProcess("Prism", command, Path(folder) / "log"))

        def ended(seconds: float) -> EngineError | None:
            if (code := process.exit_within(seconds)) is None:
                return None
            what = f"Prism ended while the pipeline ran, with exit code {code}"
            return process.failure(what, "run again", quoted=False)

        self.runner.why_not = ended
        return process.wait_for(_READY, _DEADLINE_SECONDS, "see whether the program is the one of Beam")[1]
