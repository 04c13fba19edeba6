"""The base of stateless blocks: a config, a schema function and a batch function."""

import pickle
import shutil
import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from apache_beam.metrics import MetricsFilter
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.transforms import window as w
from core_data import check, run, source

from blocks.core import labels
from blocks.core.batch_type import MAX_BYTES, MAX_ROWS, BatchType
from blocks.core.block import BatchBlock, Outcome, pieces
from blocks.core.errors import BatchTypeError, ColumnError, all_problems, repeated_names, unknown_column
from blocks.core.rejects import REJECT_SCHEMA, Reject, Rejects
from blocks.core.windows import WindowRows

TIME = pa.timestamp("us", "UTC")
SCHEMA = labels.with_event_time(
    pa.schema([pa.field("uid", pa.int64(), metadata={"blocks.label": "public"}), ("at", TIME)]), "at"
)


class RenameColumns(BatchBlock):
    """Gives columns other names; the example of the design."""

    def __init__(self, columns: Mapping[str, str]) -> None:
        self.columns = dict(columns)

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        with all_problems("RenameColumns", ColumnError) as problems:
            problems.extend(unknown_column(name, schema.names) for name in self.columns if name not in schema.names)
            renamed = pa.schema([field.with_name(self.columns.get(field.name, field.name)) for field in schema])
            problems.extend(repeated_names(renamed.names))
        return renamed

    def batch_function(self, schema: pa.Schema) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        names = self.output_schema(schema).names
        return lambda batch: batch.rename_columns(names)


class Given(BatchBlock):
    """Does with batches what the test says."""

    def __init__(self, function: Callable[[pa.RecordBatch], Any], output: pa.Schema | None = None) -> None:
        super().__init__()
        self._given, self._declares = function, output

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        return self._declares or schema

    def batch_function(self, schema: pa.Schema) -> Callable[[pa.RecordBatch], Any]:
        return self._given


class RejectOdd(Given):
    """Rejects odd rows."""

    can_reject = True

    def __init__(self, rejects: Rejects | None = None) -> None:
        super().__init__(_without_odd)
        self.rejects = rejects


def _without_odd(batch: pa.RecordBatch) -> Outcome:
    odd = pc.equal(pc.bit_wise_and(batch.column("uid"), 1), 1)
    rejects = [Reject("RejectOdd", "1.0", "odd", "an odd number", "uid") for _ in range(odd.true_count)]
    return Outcome(batch.filter(pc.invert(odd)), rejects)


def batch(micros: list[int | None]) -> pa.RecordBatch:
    times = pa.array(micros, pa.int64()).cast(TIME)
    return pa.RecordBatch.from_arrays([pa.array(range(len(times)), pa.int64()), times], schema=SCHEMA)


class Stamps(beam.DoFn):
    def process(self, one: Any, timestamp: Any = beam.DoFn.TimestampParam) -> Iterator[str]:
        yield f"{one.column(0).to_pylist()} at {timestamp.micros}"


def _stamps(made: list[pa.RecordBatch], block: BatchBlock, wanted: list[str], *before: Any) -> Any:
    def build(pipeline: beam.Pipeline) -> None:
        given = pipeline | source(made)
        for step in before:
            given |= step
        assert_that(given | block | beam.ParDo(Stamps()).with_output_types(str), equal_to(wanted))

    return run(build)


def _is(found: object, wanted: object) -> None:
    assert found == wanted


def test_the_example_of_the_design_renames_and_keeps_labels() -> None:
    def build(pipeline: beam.Pipeline) -> None:
        renamed = pipeline | source([batch([1])]) | RenameColumns({"uid": "user_id"})
        assert renamed.element_type.schema.names == ["user_id", "at"]
        assert labels.labels_of(renamed.element_type.schema.field("user_id")) == {"public"}
        check(renamed | beam.Reshuffle(), lambda found: _is(found[0].column("user_id").to_pylist(), [0]))

    run(build)


def test_every_mistake_is_reported_at_once_when_the_pipeline_is_built() -> None:
    with pytest.raises(ColumnError) as caught:
        beam.Pipeline() | source([], SCHEMA) | RenameColumns({"uidd": "x", "name": "y", "uid": "at"})
    assert [problem.what for problem in caught.value.problems] == [
        "no column `uidd`",
        "no column `name`",
        "2 columns would be named `at`",
    ]


