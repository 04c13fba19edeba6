"""Everything that anyone runs twice. `nox -l` lists it; README.md says which two commands a new user needs.

Sessions make their own environments: with uv where it is on the PATH, otherwise with venv, into which uv is installed
first, because pip takes minutes to resolve Beam.
"""

import os
import re
import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2024.4.15"
nox.options.default_venv_backend = "uv|venv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["tests"]

ROOT = Path(__file__).parent
DEMO = ROOT / "demo-output"
EVENTS = "1000000"
JVM_TESTS = ("tests/engines", "tests/sql", "tests/commands", "tests/snippets")
# Read without a library: this file runs before anything is installed.
CATALOG = (ROOT / "catalog.yaml").read_text(encoding="utf-8")
BLOCKS = sorted(set(re.findall(r"^  - name: (\w+)$", CATALOG, re.MULTILINE)))


def install(session: nox.Session, *groups: str) -> None:
    """Installs the project, editable, with dependency groups."""
    asked = [argument for group in groups for argument in ("--group", group)]
    if session.venv_backend == "uv":
        session.install("-e", ".", *asked)
        return
    session.install("uv")
    session.run("uv", "pip", "install", "--python", str(session.virtualenv.bin) + "/python", "-e", ".", *asked)


@nox.session
def demo(session: nox.Session) -> None:
    """The main job: a million simulated events and real webhooks to masked, flat Iceberg tables; run twice."""
    install(session)
    shutil.rmtree(DEMO, ignore_errors=True)
    DEMO.mkdir()
    events = DEMO / "partner-events.jsonl"
    environment = {"BLOCKS_MASK_KEY": "demo-only key, never use it for real data"}
    simulate = ("--events", EVENTS, "--seed", "1", "--bad", "0.001", "--late", "0.01", "--out", str(events))
    session.run("blocks", "simulate", "partner-events", *simulate, env=environment)
    run = ("blocks", "run", "examples/demo.yaml", "--set", f"events={events}", "--set", f"output={DEMO}")
    check = ("python", "examples/check_demo.py", str(DEMO), EVENTS)
    session.run(*run, env=environment)
    session.run(*check, env=environment)
    session.log("Once more, the same range: the tables must hold exactly one copy of the data.")
    session.run(*run, env=environment)
    session.run(*check, "--same", env=environment)


@nox.session
def flights(session: nox.Session) -> None:
    """Features of 336,776 real flights, a training set among them: two Parquet files in build/flights."""
    install(session, "test")
    session.run("python", "examples/flights/flights.py", str(ROOT / "build" / "flights"))


@nox.session
def tests(session: nox.Session) -> None:
    """The everyday tests: real files, real Beam, real Iceberg; under 15 minutes. Arguments go to pytest."""
    install(session, "test")
    # What needs a Java runtime has sessions of its own.
    marks = "not slow and not jvm and not flink and not prism and not docs"
    session.run("pytest", "-m", marks, "-n", _workers(), *session.posargs, env=_test_environment())


@nox.session
@nox.parametrize("name", BLOCKS, ids=BLOCKS)
def block(session: nox.Session, name: str) -> None:
    """Everything that one block promises, slow promises and recorded outputs included: nox -s "block(MaskColumns)"."""
    install(session, "test")
    # Test ids begin with the name: without the bracket, MaskColumns would be found in UnmaskColumns too.
    chosen = ("-k", f"[{name}-", "-n", _workers())
    session.run("pytest", "tests/conformance", "tests/recorded", *chosen, *session.posargs, env=_test_environment())


@nox.session
def record(session: nox.Session) -> None:
    """Records what blocks give, for ever: nox -s record -- MaskColumns; all that have no record unless named."""
    install(session)
    session.run("python", "-m", "blocks.testing.recording", *session.posargs, env=_test_environment())


@nox.session
def slow(session: nox.Session) -> None:
    """Tests that take longer: more generated cases, larger inputs."""
    install(session, "test", "types")
    environment = _test_environment() | {"BLOCKS_HYPOTHESIS": "new"}
    marks = "slow and not laws and not flink and not jvm and not prism and not docs"
    session.run("pytest", "-m", marks, "-n", _workers(), *session.posargs, env=environment)


