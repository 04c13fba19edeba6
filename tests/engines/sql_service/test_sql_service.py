"""The SQL service: what it says of queries, who may ask it, and what happens when it ends."""

import json
import os
import signal
import subprocess
import sys
import threading
import zipfile

import grpc
import pyarrow as pa
import pytest
from apache_beam.portability import common_urns
from apache_beam.portability.api import (
    beam_artifact_api_pb2,
    beam_artifact_api_pb2_grpc,
    beam_expansion_api_pb2,
    beam_expansion_api_pb2_grpc,
    beam_fn_api_pb2,
    beam_fn_api_pb2_grpc,
    beam_runner_api_pb2,
    endpoints_pb2,
)
from sql_pipelines import run

from blocks.core.errors import ConfigError, RejectedRecordError
from blocks.engines.errors import EngineError
from blocks.engines.sql_service import SqlService, UserJar, client, shared
from blocks.engines.sql_service.environments import docker_environment, local_environment, with_environment
from blocks.engines.sql_service.jar import build, class_path, compile_sources, jar_hash, pack, ready_jar
from blocks.engines.sql_service.process import is_running, wait_ended

pytestmark = pytest.mark.jvm

MARKER = "bad marker-7731@example.org"
SCHEMA = pa.schema([("id", pa.int64()), ("name", pa.string()), ("at", pa.timestamp("us", tz="UTC"))])
ROWS = pa.RecordBatch.from_pylist(
    [{"id": 1, "name": "a", "at": 0}, {"id": -2, "name": MARKER, "at": 1_000_000}, {"id": 3, "name": None, "at": None}],
    SCHEMA,
)


@pytest.mark.parametrize(
    ("query", "kind", "place", "words"),
    [
        ("SELECT id FROM PCOLLECTION", None, None, None),
        ("SELECT\n  nme FROM PCOLLECTION", "validate", (2, 3), "Column 'nme' not found"),
        ("SELECT FROM", "parse", (1, 8), "FROM"),
        ("SELECT * FROM nowhere", "validate", (1, 15), "'nowhere' not found"),
        ("SELECT no_such(id) FROM PCOLLECTION", "validate", (1, 8), "No match found for function signature"),
        ("DROP TABLE PCOLLECTION", "unsupported", (1, 1), "only queries can be run"),
        ("INSERT INTO PCOLLECTION SELECT * FROM PCOLLECTION", "unsupported", (1, 1), "not INSERT"),
        ("SELECT COUNT(DISTINCT id) FROM PCOLLECTION", "unsupported", (0, 0), "DISTINCT"),
        ("SELECT " + "(" * 3000 + "id" + ")" * 3000 + " FROM PCOLLECTION", None, None, None),
    ],
    ids=["good", "column", "syntax", "table", "function", "drop", "insert", "distinct", "nested"],
)
def test_a_query_is_planned_or_its_problem_has_a_kind_a_place_and_no_stack(sql, query, kind, place, words):
    found = sql().plan(query, {"PCOLLECTION": SCHEMA}, deadline=60)
    if kind is None:
        assert found.problems == ()
        assert found.schema.field("id").type == pa.int64()
        return
    (problem,) = found.problems
    assert (problem.kind, (problem.line, problem.column)) == (kind, place)
    assert words in problem.message
    assert "\n" not in problem.message
    assert "org.apache" not in problem.message


def test_a_table_that_does_not_end_is_grouped_only_by_windows(sql):
    from blocks.engines.sql_service import Table

    query = "SELECT name, COUNT(*) AS n FROM PCOLLECTION GROUP BY name"
    (problem,) = sql().plan(query, {"PCOLLECTION": Table(SCHEMA, bounded=False)}).problems
    assert problem.kind == "unsupported"
    assert "TUMBLE" in problem.message
    assert sql().plan(query, {"PCOLLECTION": Table(SCHEMA, bounded=False, windowed=True)}).problems == ()
    tumbled = f"{query}, TUMBLE(`at`, INTERVAL '1' HOUR)"
    assert sql().plan(tumbled, {"PCOLLECTION": Table(SCHEMA, bounded=False)}).problems == ()