@pytest.mark.parametrize("hint", [int, typing.Any, pa.RecordBatch])
def test_an_input_that_is_not_made_of_batches_is_refused_with_block_and_remedy(hint: Any) -> None:
    given = beam.Pipeline() | beam.Create([1]) | "Mine" >> beam.Map(lambda one: one).with_output_types(hint)
    with pytest.raises(BatchTypeError) as caught:
        given | RenameColumns({})
    assert "where: RenameColumns" in str(caught.value)
    assert "from `Mine`" in str(caught.value)
    assert "AsBatches(schema)" in str(caught.value)


def test_the_batch_function_is_made_once_a_worker_and_not_once_a_batch(tmp_path: Path) -> None:
    class Counts(Given):
        def batch_function(self, schema: pa.Schema) -> Callable[[pa.RecordBatch], Any]:
            with (tmp_path / "made").open("a") as made:
                made.write("x")
            return lambda one: one

    run(lambda pipeline: pipeline | source([batch([1])] * 20) | Counts(lambda one: one))
    assert (tmp_path / "made").read_text() == "x"


def test_the_timestamp_follows_when_the_earliest_row_goes() -> None:
    later = Given(lambda one: one.filter(pc.greater(one.column("uid"), 0)))
    _stamps([batch([1000, 3000, 2000])], later, ["[1, 2] at 2000"], WindowRows(w.GlobalWindows()))


def test_the_timestamp_does_not_go_before_that_of_the_input() -> None:
    earlier = Given(lambda one: one.set_column(1, SCHEMA.field("at"), batch([-5000]).column("at")))
    _stamps([batch([1000])], earlier, ["[0] at 1000"], WindowRows(w.GlobalWindows()))


def test_rows_without_event_time_keep_the_timestamp_of_the_input() -> None:
    empty = Given(lambda one: one.set_column(1, SCHEMA.field("at"), pa.nulls(one.num_rows, TIME)))
    _stamps([batch([1000])], empty, ["[0] at 1000"], WindowRows(w.GlobalWindows()))


@pytest.mark.parametrize("keeps", [False, True])
def test_sliding_windows_do_not_repeat_rows(keeps: bool) -> None:
    block = Given(lambda one: one)
    block.keeps_rows = keeps
    made = [batch([0, 1000, 2000])]
    _stamps(made, block, ["[0, 1, 2] at 0"] * 3, WindowRows(w.SlidingWindows(60, 20)))


def test_empty_output_is_dropped_and_large_output_is_cut() -> None:
    wide = pa.schema([("text", pa.string())])
    many = pa.RecordBatch.from_arrays([pa.array(["x" * 1000] * 20_000)], schema=wide)
    few = Given(lambda one: [many.slice(0, 0), many, many.slice(0, 1)], wide)

    def matcher(found: list[pa.RecordBatch]) -> None:
        assert sum(one.num_rows for one in found) == 20_001
        assert all(0 < one.num_rows <= MAX_ROWS and one.nbytes <= MAX_BYTES for one in found)

    run(lambda pipeline: check(pipeline | source([batch([1])]) | few, matcher))


def test_outputs_are_taken_one_by_one() -> None:
    seen: list[int] = []

    def explode(one: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        for number in range(3):
            seen.append(number)
            yield one

    block = Given(explode)
    from blocks.core.block import _BatchDoFn

    step = _BatchDoFn(block, SCHEMA, SCHEMA)
    step.setup()
    produced = step.process(batch([1]), w.MIN_TIMESTAMP, w.GlobalWindow())
    next(produced)
    assert seen == [0]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda one: one.select(["uid"]),
        lambda one: one.rename_columns(["x", "at"]),
        lambda one: one.set_column(0, "uid", one.column(0).cast(pa.int32())),
        lambda one: one.set_column(0, pa.field("uid", pa.int64(), False), one.column(0)),
    ],
)
def test_a_batch_function_that_breaks_the_declared_schema_is_seen_where_it_happens(wrong: Any) -> None:
    with pytest.raises(Exception, match="the block declares"):
        run(lambda pipeline: pipeline | source([batch([1])]) | Given(wrong))


def test_labels_that_a_batch_function_loses_come_back_also_below_the_top() -> None:
    inner = pa.struct([pa.field("x", pa.int64(), metadata={"blocks.label": "pii.name"})])
    schema = pa.schema([pa.field("s", inner)])
    bare = pa.record_batch([pa.array([{"x": 1}])], names=["s"])
    seen: list[str] = []

    class See(Given):
        def batch_function(self, schema: pa.Schema) -> Any:
            def see(one: pa.RecordBatch) -> pa.RecordBatch:
                assert labels.labels_of(one.column(0).type.field("x")) == {"pii.name"}
                assert one.schema.equals(schema, check_metadata=True)
                return one

            return see

    run(lambda pipeline: pipeline | source([batch([1])]) | "Lose" >> Given(lambda _: bare, schema) | See(print))
    assert not seen


