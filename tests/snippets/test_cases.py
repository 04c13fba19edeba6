"""Tests that stand in a snippet's file: what passes, what fails and how it is told, in batch and as a stream."""

import itertools
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.core.errors import SnippetError
from blocks.core.looking import looking
from blocks.snippets.building import check_snippet
from blocks.snippets.cases.checking import in_java
from blocks.snippets.cases.comparing import differences, unmatched
from blocks.snippets.cases.running import run_cases
from blocks.snippets.cases.values import UnfitError, fitted

EXAMPLES = Path(__file__).parents[2] / "examples"
GOLDEN = Path(__file__).parent / "golden"
TESTED = sorted(path for path in EXAMPLES.rglob("*.yaml") if "\ntests:" in path.read_text(encoding="utf-8"))

HEAD = f"""\
policy: {EXAMPLES}/orders/privacy.yaml
rejects: rejects
parameters: {{file: {{type: path}}}}
pipeline:
  type: chain
  transforms:
    - {{type: ReadJson, name: read, config: {{pattern: "${{file}}", schema: "{EXAMPLES}/orders/order.yaml"}}}}
    - {{type: MaskColumns, name: mask}}
    - {{type: WriteWarehouse, name: write, config: {{table: orders, warehouse: warehouse}}}}
tests:
"""
ORDER = '{order_id: "1", ordered_at: "2026-01-02T03:04:05Z", amount: 12.5, email: a@example.com}'


def outcome(path, catalog=None, **values) -> list[tuple[str, str, tuple[str, ...], str]]:
    return [(one.case.name, one.mode, one.failures, one.skipped) for one in run_cases(path, values, catalog=catalog)]


def _marked(path):
    """An example with a query for Beam SQL needs a Java runtime."""
    of_java = path == EXAMPLES / "sql" / "orders.yaml"
    return pytest.param(path, id=f"{path.parent.name}-{path.stem}", marks=[pytest.mark.jvm] if of_java else [])


