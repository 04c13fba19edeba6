"""What the typer says of single expressions: types, problems at their place, and what to write instead."""

import pyarrow as pa
import pytest

from blocks.sql.analysis import Analysis, Table
from blocks.sql.functions.beam import beam_functions
from blocks.sql.functions.model import Argument, Function, Overload
from blocks.sql.functions.registry import Registry
from blocks.sql.parsing import parse
from blocks.sql.problems import SqlProblem
from blocks.sql.resolving import resolve
from blocks.sql.types import SqlType

SCHEMA = pa.schema(
    [
        pa.field("id", pa.int64(), nullable=False),
        pa.field("age", pa.int32()),
        pa.field("name", pa.string()),
        pa.field("amount", pa.decimal128(12, 2)),
        pa.field("rate", pa.float64()),
        pa.field("paid", pa.bool_()),
        pa.field("day", pa.date32()),
        pa.field("at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("raw", pa.binary()),
        pa.field("tags", pa.list_(pa.string())),
        pa.field("who", pa.struct([pa.field("city", pa.string()), pa.field("zip", pa.int32())])),
        pa.field("counts", pa.map_(pa.string(), pa.int64())),
    ]
)
DOMAIN = Function(
    "email_domain", "scalar", "scala", (Overload((Argument("text", SqlType("VARCHAR")),), SqlType("VARCHAR")),), 1
)
CLAMP = Function(
    "clamp",
    "scalar",
    "java",
    tuple(
        Overload(tuple(Argument(name, SqlType(kind)) for name in ("x", "low", "high")), SqlType(kind))
        for kind in ("BIGINT", "DOUBLE")
    ),
    1,
)
REGISTRY = Registry(beam_functions(), {"email_domain": DOMAIN, "clamp": CLAMP})


def analysed(expression: str, rest: str = "") -> Analysis:
    tables = {"PCOLLECTION": Table("PCOLLECTION", SCHEMA)}
    return resolve(parse(f"SELECT {expression} AS o FROM PCOLLECTION {rest}"), tables, REGISTRY)


def type_of(expression: str, rest: str = "") -> str:
    analysis = analysed(expression, rest)
    assert [problem for problem in analysis.problems if problem.severity == "error"] == []
    kind = analysis.outputs()[0].type
    return f"{kind}{'' if kind.nullable else ' NOT NULL'}"


def problem_of(expression: str, rest: str = "") -> SqlProblem:
    (problem,) = analysed(expression, rest).problems
    return problem


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("id + 1", "BIGINT NOT NULL"),
        ("age + id", "BIGINT"),
        ("age / 2", "INTEGER"),
        ("amount * 1.5", "DECIMAL"),
        ("rate + amount", "DOUBLE"),
        ("at + INTERVAL '1' DAY", "TIMESTAMP NOT NULL"),
        ("INTERVAL '1' MONTH + day", "DATE"),
        ("name || age", "VARCHAR"),
        ("'a' || 'bc'", "CHAR NOT NULL"),
        ("age > 1 AND paid", "BOOLEAN"),
        ("name IS NULL", "BOOLEAN NOT NULL"),
        ("age IS DISTINCT FROM id", "BOOLEAN NOT NULL"),
        ("day < at", "BOOLEAN"),
        ("COALESCE(age, 0)", "INTEGER NOT NULL"),
        ("COALESCE(age, id)", "BIGINT NOT NULL"),
        # The last one decides: Calcite writes CASE WHEN x IS NOT NULL THEN x ELSE y END.
        ("COALESCE(id, age)", "BIGINT"),
        ("COALESCE(age, id, age)", "BIGINT"),
        ("COALESCE(NULL, id)", "BIGINT"),
        ("COALESCE('x', name)", "VARCHAR NOT NULL"),
        ("UPPER(COALESCE('x', name))", "VARCHAR"),
        ("CASE WHEN 1 < 2 THEN 'a' END", "CHAR NOT NULL"),
        ("CASE WHEN FALSE OR NULL THEN name ELSE 'a' END", "VARCHAR"),
        ("CASE WHEN FALSE THEN name WHEN TRUE THEN 'a' END", "VARCHAR NOT NULL"),
        ("CASE WHEN paid THEN 1 WHEN TRUE THEN 2 END", "INTEGER"),
        ("CASE WHEN rate <> rate THEN name ELSE 'a' END", "VARCHAR NOT NULL"),
        ("CASE WHEN RAND() <> RAND() THEN name ELSE 'a' END", "VARCHAR"),
        ("CASE id WHEN 1 THEN 'a' END", "CHAR"),
        ("CASE 1 WHEN 2 THEN name ELSE 'a' END", "VARCHAR NOT NULL"),
        ("UPPER(CASE WHEN TRUE THEN 'a' END)", "CHAR"),
        ("paid AND 2 NOT BETWEEN 1 AND 3", "BOOLEAN NOT NULL"),
        ("paid OR id IS NOT NULL", "BOOLEAN NOT NULL"),
        ("paid OR 1 IN (2, 3)", "BOOLEAN"),
        ("(paid AND FALSE) = paid", "BOOLEAN"),
        ("NULLIF(1, 2)", "INTEGER NOT NULL"),
        ("NULLIF(1, 1)", "INTEGER"),
        ("-2147483648", "INTEGER NOT NULL"),
        ("-(-2147483648)", "BIGINT NOT NULL"),
        ("NULLIF(id, 1)", "BIGINT"),
        ("CASE WHEN paid THEN 1 ELSE 2.5 END", "DECIMAL NOT NULL"),
        ("CASE WHEN paid THEN age END", "INTEGER"),
        ("CASE WHEN age IS NOT NULL THEN age ELSE 0 END", "INTEGER NOT NULL"),
        ("CASE WHEN paid THEN name ELSE 1 END", "VARCHAR"),
        ("tags[1]", "VARCHAR"),
        ("counts['a']", "BIGINT"),
        ("PCOLLECTION.who.zip", "INTEGER"),
        ("ARRAY[1, 2.5]", "ARRAY<DECIMAL> NOT NULL"),
        ("MAP['a', id]", "MAP<CHAR, BIGINT> NOT NULL"),
        ("ROW(id, name)", "ROW<EXPR$0 BIGINT, EXPR$1 VARCHAR> NOT NULL"),
        ("ROW(age, name)", "ROW<EXPR$0 INTEGER, EXPR$1 VARCHAR>"),
        ("EXTRACT(YEAR FROM at)", "BIGINT NOT NULL"),
        ("FLOOR(at TO HOUR)", "TIMESTAMP NOT NULL"),
        ("TIMESTAMPADD(HOUR, 1, day)", "TIMESTAMP"),
        ("TIMESTAMPDIFF(DAY, at, CURRENT_TIMESTAMP)", "INTEGER NOT NULL"),
        ("CAST(name AS DECIMAL(10, 2))", "DECIMAL"),
        ("CAST(id AS VARCHAR)", "VARCHAR NOT NULL"),
        ("SQRT(age)", "DOUBLE"),
        ("LENGTH('abc')", "BIGINT"),
        ("MD5(raw)", "VARBINARY"),
        ("MOD(id, 3)", "INTEGER NOT NULL"),
        ("SUBSTRING(name FROM 2 FOR 3)", "VARCHAR"),
        ("TRIM(name)", "VARCHAR"),
        ("99999999999", "BIGINT NOT NULL"),
        ("1e3", "DOUBLE NOT NULL"),
        ("email_domain(name)", "VARCHAR"),
        ("email_domain(age)", "VARCHAR"),
        ("clamp(age, 0, 9)", "BIGINT"),
        ("clamp(rate, 0, 9)", "DOUBLE"),
    ],
)
def test_the_type_is_the_planners(expression: str, expected: str) -> None:
    assert type_of(expression) == expected


