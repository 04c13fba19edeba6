"""Beam SQL's own answer, row by row: the code that its planner generates, run in a JVM without a pipeline."""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from lowering_cells import cells_of

from blocks.engines.jars import fetch_jars
from blocks.engines.java import java_program
from blocks.engines.sql_service.jar import SERVICE_LOCK, compile_sources
from blocks.sql.types import SqlType, from_arrow

SOURCE = Path(__file__).with_name("RowByRow.java")
_OPENED = [f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in ("nio", "lang", "util")]


class BeamRows:
    """A JVM that answers queries over rows.

    Args:
      folder: for the compiled program.
    """

    def __init__(self, folder: Path) -> None:
        jars = fetch_jars(SERVICE_LOCK)
        compile_sources([SOURCE], [], jars, folder)
        path = os.pathsep.join(map(str, [folder, *jars]))
        options = [*_OPENED, "-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        options.append("-Dorg.slf4j.simpleLogger.defaultLogLevel=off")
        self._process = subprocess.Popen(
            [str(java_program()), *options, "-cp", path, "RowByRow"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def ask(self, batch: pa.RecordBatch, queries: Sequence[str]) -> list[dict[str, Any]]:
        """For each query `fields` and, for each row, its cells, None where WHERE left it out, or `{"failed": ...}`."""
        fields = [{"name": field.name, "type": _shape(from_arrow(field))} for field in batch.schema]
        rows = [list(row) for row in zip(*map(cells_of, batch.columns), strict=True)]
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        line = json.dumps({"fields": fields, "rows": rows, "queries": list(queries)})
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"the JVM ended with {self._process.wait(10)}"
        found: list[dict[str, Any]] = json.loads(answer)
        return found

    def close(self) -> None:
        """Ends the JVM."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)


def _shape(kind: SqlType) -> dict[str, Any]:
    shape: dict[str, Any] = {"t": kind.name, "n": kind.nullable}
    match kind.name:
        case "ARRAY":
            shape["e"] = _shape(kind.inner[0])
        case "MAP":
            shape |= {"k": _shape(kind.inner[0]), "e": _shape(kind.inner[1])}
        case "ROW":
            pairs = zip(kind.names, kind.inner, strict=True)
            shape["f"] = [{"name": name, "type": _shape(inner)} for name, inner in pairs]
    return shape