def test_every_method_refuses_who_does_not_know_the_token(sql):
    address = sql().address
    with grpc.insecure_channel(address) as channel:
        raw = [channel.unary_unary(f"/blocks.SqlService/{name}") for name in ("Hello", "Plan", "Stop")]
        expansion = beam_expansion_api_pb2_grpc.ExpansionServiceStub(channel)
        asked = [
            *(lambda given, call=call: call(b"{}", timeout=10, metadata=given) for call in raw),
            lambda given: expansion.Expand(beam_expansion_api_pb2.ExpansionRequest(), timeout=10, metadata=given),
            lambda given: expansion.DiscoverSchemaTransform(
                beam_expansion_api_pb2.DiscoverSchemaTransformRequest(), timeout=10, metadata=given
            ),
        ]
        for call in asked:
            for given in ([], [("blocks-token", "x")], [("blocks-token", sql().token[:-1])]):
                with pytest.raises(grpc.RpcError) as caught:
                    call(given)
                assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
        artifacts = beam_artifact_api_pb2_grpc.ArtifactRetrievalServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            artifacts.ResolveArtifacts(beam_artifact_api_pb2.ResolveArtifactsRequest(), timeout=10)
        assert caught.value.code() in (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.UNAUTHENTICATED)
        pool = beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolStub(channel)
        for token in ({}, {"blocks-token": "x"}):
            request = beam_fn_api_pb2.StartWorkerRequest(worker_id="w", params=token)
            assert "token" in pool.StartWorker(request, timeout=10).error
        away = endpoints_pb2.ApiServiceDescriptor(url="192.0.2.1:1")
        for field in ("control_endpoint", "provision_endpoint"):
            request = beam_fn_api_pb2.StartWorkerRequest(
                worker_id="w", params={"blocks-token": sql().token}, **{field: away}
            )
            assert "not on this machine" in pool.StartWorker(request, timeout=10).error
    assert sql().is_alive()
    # Other users can list commands, and read neither the folder nor the environment.
    keeper = sql()._owned._keeper.pid
    assert sql().token not in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert keeper
    assert (sql()._folder.stat().st_mode & 0o777, (sql()._folder / "token").stat().st_mode & 0o777) == (0o700, 0o600)


def test_a_service_of_another_version_is_refused(sql):
    running = sql()
    with pytest.raises(EngineError, match="expected a SQL service of version other") as caught:
        SqlService(running.address, running.token, "other")
    assert "sql-service stop" in str(caught.value)


def test_a_failing_row_goes_out_whole_with_the_name_of_its_function(sql, user_jar):
    ran = run(
        "SELECT id, `at`, test_fails(name) AS f FROM PCOLLECTION", {"PCOLLECTION": ROWS}, None, [user_jar], collect=True
    )
    assert [row["f"] for row in ran.rows] == ["A", "none"]
    assert ran.errors == [
        {
            "function": "test_fails",
            "message": "the function `test_fails` failed with IllegalStateException",
            "table": "PCOLLECTION",
            "row": ROWS.to_pylist()[1],
        }
    ]


def test_a_failing_row_of_an_inner_step_names_no_table(sql):
    query = "SELECT 10 / SUM(id - 1) AS q FROM PCOLLECTION GROUP BY id"
    ran = run(query, {"PCOLLECTION": ROWS}, None, collect=True)
    assert sorted(row["q"] for row in ran.rows) == [-3, 5]
    ((function, message, table),) = [(one["function"], one["message"], one["table"]) for one in ran.errors]
    assert (function, message, table) == ("", "division by zero", "")


def test_a_failing_row_stops_the_pipeline_without_showing_a_value(sql, user_jar):
    with pytest.raises(RejectedRecordError, match="`test_fails` failed with IllegalStateException") as caught:
        run("SELECT test_fails(name) AS f FROM PCOLLECTION", {"PCOLLECTION": ROWS}, None, [user_jar])
    with pytest.raises(RejectedRecordError, match="a text that is not a number"):
        run("SELECT CAST(name AS INTEGER) AS f FROM PCOLLECTION", {"PCOLLECTION": ROWS})
    assert MARKER not in repr(caught.value)
    assert MARKER not in sql()._owned.log.read_text()
    assert os.stat(sql()._owned.log.parent).st_mode & 0o077 == 0


def test_an_aggregate_of_the_user_with_a_state_of_its_own_class(sql, user_jar):
    query = "SELECT id > 0 AS positive, test_longest(name) AS n FROM PCOLLECTION GROUP BY id > 0"
    ran = run(query, {"PCOLLECTION": ROWS}, None, [user_jar])
    assert {row["positive"]: row["n"] for row in ran.rows} == {True: "a", False: MARKER}


