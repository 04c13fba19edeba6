"""Checks of a whole pipeline: each fault is planted and refused, and its allowed twin passes."""

from collections.abc import Callable, Iterator
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.coders import VarIntCoder
from apache_beam.io.restriction_trackers import OffsetRange, OffsetRestrictionTracker
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that
from apache_beam.transforms.core import RestrictionProvider
from apache_beam.transforms.periodicsequence import PeriodicImpulse
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import ReadModifyWriteStateSpec, TimerSpec, on_timer
from apache_beam.typehints import typehints as hints

from blocks.core import labels
from blocks.core.batch_type import BatchType
from blocks.core.batches import UnionBatches
from blocks.core.errors import BlocksError, ConfigError, PrivacyError
from blocks.core.guards import check_pipeline
from blocks.core.windows import WindowRows
from blocks.masking.mask_columns import MaskColumns

AT = labels.with_event_time(pa.schema([pa.field("at", pa.timestamp("us", "UTC"))]), "at").field(0)
AT = labels.with_labels(AT, ["public"])
PRIVATE = pa.schema(
    [
        AT,
        labels.with_labels(pa.field("n", pa.int64()), ["public"]),
        labels.with_labels(pa.field("email", pa.string()), ["pii.email"]),
    ]
)
PUBLIC = pa.schema([AT, PRIVATE.field("n")])
OTHER = pa.schema([labels.with_labels(pa.field("m", pa.int64()), ["public"])])
EMAIL = {"public": "keep", "pii.email": "redact"}
# Takes the e-mail address as it is on a shuffle, which the other destinations of the other policies do not.
OPEN_SHUFFLE = {
    "destinations": {
        "warehouse": {"labels": EMAIL},
        "shuffle": {"labels": {"public": "keep", "pii.email": "keep"}},
        "state": {"labels": {"public": "keep", "pii.email": "keep"}},
    }
}
CLOSED = {"destinations": {"warehouse": {"labels": EMAIL}}}
DROPPING = {"destinations": {"warehouse": {"labels": {"public": "keep", "pii.email": "drop"}}}}
MASKED_SHUFFLE = {
    "destinations": {"warehouse": {"labels": EMAIL}, "shuffle": {"labels": EMAIL}, "state": {"labels": EMAIL}}
}


def batch(schema: pa.Schema, rows: int = 3) -> pa.RecordBatch:
    columns = {
        "at": pa.array(range(0, rows * 3_600_000_000, 3_600_000_000), pa.int64()).cast(pa.timestamp("us", "UTC")),
        "n": pa.array(range(rows)),
        "m": pa.array(range(rows)),
        "email": pa.array([f"ana{number}@example.org" for number in range(rows)]),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)


def source(p: beam.Pipeline, schema: pa.Schema, name: str = "Make") -> beam.PCollection:
    made = batch(schema)
    return (
        p
        | name >> beam.Create([0])
        | f"{name} batches" >> beam.Map(lambda _: made).with_output_types(BatchType(schema))
    )


def run(build: Callable[[beam.PCollection], Any], schema: pa.Schema, policy: Any = None) -> None:
    """Runs a pipeline of these steps after batches of this schema; a block makes it check itself."""
    with beam.Pipeline(runner=FnApiRunner()) as p:
        batches = source(p, schema)
        # Before the step, so that what it gives is not touched; the block's output is not used.
        _ = batches | "A block" >> MaskColumns(policy, "warehouse")
        build(batches)


def refused(build: Callable[[beam.PCollection], Any], schema: pa.Schema, policy: Any = None) -> str:
    with pytest.raises(BlocksError) as caught:
        run(build, schema, policy)
    assert all(problem.fix for problem in caught.value.problems)
    return f"{type(caught.value).__name__}: {caught.value}"


COUNT = beam.DoFn.StateParam(ReadModifyWriteStateSpec("count", VarIntCoder()))


class StatefulCount(beam.DoFn):
    def process(self, element: Any, count: Any = COUNT) -> Iterator[int]:
        count.write((count.read() or 0) + element[1].num_rows)
        yield count.read()


class Size(beam.CombineFn):
    def create_accumulator(self) -> int:
        return 0

    def add_input(self, total: int, element: Any) -> int:
        return total + element.num_rows

    def merge_accumulators(self, totals: Any) -> int:
        return sum(totals)

    def extract_output(self, total: int) -> int:
        return total


