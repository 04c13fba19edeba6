"""Reads the key `tests` of a snippet.

tests:
- name: masks and keeps only settled orders
parameters: {from: 2026-01-01}
inputs:
ReadJson: [{order_id: a, email: a@example.com}, "not JSON"]    # rows; raw records as text
expect:
WriteWarehouse: [{order_id: a, email: {masked: hmac}}]         # what reaches a step that ends the pipeline
MaskColumns: {columns: [order_id, email]}                     # what leaves any other step
rejects: [{code: malformed_json}]
- name: a late order
stream:
ReadJson:
- {at: "2026-01-01 12:00", rows: [{order_id: a}]}
- {watermark: "2026-01-01 13:00"}
- {wait: 5m}
expect: {WriteWarehouse: [{order_id: a}]}
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from blocks.catalog.options import value_kind
from blocks.core.durations import duration_micros
from blocks.core.errors import Problem, nearest
from blocks.core.strict_yaml import Document
from blocks.snippets.graph import Place

_KEYS = ("name", "parameters", "inputs", "stream", "expect", "rejects", "modes")
_EVENT_KEYS = ("at", "rows", "watermark", "wait")
_EXPECT_KEYS = ("rows", "columns")
_REJECT_KEYS = ("code", "block", "message", "field_path", "record", "event_time")
MODES = ("batch", "stream")


@dataclass(frozen=True)
class Row:
    """A row of an input (a mapping of columns, or the text of a raw record), or an expected one."""

    place: Place
    value: Any


@dataclass(frozen=True)
class Event:
    """Rows at a time, a step of the watermark, or a while of processing time.

    Attributes:
      rows: that arrive together.
      at: their timestamp in microseconds; None if it is that of the rows.
      watermark: in microseconds; None if this is no step of the watermark.
      wait: microseconds that pass; 0 if this is no such while.
    """

    rows: tuple[Row, ...] = ()
    at: int | None = None
    watermark: int | None = None
    wait: int = 0


@dataclass(frozen=True)
class Expected:
    """What is expected of a step.

    Attributes:
      step: as it is named in the test.
      place: in the document.
      rows: that leave or reach it; None if they do not matter.
      columns: their names in order; None if they do not matter.
    """

    step: str
    place: Place
    rows: tuple[Row, ...] | None = None
    columns: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Case:
    """One test.

    Attributes:
      name: for people, and for `-k`.
      place: in the document.
      parameters: values, as text.
      inputs: name of a step to its events: one for each row where the test gives rows only.
      timed: whether the test gives events.
      expect: of steps.
      rejects: those that are expected, none unless given; each names some of the columns of a reject.
      modes: in which it runs; None for all in which it can.
    """

    name: str
    place: Place
    parameters: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, tuple[Event, ...]] = field(default_factory=dict)
    timed: bool = False
    expect: tuple[Expected, ...] = ()
    rejects: tuple[Row, ...] = ()
    modes: tuple[str, ...] | None = None

    def input_place(self, step: str) -> Place:
        """Where the input of a step is."""
        return (*self.place, "stream" if self.timed else "inputs", step)


def read_cases(document: Document, content: Any, problems: list[Problem]) -> tuple[Case, ...]:
    """The tests of a snippet; what is wrong with their form goes to `problems`."""
    if content is None:
        return ()
    return tuple(_Reader(document, problems).cases(content))


class _Reader:
    def __init__(self, document: Document, problems: list[Problem]) -> None:
        self._document, self._problems = document, problems

    def cases(self, content: Any) -> Iterator[Case]:
        if not isinstance(content, list):
            self._add(f"`tests` is a list, got {value_kind(content)}", ("tests",), "write `- name: ...` below it")
            return
        names: set[str] = set()
        for number, one in enumerate(content):
            at: Place = ("tests", number)
            if not isinstance(one, dict):
                self._add(f"a test is a mapping, got {value_kind(one)}", at, "begin with `name:`")
                continue
            name = one.get("name")
            if not isinstance(name, str) or not name:
                self._add("a test has a `name`, a text", (*at, "name"), "say what it shows")
                name = f"test {number + 1}"
            if name in names:
                self._add(f"two tests are named `{name}`", (*at, "name"), "give them different names")
            names.add(name)
            yield self._case(name, one, at)

    def _case(self, name: str, one: dict[str, Any], at: Place) -> Case:
        self._known(one, _KEYS, at, "a test")
        timed = "stream" in one
        if timed and "inputs" in one:
            self._add("a test has `inputs` or `stream`", (*at, "inputs"), "make two tests of it", key=True)
        if not timed and not one.get("inputs"):
            self._add("a test has `inputs`", at, "write `inputs: {ReadJson: [{...}]}`, or `stream:` for timed events")
        if not one.get("expect") and "rejects" not in one:
            self._add("a test expects something", at, "write `expect: {STEP: [{...}]}`, or `rejects: [...]`")
        return Case(
            name,
            at,
            dict(self._parameters(one.get("parameters"), (*at, "parameters"))),
            dict(self._inputs(one.get("stream" if timed else "inputs"), (*at, "stream" if timed else "inputs"), timed)),
            timed,
            tuple(self._expect(one.get("expect"), (*at, "expect"))),
            tuple(self._rejects(one.get("rejects"), (*at, "rejects"))),
            self._modes(one.get("modes"), (*at, "modes")),
        )

    def _parameters(self, content: Any, at: Place) -> Iterator[tuple[str, str]]:
        for name, value in self._mapping(content, at, "`parameters` is a mapping", "write {from: 2026-01-01}").items():
            if isinstance(value, bool):
                yield name, str(value).lower()
            elif isinstance(value, str | int | float | date):
                yield name, str(value)
            else:
                self._add(f"a parameter is a plain value, got {value_kind(value)}", (*at, name), "write a plain value")

    def _inputs(self, content: Any, at: Place, timed: bool) -> Iterator[tuple[str, tuple[Event, ...]]]:
        form = "write {ReadJson: [{at: '2026-01-01 12:00', rows: [...]}]}" if timed else "write {ReadJson: [{...}]}"
        for step, given in self._mapping(content, at, "an input is named by its step", form).items():
            place = (*at, step)
            if not isinstance(given, list):
                self._add(f"an input is a list, got {value_kind(given)}", place, form)
            elif timed:
                yield step, tuple(self._events(given, place, form))
            else:
                yield step, tuple(Event((row,)) for row in self._rows(given, place, raw=True))

    def _events(self, given: list[Any], at: Place, form: str) -> Iterator[Event]:
        last: int | None = None
        for number, one in enumerate(given):
            place = (*at, number)
            if not isinstance(one, dict) or sum(key in one for key in ("rows", "watermark", "wait")) != 1:
                self._add("an event has `rows` (and maybe `at`), a `watermark`, or a `wait`", place, form)
                continue
            self._known(one, _EVENT_KEYS, place, "an event")
            if "watermark" in one:
                watermark = self._time(one["watermark"], (*place, "watermark"))
                if watermark is not None and last is not None and watermark < last:
                    fix = "write it after those that are earlier: a watermark never goes back"
                    self._add("a watermark that is earlier than the one before", (*place, "watermark"), fix)
                last = watermark if watermark is not None else last
                yield Event(watermark=watermark)
            elif "wait" in one:
                where = self._document.where((*place, "wait"))
                yield Event(wait=duration_micros(one["wait"], where, self._problems))
            elif not isinstance(one["rows"], list):
                self._add(f"`rows` is a list, got {value_kind(one['rows'])}", (*place, "rows"), form)
            else:
                stamp = self._time(one["at"], (*place, "at")) if "at" in one else None
                yield Event(tuple(self._rows(one["rows"], (*place, "rows"), raw=True)), stamp)

    def _time(self, value: Any, at: Place) -> int | None:
        try:
            moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        except ValueError:
            self._add("not a time", at, "write '2026-01-31 12:00:00', in UTC unless it says otherwise")
            return None
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        return round(moment.timestamp() * 1_000_000)

    def _rows(self, given: list[Any], at: Place, raw: bool = False) -> Iterator[Row]:
        for number, one in enumerate(given):
            if isinstance(one, dict) or (raw and isinstance(one, str)):
                yield Row((*at, number), one)
            else:
                what = f"a row is a mapping{' or the text of a record' if raw else ''}, got {value_kind(one)}"
                self._add(what, (*at, number), "write {column: value}")

    def _expect(self, content: Any, at: Place) -> Iterator[Expected]:
        form = "write {WriteWarehouse: [{...}]}, or {MaskColumns: {columns: [...], rows: [{...}]}}"
        for step, given in self._mapping(content, at, "what is expected is named by its step", form).items():
            place = (*at, step)
            if isinstance(given, list):
                yield Expected(step, place, tuple(self._rows(given, place)))
                continue
            if not isinstance(given, dict) or not given:
                self._add(f"expected a list of rows, got {value_kind(given)}", place, form)
                continue
            self._known(given, _EXPECT_KEYS, place, "what is expected")
            rows, columns = given.get("rows"), given.get("columns")
            if columns is not None and not (isinstance(columns, list) and all(isinstance(one, str) for one in columns)):
                self._add("`columns` is a list of names", (*place, "columns"), form)
                columns = None
            if rows is not None and not isinstance(rows, list):
                self._add(f"`rows` is a list, got {value_kind(rows)}", (*place, "rows"), form)
                rows = None
            yield Expected(
                step,
                place,
                None if rows is None else tuple(self._rows(rows, (*place, "rows"))),
                None if columns is None else tuple(columns),
            )

    def _rejects(self, content: Any, at: Place) -> Iterator[Row]:
        if content is None:
            return
        if not isinstance(content, list):
            self._add(f"`rejects` is a list, got {value_kind(content)}", at, "write [{code: wrong_type}]")
            return
        for row in self._rows(content, at):
            self._known(row.value, _REJECT_KEYS, row.place, "a reject")
            yield row

    def _modes(self, content: Any, at: Place) -> tuple[str, ...] | None:
        if content is None:
            return None
        found = content if isinstance(content, list) else [content]
        for one in found:
            if one not in MODES:
                self._add("a mode is batch or stream", at, "write [batch], [stream] or [batch, stream]")
                return None
        return tuple(found)

    def _mapping(self, content: Any, at: Place, what: str, form: str) -> dict[str, Any]:
        if content is None:
            return {}
        if not isinstance(content, dict):
            self._add(f"{what}, got {value_kind(content)}", at, form)
            return {}
        return content

    def _known(self, content: dict[str, Any], keys: tuple[str, ...], at: Place, of: str) -> None:
        for key in content:
            if key not in keys:
                self._add(f"unknown key `{key}` of {of}", (*at, key), nearest(key, keys), key=True)

    def _add(self, what: str, at: Place, fix: str, key: bool = False) -> None:
        where = self._document.where_key(at) if key else self._document.where(at)
        self._problems.append(Problem(what, where, fix))