def test_functions_take_and_give_every_kind(sql, user_jar):
    query = (
        "SELECT test_kinds(`at`) AS t, test_kinds(id > 1) AS f, test_lengths(ARRAY['a', 'bb']) AS l FROM PCOLLECTION"
    )
    first = run(query, {"PCOLLECTION": ROWS}, None, [user_jar]).rows[0]
    assert (first["t"].day, first["f"], first["l"]) == (2, True, [("a", 1), ("bb", 2)])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("query", "options", "words"),
    [
        ("SELECT test_loops(id) AS x FROM PCOLLECTION", {"deadline": 0.5}, "the function `test_loops` took longer"),
        ("SELECT test_allocates(id * 10000) AS x FROM PCOLLECTION", {}, "more memory"),
    ],
    ids=["loops", "allocates"],
)
def test_a_function_that_never_ends_or_takes_all_memory_is_an_error_and_the_next_query_runs(
    mortal, user_jar, query, options, words
):
    with pytest.raises(EngineError, match=words):
        run(query, {"PCOLLECTION": ROWS}, None, [user_jar], **options)
    assert run("SELECT id FROM PCOLLECTION", {"PCOLLECTION": ROWS}).rows[0] == {"id": 1}


def jvm_of(running: SqlService) -> int:
    return int(running.hello["pid"])


@pytest.mark.slow
def test_a_killed_service_is_an_error_while_it_plans_and_while_it_runs(mortal, user_jar):
    running = mortal()
    os.kill(jvm_of(running), signal.SIGKILL)
    with pytest.raises(EngineError, match="the SQL service ended"):
        running.plan("SELECT id FROM PCOLLECTION", {"PCOLLECTION": SCHEMA})
    # The next one is new; it is killed when the loop keeps it busy.
    running = mortal()
    assert running.plan("SELECT id FROM PCOLLECTION", {"PCOLLECTION": SCHEMA}).problems == ()
    stat = f"/proc/{jvm_of(running)}/stat"

    def kill() -> None:
        os.kill(jvm_of(running), signal.SIGKILL)

    assert os.path.exists(stat)
    timer = threading.Timer(6, kill)
    timer.start()
    with pytest.raises(EngineError, match=r"the SQL service ended|does not answer"):
        run(
            "SELECT test_loops(id) AS x FROM PCOLLECTION",
            {"PCOLLECTION": ROWS},
            pa.schema([("x", pa.int64())]),
            [user_jar],
        )
    timer.join()


@pytest.mark.slow
def test_the_service_ends_with_its_owner(tmp_path):
    start = "from blocks.engines.sql_service import service; print(service().hello['pid'], flush=True)"
    code = f"import os, signal; {start}; os.kill(os.getpid(), signal.SIGKILL)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    pid = int(done.stdout.split()[-1])
    assert wait_ended(pid, 15)


@pytest.mark.slow
def test_two_processes_share_a_service_until_it_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert shared.status() is None
    started = shared.start_shared()
    try:
        code = "from blocks.engines.sql_service import service; print(service().hello['pid'])"
        pids = {
            int(
                subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()[
                    -1
                ]
            )
            for _ in range(2)
        }
        assert pids == {started.pid}
        state = shared.state_folder() / "state.json"
        assert state.stat().st_mode & 0o777 == 0o600
        assert shared.start_shared().pid == started.pid
        # A service of another version is not used, and not killed either.
        told = json.loads(state.read_text())
        monkeypatch.setattr("blocks.engines.sql_service.process.version", lambda jar: "newer")
        with pytest.raises(EngineError, match="expected a SQL service of version newer"):
            shared.connect()
        state.chmod(0o644)
        with pytest.raises(EngineError, match="not private"):
            shared.status()
        state.chmod(0o600)
        assert told["pid"] == started.pid
    finally:
        assert shared.stop_shared()
    assert not is_running(started.pid)
    assert not (shared.state_folder() / "state.json").exists()
    assert not shared.stop_shared()


