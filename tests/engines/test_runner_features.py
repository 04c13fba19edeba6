"""Which runner is right for which feature of state, timers and windows: each cell of the table in docs/runners.md.

A cell that says `right` has to be; any other is a strict expected failure of the kind that it names, so that a new
version of Beam that changes it is seen. Each runs in a process of its own, and one that does not end is ended.
"""

import multiprocessing
import re
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.portability.portable_runner import PortableRunner
from apache_beam.runners.runner import PipelineRunner
from runner_features import features, on_prism, run_feature
from test_prism import missing

from blocks.engines.flink import FlinkServer
from blocks.engines.prism import PrismEngine

PAGE = Path(__file__).parents[2] / "docs" / "runners.md"
SECONDS = 60
WORKERS_HERE = "--environment_type=LOOPBACK"
# Starts processes that have imported Beam already, and nothing of them runs in one that has threads.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["runner_features", "apache_beam.runners.direct.direct_runner", "blocks.engines.portable"])


class WrongRowsError(AssertionError):
    """The pipeline ended, with other rows."""


class FailedError(AssertionError):
    """The runner refused the pipeline, or it failed."""


class HungError(AssertionError):
    """The pipeline did not end."""


KINDS = {"wrong": WrongRowsError, "fails": FailedError, "hangs": HungError}


def table() -> dict[str, dict[str, str]]:
    """Feature to runner to what the page says of them."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    head = next(place for place, row in enumerate(cells) if row[1:2] == ["FnApiRunner"])
    found: dict[str, dict[str, str]] = {}
    for row in cells[head + 2 :]:
        if len(row) != len(cells[head]):
            break
        found[row[0]] = dict(zip(cells[head][1:], row[1:], strict=True))
    return found


def of(runner: str) -> list[Any]:
    """The features, marked as the page says that they are on a runner."""
    found = []
    for name, row in table().items():
        kind = re.match(r"\w+", row[runner])
        marks = []
        if row[runner] != "right":
            raises = KINDS[kind[0] if kind else ""]
            marks = [pytest.mark.xfail(strict=True, raises=raises, reason=f"{runner}: {row[runner]}")]
        found.append(pytest.param(name, marks=marks))
    return found


def check(name: str, folder: Path, make: Callable[[], PipelineRunner], options: list[str], count: int = 5) -> None:
    process = FORKS.Process(target=run_feature, args=(name, count, make, options, folder))
    process.start()
    process.join(SECONDS)
    if process.is_alive():
        process.kill()
        process.join()
        raise HungError(f"not ended after {SECONDS} s")
    if (folder / "error").exists():
        raise FailedError((folder / "error").read_text())
    rows = tuple(sorted((folder / "rows").read_text().splitlines()))
    if rows != tuple(sorted(features(count)[name].right)):
        raise WrongRowsError(f"got {rows}, and right is {features(count)[name].right}")


def test_the_page_has_a_row_for_each_feature_and_a_column_for_each_runner() -> None:
    assert list(table()) == list(features(5))
    assert {tuple(row) for row in table().values()} == {("FnApiRunner", "BundleBasedDirectRunner", "Prism", "Flink")}


@pytest.mark.parametrize(
    ("name", "seconds", "raised"),
    [
        ("processing-time timer, batch", SECONDS, WrongRowsError),
        ("TestStream", SECONDS, FailedError),
        ("event-time timer, PeriodicImpulse", 0.5, HungError),
    ],
)
def test_ways_to_go_wrong_are_told_apart(
    name: str, seconds: float, raised: type[AssertionError], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[__name__], "SECONDS", seconds)
    with pytest.raises(raised):
        check(name, tmp_path, FnApiRunner, [])


@pytest.mark.parametrize("name", of("FnApiRunner"))
def test_on_the_local_runner(name: str, tmp_path: Path) -> None:
    check(name, tmp_path, FnApiRunner, [])


@pytest.mark.parametrize("name", of("BundleBasedDirectRunner"))
def test_on_the_runner_for_test_streams(name: str, tmp_path: Path) -> None:
    check(name, tmp_path, BundleBasedDirectRunner, ["--streaming"])


@pytest.fixture
def prism() -> Iterator[str]:
    """The address of a Prism: for each test one, because it ends when a pipeline makes it panic."""
    with PrismEngine(None, {}) as engine:
        yield engine.runner.endpoint


@pytest.mark.prism
@pytest.mark.skipif(bool(missing()), reason=missing())
@pytest.mark.parametrize("name", of("Prism"))
def test_on_prism(name: str, prism: str, tmp_path: Path) -> None:
    check(name, tmp_path, partial(on_prism, prism), [WORKERS_HERE])


@pytest.mark.flink
@pytest.mark.parametrize("name", of("Flink"))
def test_on_flink(name: str, flink: FlinkServer, tmp_path: Path) -> None:
    options = [WORKERS_HERE, f"--job_endpoint={flink.endpoint}", "--parallelism=1"]
    if "batch" not in name and "window's end" not in name:
        # Without checkpoints Flink ends its sources at once, and a splittable one then no longer waits.
        options += ["--streaming", "--max_bundle_size=1", "--shutdown_sources_after_idle_ms=6000"]
    check(name, tmp_path, PortableRunner, options, count=16)
