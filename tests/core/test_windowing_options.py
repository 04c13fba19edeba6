"""Windows and triggers from options: what Beam is given, and how what cannot be used is told."""

from datetime import timedelta
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.testing.test_stream import TestStream
from apache_beam.transforms import core as beam_core
from apache_beam.transforms import trigger as t
from apache_beam.transforms import window as w
from apache_beam.typehints.row_type import RowTypeConstraint
from core_data import source

from blocks.core.batch_type import BatchType
from blocks.core.errors import BatchTypeError, ConfigError
from blocks.core.labels import with_event_time
from blocks.core.window_elements import WindowElements
from blocks.core.windows import WindowRows

DISCARDING, ACCUMULATING = t.AccumulationMode.DISCARDING, t.AccumulationMode.ACCUMULATING
TIME = pa.timestamp("us", "UTC")
SCHEMA = with_event_time(pa.schema([("key", pa.string()), ("value", pa.int64()), ("at", TIME)]), "at")
ROW = RowTypeConstraint.from_fields([("key", str), ("value", int)])

TENS = {"type": "tumbling", "size": "10s"}
GAPS = {"type": "session", "gap": "5s"}


# What Beam is given.

MEANT: list[tuple[dict[str, Any], beam_core.Windowing]] = [
    ({"windows": TENS}, beam_core.Windowing(w.FixedWindows(10))),
    (
        {"windows": {"type": "tumbling", "size": "1d", "offset": "30m"}, "allowed_lateness": "1h"},
        beam_core.Windowing(w.FixedWindows(86_400, 1800), allowed_lateness=3600),
    ),
    (
        {"windows": {"type": "hopping", "size": "1h", "period": "7m", "offset": "500ms"}, "allowed_lateness": 90},
        beam_core.Windowing(w.SlidingWindows(3600, 420, 0.5), allowed_lateness=90),
    ),
    (
        {"windows": TENS, "trigger": "after_watermark", "accumulation": "accumulating"},
        beam_core.Windowing(w.FixedWindows(10), t.AfterWatermark(), ACCUMULATING),
    ),
    (
        {
            "windows": {"type": "global"},
            "trigger": {"repeatedly": {"after_any": [{"after_count": 100}, {"after_processing_time": "1m"}]}},
            "accumulation": "discarding",
            "allowed_lateness": timedelta(days=1),
        },
        beam_core.Windowing(
            w.GlobalWindows(),
            t.Repeatedly(t.AfterAny(t.AfterCount(100), t.AfterProcessingTime(60))),
            DISCARDING,
            allowed_lateness=86_400,
        ),
    ),
    (
        {
            "windows": TENS,
            "trigger": {
                "after_watermark": {
                    "early": {"repeatedly": {"after_all": [{"after_count": 2}, {"after_processing_time": "5s"}]}},
                    "late": {"after_count": 1},
                }
            },
            "accumulation": "accumulating",
            "allowed_lateness": "2h",
        },
        beam_core.Windowing(
            w.FixedWindows(10),
            t.AfterWatermark(t.AfterAll(t.AfterCount(2), t.AfterProcessingTime(5)), t.AfterCount(1)),
            ACCUMULATING,
            allowed_lateness=7200,
        ),
    ),
    (
        {
            "windows": TENS,
            "trigger": {"after_each": [{"after_count": 1}, {"repeatedly": {"after_count": 3}}]},
            "accumulation": "discarding",
        },
        beam_core.Windowing(
            w.FixedWindows(10), t.AfterEach(t.AfterCount(1), t.Repeatedly(t.AfterCount(3))), DISCARDING
        ),
    ),
]


def _unbounded(element_type: Any) -> beam.PCollection:
    endless = beam.Pipeline() | TestStream() | beam.Map(lambda one: one).with_output_types(element_type)
    assert not endless.is_bounded
    return endless


def _parts(given: beam_core.Windowing) -> tuple[Any, ...]:
    # Beam does not compare delays of processing time, but shows them.
    return given.windowfn, repr(given.triggerfn), given.accumulation_mode, given.allowed_lateness