def test_rows_are_counted() -> None:
    result = run(lambda pipeline: pipeline | source([batch([1, 2, 3]), batch([4])]) | Given(lambda one: one.slice(1)))
    counts = {
        counter.key.metric.name: counter.committed
        for counter in result.metrics().query(MetricsFilter().with_namespace("blocks"))["counters"]
    }
    assert counts["Given:rows_in"] == 4
    assert counts["Given:rows_out"] == 2
    assert counts["Given:busy_us"] >= 0


def test_rows_are_rows_plus_rejects_and_rejects_are_typed(tmp_path: Path) -> None:
    def build(pipeline: beam.Pipeline) -> None:
        with Rejects(tmp_path / "rejects", run_id="r1") as rejects:
            rows = pipeline | source([batch([1] * 5), batch([2] * 2)]) | RejectOdd(rejects)
            assert rows.element_type == BatchType(SCHEMA)
        check(rows, lambda found: _is(sorted(n for one in found for n in one.column(0).to_pylist()), [0, 0, 2, 4]))

    result = run(build)
    written = pq.read_table(tmp_path / "rejects")
    assert written.num_rows == 3
    assert set(written.column("code").to_pylist()) == {"odd"}
    counters = result.metrics().query(MetricsFilter().with_name("RejectOdd:rows_rejected"))["counters"]
    assert [counter.committed for counter in counters] == [3]
    shutil.rmtree(tmp_path / "rejects")


def test_the_reject_output_is_typed(tmp_path: Path) -> None:
    kinds: list[Any] = []

    class See(Rejects):
        def add_error_pcollection(self, pcoll: beam.PCollection) -> None:
            kinds.append(pcoll.element_type)
            super().add_error_pcollection(pcoll)

    with beam.Pipeline() as pipeline, See(tmp_path / "rejects") as rejects:
        pipeline | source([], SCHEMA) | RejectOdd(rejects)
    assert kinds == [BatchType(REJECT_SCHEMA)]


def test_without_a_handler_the_first_reject_stops_the_pipeline() -> None:
    with pytest.raises(Exception, match="odd: an odd number"):
        run(lambda pipeline: pipeline | source([batch([1] * 5)]) | RejectOdd())


def test_a_block_that_says_it_cannot_reject_stops_instead_of_losing_rejects(tmp_path: Path) -> None:
    block = Given(_without_odd)
    with pytest.raises(Exception, match="odd: an odd number"):
        run(lambda pipeline: pipeline | source([batch([1] * 5)]) | block)


def test_a_pickled_block_holds_no_pipeline_and_no_rejects_handler(tmp_path: Path) -> None:
    with beam.Pipeline() as pipeline, Rejects(tmp_path / "rejects", run_id="r1") as rejects:
        block = RejectOdd(rejects)
        block.pipeline = pipeline
        pipeline | source([batch([1])]) | block
        again = pickle.loads(pickle.dumps(block))
    assert again.pipeline is None
    assert again.rejects == rejects.settings()
    assert isinstance(block.rejects, Rejects)


# Pieces


@pytest.mark.parametrize("kind", [pa.string(), pa.string_view(), pa.binary_view()], ids=str)
def test_pieces_are_within_both_bounds_whatever_the_rows_widths(kind: pa.DataType) -> None:
    texts = [(b"x" if "binary" in str(kind) else "x") * (5000 if n % 97 == 3 else n % 7) for n in range(3000)]
    whole = pa.RecordBatch.from_arrays([pa.array(texts, kind)], names=["text"]).slice(11)
    found = list(pieces(whole, max_rows=500, max_bytes=12_000))
    assert [one for piece in found for one in piece.column(0).to_pylist()] == texts[11:]
    sizes = [sum(map(len, piece.column(0).to_pylist())) for piece in found]
    assert all(size <= 12_000 for size in sizes)
    assert all(piece.num_rows <= 500 for piece in found)
    assert len(found) < 200


def test_a_row_wider_than_the_bound_stands_alone() -> None:
    whole = pa.record_batch([pa.array(["a", "x" * 1000, "b"])], names=["text"])
    assert [piece.num_rows for piece in pieces(whole, max_bytes=100)] == [1, 1, 1]


def test_a_slice_of_a_large_batch_is_one_piece() -> None:
    whole = pa.RecordBatch.from_arrays([pa.array(["x" * 100] * 1000, pa.string_view())], names=["text"])
    part = whole.slice(500, 20)
    assert [piece.num_rows for piece in pieces(part, max_bytes=10_000)] == [20]
    assert list(pieces(whole.slice(0, 0))) == []