def sizes(name: str = "Sizes") -> beam.PTransform:
    return name >> beam.Map(lambda element: element.num_rows).with_output_types(int)


def keyed(batches: beam.PCollection) -> beam.PCollection:
    return batches | "Key" >> beam.Map(lambda one: ("k", one)).with_output_types(hints.Tuple[str, batches.element_type])


class Inner(beam.PTransform):
    """A user's own transform with a shuffle in it."""

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        return batches | "Spread" >> beam.Reshuffle() | sizes()


class OneByOne(RestrictionProvider):
    def initial_restriction(self, element: Any) -> OffsetRange:
        return OffsetRange(0, 1)

    def create_tracker(self, restriction: OffsetRange) -> OffsetRestrictionTracker:
        return OffsetRestrictionTracker(restriction)

    def restriction_size(self, element: Any, restriction: OffsetRange) -> int:
        return restriction.size()


TRACKER = beam.DoFn.RestrictionParam(OneByOne())


class Splittable(beam.DoFn):
    def process(self, element: Any, tracker: Any = TRACKER) -> Iterator[int]:
        if tracker.try_claim(0):
            yield element.num_rows


RESTING: dict[str, Callable[[beam.PCollection], Any]] = {
    "Reshuffle": lambda b: b | beam.Reshuffle() | sizes(),
    "Reshuffle in a transform of the user": lambda b: b | "Mine" >> Inner(),
    "GroupByKey": lambda b: keyed(b) | beam.GroupByKey() | beam.Map(lambda kv: 3).with_output_types(int),
    "CombineGlobally": lambda b: b | beam.CombineGlobally(Size()).with_output_types(int),
    "CombinePerKey": lambda b: keyed(b) | beam.CombinePerKey(Size()).with_output_types(hints.Tuple[str, int]),
    "Count": lambda b: b | beam.combiners.Count.Globally(),
    "GroupIntoBatches": lambda b: (
        keyed(b) | beam.GroupIntoBatches(2) | "Done" >> beam.Map(lambda kv: 3).with_output_types(int)
    ),
    "a stateful DoFn": lambda b: keyed(b) | beam.ParDo(StatefulCount()).with_output_types(int),
    "a side input as a list": lambda b: (
        b.pipeline
        | "Other" >> beam.Create([1])
        | beam.Map(lambda one, many: len(many), beam.pvalue.AsList(b)).with_output_types(int)
    ),
    "a side input as an iterable": lambda b: (
        b.pipeline
        | "Other" >> beam.Create([1])
        | beam.Map(lambda one, many: 1, beam.pvalue.AsIter(b)).with_output_types(int)
    ),
    "a list in a GroupByKey": lambda b: (
        b
        | "List" >> beam.Map(lambda one: ("k", [one])).with_output_types(hints.Tuple[str, hints.List[b.element_type]])
        | beam.GroupByKey()
        | "Done" >> beam.Map(lambda kv: 3).with_output_types(int)
    ),
    "an optional in a Reshuffle": lambda b: (
        b
        | "Maybe" >> beam.Map(lambda one: one).with_output_types(hints.Optional[b.element_type])
        | beam.Reshuffle()
        | sizes()
    ),
}


@pytest.mark.parametrize("name", RESTING)
def test_raw_personal_columns_do_not_rest(name: str) -> None:
    found = refused(RESTING[name], PRIVATE, CLOSED)
    assert found.startswith("PrivacyError: ")
    assert "field `email`" in found
    assert "(shuffle)" in found
    assert "does not name `shuffle`" in found
    assert ("(state)" in found) == (name in ("a stateful DoFn", "GroupIntoBatches"))


@pytest.mark.parametrize("name", RESTING)
def test_public_columns_may_rest_anywhere(name: str) -> None:
    run(RESTING[name], PUBLIC)


@pytest.mark.parametrize("name", ["Reshuffle", "a stateful DoFn", "a side input as a list"])
def test_a_policy_that_lets_labels_rest_is_followed(name: str) -> None:
    run(RESTING[name], PRIVATE, OPEN_SHUFFLE)


def test_a_splittable_dofn_holds_elements_in_checkpoints() -> None:
    found = refused(lambda b: b | beam.ParDo(Splittable()).with_output_types(int), PRIVATE, CLOSED)
    assert "(state)" in found
    run(lambda b: b | beam.ParDo(Splittable()).with_output_types(int), PUBLIC)