@nox.session
def laws(session: nox.Session) -> None:
    """Aggregations: ten thousand random streams, each against a batch and the naive fold, to the last bit."""
    install(session, "test")
    environment = _test_environment() | {"BLOCKS_HYPOTHESIS": "new"}
    session.run("pytest", "-m", "laws", "-n", _workers(), *session.posargs, env=environment)


@nox.session
def engines(session: nox.Session) -> None:
    """Flink on a real JVM: the demo gives the same tables as here, also where a worker is killed."""
    install(session, "test", "flink")
    session.run("pytest", "tests/engines", "-m", "flink", *session.posargs, env=_test_environment())


@nox.session
def prism(session: nox.Session) -> None:
    """Prism, Beam's runner in Go, built from its source where it is not in the cache: streams and wall-clock timers."""
    install(session, "test", "prism")
    program = session.run("python", "-m", "blocks.engines.prism_build", silent=True).split()[-1]
    environment = _test_environment() | {"BLOCKS_PRISM": program}
    session.run("pytest", "tests/engines", "-m", "prism", *session.posargs, env=environment)


@nox.session
def jvm(session: nox.Session) -> None:
    """Beam SQL and its functions in Java and Scala; a Java and a Scala pipeline that use blocks by name."""
    install(session, "test", "flink")
    marks = "jvm and not flink and not slow"
    session.run("pytest", *JVM_TESTS, "-m", marks, *session.posargs, env=_test_environment())


@nox.session
def jvm_slow(session: nox.Session) -> None:
    """Beam SQL at length: every operator and type, generated queries on both engines."""
    install(session, "test", "flink")
    marks = "jvm and not flink and slow"
    session.run("pytest", *JVM_TESTS, "-m", marks, *session.posargs, env=_test_environment())


@nox.session
def agreement(session: nox.Session) -> None:
    """Asks check_sql and Beam's planner about every query of the corpus, a table; `-- --generated 2000`, --pairs."""
    install(session, "test", "flink")
    out = ("--json", "benchmarks/results/agreement.json")
    session.run("python", "-m", "blocks.testing.agreement", *out, *session.posargs, env=_test_environment())


@nox.session
def lint(session: nox.Session) -> None:
    """ruff, its formatter, and the order of folders."""
    install(session, "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports")


@nox.session
def types(session: nox.Session) -> None:
    """mypy, strict."""
    install(session, "types")
    session.run("mypy")


@nox.session
def docs(session: nox.Session) -> None:
    """The site in build/site: reference (`-- --check` only compares it), warnings as errors, links, a real browser."""
    _chromium(session)
    install(session, "docs", "test")
    site = ROOT / "build" / "site"
    shutil.rmtree(site, ignore_errors=True)
    session.run("python", "-m", "blocks.catalog.reference", *session.posargs, env=_test_environment())
    session.run("sphinx-build", "-W", "--keep-going", "-n", "-q", "docs", str(site))
    session.run("python", "docs/check_links.py", str(site))
    environment = _test_environment() | {"BLOCKS_SITE": str(site), "BLOCKS_REQUIRE_CHROMIUM": "1"}
    session.run("pytest", "tests/docs", "-m", "docs", env=environment)


@nox.session
def bench(session: nox.Session) -> None:
    """Side by side with what users would write: `-- main_job`, aggregations, aggregation_state, check, engines, sql."""
    install(session, "bench", "flink")
    name, *options = session.posargs or ["main_job"]
    session.run("python", "-m", f"benchmarks.{name}", *options, env=_test_environment())


def _chromium(session: nox.Session) -> None:
    """Makes sure that there is a browser to look at the site with, and the fonts of the kept picture."""
    if shutil.which("chromium") or shutil.which("google-chrome"):
        return
    packages = ("chromium", "fonts-dejavu-core")
    if os.geteuid() != 0:
        session.error(f"apt-get install --no-install-recommends {' '.join(packages)}")
    session.run("apt-get", "update", "-qq", external=True)
    session.run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages, external=True)


def _workers() -> str:
    # Each worker imports Beam and holds pipelines: more than cores do not help.
    return str(min(os.cpu_count() or 1, 4))


def _test_environment() -> dict[str, str]:
    return {"BLOCKS_MASK_KEY": "test-only key, 32 bytes or longer"}
