"""The SQL service where something is wrong: network, cache of classes, port, functions that end in errors; windows."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apache_beam as beam
import grpc
import pyarrow as pa
import pytest
from apache_beam.transforms import window as w
from sql_pipelines import run

from blocks.engines.errors import EngineError
from blocks.engines.sql_service import SqlService, process, ready_jar, warm
from blocks.engines.sql_service.jar import SOURCES
from blocks.engines.sql_service.tables import Table

pytestmark = pytest.mark.jvm

TEXTS = pa.RecordBatch.from_pydict({"id": [1, 2, 3, 4], "name": ["a", "deep", "memory", "assert"]})


def test_a_function_that_ends_in_an_error_of_java_fails_on_its_row_only(sql, user_jar):
    query = "SELECT id, test_errs(name) AS t FROM PCOLLECTION"
    ran = run(query, {"PCOLLECTION": TEXTS}, None, [user_jar], collect=True)
    assert ran.rows == [{"id": 1, "t": "a"}]
    assert [(one["row"]["id"], one["message"]) for one in ran.errors] == [
        (2, "the function `test_errs` calls itself too deeply"),
        (3, "the function `test_errs` needs more memory than the SQL service has"),
        (4, "the function `test_errs` failed with AssertionError"),
    ]


def test_a_function_whose_class_cannot_be_made_fails_on_each_row_and_says_nothing_of_why(sql, user_jar):
    query = "SELECT test_unmade(id) AS t FROM PCOLLECTION"
    ran = run(query, {"PCOLLECTION": TEXTS.slice(0, 2)}, None, [user_jar], collect=True)
    assert ran.rows == []
    assert len(ran.errors) == 2
    for one in ran.errors:
        assert one["message"].startswith("the function `test_unmade` cannot be loaded: ")
        assert "7731" not in one["message"]
    assert "7731" not in sql()._owned.log.read_text()


def test_a_function_that_is_not_deterministic_is_called_for_each_row_also_with_constants(sql, user_jar):
    query = "SELECT id, test_counts(0) AS n FROM PCOLLECTION WHERE test_counts(1) > 0"
    ran = run(query, {"PCOLLECTION": TEXTS}, None, [user_jar])
    assert [row["id"] for row in ran.rows] == [1, 2, 3, 4]
    assert len({row["n"] for row in ran.rows}) == 4


SPANS = pa.schema([pa.field("id", pa.int64()), pa.field("at", pa.timestamp("us", tz="UTC"))])


class _At(beam.DoFn):
    """A message at the time of its first row."""

    def process(self, message):
        batch = pa.ipc.read_record_batch(pa.py_buffer(message), SPANS)
        yield w.TimestampedValue(message, batch.column("at")[0].as_py().timestamp())


def _windows(windows: w.WindowFn) -> beam.PTransform:
    at = "At" >> beam.ParDo(_At()).with_output_types(bytes)
    return at | "Windows" >> beam.WindowInto(windows)


@pytest.mark.parametrize("query", ["SELECT id FROM PCOLLECTION", "SELECT id FROM PCOLLECTION WHERE id < 0 OR id > 0"])
@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        (w.FixedWindows(10), {(0, 10): [1, 2], (10, 20): [3], (30, 40): [4]}),
        (
            w.SlidingWindows(20, 10),
            {(-10, 10): [1, 2], (0, 20): [1, 2, 3], (10, 30): [3], (20, 40): [4], (30, 50): [4]},
        ),
    ],
    ids=["fixed", "sliding"],
)
def test_each_batch_stays_in_its_windows_and_takes_the_earliest_timestamp(sql, query, windows, expected):
    seconds = [(1, 0), (2, 5), (3, 12), (4, 38)]
    batches = [pa.RecordBatch.from_pydict({"id": [number], "at": [at * 1_000_000]}, SPANS) for number, at in seconds]
    ran = run(query, {"PCOLLECTION": batches}, prepare=_windows(windows))
    found: dict[tuple[float, float], list[int]] = {}
    times = dict(seconds)
    for batch, at, window in ran.batches:
        ids = batch.column("id").to_pylist()
        found.setdefault((float(window.start), float(window.end)), []).extend(ids)
        assert at == min(times[one] for one in ids)
    assert {window: sorted(ids) for window, ids in found.items()} == expected


def _plan_elsewhere(**environment: str) -> str:
    code = (
        "import pyarrow as pa\nfrom blocks.engines.sql_service import service\n"
        "print(service().plan('SELECT a FROM t', {'t': pa.schema([('a', pa.int8())])}, deadline=120).schema)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    return done.stdout or done.stderr


@pytest.mark.slow
def test_nothing_is_fetched_where_the_archives_are_there(sql):
    # Whoever listened on these would be found out by an answer that is no archive.
    nowhere = "http://127.0.0.1:9"
    proxies = {"http_proxy": nowhere, "https_proxy": nowhere}
    assert "a: int8" in _plan_elsewhere(BLOCKS_MAVEN_URL=f"{nowhere}/maven", **proxies)


@pytest.mark.slow
@pytest.mark.parametrize("content", [b"", b"no cache of classes" * 1000], ids=["empty", "other"])
def test_a_broken_cache_of_classes_is_as_none(content, tmp_path: Path, monkeypatch):
    kept = tmp_path / process.cache_of(str(ready_jar())).name
    kept.write_bytes(content)
    monkeypatch.setattr(process, "cache_of", lambda class_path: kept)
    started = SqlService.start()
    try:
        schema = pa.schema([("a", pa.int8())])
        assert any(str(kept) in one for one in process.java_command(tmp_path, ready_jar(), "1g"))
        assert started.plan("SELECT a FROM t", {"t": Table(schema)}, deadline=120).schema == schema
    finally:
        started.close()


def _packaged(monkeypatch: pytest.MonkeyPatch, folder: Path) -> tuple[Path, list[list[str]]]:
    """An installation without a cache; gives where it would be, and the commands that are started."""
    kept, started = folder / "kept" / "some.aot", []
    monkeypatch.setattr(warm, "SOURCES", folder / "no sources")
    monkeypatch.setattr(warm, "_cache", lambda: kept)
    monkeypatch.setattr(warm.subprocess, "Popen", lambda command, **options: started.append(command))
    return kept, started


def test_a_process_that_started_slowly_leaves_one_behind_that_makes_the_cache_once(tmp_path, monkeypatch):
    kept, started = _packaged(monkeypatch, tmp_path)
    assert warm.warm_later()
    assert len(started) == 1
    assert "os.nice(19)" in started[0][-1]
    assert kept.with_suffix(".tried").exists()
    assert not warm.warm_later()
    assert len(started) == 1


@pytest.mark.parametrize("case", ["forbidden", "there", "checkout", "read only"])
def test_no_process_is_left_behind(case, tmp_path, monkeypatch):
    kept, started = _packaged(monkeypatch, tmp_path)
    if case == "forbidden":
        monkeypatch.setenv("BLOCKS_SQL_WARM", "0")
    elif case == "there":
        kept.parent.mkdir()
        kept.touch()
    elif case == "checkout":
        monkeypatch.setattr(warm, "SOURCES", SOURCES)
    else:
        (tmp_path / "kept").touch()
    assert not warm.warm_later()
    assert started == []


def test_caches_of_earlier_archives_are_forgotten(tmp_path):
    for number in range(5):
        made = tmp_path / f"{number}.aot"
        made.touch()
        os.utime(made, (number, number))
    (tmp_path / "other.txt").touch()
    warm._forget_old(tmp_path)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["2.aot", "3.aot", "4.aot", "other.txt"]


class _Nothing(grpc.GenericRpcHandler):
    def service(self, handler_call_details):
        return None


def test_another_program_at_the_address_of_a_service_is_an_error_with_the_address():
    other = grpc.server(ThreadPoolExecutor(1), [_Nothing()])
    port = other.add_insecure_port("127.0.0.1:0")
    other.start()
    try:
        with pytest.raises(EngineError, match="does not answer as it should: UNIMPLEMENTED") as caught:
            SqlService(f"127.0.0.1:{port}", "token", "version")
        assert f"127.0.0.1:{port}" in str(caught.value)
    finally:
        other.stop(None)


@pytest.mark.slow
def test_a_service_beside_another_takes_a_port_of_its_own(sql):
    # The system chooses the port: one that somebody else holds is never chosen.
    running = sql()
    beside = SqlService.start("512m")
    try:
        assert beside.address != running.address
        assert running.is_alive()
    finally:
        beside.close()
