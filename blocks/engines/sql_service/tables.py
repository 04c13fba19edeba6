"""What the service is told of a query beside its text: tables and users' archives."""

import base64
import hashlib
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from blocks.core.errors import ConfigError, Problem, all_problems
from blocks.core.labels import event_time_of
from blocks.core.wire import wire_schema

DEADLINE_SECONDS = 30.0


@dataclass(frozen=True)
class Table:
    """A table of a query.

    Attributes:
      schema: of its batches.
      bounded: whether it ends; a query may group a table that does not end only by windows.
      windowed: whether its rows are in windows already, other than the global one.
    """

    schema: pa.Schema
    bounded: bool = True
    windowed: bool = False


@dataclass(frozen=True)
class UserJar:
    """An archive with functions of the user's own.

    Attributes:
      path: of the file.
      sha256: in hex; None takes the file as it is.
    """

    path: Path
    sha256: str | None = None


def request_of(
    query: str,
    tables: Mapping[str, "Table | pa.Schema"],
    udf_jars: Sequence["UserJar | Path | str"],
    deadline: float,
    **more: Any,
) -> dict[str, Any]:
    """The JSON that the service reads.

    Args:
      query: as the engine takes it.
      tables: by name.
      udf_jars: archives; their hashes are checked here.
      deadline: seconds that one call of a function may take.
      more: further members.

    Raises:
      ConfigError: every archive that is not there, not an archive, or not the one that its hash says.
    """
    return {
        "query": query,
        "tables": {name: _table_json(table) for name, table in tables.items()},
        "jars": checked_jars(udf_jars),
        "deadline_ms": int(deadline * 1000),
        **more,
    }


def schema_message(schema: pa.Schema) -> str:
    """A schema as the service reads it: an Arrow IPC message in base64, without metadata, which Java has no use for."""
    plain = pa.schema([field.remove_metadata() for field in wire_schema(schema)])
    return base64.b64encode(plain.serialize().to_pybytes()).decode()


def schema_of_message(text: str) -> pa.Schema:
    """Reads what the service answers."""
    return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text)))


def _table_json(table: "Table | pa.Schema") -> dict[str, Any]:
    table = Table(table) if isinstance(table, pa.Schema) else table
    return {
        "schema": schema_message(table.schema),
        "event_time": event_time_of(table.schema),
        "bounded": table.bounded,
        "windowed": table.windowed,
    }


def checked_jars(udf_jars: Iterable["UserJar | Path | str"]) -> list[str]:
    """The paths of users' archives, absolute, after their hashes were compared.

    Raises:
      ConfigError: every archive that cannot be used.
    """
    paths = []
    with all_problems("udf_jars", ConfigError) as problems:
        for one in udf_jars:
            jar = one if isinstance(one, UserJar) else UserJar(Path(one))
            path = Path(jar.path).absolute()
            problem = _jar_problem(path, jar.sha256)
            if problem is not None:
                problems.append(problem)
            paths.append(str(path))
    return paths


def _jar_problem(path: Path, sha256: str | None) -> Problem | None:
    try:
        content = path.read_bytes()
    except OSError as error:
        return Problem(f"cannot read the archive: {error.strerror}", str(path), "give the path of a .jar file")
    found = hashlib.sha256(content).hexdigest()
    if sha256 is not None and found != sha256.lower():
        what = f"expected SHA-256 {sha256}, got {found}"
        return Problem(what, str(path), "do not use this archive, or find out who changed it")
    if not zipfile.is_zipfile(path):
        return Problem("not a Java archive", str(path), "give a .jar file, as `mvn package` writes it")
    return None
