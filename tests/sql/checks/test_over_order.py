"""ORDER BY within OVER: wrong rows are refused, what fails is refused, what works passes."""

import pyarrow as pa
import pytest

from blocks.sql.checking import check_sql
from blocks.sql.problems import SqlCheckError, SqlProblem

SCHEMA = pa.schema(
    [
        *(
            pa.field(name, kind, nullable=False)
            for name, kind in (
                ("g", pa.string()),
                ("k", pa.int32()),
                ("q", pa.int64()),
                ("f", pa.float64()),
                ("d", pa.date32()),
                ("t", pa.timestamp("ms", "UTC")),
                ("m", pa.decimal128(12, 2)),
                ("b", pa.bool_()),
                ("h", pa.time32("ms")),
                ("v", pa.binary()),
            )
        ),
        pa.field("n", pa.int64()),
    ]
)
BY = "OVER (PARTITION BY g ORDER BY"


def problems(query: str) -> list[SqlProblem]:
    try:
        return list(check_sql(query, {"PCOLLECTION": SCHEMA}).warnings)
    except SqlCheckError as error:
        return list(error.problems)


def told(expression: str) -> list[tuple[str, str, str]]:
    """The code, the severity and the underlined text of each problem."""
    query = f"SELECT g, {expression} AS z FROM PCOLLECTION"
    return [
        (one.code, one.severity, query[one.column - 1 : one.column - 1 + one.place.length]) for one in problems(query)
    ]


@pytest.mark.parametrize(
    "expression",
    [
        *(f"ROW_NUMBER() {BY} {key})" for key in ("k", "q", "f", "d", "k DESC", "q, t DESC", "q DESC, g DESC")),
        *(f"RANK() {BY} {key})" for key in ("k", "q", "f", "d")),
        f"SUM(q) {BY} q)",
        f"SUM(q) {BY} q RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)",
        f"SUM(q) {BY} q DESC, k ROWS UNBOUNDED PRECEDING)",
        f"SUM(q) {BY} t DESC, g ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)",
        f"SUM(q) {BY} q DESC, k RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)",
        f"FIRST_VALUE(g) {BY} q, k)",
        f"LAST_VALUE(g) {BY} q DESC)",
        f"ROW_NUMBER() {BY} q, n DESC NULLS LAST)",
        "SUM(m) OVER (PARTITION BY m)",
        "ROW_NUMBER() OVER (PARTITION BY g)",
    ],
)
def test_what_beam_runs_as_it_is_written_passes(expression: str) -> None:
    assert told(expression) == []


@pytest.mark.parametrize(
    ("expression", "at"),
    [
        *((f"{name}() {BY} q DESC)", "q DESC") for name in ("RANK", "DENSE_RANK", "PERCENT_RANK")),
        *((f"{name}(q) {BY} q DESC)", "q DESC") for name in ("SUM", "COUNT", "MIN", "MAX", "FIRST_VALUE", "ANY_VALUE")),
        (f"LAST_VALUE(q) {BY} q DESC RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)", "q DESC"),
        (f"LAST_VALUE(q) {BY} q DESC RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)", "q DESC"),
        *((f"{name}() {BY} q, k)", "k") for name in ("RANK", "DENSE_RANK", "PERCENT_RANK")),
        *((f"{name}(q) {BY} q, k)", "k") for name in ("SUM", "COUNT", "MIN", "MAX", "LAST_VALUE")),
        (f"FIRST_VALUE(q) {BY} q, k RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)", "k"),
    ],
)
def test_an_order_that_beam_does_not_go_by_is_refused(expression: str, at: str) -> None:
    assert told(expression) == [("wrong_order", "error", at)]


def test_the_order_of_a_named_window_is_looked_at() -> None:
    query = "SELECT g, RANK() OVER w AS r FROM PCOLLECTION WINDOW w AS (PARTITION BY g ORDER BY q DESC)"
    assert [(one.code, one.column - 1) for one in problems(query)] == [("wrong_order", query.index("q DESC"))]


@pytest.mark.parametrize("key", ["g", "t", "m", "b", "h", "v"])
@pytest.mark.parametrize("call", ["ROW_NUMBER()", "RANK()", "SUM(q)"])
def test_a_first_key_that_is_no_number_fails_as_it_runs(call: str, key: str) -> None:
    assert told(f"{call} {BY} {key})") == [("runtime_type", "error", key)]


@pytest.mark.parametrize("key", ["m", "b", "h", "v"])
def test_what_beam_cannot_sort_by_fails_wherever_it_stands(key: str) -> None:
    assert told(f"ROW_NUMBER() {BY} q, {key})") == [("runtime_type", "error", key)]
    assert told(f"SUM(q) {BY} {key} ROWS UNBOUNDED PRECEDING)") == [("runtime_type", "error", key)]


def test_a_first_key_that_may_be_null_is_a_warning() -> None:
    assert told(f"ROW_NUMBER() {BY} n DESC)") == [("runtime_type", "warning", "n")]
    assert told(f"SUM(q) {BY} n DESC ROWS UNBOUNDED PRECEDING)") == []


def test_null_at_the_other_end_is_refused_where_the_query_says_which_end() -> None:
    assert told(f"ROW_NUMBER() {BY} q, n)") == [("wrong_order", "warning", "n")]
    assert told(f"ROW_NUMBER() {BY} q, n NULLS LAST)") == [("wrong_order", "error", "n NULLS LAST")]
    assert told(f"ROW_NUMBER() {BY} q, n NULLS FIRST)") == [("wrong_order", "error", "n NULLS FIRST")]


@pytest.mark.parametrize(
    ("order", "severities"),
    [
        ("n", ["warning"]),
        ("n NULLS LAST", ["error"]),
        ("n NULLS FIRST", ["error"]),
        ("n DESC", []),
        ("n DESC NULLS LAST", []),
        ("q NULLS FIRST", []),
    ],
)
def test_the_end_where_null_stands_before_a_limit_is_told(order: str, severities: list[str]) -> None:
    found = problems(f"SELECT q, n FROM PCOLLECTION ORDER BY {order} LIMIT 3")
    assert [(one.code, one.severity) for one in found] == [("wrong_order", severity) for severity in severities]


@pytest.mark.parametrize(
    ("lengths", "codes"),
    [
        ("INTERVAL '1' HOUR, INTERVAL '5' MINUTE", ["runtime_type"]),
        ("INTERVAL '1:30' MINUTE TO SECOND, INTERVAL '1' MINUTE", ["runtime_type"]),
        ("INTERVAL '1' DAY, INTERVAL '23:59:59' HOUR TO SECOND", ["runtime_type"]),
        ("INTERVAL '60' MINUTE, INTERVAL '1' HOUR", []),
        ("INTERVAL '1' DAY, INTERVAL '1 00:00:01' DAY TO SECOND", []),
    ],
)
def test_a_hop_whose_windows_leave_gaps_is_refused(lengths: str, codes: list[str]) -> None:
    found = problems(f"SELECT COUNT(*) AS z FROM PCOLLECTION GROUP BY HOP(t, {lengths})")
    assert [one.code for one in found] == codes