@pytest.mark.parametrize("path", [_marked(path) for path in TESTED])
def test_the_tests_of_an_example_pass(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BLOCKS_MASK_KEY", raising=False)
    results = list(run_cases(path))
    assert [(one.case.name, one.mode, one.failures) for one in results if one.failures] == []
    both = ("batch", "stream")
    wanted = {mode for one in results for mode in one.case.modes or (("stream",) if one.case.timed else both)}
    assert {one.mode for one in results} == wanted
    assert list(tmp_path.iterdir()) == [], "a test leaves nothing behind"


def test_what_differs_is_told_by_row_in_both_modes(snippet):
    text = f"""\
  - name: differs
    inputs: {{read: [{ORDER}, {{order_id: "2"}}]}}
    expect:
      write: [{{order_id: "1", amount: 13}}, {{order_id: "1", amount: 12.5}}]
      mask: {{columns: [order_id, ordered_at, user_id, amount, status, address, items, total]}}
    rejects: [{{code: wrong_type}}]
"""
    failures = (
        'write: missing: {order_id: "1", amount: 13}'.replace('"', ""),
        "mask: missing columns: total",
        "mask: unexpected columns: email",
        "rejects: missing: {code: 'wrong_type'}",
        "rejects: unexpected: {code: 'bad_event_time', block: ReadJson, field_path: 'ordered_at', "
        "message: 'required, but missing or null'}",
    )
    found = outcome(snippet(HEAD + text))
    assert [(one[0], one[1]) for one in found] == [("differs", "batch"), ("differs", "stream")]
    assert [one[2] for one in found] == [failures, failures]


def test_a_reject_that_no_test_expects_fails_it(snippet):
    text = "  - {name: bad, modes: [batch], inputs: {read: ['no JSON']}, expect: {write: []}}\n"
    ((_, _, failures, _),) = outcome(snippet(HEAD + text))
    assert len(failures) == 1
    assert failures[0].startswith("rejects: unexpected: {code: 'malformed_json', block: ReadJson")


def test_masked_values_are_the_same_everywhere_and_need_no_key(snippet, monkeypatch):
    monkeypatch.setenv("BLOCKS_MASK_KEY", "the real key of somebody, which no test may use")
    text = f"  - {{name: a, modes: [batch], inputs: {{read: [{ORDER}]}}, expect: {{mask: [{{email: x}}]}}}}\n"
    ((_, _, (_, first), _),) = outcome(snippet(HEAD + text))
    monkeypatch.delenv("BLOCKS_MASK_KEY")
    ((_, _, (_, second), _),) = outcome(snippet(HEAD + text))
    assert first == second
    assert first.startswith("mask: unexpected: {email: 'main:")


def test_a_composite_is_tested_by_feed_and_a_feed_without_input_is_empty(snippet, catalog):
    text = """\
pipeline:
  - {type: ReadNumbers, name: one, config: {batches: 1}}
  - {type: ReadNumbers, name: two, config: {batches: 1}}
  - {type: UnionBatches, name: both, input: [one, two]}
  - {type: AddNumber, name: add, input: both}
  - {type: AsRows, name: rows, input: add}
  - {type: MapToFields, name: fields, input: rows, config: {language: python, fields: {number: number, word: word}}}
  - {type: LogForTesting, name: log, input: fields}
tests:
  - name: both feeds
    inputs: {one: [{number: 1, word: a}], two: [{number: 2}, {number: 2}]}
    expect:
      add: [{number: 102, word: null}, {number: 102}, {number: 101, word: a}]
      rows: [{number: 101}, {number: 102}, {number: 102}]
      log: [{number: 101}, {number: 102}, {number: 102}]
  - name: one feed
    modes: [batch]
    inputs: {two: [{number: 2}]}
    expect: {add: [{number: 102}], one: []}
"""
    assert outcome(snippet(text), catalog) == [
        ("both feeds", "batch", (), ""),
        ("both feeds", "stream", (), ""),
        ("one feed", "batch", (), ""),
    ]


WINDOWS = f"""\
pipeline:
  type: chain
  transforms:
    - {{type: ReadJson, name: read, config: {{pattern: x, schema: "{EXAMPLES}/orders/order.yaml"}}}}
    - {{type: MaskColumns, name: mask, config: {{policy: {EXAMPLES}/orders/privacy.yaml}}}}
    - {{type: WindowRows, name: window, config: {{windowfn: {{type: sliding, size: 2h, period: 1h}}}}}}
tests:
  - name: every row in two windows
    inputs: {{read: [{ORDER}]}}
    expect: {{window: [{{order_id: "1"}}, {{order_id: "1"}}]}}
  - name: events in time
    stream:
      read:
        - {{watermark: "2026-01-02 02:00"}}
        - {{at: "2026-01-02 03:04:05", rows: [{ORDER}]}}
        - {{watermark: 2026-01-02 04:00:00+00:00}}
        - {{rows: [{ORDER.replace('"1"', '"2"')}, {ORDER.replace('"1"', '"3"')}]}}
    expect: {{mask: [{{order_id: "1"}}, {{order_id: "2"}}, {{order_id: "3"}}]}}
"""


def test_windows_and_events_in_time(snippet):
    assert outcome(snippet(WINDOWS)) == [
        ("every row in two windows", "batch", (), ""),
        ("every row in two windows", "stream", (), ""),
        ("events in time", "stream", (), ""),
    ]


def test_an_error_while_it_runs_fails_the_test_and_shows_no_traceback(snippet):
    text = "  - {name: bad, modes: [batch], inputs: {read: ['no JSON']}, expect: {write: []}}\n"
    ((_, _, failures, _),) = outcome(snippet((HEAD + text).replace("rejects: rejects\n", "")))
    assert failures[0].startswith("malformed_json: ")
    assert any("where: snippet.yaml:" in line for line in failures)


def test_a_mistake_in_a_snippet_or_its_tests_stops_before_anything_runs(snippet):
    text = "  - {name: bad, inputs: {red: [{}]}, expect: {write: []}}\n"
    with pytest.raises(SnippetError, match="no step `red`"):
        list(run_cases(snippet(HEAD + text)))


def test_only_some_tests_run(snippet):
    text = "".join(
        f"  - {{name: {name}, modes: [batch], inputs: {{read: [{ORDER}]}}, expect: {{write: [{{}}]}}}}\n"
        for name in ("Alpha one", "beta")
    )
    assert [one.case.name for one in run_cases(snippet(HEAD + text), only="alpha")] == ["Alpha one"]


def test_parameters_of_a_test_win(snippet):
    path = snippet(
        f"""\
parameters: {{destination: {{type: string}}}}
pipeline:
  type: chain
  transforms:
    - {{type: ReadJson, name: read, config: {{pattern: x, schema: "{EXAMPLES}/orders/order.yaml"}}}}
    - {{type: MaskColumns, name: mask, config:
        {{policy: {EXAMPLES}/orders/privacy.yaml, destination: "${{destination}}"}}}}
tests:
  - name: for support
    modes: [batch]
    parameters: {{destination: support}}
    inputs: {{read: [{ORDER}]}}
    expect: {{mask: [{{email: {{masked: encrypt}}}}]}}
"""
    )
    assert outcome(path, destination="warehouse") == [("for support", "batch", (), "")]


def test_blocks_that_cannot_be_in_a_stream_are_skipped_there(snippet, catalog):
    entries = tuple(
        one.model_copy(update={"modes": ("batch",)}) if one.name == "Look" else one for one in catalog.entries
    )
    text = """\
pipeline:
  - {type: ReadNumbers, name: read, config: {batches: 1}}
  - {type: Look, name: look, input: read}
tests:
  - {name: plain, inputs: {read: [{number: 1}]}, expect: {look: [{number: 1}]}}
"""
    changed = type(catalog)(entries, catalog.names)
    assert outcome(snippet(text), changed) == [("plain", "batch", (), ""), ("plain", "stream", (), "look: batch only")]
    text = text.replace("inputs: {read: [{number: 1}]}", "stream: {read: [{rows: [{number: 1}]}]}")
    (problem,) = check_snippet(snippet(text), catalog=changed).problems
    assert problem.what == "`look` cannot be in a stream"


QUERIED = """\
pipeline:
  - {{type: ReadJson, name: read, config: {{pattern: none, schema: number.yaml}}}}
  - {{type: RunSql, name: query, input: read, config: {{query: SELECT n FROM PCOLLECTION, engine: {engine}}}}}
tests:
  - {{name: plain, {given}: {{read: [{event}]}}, expect: {{query: [{{n: 1}}]}}}}
"""


@pytest.fixture
def number(tmp_path):
    (tmp_path / "number.yaml").write_text("name: number\nfields: [{name: n, type: int64, label: public}]\n")


@pytest.mark.usefixtures("number")
def test_a_query_in_beam_sql_is_not_played_as_a_stream_and_one_in_duckdb_is(snippet):
    timed = {"given": "stream", "event": "{rows: [{n: 1}]}"}
    with looking():
        (problem,) = check_snippet(snippet(QUERIED.format(engine="beam", **timed))).problems
    assert problem.what == "`query` runs in Beam SQL, and a test cannot play a stream to steps in Java"
    assert "modes: [batch]" in problem.fix
    assert ":5:" in problem.where
    assert outcome(snippet(QUERIED.format(engine="duckdb", **timed))) == [("plain", "stream", (), "")]
    assert in_java_of(snippet, "auto") == []
    assert [one.label for one in in_java_of(snippet, "beam")] == ["query"]


def in_java_of(snippet, engine):
    with looking():
        built = check_snippet(snippet(QUERIED.format(engine=engine, given="inputs", event="{n: 1}"))).built
    return in_java(built.steps, built.blocks)


@pytest.mark.jvm
@pytest.mark.usefixtures("number")
def test_a_query_in_beam_sql_is_tried_in_batch_and_skipped_as_a_stream_with_the_reason(snippet):
    path = snippet(QUERIED.format(engine="beam", given="inputs", event="{n: 1}"))
    skipped = "query: runs in Beam SQL, and a test plays no stream to steps in Java"
    assert outcome(path) == [("plain", "batch", (), ""), ("plain", "stream", (), skipped)]


def test_a_row_that_fits_several_expected_ones_is_not_given_to_the_wrong_one():
    # `1` fits both, `2` only the first: a greedy choice would leave one of them without.
    fits = {("any", 1), ("any", 2), ("one", 1)}
    assert unmatched(["any", "one"], [1, 2], lambda want, one: (want, one) in fits) == ([], [])
    assert unmatched(["one", "any"], [2, 1], lambda want, one: (want, one) in fits) == ([], [])
    assert unmatched(["one", "one"], [1, 2], lambda want, one: (want, one) in fits) == (["one"], [2])


@pytest.mark.parametrize(
    ("kind", "value", "written"),
    [
        (pa.decimal128(10, 2), "1.50", "1.5"),
        (pa.decimal128(10, 2), "1.50", 1.5),
        (pa.date32(), "2026-01-31", "2026-01-31"),
        (pa.timestamp("us", tz="UTC"), "2026-01-31T12:00:00+00:00", "2026-01-31 13:00:00+01:00"),
        (pa.timestamp("ns"), "2026-01-31T12:00:00", "2026-01-31 12:00"),
        (pa.float64(), "nan", "nan"),
        (pa.binary(), "base64:AAE=", "base64:AAE="),
        (pa.map_(pa.string(), pa.int64()), {"b": 2, "a": 1}, {"a": 1, "b": 2}),
        (pa.map_(pa.int64(), pa.string()), {"1": "x"}, {"1": "x"}),
        (pa.list_(pa.struct([("x", pa.int8()), ("y", pa.string())])), [{"x": 1}], [{"x": 1, "y": None}]),
        (pa.time64("us"), "12:30:00", "12:30"),
        (pa.bool_(), True, True),
    ],
)
def test_values_are_compared_by_the_type_of_their_column(kind, value, written):
    from blocks.snippets.cases.values import batch_of

    schema = pa.schema([("v", kind)])
    came = batch_of([{"v": value}], schema)
    assert differences([{"v": written}], [came], schema) == []
    assert differences([{"v": written}, {"v": None}], [came], schema) == ["missing: {v: null}"]


def test_rows_of_a_block_that_reads_files_of_columns_are_typed_by_its_schema(snippet):
    text = f"""\
pipeline:
  type: chain
  transforms:
    - {{type: ReadParquet, name: read, config: {{pattern: x, schema: "{EXAMPLES}/orders/order.yaml"}}}}
    - {{type: MaskColumns, name: mask, config: {{policy: {EXAMPLES}/orders/privacy.yaml}}}}
tests:
  - name: typed
    inputs: {{read: [{{order_id: a, ordered_at: 2026-01-02 03:04:05, amount: "1.5", items: [{{sku: x}}]}}]}}
    expect: {{mask: [{{ordered_at: "2026-01-02T03:04:05Z", amount: 1.50, items: [{{sku: x, quantity: null}}]}}]}}
"""
    assert outcome(snippet(text)) == [("typed", "batch", (), ""), ("typed", "stream", (), "")]
    (problem,) = check_snippet(snippet(text.replace("order_id: a, ", ""))).problems
    assert (problem.what, problem.where) == ("column `order_id` is never null", "snippet.yaml:8:21")


def test_rows_of_a_transform_of_beam_that_reads_are_rows(snippet):
    text = """\
pipeline:
  type: chain
  transforms:
    - {type: Create, name: create, config: {elements: [{a: 9}]}}
    - {type: AsBatches, name: gather, config: {schema: schema.yaml}}
tests:
  - {name: rows, modes: [batch], inputs: {create: [{a: 1}, {a: 2}]}, expect: {gather: [{a: 2}, {a: 1}]}}
"""
    snippet("fields: [{name: a, type: int64}]\n", "schema.yaml")
    assert outcome(snippet(text)) == [("rows", "batch", (), "")]


@given(
    st.lists(st.booleans(), min_size=1, max_size=5).flatmap(
        lambda row: st.lists(st.lists(st.booleans(), min_size=len(row), max_size=len(row)), min_size=1, max_size=5)
    )
)
def test_as_many_rows_are_paired_as_can_be(fits):
    wanted, came = range(len(fits)), range(len(fits[0]))
    missing, unexpected = unmatched(wanted, came, lambda want, one: fits[want][one])
    small, large = sorted((len(wanted), len(came)))
    # All ways to give each of the fewer ones a different one of the others.
    ways = itertools.permutations(range(large), small)
    turned = len(wanted) > len(came)
    most = max(sum(fits[b][a] if turned else fits[a][b] for a, b in enumerate(way)) for way in ways)
    assert (len(missing), len(unexpected)) == (len(wanted) - most, len(came) - most)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (pa.decimal128(12, 3), "1.0001"),
        (pa.decimal128(12, 3), 1.0001),
        (pa.timestamp("us", "UTC"), "2026-01-02 03:04:05.1234567"),
        (pa.timestamp("ms"), "2026-01-02 03:04:05.123456"),
        (pa.timestamp("s", "UTC"), datetime(2026, 1, 2, 3, 4, 5, 1)),
        (pa.time64("us"), "03:04:05.1234567"),
        (pa.time32("s"), "03:04:05.5"),
        (pa.float64(), 2**53 + 1),
    ],
)
def test_a_value_finer_than_its_column_does_not_fit_and_is_not_rounded(kind, value):
    with pytest.raises(UnfitError, match="does not fit"):
        fitted(value, kind)