@pytest.mark.parametrize(
    ("expression", "rest", "expected"),
    [
        ("SUM(id)", "", "BIGINT"),
        ("SUM(id)", "GROUP BY name", "BIGINT NOT NULL"),
        ("SUM(id) FILTER (WHERE paid)", "GROUP BY name", "BIGINT"),
        ("SUM(age)", "GROUP BY name", "INTEGER"),
        ("AVG(age)", "", "INTEGER"),
        ("SUM(amount)", "", "DECIMAL"),
        ("COUNT(*)", "", "BIGINT NOT NULL"),
        ("COUNT(name)", "GROUP BY paid", "BIGINT NOT NULL"),
        ("MAX(name)", "", "VARCHAR"),
        ("ANY_VALUE(at)", "GROUP BY name", "TIMESTAMP NOT NULL"),
        ("TUMBLE_START(at, INTERVAL '1' HOUR)", "GROUP BY TUMBLE(at, INTERVAL '1' HOUR)", "TIMESTAMP NOT NULL"),
        ("ROW_NUMBER() OVER (ORDER BY id)", "", "BIGINT NOT NULL"),
        ("SUM(id) OVER (PARTITION BY name)", "", "BIGINT NOT NULL"),
        ("MIN(age) OVER (PARTITION BY name)", "", "INTEGER"),
    ],
)
def test_an_aggregate_is_null_where_a_group_can_be_empty(expression: str, rest: str, expected: str) -> None:
    assert type_of(expression, rest) == expected