@pytest.mark.parametrize("name", ["Reshuffle", "GroupByKey"])
def test_without_any_policy_labels_do_not_rest(name: str) -> None:
    p = beam.Pipeline(runner=FnApiRunner())
    # UnionBatches has no policy, but it is a block.
    RESTING[name]((source(p, PRIVATE),) | UnionBatches())
    with pytest.raises(PrivacyError, match="there is no policy"):
        p.run()


def test_masked_columns_rest_where_the_policy_asks_for_this_mask_and_nowhere_else() -> None:
    run(lambda b: b | "M" >> MaskColumns(MASKED_SHUFFLE) | beam.Reshuffle() | sizes(), PRIVATE, MASKED_SHUFFLE)
    run(lambda b: b | "M" >> MaskColumns(DROPPING) | beam.Reshuffle() | sizes(), PRIVATE, DROPPING)
    assert "does not name `shuffle`" in refused(
        lambda b: b | "M" >> MaskColumns(CLOSED) | beam.Reshuffle() | sizes(), PRIVATE, CLOSED
    )


def test_every_policy_of_the_pipeline_must_let_a_label_rest() -> None:
    found = refused(lambda b: (b | "M" >> MaskColumns(CLOSED), b | beam.Reshuffle() | sizes()), PRIVATE, OPEN_SHUFFLE)
    assert "does not name `shuffle`" in found


def test_every_problem_of_the_pipeline_is_in_one_error() -> None:
    found = refused(lambda b: (b | "One" >> beam.Reshuffle() | sizes(), keyed(b) | beam.GroupByKey()), PRIVATE, CLOSED)
    assert found.startswith("PrivacyError: 2 problems")
    assert "`One`" in found
    assert "`GroupByKey`" in found


def test_run_checks_as_the_with_statement_does() -> None:
    p = beam.Pipeline(runner=FnApiRunner())
    source(p, PRIVATE) | MaskColumns(CLOSED)
    _ = source(p, PRIVATE, "Again") | beam.Reshuffle()
    with pytest.raises(PrivacyError, match="Reshuffle"):
        p.run()


# --- pickled batches ----------------------------------------------------------------------------------------------


def untyped_tags(b: beam.PCollection) -> Any:
    def split(one: Any) -> Iterator[Any]:
        yield beam.pvalue.TaggedOutput("odd", one)

    outputs = b | "Split" >> beam.FlatMap(split).with_outputs("odd", main="even")
    return outputs.odd | sizes()


def typed_tags(b: beam.PCollection) -> Any:
    def split(one: Any) -> Iterator[Any]:
        yield beam.pvalue.TaggedOutput("odd", one)

    typed = beam.FlatMap(split).with_output_types(b.element_type, odd=b.element_type)
    outputs = b | "Split" >> typed.with_outputs("odd", main="even")
    return outputs.odd | sizes()


def flattened(b: beam.PCollection) -> Any:
    return (b, source(b.pipeline, OTHER, "Other")) | beam.Flatten() | sizes()


def unknown(one: Any) -> Any:
    return one.slice(0, 1)


def with_type(kind: Callable[[Any], Any], wrap: Callable[[Any], Any] = lambda one: one) -> Any:
    def build(b: beam.PCollection) -> Any:
        step = beam.Map(wrap).with_output_types(kind(b.element_type))
        return b | "Step" >> step | "Next" >> beam.Map(lambda element: 3).with_output_types(int)

    return build


