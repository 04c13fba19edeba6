"""A block is made from config alone, travels to workers, and keeps batches what they are."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
from apache_beam.internal import pickler

from blocks.core import guards
from blocks.core.errors import BatchTypeError, BlocksError
from blocks.snippets.configs import block_of
from blocks.testing.comparing import differences
from blocks.testing.conformance.case import PICKLED, Case, no_pickled_batches
from blocks.testing.conformance.runs import parts_of


def builds_from_config(case: Case) -> Iterator[str]:
    """The example and the trial of the entry build a Beam transform, from plain values alone."""
    if (name := case.entry.load().__name__) != case.entry.name:
        yield f"the class is named {name}: rejects, counters and errors would name another block"
    with tempfile.TemporaryDirectory() as folder:
        configs = {"example": case.entry.example, "trial": case.config(Path(folder), case.feed())}
        for which, config in configs.items():
            try:
                block = block_of(case.entry, config, folder=case.root)
            except BlocksError as error:
                yield f"the {which} does not build: {error}"
                continue
            if not isinstance(block, beam.PTransform):
                yield f"the {which} builds a {type(block).__name__}, which is no beam.PTransform"


def pickles(case: Case) -> Iterator[str]:
    """The block is the same after Beam has pickled it."""
    with tempfile.TemporaryDirectory() as folder:
        feed = case.feed()
        block = case.block(folder, feed=feed)
        # Before it is part of a pipeline, which does not travel with it; a transform belongs to one pipeline.
        written = pickler.dumps(block)
        first = case.build(feed, Path(folder) / "first", rejects=False, block=block)
        second = case.build(feed, Path(folder) / "second", rejects=False, block=pickler.loads(written))
        if not all(map(_equal, first.schemas().values(), second.schemas().values())):
            yield "the copy gives other columns or labels"
        # Bad rows would stop a run without rejects, and a table would be written where it has been.
        elif case.entry.gives != "tables" and not case.plain.rejects.num_rows:
            yield from differences(case.plain.rows, case.run(feed, rejects=False, block=pickler.loads(written)).rows)


def _equal(one: pa.Schema, other: pa.Schema) -> bool:
    return bool(one.equals(other, check_metadata=True))


def stays_arrow(case: Case) -> Iterator[str]:
    """Beam pickles no batch, on no edge: every PCollection of batches has the coder of batches."""
    feed = case.feed(batches=parts_of(case.rows(), 29))
    with tempfile.TemporaryDirectory() as folder, no_pickled_batches():
        built = case.build(feed, Path(folder))
        try:
            guards.check_pipeline(built.pipeline)
            built.pipeline.run().wait_until_finish()
        except BatchTypeError as error:
            yield from (f"{problem.where}: {problem.what}" for problem in error.problems)
        except Exception as error:  # the tripwire's, within whatever Beam makes of it
            if PICKLED not in str(error):
                raise
            yield f"a batch was pickled while it ran: {str(error)[:500]}"
