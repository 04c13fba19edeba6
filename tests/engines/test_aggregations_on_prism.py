"""AggregateEvents on Prism, from a source that is read in pieces: the last revisions are those of a batch."""

from pathlib import Path
from random import Random

import apache_beam as beam
import pytest
from aggregation_streams import (
    DEFINITIONS,
    SOURCE,
    build,
    check_law,
    check_wall_clock,
    events_out_of_order,
    steps_of,
    wall_clock,
)
from apache_beam.options.pipeline_options import PipelineOptions
from test_prism import missing

from blocks.engines.prism import PrismEngine

pytestmark = [pytest.mark.prism, pytest.mark.skipif(bool(missing()), reason=missing())]
OPTIONS = PipelineOptions(["--environment_type=LOOPBACK"])
# Prism hands over the elements of a key in an order of its own: which event is late would be a matter of luck.
PATIENT = {"lateness": "11m", "state_ttl": "20m"}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", DEFINITIONS)
def test_the_last_revisions_of_a_stream_are_what_a_batch_gives(name: str, seed: int, tmp_path: Path) -> None:
    events = events_out_of_order(seed, 120)
    definition = {**SOURCE, **DEFINITIONS[name], **PATIENT}
    with PrismEngine(None, {}) as prism:
        pipeline = beam.Pipeline(runner=prism.runner, options=OPTIONS)
        run = build(pipeline, definition, steps_of(events, Random(seed)), tmp_path / "stream")
        pipeline.run().wait_until_finish()
    check_law(run, definition, events, tmp_path / "batch")


def test_the_wall_clock_gives_rows_every_so_often_and_after_idle_time(tmp_path: Path) -> None:
    definition, steps, events = wall_clock()
    with PrismEngine(None, {}) as prism:
        pipeline = beam.Pipeline(runner=prism.runner, options=OPTIONS)
        run = build(pipeline, definition, steps, tmp_path / "stream")
        pipeline.run().wait_until_finish()
    check_wall_clock(run, definition, events, tmp_path / "batch")