@pytest.mark.parametrize(("options", "meant"), MEANT)
def test_options_are_beams_own_windowing(options: dict[str, Any], meant: beam_core.Windowing) -> None:
    for found in (
        (_unbounded(ROW) | WindowElements(**options)).windowing,
        (_unbounded(BatchType(SCHEMA)) | WindowRows(**options)).windowing,
    ):
        assert _parts(found) == _parts(meant)


def test_sessions_are_beams_own() -> None:
    found = (_unbounded(ROW) | WindowElements({"type": "session", "gap": "90s"}, allowed_lateness="1m")).windowing
    assert _parts(found) == _parts(beam_core.Windowing(w.Sessions(90), allowed_lateness=60))


def test_the_comparison_sees_the_lateness_that_beam_forgets_of_a_windowing_given_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "blocks.core.window_elements.window_into", lambda windowing, _trigger, _bounded: beam.WindowInto(windowing)
    )
    options, meant = MEANT[1]
    assert _parts((_unbounded(ROW) | WindowElements(**options)).windowing) != _parts(meant)


def test_a_trigger_of_beam_is_taken_as_it_is() -> None:
    given = t.AfterWatermark(early=t.AfterCount(5))
    windowed = _unbounded(ROW) | WindowElements(TENS, trigger=given, accumulation="discarding")
    assert windowed.windowing.triggerfn is given
    made = beam.Pipeline() | source([], SCHEMA)
    rows = made | WindowRows(windows=TENS, trigger=given, accumulation_mode=ACCUMULATING)
    assert (rows.windowing.triggerfn, rows.windowing.accumulation_mode) == (given, ACCUMULATING)


# What is refused.


def test_every_mistake_is_told_at_once_with_its_place_and_the_nearest_name() -> None:
    with pytest.raises(ConfigError) as caught:
        WindowElements(
            {"type": "hopping", "size": "1hour", "every": "10m", "ofset": "1m"},
            trigger={"after_watermark": {"early": {"after_cuont": 1}, "late": {"after_count": 0}}},
            accumulation="discarded",
            allowed_lateness="a while",
        )
    found = [(one.where, one.what, one.fix) for one in caught.value.problems]
    assert found == [
        ("windows.size", "expected a time, got '1hour'", "write it as 30s, 10m, 2h or 1d"),
        ("windows.every", "hopping windows have no `every`", "here it is called `period`"),
        (
            "windows.ofset",
            "hopping windows have no `ofset`",
            "did you mean `offset`? there is: size, period, offset",
        ),
        (
            "accumulation",
            "no way of accumulating named `discarded`",
            "did you mean `discarding`? there is: discarding, accumulating",
        ),
        (
            "trigger.after_watermark.early.after_cuont",
            "no trigger `after_cuont`",
            "did you mean `after_count`? there is: after_count, after_processing_time, after_any, after_all",
        ),
        (
            "trigger.after_watermark.late.after_count",
            "expected a whole number from 1 to 2147483647",
            "write after_count: 100",
        ),
        ("allowed_lateness", "expected a time, got 'a while'", "write it as 30s, 10m, 2h or 1d"),
    ]


FIRES = {"accumulation": "discarding"}