PICKLED: dict[str, tuple[Callable[[beam.PCollection], Any], str]] = {
    "Flatten of unequal types": (flattened, "Flatten"),
    "an untyped tagged output": (untyped_tags, "output `odd`"),
    "a Map without a type": (lambda b: b | "Step" >> beam.Map(unknown) | sizes(), "does not say what it gives"),
    "a key and no type": (
        lambda b: b | "Step" >> beam.Map(lambda one: ("k", unknown(one))) | beam.GroupByKey() | beam.Map(print),
        "does not say what it gives",
    ),
    "a record batch as the type": (with_type(lambda kind: pa.RecordBatch), "RecordBatch, which has no schema"),
    "a table as the type": (with_type(lambda kind: pa.Table), "Table, which has no schema"),
    "record batches in a list of tuples": (
        with_type(lambda kind: hints.List[hints.Tuple[int, pa.RecordBatch]]),
        "RecordBatch, which has no schema",
    ),
    "Any in a tuple": (with_type(lambda kind: hints.Tuple[str, hints.Any]), "does not say what it gives"),
    "a union": (with_type(lambda kind: hints.Union[kind, int]), "Beam has no coder"),
    "a union in a tuple": (with_type(lambda kind: hints.Tuple[str, hints.Union[kind, int]]), "Beam has no coder"),
    "a dict": (with_type(lambda kind: hints.Dict[str, kind]), "Beam has no coder"),
    "CoGroupByKey, which gives a dict": (
        lambda b: {"one": keyed(b)} | beam.CoGroupByKey() | "Done" >> beam.Map(lambda kv: 3).with_output_types(int),
        "Beam has no coder",
    ),
    "a set": (with_type(lambda kind: hints.Set[kind]), "Beam has no coder"),
    "a combination without a type": (
        lambda b: (
            b | beam.CombineGlobally(lambda many: next(iter(many))) | beam.Map(lambda one: 1).with_output_types(int)
        ),
        "does not say what it gives",
    ),
    "a dict that Beam guessed": (
        lambda b: b | "Step" >> beam.Map(lambda one: {"k": unknown(one)}) | beam.Map(lambda one: 1),
        "does not say what it gives",
    ),
    "a side input that is a batch": (
        lambda b: (
            b.pipeline
            | "Other" >> beam.Create([1])
            | "Step" >> beam.Map(lambda one, many: many[0], beam.pvalue.AsList(b)).with_output_types(hints.Any)
            | sizes()
        ),
        "does not say what it gives",
    ),
}


@pytest.mark.parametrize("name", PICKLED)
def test_batches_are_not_pickled(name: str) -> None:
    build, what = PICKLED[name]
    found = refused(build, PUBLIC)
    assert found.startswith("BatchTypeError: ")
    assert "batches would be pickled" in found
    assert what in found
    assert "with_output_types" in found


TYPED: dict[str, Callable[[beam.PCollection], Any]] = {
    "Flatten of equal types": lambda b: (b, source(b.pipeline, PUBLIC, "Other")) | beam.Flatten() | sizes(),
    "UnionBatches of unequal types": lambda b: (
        (b, source(b.pipeline, OTHER, "Other")) | UnionBatches(missing="null") | sizes()
    ),
    "a typed tagged output": typed_tags,
    "the batch type": with_type(lambda kind: kind),
    "a type that is no batch": with_type(lambda kind: int, lambda one: one.num_rows),
    "a tuple": with_type(lambda kind: hints.Tuple[str, kind], lambda one: ("k", one)),
    "a list": with_type(lambda kind: hints.List[kind], lambda one: [one]),
    "an iterable": with_type(lambda kind: hints.Iterable[kind], lambda one: [one]),
    "an optional": with_type(lambda kind: hints.Optional[kind]),
    "rows as dicts": lambda b: (
        b
        | "Rows" >> beam.FlatMap(lambda one: one.to_pylist()).with_output_types(dict)
        | "Next" >> beam.Map(lambda row: row["n"])
    ),
    "rows as typed dicts": lambda b: (
        b
        | "Rows" >> beam.FlatMap(lambda one: one.to_pylist()).with_output_types(hints.Dict[str, hints.Any])
        | "Next" >> beam.Map(lambda row: row["n"])
    ),
    "rows as dicts with a key": lambda b: (
        b
        | "Rows"
        >> beam.FlatMap(lambda one: [("k", row) for row in one.to_pylist()]).with_output_types(hints.Tuple[str, dict])
        | beam.GroupByKey()
    ),
    "BatchElements": lambda b: (
        b | beam.BatchElements(2, 10) | "Next" >> beam.Map(lambda many: len(many)).with_output_types(int)
    ),
    "a Map that gives what it got": lambda b: b | beam.Map(lambda one: one) | sizes(),
    "a Filter": lambda b: b | beam.Filter(lambda one: one.num_rows > 1) | sizes(),
    "an untyped output that nobody takes": lambda b: b | beam.Map(unknown),
    "WithKeys and GroupByKey": lambda b: (
        b | beam.WithKeys("k") | beam.GroupByKey() | "Next" >> beam.Map(lambda kv: 3).with_output_types(int)
    ),
    "windows and Reshuffle": lambda b: b | WindowRows(beam.window.FixedWindows(3600)) | beam.Reshuffle() | sizes(),
    "sliding windows and GroupByKey": lambda b: (
        keyed(b | WindowRows(beam.window.SlidingWindows(7200, 3600)))
        | beam.GroupByKey()
        | "Next" >> beam.Map(lambda kv: 3).with_output_types(int)
    ),
}


