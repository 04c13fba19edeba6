"""Queries over endless inputs: on Flink as a stream they give the rows that the same query gives over what ends.

The source hands out batches and watermarks in a given order, so that which row is late is no matter of time.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.portability.portable_runner import PortableRunner
from apache_beam.transforms import trigger as tr
from apache_beam.transforms.window import FixedWindows, GlobalWindows
from sql_streams import LABELS, POLICY, START, Bounded, Build, Stream, result

from blocks.core.batch_type import BatchType
from blocks.core.errors import ConfigError
from blocks.core.windows import WindowRows
from blocks.engines.flink import FlinkServer
from blocks.sql import run_sql
from blocks.sql.run_sql import RunSql

MINUTE = FixedWindows(60)
ORDERLY = [[(1, 0), (2, 10), (1, 35)], 30, [(1, 40), (2, 50)], 60, [(1, 70), (2, 95)], 90, [(2, 130)], 180]
# The last batch has a row of the first minute, which the watermark has left.
LATE = [[(1, 0), (2, 10)], [(1, 35)], 30, [(1, 40), (2, 50)], 60, [(1, 70)], 120, [(1, 5), (2, 130)], 180]


def sql(query: str, **options: Any) -> RunSql:
    return RunSql(query, policy=POLICY, timestamps="milliseconds", **options)


def grouped_by(window: str) -> Build:
    name, _, spans = window.partition(" ")
    start = f"{name}_START(`at`, {spans})"
    query = f"SELECT k, COUNT(*) AS n, {start} AS since FROM PCOLLECTION GROUP BY k, {name}(`at`, {spans})"
    return lambda pipeline, source: pipeline | source(ORDERLY) | sql(query)


def two(pipeline: beam.Pipeline, source: Callable[..., beam.PTransform]) -> dict[str, beam.PCollection]:
    return {name: pipeline | name >> source(ORDERLY) | f"{name} windows" >> WindowRows(MINUTE) for name in "ab"}


BUILDS: dict[str, tuple[int, Build]] = {
    "tumble": (5, grouped_by("TUMBLE INTERVAL '1' MINUTE")),
    "hop": (10, grouped_by("HOP INTERVAL '30' SECOND, INTERVAL '1' MINUTE")),
    "session": (6, grouped_by("SESSION INTERVAL '32' SECOND")),
    "two streams": (
        16,
        lambda pipeline, source: (
            two(pipeline, source) | sql("SELECT a.k, a.`at`, b.`at` AS other FROM a JOIN b ON a.k = b.k")
        ),
    ),
    "union without windows, in DuckDB": (
        12,
        lambda pipeline, source: (
            pipeline
            | source(ORDERLY)
            | sql("SELECT k FROM PCOLLECTION WHERE k = 1 UNION ALL SELECT k + 1 FROM PCOLLECTION")
        ),
    ),
}


def on_flink(flink: FlinkServer) -> list[str]:
    # Of several bundles at once the watermark would come when it comes.
    one_by_one = ["--parallelism=1", "--max_bundle_size=1", "--streaming"]
    return [f"--job_endpoint={flink.endpoint}", "--environment_type=LOOPBACK", *one_by_one]


@pytest.mark.slow
@pytest.mark.jvm
@pytest.mark.flink
@pytest.mark.parametrize(("count", "build"), BUILDS.values(), ids=BUILDS)
def test_a_stream_gives_the_rows_of_what_ends(count: int, build: Build, flink: FlinkServer, tmp_path: Path) -> None:
    wanted = result(build, Bounded, FnApiRunner(), [], tmp_path / "local")
    assert len(wanted) == count
    assert result(build, Stream, PortableRunner(), on_flink(flink), tmp_path / "stream") == wanted


ON_TIME = ["k=1 n=1 | to 120", "k=1 n=3 | to 60", "k=2 n=1 | to 180", "k=2 n=2 | to 60"]
EARLY_AND_LATE = tr.AfterWatermark(early=tr.AfterCount(1), late=tr.AfterCount(1))
DISCARDING, ACCUMULATING = tr.AccumulationMode.DISCARDING, tr.AccumulationMode.ACCUMULATING


@pytest.mark.slow
@pytest.mark.jvm
@pytest.mark.flink
@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, ON_TIME),
        # The late row alone; and of no window comes a last, empty pane.
        ({"allowed_lateness": 3600}, ["k=1 n=1 | to 60", *ON_TIME]),
        (
            {"allowed_lateness": 3600, "trigger": EARLY_AND_LATE, "accumulation_mode": ACCUMULATING},
            # Each row counted when it comes, and again on time.
            [
                *(f"k=1 n={n} | to 60" for n in (1, 2, 3, 3, 4)),
                *(f"k=1 n={n} | to 120" for n in (1, 1)),
                *(f"k=2 n={n} | to 60" for n in (1, 2, 2)),
                *(f"k=2 n={n} | to 180" for n in (1, 1)),
            ],
        ),
        (
            {"allowed_lateness": 3600, "trigger": EARLY_AND_LATE, "accumulation_mode": DISCARDING},
            # Each row alone; on time there is none left.
            [*["k=1 n=1 | to 60"] * 4, "k=1 n=1 | to 120", *["k=2 n=1 | to 60"] * 2, "k=2 n=1 | to 180"],
        ),
        (
            {
                "windowfn": GlobalWindows(),
                "trigger": tr.Repeatedly(tr.AfterCount(2)),
                "accumulation_mode": ACCUMULATING,
            },
            ["k=1 n=2 | global", "k=1 n=4 | global", "k=1 n=5 | global", "k=2 n=2 | global", "k=2 n=3 | global"],
        ),
    ],
    ids=["drops late rows", "waits for late rows", "early and late", "discarding", "a trigger without windows"],
)
def test_a_query_keeps_windows_lateness_and_trigger_of_its_input(
    options: dict[str, Any], wanted: list[str], flink: FlinkServer, tmp_path: Path
) -> None:
    def build(pipeline: beam.Pipeline, source: Callable[..., beam.PTransform]) -> beam.PCollection:
        windowed = pipeline | source(LATE) | WindowRows(**{"windowfn": MINUTE, **options})
        return windowed | sql("SELECT k, COUNT(*) AS n FROM PCOLLECTION GROUP BY k")

    found = result(build, Stream, PortableRunner(), on_flink(flink), tmp_path / "stream")
    assert found == sorted(wanted)


def beside_a_table(pipeline: beam.Pipeline, source: Callable[..., beam.PTransform]) -> beam.PCollection:
    made = pa.RecordBatch.from_pylist([{"k": 1, "label": "one"}, {"k": 3, "label": "three"}], LABELS)
    table = (
        pipeline | "One" >> beam.Create([0]) | "Table" >> beam.Map(lambda _: made).with_output_types(BatchType(LABELS))
    )
    inputs = {"e": pipeline | source(ORDERLY) | WindowRows(MINUTE), "t": table}
    return inputs | sql("SELECT e.k, e.`at`, t.label FROM e LEFT JOIN t ON e.k = t.k")


@pytest.mark.slow
@pytest.mark.jvm
def test_a_stream_is_joined_with_a_bounded_table_in_its_own_windows(tmp_path: Path) -> None:
    wanted = [
        *("k=1 at=0 label=one | to 60", "k=1 at=35 label=one | to 60", "k=1 at=40 label=one | to 60"),
        *("k=1 at=70 label=one | to 120", "k=2 at=10 label=None | to 60", "k=2 at=130 label=None | to 180"),
        *("k=2 at=50 label=None | to 60", "k=2 at=95 label=None | to 120"),
    ]
    assert result(beside_a_table, Stream, FnApiRunner(), [], tmp_path / "stream") == wanted


def test_a_job_server_is_given_no_join_of_a_stream_with_a_bounded_table() -> None:
    options = PipelineOptions(["--job_endpoint=localhost:1", "--environment_type=LOOPBACK", "--streaming"])
    with pytest.raises(ConfigError, match="Flink loses the table at its first checkpoint") as caught:
        beside_a_table(beam.Pipeline(runner=PortableRunner(), options=options), Stream)
    assert "JoinTable" in str(caught.value)


@pytest.mark.slow
@pytest.mark.jvm
@pytest.mark.flink
@pytest.mark.xfail(strict=True, raises=RuntimeError, reason="Flink (Beam 2.62) copies rows of side inputs by Kryo")
def test_flink_joins_a_stream_with_a_bounded_table(
    flink: FlinkServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_sql, "refuse_table_beside_stream", lambda *_: None)
    result(beside_a_table, Stream, PortableRunner(), on_flink(flink), tmp_path / "stream")


WRONG_WINDOW = pytest.mark.xfail(strict=True, raises=AssertionError, reason="windows of Beam Java 2.70 divide toward 0")


@pytest.mark.slow
@pytest.mark.jvm
@pytest.mark.parametrize(
    ("since_1970", "begin"), [(80, 60), pytest.param(-100, -120, marks=WRONG_WINDOW)], ids=["after", "before"]
)
@pytest.mark.parametrize(
    "window", ["TUMBLE INTERVAL '1' MINUTE", "HOP INTERVAL '1' MINUTE, INTERVAL '1' MINUTE"], ids=["tumble", "hop"]
)
def test_a_time_before_1970_is_in_its_own_window(window: str, since_1970: int, begin: int, tmp_path: Path) -> None:
    name, _, spans = window.partition(" ")
    query = (
        f"SELECT {name}_START(`at`, {spans}) AS since, COUNT(*) AS n FROM PCOLLECTION GROUP BY {name}(`at`, {spans})"
    )
    rows = [[(1, since_1970 - START)]]
    found = result(lambda p, source: p | source(rows) | sql(query), Bounded, FnApiRunner(), [], tmp_path / "out")
    assert found == [f"since={begin - START} n=1 | to {begin + 60 - START}"]