@pytest.mark.parametrize(
    ("expression", "code", "at", "what", "fix"),
    [
        ("name + paid", "wrong_type", "name + paid", "VARCHAR + BOOLEAN is not possible", "write CASE WHEN x"),
        ("day - at", "wrong_type", "day - at", "DATE - TIMESTAMP is not possible", "TIMESTAMPDIFF"),
        ("at + 1", "wrong_type", "at + 1", "TIMESTAMP + INTEGER is not possible", "INTERVAL '1' DAY"),
        ("age AND paid", "wrong_type", "age", "AND takes BOOLEAN, and this is INTEGER", "x <> 0"),
        ("day = 1", "wrong_type", "day = 1", "DATE = INTEGER is not possible", "DATE '2026-01-31'"),
        ("tags = 'a'", "wrong_type", "tags = 'a'", "ARRAY<VARCHAR> = CHAR is not possible", "UNNEST"),
        ("raw LIKE 'a%'", "wrong_type", "raw", "LIKE takes a text", "CAST"),
        ("age IN (paid)", "wrong_type", "age IN (paid)", "INTEGER IN (BOOLEAN)", "cast"),
        ("CASE WHEN paid THEN 1 ELSE raw END", "wrong_type", "", "no type in common: INTEGER, VARBINARY", "CAST"),
        ("CAST(tags AS VARCHAR)", "wrong_type", "CAST(tags AS VARCHAR)", "cannot be cast to VARCHAR", "element"),
        ("CAST(paid AS INTEGER)", "wrong_type", "CAST(paid AS INTEGER)", "BOOLEAN cannot be cast", "CASE WHEN x"),
        ("CAST(rate AS BOOLEAN)", "unsupported", "CAST(rate AS BOOLEAN)", "Beam cannot cast DOUBLE", "x <> 0"),
        ("DATE '2026-02-30'", "wrong_type", "", "this is no DATE", "DATE '2026-01-31'"),
        ("INTERVAL 'x' DAY + day", "wrong_type", "'x'", "no number of DAYs", "INTERVAL '1' DAY"),
        ("EXTRACT(HOUR FROM name)", "wrong_type", "", "VARCHAR has no part HOUR", "CAST(x AS TIMESTAMP)"),
        ("FLOOR(name TO DAY)", "wrong_type", "name", "cannot be rounded to DAY", "CAST"),
        ("TIMESTAMPDIFF(DAY, '2026-01-01', at)", "wrong_type", "'2026-01-01'", "is CHAR", "TIMESTAMP '2026-01-01'"),
        ("tags[id]", "unsupported", "id", "no BIGINT for a position", "CAST(i AS INTEGER)"),
        ("counts[1]", "wrong_type", "1", "a key of this map is VARCHAR", ""),
        ("ARRAY[1, 'a']", "wrong_type", "ARRAY[1, 'a']", "INTEGER, CHAR", "cast"),
        ("SQRT(paid)", "wrong_type", "paid", "SQRT does not take (BOOLEAN)", "SQRT(a number)"),
        ("UPPER(name, 1)", "unknown_function", "", "UPPER does not take (VARCHAR, INTEGER)", "UPPER(a text)"),
        ("clamp(name, 1)", "unknown_function", "", "clamp does not take (VARCHAR, INTEGER)", "clamp(x BIGINT"),
        ("email_domain(tags)", "unknown_function", "tags", "does not take (ARRAY", "email_domain(text VARCHAR)"),
        ("lenght(name)", "unknown_function", "", "unknown function `lenght`", "LENGTH"),
        ("DATE_TRUNC('day', at)", "unknown_function", "", "unknown function", "FLOOR(t TO DAY)"),
        ("MAX(raw)", "unsupported", "raw", "Beam cannot run MAX on VARBINARY", "TO_HEX"),
        ("BIT_AND(age)", "unsupported", "age", "BIT_AND on INTEGER", "CAST(x AS BIGINT)"),
        ("JSON_OBJECT(name: id)", "wrong_type", "name", "a key of JSON_OBJECT that may be NULL", "KEY COALESCE"),
        ("JSON_OBJECT(id: name)", "wrong_type", "id", "a key of JSON_OBJECT is a text", "CAST(x AS VARCHAR)"),
        ("LPAD(name, rate)", "not_taken", "LPAD(name, rate)", "differs from one JVM", "cast the arguments"),
        ("COSH(age)", "unsupported", "age", "COSH takes DOUBLE, and no INTEGER", "CAST(x AS DOUBLE)"),
        ("TO_HEX(name)", "unsupported", "name", "TO_HEX on VARCHAR", "SHA256"),
        ("RANK() OVER (PARTITION BY id)", "wrong_type", "", "RANK needs ORDER BY", "ORDER BY x"),
        ("ROW_NUMBER()", "wrong_type", "", "ROW_NUMBER needs OVER", "OVER"),
        ("SUM(age) OVER (PARTITION BY id)", "unsupported", "", "may be NULL", "GROUP BY"),
        ("COVAR_POP(rate, rate)", "unsupported", "", "one column twice", "VAR_POP"),
        ("age > 'ten'", "runtime_type", "'ten'", "this text is no INTEGER", "INTEGER"),
        ("age > name", "runtime_type", "name", "a text where INTEGER is expected", "CAST(x AS INTEGER)"),
        ("SQRT(name)", "runtime_type", "name", "a text where DECIMAL is expected", "CAST"),
        ("SUM(name)", "runtime_type", "name", "a text where DECIMAL is expected", "CAST"),
        ("at > '2026-02-30 10:00:00'", "runtime_type", "", "this text is no TIMESTAMP", "TIMESTAMP '2026"),
        ("COUNT(*) OVER ()", "runtime_type", "COUNT(*)", "COUNT(*) OVER fails", "COUNT(x)"),
    ],
)
def test_a_mistake_is_told_once_at_its_place(expression: str, code: str, at: str, what: str, fix: str) -> None:
    problem = problem_of(expression)
    assert problem.code == code
    assert what in problem.message
    assert fix in problem.hint
    if at:
        start = problem.column - 1
        assert problem.shown[start : start + problem.place.length] == at


