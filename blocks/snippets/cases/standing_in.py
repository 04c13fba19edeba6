"""What stands where a snippet reads and writes while one of its tests runs: nothing outside is touched.

Steps that begin the pipeline give the rows of the test, steps that end it keep what reaches them, rejects go to a
folder that is removed, and every key of a policy is a fixed one that is no secret, so that a test gives the same masked
values on every machine and needs no key.
"""

import hashlib
import pickle
import threading
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.testing.test_stream import TestStream
from apache_beam.transforms.window import TimestampedValue
from apache_beam.utils.timestamp import MIN_TIMESTAMP, Timestamp

from blocks.core import keys, labels
from blocks.core.batch_type import BatchType
from blocks.core.block import stamped
from blocks.core.policy import Policy, read_policy
from blocks.core.rejects import Rejects
from blocks.core.times import earliest
from blocks.snippets.cases.checking import is_fed_bytes, named_step
from blocks.snippets.cases.reading import Case, Event
from blocks.snippets.cases.values import batch_of, record_of
from blocks.snippets.configs import StepBuilder
from blocks.snippets.graph import Step, ends_pipeline
from blocks.snippets.reading import Snippet

_SCHEME = "blocks_test"
# Seconds.
_LONG = 10**9
keys.register_key_source(_SCHEME, lambda name: hashlib.sha256(f"blocks test: {name}".encode()).digest())

_SEEN: dict[str, list[Any]] = {}
_LOCK = threading.Lock()


def without_secrets(policy: Policy) -> Policy:
    """The policy with keys that are no secrets."""
    return replace(policy, keys={name: f"{_SCHEME}:{name}" for name in policy.keys})


@dataclass(frozen=True)
class Rehearsal:
    """Builds the pipeline of a snippet for one test.

    Attributes:
      case: the test.
      mode: `batch` or `stream`.
      folder: for rejects.
    """

    case: Case
    mode: str
    folder: Path

    def keys(self, uris: Mapping[str, str]) -> dict[str, str]:
        """Keys that are no secrets, in the place of the keys of an option."""
        return {name: f"{_SCHEME}:{name}" for name in uris}

    def policy(self, policy: Policy) -> Policy:
        """A policy without secrets."""
        return without_secrets(policy)

    def rejects(self, snippet: Snippet) -> Rejects | None:
        """Rejects as the snippet keeps them, in a folder of the test."""
        if snippet.rejects is None:
            return None
        policy = read_policy(snippet.rejects.get("policy", snippet.policy))
        return Rejects(self.folder / "rejects", without_secrets(policy), "test")

    def stand_ins(
        self, pipeline: beam.Pipeline, steps: list[Step], blocks: Mapping[int, Any], builder: StepBuilder
    ) -> dict[int, beam.PTransform]:
        """Number of a step to what stands in its place."""
        given = {named_step(name, steps)[0].number: events for name, events in self.case.inputs.items()}
        found: dict[int, beam.PTransform] = {
            step.number: _End() for step in steps if ends_pipeline(step) and step.inputs
        }
        feeds = {}
        for step in steps:
            if not step.inputs:
                feeds[step.number] = _feed(step, blocks.get(step.number), given.get(step.number, ()), builder)
        streams = _streams(pipeline, feeds) if self.mode == "stream" else {}
        found.update({number: _Begin(feed, streams.get(number)) for number, feed in feeds.items()})
        return found


@dataclass(frozen=True)
class _Feed:
    """What a step that begins the pipeline gives.

    Attributes:
      events: of bytes.
      then: from bytes to what the step gives.
    """

    events: tuple[tuple[tuple[bytes, ...], Event], ...]
    then: beam.PTransform


def _feed(step: Step, block: Any, events: tuple[Event, ...], builder: StepBuilder) -> _Feed:
    if is_fed_bytes(step) and step.entry is not None:
        files = step.entry.input_files
        config = {name: value for name, value in step.config.items() if name not in files}
        parser = builder.build(replace(step, config=config))
        return _Feed(tuple((tuple(record_of(row.value) for row in one.rows), one) for one in events), parser)
    if step.entry is not None:
        schema = (beam.Pipeline() | block).element_type.schema
        made = ((batch_of([row.value for row in one.rows], schema), one) for one in events)
        records = ((_encoded(batch), one) for batch, one in made)
        return _Feed(tuple(records), beam.ParDo(_Decode(schema)).with_output_types(BatchType(schema)))
    rows = [[beam.Row(**row.value) for row in one.rows] for one in events]
    kind = beam.typehints.typehints.Union[
        tuple({beam.typehints.trivial_inference.instance_to_type(row) for of in rows for row in of}) or (Any,)
    ]
    pickled = tuple((tuple(map(pickle.dumps, of)), one) for of, one in zip(rows, events, strict=True))
    return _Feed(pickled, beam.Map(pickle.loads).with_output_types(kind))