@pytest.mark.parametrize(
    ("kind", "value", "held"),
    [
        (pa.decimal128(12, 3), "1.0000", Decimal("1.000")),
        (
            pa.decimal128(38, 2),
            "123456789012345678901234567890123456.78",
            Decimal("123456789012345678901234567890123456.78"),
        ),
        (pa.timestamp("ms"), "2026-01-02 03:04:05.123000000", datetime(2026, 1, 2, 3, 4, 5, 123_000)),
        (pa.float64(), 7, 7.0),
    ],
)
def test_zeros_at_the_end_change_no_value(kind, value, held):
    assert fitted(value, kind) == held


def test_an_expected_value_with_more_decimals_than_its_column_is_a_mistake_of_the_test(snippet):
    text = f"  - {{name: finer, inputs: {{read: [{ORDER}]}}, expect: {{write: [{{amount: 12.5001}}]}}}}\n"
    (problem,) = check_snippet(snippet(HEAD + text), {"file": "x"}).problems
    assert "does not fit: more than 2 decimals" in problem.what
    assert problem.where.startswith("snippet.yaml:11:")


STREAM = """\
  - name: late
    stream:
      read:
        - {watermark: "2026-01-02 02:00"}
        - {watermark: "2026-01-02 %s"}
        - {rows: [%s]}
    expect: {write: [{order_id: "1"}]}
"""


def test_a_watermark_that_stays_is_none_and_one_that_goes_back_is_a_mistake(snippet):
    assert outcome(snippet(HEAD + STREAM % ("02:00", ORDER))) == [("late", "stream", (), "")]
    (problem,) = check_snippet(snippet(HEAD + STREAM % ("01:00", ORDER)), {"file": "x"}).problems
    assert (problem.what, problem.where) == ("a watermark that is earlier than the one before", "snippet.yaml:15:23")


def test_a_row_that_comes_more_or_less_often_than_expected_is_told_with_numbers():
    schema = pa.schema([("v", pa.int64())])

    def told(expected: list[int], came: list[int]) -> list[str]:
        batch = pa.record_batch([pa.array(came, pa.int64())], schema=schema)
        return differences([{"v": one} for one in expected], [batch], schema)

    assert told([1, 1, 2], [1, 2]) == ["missing: {v: 1} (came 1 time, expected 2)"]
    assert told([1], [1, 1, 1]) == ["unexpected: {v: 1} (came 3 times, expected 1)"]
    assert told([1, 2], [1, 3]) == ["missing: {v: 2}", "unexpected: {v: 3}"]
