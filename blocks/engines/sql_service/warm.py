"""Makes the SQL service start faster: its classes as Java holds them, kept for the next start.

Java 25 keeps classes linked and profiles of their methods (an AOT cache), older ones only the classes (CDS).
Source: JEP 483, 514 and 515.

`blocks sql-service warm` makes the cache at once. Otherwise the first process that started a service without one leaves
a process behind that makes it when the pipelines are done: with the least priority, once for an archive, and never in a
checkout, where each change of a source would make another. `BLOCKS_SQL_WARM=0` forbids it.
"""

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from blocks.engines.errors import EngineError
from blocks.engines.sql_service import process
from blocks.engines.sql_service.client import SqlService
from blocks.engines.sql_service.jar import SOURCES, class_path
from blocks.engines.sql_service.stage import SqlStage

# Java writes when it ends: for as long again as the training takes, much longer where others need the processor.
_SECONDS = 900.0
# Each has some 130 MB; those of earlier archives and Javas are not used again.
_KEPT_CACHES = 3
_SCHEMA = pa.schema(
    [
        ("name", pa.string()),
        ("amount", pa.float64()),
        ("number", pa.int64()),
        ("at", pa.timestamp("us", tz="UTC")),
    ]
)
# What queries are made of; what is not seen here is loaded when it is first needed, as without a cache.
_QUERIES = (
    "SELECT UPPER(name) AS name, amount * 2 AS amount, `at` FROM PCOLLECTION WHERE number > 0",
    "SELECT name, SUM(amount) AS amount, COUNT(*) AS n, TUMBLE_START(`at`, INTERVAL '1' HOUR) AS h FROM PCOLLECTION"
    " GROUP BY name, TUMBLE(`at`, INTERVAL '1' HOUR)",
    "SELECT a.name, b.amount FROM PCOLLECTION AS a JOIN PCOLLECTION AS b ON a.number = b.number",
)


def warm() -> Path:
    """Makes the cache, unless there is one for this archive and this Java; gives its path. Takes about 20 s.

    Raises:
      EngineError: the service cannot be started, or Java cannot make a cache.
    """
    kept = _cache()
    if kept.exists():
        return kept
    kept.parent.mkdir(parents=True, exist_ok=True)
    part = kept.with_name(f".{os.getpid()}.{kept.name}")
    option = "-XX:AOTCacheOutput=" if kept.suffix == ".aot" else "-XX:ArchiveClassesAtExit="
    folder, token = process.new_folder()
    pid = 0
    try:
        pid, version = process.start_detached(folder, extra=[f"{option}{part}"])
        address = process.wait_detached(folder / "log", pid)
        trained = SqlService(address, token, version)
        with contextlib.closing(trained):
            _train(trained)
            trained.stop()
        process.wait_ended(pid, _SECONDS)
        if not part.exists():
            raise EngineError("Java made no cache of its classes", where=str(kept), fix="the service works without one")
        os.replace(part, kept)
        kept.with_suffix(".tried").unlink(missing_ok=True)
        _forget_old(kept.parent)
    finally:
        process.kill(pid)
        shutil.rmtree(folder, ignore_errors=True)
        part.unlink(missing_ok=True)
    return kept


def warm_later() -> bool:
    """Has the cache made by a process of its own, after this one; gives whether such a process was started.

    It is not where there is a cache, where one was tried before, in a checkout, or where the user does not want it.
    """
    if os.environ.get("BLOCKS_SQL_WARM") == "0" or (SOURCES / "build.lock").exists():
        return False
    kept = _cache()
    if kept.exists():
        return False
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.with_suffix(".tried").touch(exist_ok=False)
    except OSError:
        # Somebody else makes it, it could not be made, or there is no room for it.
        return False
    subprocess.Popen(
        [sys.executable, "-c", "import os; os.nice(19); from blocks.engines.sql_service.warm import warm; warm()"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    return True


def _cache() -> Path:
    return process.cache_of(os.pathsep.join(map(str, class_path())))


def _forget_old(folder: Path) -> None:
    """Removes all but the newest caches; a Java that has one open keeps what it has."""
    caches = [one for one in folder.iterdir() if one.suffix in (".aot", ".jsa")]
    for old in sorted(caches, key=lambda one: one.stat().st_mtime, reverse=True)[_KEPT_CACHES:]:
        old.unlink(missing_ok=True)


def _train(trained: SqlService) -> None:
    batch = pa.RecordBatch.from_pylist(
        [{"name": "a", "amount": 1.5, "number": 1, "at": 0}, {"name": None, "amount": None, "number": 2, "at": 1}],
        _SCHEMA,
    )
    for query in _QUERIES:
        trained.plan(query, {"PCOLLECTION": _SCHEMA})
        with beam.Pipeline(runner=FnApiRunner()) as pipeline:
            messages = pipeline | beam.Create([batch.serialize().to_pybytes()]).with_output_types(bytes)
            _ = {"PCOLLECTION": messages} | SqlStage(query, {"PCOLLECTION": _SCHEMA}, sql_service=trained)
