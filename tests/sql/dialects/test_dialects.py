"""Queries in other dialects become Beam SQL, or an error at the place."""

from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from blocks.sql.analysis import Table
from blocks.sql.dialect import Beam, to_beam
from blocks.sql.dialects import DIALECTS, read_other, translate
from blocks.sql.problems import SqlCheckError

FOLDER = Path(__file__).parents[2] / "fixtures" / "sql" / "dialects"
CASES = yaml.safe_load((FOLDER / "cases.yaml").read_text(encoding="utf-8"))
SCHEMA = pa.schema(
    [
        ("user_id", pa.string()),
        ("name", pa.string()),
        ("Amount", pa.float64()),
        ("qty", pa.int32()),
        ("ts", pa.timestamp("us", tz="UTC")),
        ("day", pa.date32()),
        ("tags", pa.list_(pa.string())),
        ("who", pa.struct([("city", pa.string())])),
    ]
)
ORDERS = {"orders": Table("orders", SCHEMA)}


def answer(dialect: str, query: str) -> str:
    try:
        return to_beam(translate(query, read_other(query, dialect), dialect, ORDERS))
    except SqlCheckError as error:
        return str(error)


def results() -> dict[str, list[str]]:
    """Answers in the order of the cases, as results.txt keeps them."""
    found: dict[str, list[str]] = {}
    for part in (FOLDER / "results.txt").read_text(encoding="utf-8").split("\n=== ")[1:]:
        name, *answers = part.split("\n--- ")
        found[name] = [one.partition("\n")[2].rstrip("\n") for one in answers]
    return found


PAIRS = [
    pytest.param(dialect, query, expected, id=f"{dialect}-{number}")
    for dialect, queries in CASES.items()
    for number, (query, expected) in enumerate(zip(queries, results()[dialect], strict=True))
]


@pytest.mark.parametrize(("dialect", "query", "expected"), PAIRS)
def test_a_query_becomes_what_was_read_by_a_person(dialect: str, query: str, expected: str) -> None:
    assert answer(dialect, query) == expected


@pytest.mark.parametrize(("dialect", "query", "expected"), [one for one in PAIRS if "SELECT" in one.values[2][:20]])
def test_what_comes_out_is_read_by_the_dialect_beam(dialect: str, query: str, expected: str) -> None:
    if "has no equal form" in expected:
        pytest.skip("an error")
    assert to_beam(Beam().parse(expected)[0]) == expected


def test_every_dialect_has_cases() -> None:
    assert set(CASES) == set(DIALECTS)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_thousand_parentheses_are_read(dialect: str) -> None:
    query = "SELECT " + "(" * 1000 + "qty" + ")" * 1000 + " AS q FROM orders"
    assert "qty" in to_beam(read_other(query, dialect))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_two_thousand_parentheses_are_refused_with_their_place(dialect: str) -> None:
    with pytest.raises(SqlCheckError, match="query:1:1508: nested deeper than 1,500 levels"):
        read_other("SELECT " + "(" * 2000 + "qty" + ")" * 2000 + " FROM orders", dialect)


def test_a_name_that_two_columns_have_in_other_case_is_not_guessed() -> None:
    schema = pa.schema([("id", pa.int64()), ("Id", pa.int64())])
    tree = translate("SELECT ID FROM t", read_other("SELECT ID FROM t", "duckdb"), "duckdb", {"t": Table("t", schema)})
    assert to_beam(tree) == "SELECT ID FROM t"


def main() -> None:
    """Writes results.txt."""
    lines = ["What the cases of cases.yaml become; see there."]
    for dialect, queries in CASES.items():
        lines.append(f"=== {dialect}")
        for query in queries:
            lines += [f"--- {query}", answer(dialect, query)]
    (FOLDER / "results.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
