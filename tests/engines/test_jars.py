"""Fetching Java archives by lock file, from a repository in a folder."""

import hashlib
import http.server
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from blocks.core.errors import ConfigError
from blocks.engines.jars import FLINK_LOCK, MAVEN_CENTRAL, JarError, fetch_jars, read_lock, repository_url

CONTENT = {"one": b"first archive", "two": b"second archive"}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A Maven repository with two archives."""
    for name, content in CONTENT.items():
        path = tmp_path / "repository" / "org" / "example" / name / "1.0" / f"{name}-1.0.jar"
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    return tmp_path / "repository"


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """A lock file of both."""
    lines = [f"{hashlib.sha256(content).hexdigest()}  org.example:{name}:1.0" for name, content in CONTENT.items()]
    path = tmp_path / "test.lock"
    path.write_text("# a comment\n\n" + "\n".join(lines) + "\n")
    return path


def test_archives_are_fetched_in_the_order_of_the_lock_and_then_need_no_repository(
    repository: Path, lock: Path, tmp_path: Path
) -> None:
    seen: list[tuple[int, int]] = []
    paths = fetch_jars(
        lock, cache=tmp_path / "c", repository=repository.as_uri(), progress=lambda *done: seen.append(done)
    )
    assert [path.read_bytes() for path in paths] == list(CONTENT.values())
    assert seen == [(1, 2), (2, 2)]
    assert fetch_jars(lock, cache=tmp_path / "c", repository="https://nowhere.invalid") == paths


def test_an_archive_with_another_hash_is_refused_and_not_kept(repository: Path, lock: Path, tmp_path: Path) -> None:
    (repository / "org/example/two/1.0/two-1.0.jar").write_bytes(b"planted")
    with pytest.raises(JarError) as caught:
        fetch_jars(lock, cache=tmp_path / "c", repository=repository.as_uri())
    shown = str(caught.value)
    assert "expected SHA-256" in shown
    assert hashlib.sha256(b"planted").hexdigest() in shown
    assert "org.example:two:1.0" in shown
    assert [path.name for path in (tmp_path / "c").rglob("*") if path.is_file()] == ["one-1.0.jar"]


def test_every_archive_that_is_not_there_is_named(repository: Path, lock: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(JarError) as caught:
        fetch_jars(lock, cache=tmp_path / "c", repository=empty.as_uri())
    assert len(caught.value.problems) == 2
    assert "BLOCKS_MAVEN_URL" in str(caught.value)


def test_the_password_of_a_repository_is_not_shown(lock: Path, tmp_path: Path) -> None:
    with pytest.raises(JarError) as caught:
        fetch_jars(lock, cache=tmp_path / "c", repository="ftp://someone:secret-word@host.invalid/maven2")
    assert "secret-word" not in str(caught.value)
    assert "host.invalid/maven2" in str(caught.value)


def test_several_at_once_keep_whole_archives_only(repository: Path, lock: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor(6) as pool:
        runs = [pool.submit(fetch_jars, lock, cache=tmp_path / "c", repository=repository.as_uri()) for _ in range(6)]
        for run in runs:
            assert [path.read_bytes() for path in run.result()] == list(CONTENT.values())
    assert len([path for path in (tmp_path / "c").rglob("*") if path.is_file()]) == 2


def test_every_bad_line_of_a_lock_is_named(tmp_path: Path) -> None:
    lock = tmp_path / "bad.lock"
    good = "a" * 64
    lock.write_text(f"{good}  g:a:1\nabc  g:a:1\n{good}  g:a\n{good}  ../..:a:1\n{good} g:a:1\n")
    with pytest.raises(ConfigError) as caught:
        read_lock(lock)
    assert [problem.where for problem in caught.value.problems] == ["line 2", "line 3", "line 4", "line 5"]


def test_the_repository_is_that_of_the_environment_or_the_settings_or_maven_central(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("BLOCKS_MAVEN_URL", raising=False)
    assert repository_url() == MAVEN_CENTRAL
    settings = tmp_path / ".m2" / "settings.xml"
    settings.parent.mkdir()
    mirror = "<mirror><id>m</id><mirrorOf>{}</mirrorOf><url>https://mirror.invalid/m2/</url></mirror>"
    head = '<settings xmlns="http://maven.apache.org/SETTINGS/1.2.0"><mirrors>'
    settings.write_text(head + mirror.format("other") + "</mirrors></settings>")
    assert repository_url() == MAVEN_CENTRAL
    settings.write_text(head + mirror.format("central") + "</mirrors></settings>")
    assert repository_url() == "https://mirror.invalid/m2"
    settings.write_text("<not xml")
    assert repository_url() == MAVEN_CENTRAL
    monkeypatch.setenv("BLOCKS_MAVEN_URL", "file:///srv/maven/")
    assert repository_url() == "file:///srv/maven"


def test_the_lock_of_flink_names_the_job_server_once_each() -> None:
    jars = read_lock(FLINK_LOCK)
    assert len({jar.path for jar in jars}) == len(jars) > 100
    assert {"beam-runners-flink-1.19", "beam-runners-java-job-service"} <= {jar.artifact for jar in jars}


def test_a_download_that_is_cut_is_refused_and_not_kept_and_the_next_try_gets_it(lock: Path, tmp_path: Path) -> None:
    whole = threading.Event()

    class Repository(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = next(content for name, content in CONTENT.items() if f"/{name}/" in self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content if whole.is_set() else content[:5])

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("localhost", 0), Repository) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://localhost:{server.server_address[1]}"
        with pytest.raises(JarError) as caught:
            fetch_jars(lock, cache=tmp_path / "c", repository=url)
        assert len(caught.value.problems) == 2
        assert "IncompleteRead" in str(caught.value)
        assert not [path for path in (tmp_path / "c").rglob("*") if path.is_file()]
        whole.set()
        paths = fetch_jars(lock, cache=tmp_path / "c", repository=url)
        server.shutdown()
    assert [path.read_bytes() for path in paths] == list(CONTENT.values())


def test_without_a_network_every_archive_that_is_missing_is_named_and_those_in_the_cache_are_not_asked_for(
    repository: Path, lock: Path, tmp_path: Path
) -> None:
    with socket.socket() as closed:
        closed.bind(("localhost", 0))
        nowhere = f"http://localhost:{closed.getsockname()[1]}"
        with pytest.raises(JarError) as caught:
            fetch_jars(lock, cache=tmp_path / "c", repository=nowhere)
        assert len(caught.value.problems) == 2
        assert "Connection refused" in str(caught.value)
        assert "BLOCKS_MAVEN_URL" in str(caught.value)
        paths = fetch_jars(lock, cache=tmp_path / "c", repository=repository.as_uri())
        assert fetch_jars(lock, cache=tmp_path / "c", repository=nowhere) == paths
