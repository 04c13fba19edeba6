"""What the service is told of a query beside its text: tables and users' archives."""

import base64
import hashlib
import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from blocks.core.errors import ConfigError, Problem, all_problems
from blocks.core.labels import event_time_of
from blocks.core.wire import wire_schema
from blocks.engines.jars import cache_folder, write_whole

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
    """The paths of copies of users' archives, after their hashes were compared.

    The service reads a copy that is named by its content: an archive that is built anew is another one to it, also
    while the service runs, and nobody can write to one that Java has open.

    Raises:
      ConfigError: every archive that cannot be used.
    """
    paths = []
    with all_problems("udf_jars", ConfigError) as problems:
        for one in udf_jars:
            jar = one if isinstance(one, UserJar) else UserJar(Path(one))
            path = Path(jar.path).absolute()
            try:
                content = path.read_bytes()
            except OSError as error:
                what = f"cannot read the archive: {error.strerror}"
                problems.append(Problem(what, str(path), "give the path of a .jar file"))
                continue
            digest = hashlib.sha256(content).hexdigest()
            problem = _jar_problem(content, digest, str(path), jar.sha256)
            if problem is None:
                paths.append(str(_kept(content, digest, path.name)))
            else:
                problems.append(problem)
    return paths


def _jar_problem(content: bytes, digest: str, where: str, wanted: str | None) -> Problem | None:
    if wanted is not None and digest != wanted.lower():
        what = f"expected SHA-256 {wanted}, got {digest}"
        return Problem(what, where, "do not use this archive, or find out who changed it")
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return Problem("not a Java archive", where, "give a .jar file, as `mvn package` writes it")
    return None


def _kept(content: bytes, digest: str, name: str) -> Path:
    """A copy in the user's cache."""
    kept = cache_folder().parent / "functions" / digest / name
    if not kept.exists():
        write_whole(kept, content)
    return kept