@pytest.mark.parametrize("name", TYPED)
def test_what_has_a_coder_passes(name: str) -> None:
    run(TYPED[name], PUBLIC)


def test_declared_steps_give_the_right_rows() -> None:
    def total(found: list[Any]) -> None:
        assert sum(found) == 3

    run(lambda b: assert_that(b | beam.Reshuffle() | sizes(), total), PUBLIC)
    run(
        lambda b: assert_that(b | WindowRows(beam.window.FixedWindows(3600)) | sizes(), total, reify_windows=False),
        PUBLIC,
    )


# --- windows ------------------------------------------------------------------------------------------------------


def test_windowinto_over_batches_is_refused_with_what_to_use() -> None:
    for windowfn in (beam.window.FixedWindows(60), beam.window.Sessions(60)):
        found = refused(lambda b, fn=windowfn: b | beam.WindowInto(fn) | sizes(), PUBLIC)
        assert found.startswith("BatchTypeError: ")
        assert "earliest row" in found
        assert "WindowRows" in found


def test_windowinto_over_keyed_batches_is_refused_too() -> None:
    assert "earliest row" in refused(lambda b: keyed(b) | beam.WindowInto(beam.window.FixedWindows(60)), PUBLIC)


def test_global_windows_and_windows_of_other_elements_pass() -> None:
    run(lambda b: b | beam.WindowInto(beam.window.GlobalWindows()) | sizes(), PUBLIC)
    run(lambda b: b | sizes() | beam.WindowInto(beam.window.FixedWindows(60)), PUBLIC)
    run(lambda b: b | WindowRows(beam.window.FixedWindows(60)) | sizes(), PUBLIC)


# --- timers on FnApiRunner ----------------------------------------------------------------------------------------


SOON = beam.DoFn.TimerParam(TimerSpec("soon", TimeDomain.WATERMARK))


class Timed(beam.DoFn):
    """Says 1 when the watermark is ten seconds after an element."""

    def process(self, element: Any, at: Any = beam.DoFn.TimestampParam, timer: Any = SOON) -> None:
        timer.set(at + 10)

    @on_timer(SOON.timer_spec)
    def said(self) -> Iterator[int]:
        yield 1


def timed(source: beam.PTransform, runner: Any, step: beam.DoFn) -> beam.Pipeline:
    p = beam.Pipeline(runner=runner)
    keyed = p | "Source" >> source | "Key" >> beam.Map(lambda one: ("k", 1)).with_output_types(tuple[str, int])
    _ = keyed | "Step" >> beam.ParDo(step).with_output_types(int)
    return p


def test_an_endless_source_before_timers_is_refused_on_the_local_runner() -> None:
    endless = timed(PeriodicImpulse(), FnApiRunner(), Timed())
    with pytest.raises(ConfigError, match="fires timers too early") as caught:
        check_pipeline(endless)
    (problem,) = caught.value.problems
    assert problem.where == "the pipeline: `Step`"
    assert "Prism or Flink" in problem.fix


def test_a_block_makes_the_pipeline_look_for_it() -> None:
    endless = timed(PeriodicImpulse(), FnApiRunner(), Timed())
    _ = source(endless, PUBLIC) | MaskColumns(None, "warehouse")
    with pytest.raises(ConfigError, match="fires timers too early"):
        endless.run()


@pytest.mark.parametrize(
    ("source", "runner", "step"),
    [
        (beam.Create([1]), FnApiRunner(), Timed()),
        (PeriodicImpulse(), BundleBasedDirectRunner(), Timed()),
        (PeriodicImpulse(), FnApiRunner(), beam.Map(lambda one: 1).dofn),
    ],
    ids=["bounded", "another runner", "no timers"],
)
def test_other_streams_and_timers_pass(source: beam.PTransform, runner: Any, step: beam.DoFn) -> None:
    check_pipeline(timed(source, runner, step))