@pytest.mark.parametrize(
    ("options", "where", "said"),
    [
        ({"windows": "1h"}, "windows", "expected a mapping with `type`"),
        ({"windows": {"size": "1h"}}, "windows", "expected a mapping with `type`"),
        ({"windows": {"type": "fixed", "size": "1h"}}, "windows.type", "here they are called `tumbling`"),
        ({"windows": {"type": "sliding"}}, "windows.type", "{type: hopping, size: 1h, period: 10m}"),
        ({"windows": {"type": "sesion", "gap": "1h"}}, "windows.type", "did you mean `session`"),
        ({"windows": {"type": "tumbling"}}, "windows", "tumbling windows need `size`"),
        ({"windows": {"type": "tumbling", "size": "0s"}}, "windows.size", "`size` is no time at all"),
        ({"windows": {"type": "tumbling", "size": "0.5ms"}}, "windows.size", "whole milliseconds"),
        ({"windows": {"type": "tumbling", "size": 30}}, "windows.size", "expected a time, got a int"),
        ({"windows": {"type": "global", "size": "1h"}}, "windows.size", "global windows have no `size`"),
        (
            {"windows": {"type": "tumbling", "size": "1h", "offset": "1h"}},
            "windows.offset",
            "not shorter than the size",
        ),
        (
            {"windows": {"type": "hopping", "size": "1h", "period": "10m", "offset": "15m"}},
            "windows.offset",
            "not shorter than the period",
        ),
        (
            {"windows": {"type": "hopping", "size": "10m", "period": "1h"}},
            "windows.period",
            "leaves out what lies between two windows",
        ),
        ({"windows": TENS, "trigger": {"after_count": 3}, **FIRES}, "trigger", "what comes after it would be lost"),
        ({"windows": TENS, "trigger": {"after_processing_time": "1m"}, **FIRES}, "trigger", "repeat it"),
        (
            {"windows": TENS, "trigger": "after_watermark", **FIRES, "allowed_lateness": "1h"},
            "trigger.after_watermark",
            "no trigger fires for them",
        ),
        ({"windows": TENS, "trigger": {"repeatedly": {"after_count": 3}}}, "accumulation", "what a later firing has"),
        ({"windows": TENS, "trigger": {}, **FIRES}, "trigger", "expected one trigger, got a dict"),
        ({"windows": TENS, "trigger": 5, **FIRES}, "trigger", "expected one trigger, got a int"),
        (
            {"windows": TENS, "trigger": {"after_count": 1, "after_processing_time": "1m"}, **FIRES},
            "trigger",
            "got several triggers",
        ),
        (
            {"windows": TENS, "trigger": {"repeatedly": {"repeatedly": {"after_count": 1}}}, **FIRES},
            "trigger.repeatedly.repeatedly",
            "cannot stand here",
        ),
        (
            {"windows": TENS, "trigger": {"after_watermark": {"early": "after_watermark"}}, **FIRES},
            "trigger.after_watermark.early.after_watermark",
            "where a trigger fires once",
        ),
        (
            {"windows": TENS, "trigger": {"repeatedly": {"after_any": [{"after_count": 1}]}}, **FIRES},
            "trigger.repeatedly.after_any",
            "a list of two triggers or more",
        ),
        (
            {"windows": TENS, "trigger": {"repeatedly": {"after_processing_time": "1.5s"}}, **FIRES},
            "trigger.repeatedly.after_processing_time",
            "whole seconds",
        ),
        ({"windows": TENS, "allowed_lateness": -1}, "allowed_lateness", "seconds of 0 or more"),
        ({"windows": TENS, "allowed_lateness": float("nan")}, "allowed_lateness", "seconds of 0 or more"),
        ({"windows": TENS, "allowed_lateness": True}, "allowed_lateness", "seconds of 0 or more"),
    ],
)
@pytest.mark.parametrize("block", [WindowElements, WindowRows])
def test_options_that_cannot_be_used_are_refused(block: Any, options: dict[str, Any], where: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        block(**options)
    (problem,) = caught.value.problems
    assert problem.where == f"{block.__name__}: {where}"
    assert said in f"{problem.what}\n{problem.fix}"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "nothing says which windows"),
        ({"windowfn": w.FixedWindows(5), "windows": TENS}, "both `windowfn` and `windows`"),
        ({"windows": GAPS}, "AsRows, then WindowElements"),
        ({"windowfn": w.Sessions(5)}, "AsRows, then WindowElements"),
        (
            {"windows": TENS, "accumulation": "discarding", "accumulation_mode": DISCARDING},
            "both `accumulation` and `accumulation_mode`",
        ),
        ({"windows": TENS, "accumulation_mode": "discarding"}, "write accumulation: discarding"),
        ({"windowfn": w.FixedWindows(5), "trigger": t.AfterCount(1)}, "what a later firing has"),
    ],
)
def test_what_batches_cannot_follow_or_says_two_things_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        WindowRows(**options)
    assert said in str(caught.value)


def test_batches_are_no_rows() -> None:
    batches = beam.Pipeline() | source([], SCHEMA)
    with pytest.raises(BatchTypeError, match="WindowRows"):
        batches | WindowElements(TENS)