def _encoded(batch: pa.RecordBatch) -> tuple[bytes, ...]:
    return (batch.serialize().to_pybytes(),) if batch.num_rows else ()


class _Decode(beam.DoFn):
    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema

    def setup(self) -> None:
        self._event_time = labels.event_time_of(self._schema)

    def process(
        self, encoded: Any, timestamp: Any = beam.DoFn.TimestampParam, window: Any = beam.DoFn.WindowParam
    ) -> Iterator[Any]:
        batch = pa.ipc.read_record_batch(pa.py_buffer(encoded), self._schema)
        at = earliest(batch, self._event_time)
        yield batch if at is None else stamped(batch, max(at, timestamp), window)


def _streams(pipeline: beam.Pipeline, feeds: Mapping[int, _Feed]) -> dict[int, beam.PCollection]:
    """One stream for all steps that read: several in a pipeline lose elements."""
    tags = {number: str(number) for number in feeds}
    stream = TestStream(coder=beam.coders.BytesCoder(), output_tags=set(tags.values()))
    watermarks = dict.fromkeys(feeds, MIN_TIMESTAMP)
    for turn in range(max((len(feed.events) for feed in feeds.values()), default=0)):
        for number, feed in feeds.items():
            if turn < len(feed.events):
                elements, event = feed.events[turn]
                if event.wait:
                    stream = stream.advance_processing_time(event.wait / 1_000_000)
                elif event.watermark is not None:
                    moved = Timestamp(micros=event.watermark)
                    # Beam refuses one that stays where it is.
                    if moved > watermarks[number]:
                        watermarks[number] = moved
                        stream = stream.advance_watermark_to(moved, tag=tags[number])
                elif elements:
                    at = watermarks[number] if event.at is None else Timestamp(micros=event.at)
                    stamps = [TimestampedValue(one, at) for one in elements]
                    stream = stream.add_elements(stamps, tag=tags[number])
    for tag in tags.values():
        stream = stream.advance_watermark_to_infinity(tag=tag)
    # A trigger that waits for processing time fires then; the runner would wait for it for ever.
    stream = stream.advance_processing_time(_LONG)
    outputs = pipeline | "Events of the test" >> stream
    if isinstance(outputs, beam.PCollection):
        return dict.fromkeys(tags, outputs)
    return {number: outputs[tag] for number, tag in tags.items()}


class _Begin(beam.PTransform):
    """Gives the rows of a test in the place of a step that reads."""

    def __init__(self, feed: _Feed, stream: beam.PCollection | None) -> None:
        super().__init__()
        self._feed, self._stream = feed, stream

    def expand(self, begin: Any) -> Any:
        if self._stream is not None:
            records = self._stream | "Events" >> beam.Map(_same).with_output_types(bytes)
        else:
            every = [one for elements, _ in self._feed.events for one in elements]
            # Without a shuffle: what rests there would have to pass the policy, and a reader has none.
            records = begin | "Rows" >> beam.Create(every, reshuffle=False).with_output_types(bytes)
        return records | "Read" >> self._feed.then


def _same(record: bytes) -> bytes:
    return record


class _End(beam.PTransform):
    """Stands where a step writes: nothing is written."""

    def expand(self, pcoll: Any) -> Any:
        first = next(iter(pcoll.values())) if isinstance(pcoll, dict) else pcoll
        return first | "Nothing" >> beam.ParDo(_Nothing()).with_output_types(int)


class _Nothing(beam.DoFn):
    def process(self, element: Any) -> None:
        pass


class Kept(beam.PTransform):
    """Keeps what is in a PCollection, for the process that asks: tests run in one process."""

    def __init__(self) -> None:
        super().__init__()
        self._key = uuid.uuid4().hex
        with _LOCK:
            _SEEN[self._key] = []

    def expand(self, pcoll: beam.PCollection) -> beam.PCollection:
        """Keeps every element."""
        return pcoll | "Keep" >> beam.ParDo(_Keep(self._key)).with_output_types(int)

    def elements(self) -> list[Any]:
        """What was kept; they are then let go."""
        with _LOCK:
            return _SEEN.pop(self._key, [])


class _Keep(beam.DoFn):
    def __init__(self, key: str) -> None:
        self._key = key

    def process(self, element: Any, window: Any = beam.DoFn.WindowParam) -> None:
        # Who asks for the window is given a row once for each that it is in.
        with _LOCK:
            _SEEN[self._key].append(element)
