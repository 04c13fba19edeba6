"""The index of an archive of functions that has none in it: read from its annotations and byte code, and kept."""

import os
import subprocess
import tempfile
from pathlib import Path

from blocks.core.errors import Problem

_INDEXER = "blocks.udf.Indexer"
_SECONDS = 60


def index_of(path: Path, sha256: str, where: str, problems: list[Problem]) -> bytes | None:
    """The index as JSON; None, and a problem, where the archive has no functions that can be used.

    Args:
      path: of the archive.
      sha256: of its bytes, by which the index is kept for the next time.
      where: the option, for messages.
      problems: grows.

    Raises:
      EngineError: there is no Java to read it with.
    """
    # Beam's Java is asked for only now.
    from blocks.engines.jars import cache_folder
    from blocks.engines.java import java_program
    from blocks.engines.sql_service.jar import class_path, jar_hash

    service = class_path()
    kept = cache_folder().parent / "functions" / f"{sha256}-{jar_hash(service[0])[:16]}.json"
    if kept.exists():
        return kept.read_bytes()
    kept.parent.mkdir(parents=True, exist_ok=True)
    paths = os.pathsep.join(map(str, [path, *service]))
    with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
        made = Path(folder, "index.json")
        command = [str(java_program()), "-cp", paths, _INDEXER, str(made), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)  # noqa: S603
        if done.returncode:
            lines = [line.strip() for line in done.stderr.splitlines() if line.strip() and "WARNING" not in line]
            fix = "mend its functions, annotated with blocks.udf.Function:\n" + "\n".join(lines[:20])
            problems.append(Problem(f"{path} has functions that cannot be used", where, fix))
            return None
        os.replace(made, kept)
    return kept.read_bytes()