@pytest.mark.slow
def test_what_a_killed_shared_service_left_is_cleaned_up(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    started = shared.start_shared()
    os.kill(started.pid, signal.SIGKILL)
    assert wait_ended(started.pid, 10)
    assert shared.connect() is None
    assert not started.log.parent.exists()


def test_archives_of_the_user_are_looked_at_before_they_are_used(sql, user_jar, tmp_path):
    plain = tmp_path / "plain.jar"
    plain.write_text("not an archive")
    wrong = UserJar(user_jar, "0" * 64)
    with pytest.raises(ConfigError) as caught:
        sql().plan("SELECT id FROM PCOLLECTION", {"PCOLLECTION": SCHEMA}, [tmp_path / "none.jar", plain, wrong])
    text = str(caught.value)
    assert "3 problems" in text
    assert "cannot read the archive" in text
    assert "not a Java archive" in text
    assert f"expected SHA-256 {'0' * 64}, got {jar_hash(user_jar)}" in text
    newer, twice, empty = tmp_path / "newer.jar", tmp_path / "twice.jar", tmp_path / "empty.jar"
    with zipfile.ZipFile(user_jar) as source, zipfile.ZipFile(newer, "w") as target:
        name = "blocks/service/functions/Fails.class"
        content = bytearray(source.read(name))
        content[6:8] = (200).to_bytes(2, "big")
        target.writestr(name, bytes(content))
    twice.write_bytes(user_jar.read_bytes())
    with zipfile.ZipFile(empty, "w") as target:
        target.writestr("a.txt", "")
    for jars, words in [
        ([newer], "was compiled for a newer Java"),
        ([user_jar, twice], "two functions are named"),
        ([empty], "no class with the annotation"),
    ]:
        (problem,) = sql().plan("SELECT id FROM PCOLLECTION", {"PCOLLECTION": SCHEMA}, jars).problems
        assert problem.kind == "jar"
        assert words in problem.message


ONE = """package acme;
import blocks.udf.*;
import org.apache.beam.sdk.extensions.sql.BeamSqlUdf;
@Function(name = "acme_one", description = "One.", arguments = "n",
    examples = @Example(call = "acme_one(1)", result = "1"))
public final class One implements BeamSqlUdf {{
  public static Long eval(Long n) {{ return n + {more}; }}
}}
"""


def test_an_archive_that_is_built_anew_runs_its_new_code_in_the_same_service(sql, tmp_path):
    archive, source = tmp_path / "acme.jar", tmp_path / "One.java"
    before = sql().hello["pid"]
    for more in (10, 20):
        source.write_text(ONE.format(more=more))
        compile_sources([source], [], class_path(), tmp_path / f"classes{more}")
        pack(tmp_path / f"classes{more}", archive)
        ran = run("SELECT acme_one(id) AS n FROM PCOLLECTION", {"PCOLLECTION": ROWS}, None, [archive])
        assert [row["n"] for row in ran.rows] == [1 + more, more - 2, 3 + more]
    assert sql().hello["pid"] == before


def test_expanded_steps_go_to_the_worker_that_the_caller_chooses(tmp_path):
    components = beam_runner_api_pb2.Components(
        environments={
            "external_1beam:env": beam_runner_api_pb2.Environment(urn="old", capabilities=["c"]),
            "python": beam_runner_api_pb2.Environment(urn="python"),
        }
    )
    local = with_environment(components, "external_1", local_environment("127.0.0.1:5", "secret"))
    environment = local.environments["external_1beam:env"]
    payload = beam_runner_api_pb2.ExternalPayload.FromString(environment.payload)
    assert environment.urn == common_urns.environments.EXTERNAL.urn
    assert (payload.endpoint.url, payload.params["blocks-token"]) == ("127.0.0.1:5", "secret")
    assert list(environment.capabilities) == ["c"]
    assert not environment.dependencies
    jar = tmp_path / "mine.jar"
    jar.write_bytes(b"mine")
    remote = with_environment(components, "external_1", docker_environment([jar]))
    environment = remote.environments["external_1beam:env"]
    container = beam_runner_api_pb2.DockerPayload.FromString(environment.payload).container_image
    files = [beam_runner_api_pb2.ArtifactFilePayload.FromString(one.type_payload) for one in environment.dependencies]
    assert container == "apache/beam_java17_sdk:2.70.0"
    assert {str(ready_jar()), str(jar)} <= {file.path for file in files}
    assert all(file.sha256 == jar_hash(__import__("pathlib").Path(file.path)) for file in files)
    assert "secret" not in str(remote)
    assert remote.environments["python"] == components.environments["python"] == local.environments["python"]


@pytest.mark.slow
def test_the_archive_is_the_same_to_the_byte(tmp_path):
    build(tmp_path / "again.jar")
    assert jar_hash(tmp_path / "again.jar") == jar_hash(ready_jar())


def test_a_forked_child_does_not_use_the_service_of_its_parent(sql):
    before = sql().hello["pid"]
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, b"none" if client._current is None else b"kept")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 10) == b"none"
    assert sql().hello["pid"] == before
    assert sql().plan("SELECT id FROM PCOLLECTION", {"PCOLLECTION": SCHEMA}).problems == ()