def test_nothing_that_hangs_on_a_mistake_is_told_too() -> None:
    assert len(analysed("UPPER(name + paid) || CAST(1 AS VARCHAR) || (SELECT 1)").problems) == 1


def test_mistakes_on_both_sides_are_told_together() -> None:
    whats = [problem.message for problem in analysed("day = 1 AND SQRT(paid) > 1").problems]
    assert whats == ["DATE = INTEGER is not possible", "SQRT does not take (BOOLEAN)"]


def test_each_expression_has_a_type_and_each_call_its_overload() -> None:
    analysis = analysed("clamp(age + 1, 0, 9)")
    call = analysis.outputs()[0].source
    call = call.this if call.key == "alias" else call
    found = analysis.calls[id(call)]
    assert found.overload is CLAMP.overloads[0]
    assert [str(analysis.type_of(argument)) for argument in found.arguments] == ["INTEGER"] * 3


@pytest.mark.parametrize("text", ["'12'", "'-3'", "' 7 '"])
def test_a_text_that_is_a_number_may_stand_for_one(text: str) -> None:
    assert analysed(f"age = {text}").problems == []


def test_a_text_that_is_cast_on_purpose_is_the_users_choice() -> None:
    assert analysed("CAST(name AS INTEGER) > 1").problems == []


def test_beams_own_functions_in_small_letters_are_mended_and_calcites_are_not() -> None:
    assert [rule for rule, _ in analysed("length(name)").tolerated] == ["function_case"]
    assert analysed("upper(name)").tolerated == []


def test_distinct_in_an_aggregate_is_noted_for_rewriting() -> None:
    assert [rule for rule, _ in analysed("COUNT(DISTINCT name)").tolerated] == ["count_distinct"]


def test_a_thousand_conditions_are_typed() -> None:
    assert type_of(" AND ".join(f"age <> {number}" for number in range(1000))) == "BOOLEAN"


def test_a_literal_that_the_planner_would_round_is_a_warning() -> None:
    (problem,) = analysed("COALESCE(amount, 0.75)").problems
    assert (problem.code, problem.severity) == ("cut_decimal", "warning")
