"""Every check earns its place: a query of the golden errors that only it refuses is let through without it."""

from collections.abc import Iterator

import pytest

from blocks.sql.analysis import Analysis
from blocks.sql.checks import CHECKS, Check
from blocks.sql.checks.duplicates import duplicates, outputs
from blocks.sql.checks.grouping import grouping
from blocks.sql.checks.joins import joins
from blocks.sql.checks.keys import keys
from blocks.sql.checks.misplaced import misplaced
from blocks.sql.checks.null_order import null_order
from blocks.sql.checks.ordering import ordering
from blocks.sql.checks.over_order import window_order
from blocks.sql.checks.subqueries import subquery_limits
from blocks.sql.checks.unbounded import unbounded
from blocks.sql.checks.unnesting import unnesting
from blocks.sql.checks.windows import windows
from blocks.sql.codes import CODES
from blocks.sql.functions.registry import library
from blocks.sql.parsing import parse
from blocks.sql.problems import SqlCheckError
from blocks.sql.resolving import resolve
from tests.sql.inputs import inputs
from tests.sql.test_error_texts import QUERIES

# Those of names and structure; checks of types have tests of their own.
STRUCTURE: tuple[Check, ...] = (
    misplaced,
    grouping,
    keys,
    joins,
    subquery_limits,
    unnesting,
    windows,
    window_order,
    ordering,
    null_order,
    unbounded,
    outputs,
    duplicates,
)


def analyses() -> Iterator[Analysis]:
    """The golden queries that can be read and whose names are right."""
    for path in QUERIES:
        text = path.read_text(encoding="utf-8")
        endless = text.partition("-- unbounded: ")[2].partition("\n")[0].split(", ")
        try:
            analysis = resolve(parse(text), inputs(name for name in endless if name), library())
        except SqlCheckError:
            continue
        if not analysis.problems:
            yield analysis


@pytest.fixture(scope="module")
def told() -> list[dict[Check, list[str]]]:
    """For each query the codes that each check tells."""
    return [{check: [one.code for one in check(analysis)] for check in CHECKS} for analysis in analyses()]


@pytest.mark.parametrize("check", STRUCTURE, ids=[check.__name__ for check in STRUCTURE])
def test_without_the_check_a_query_would_pass(check: Check, told: list[dict[Check, list[str]]]) -> None:
    alone = [
        codes for codes in told if codes[check] and not any(codes[other] for other in CHECKS if other is not check)
    ]
    assert alone


def test_every_code_that_a_check_tells_is_described(told: list[dict[Check, list[str]]]) -> None:
    assert {code for codes in told for given in codes.values() for code in given} <= set(CODES)


def test_a_check_finds_nothing_in_a_query_that_beam_can_do() -> None:
    query = """
        SELECT o.user_id, COUNT(*) AS c, MAX(u.age) AS age
        FROM orders AS o JOIN users AS u ON o.user_id = u.user_id
        WHERE o.quantity > 3 AND u.user_id IN (SELECT user_id FROM users WHERE age > 2)
        GROUP BY o.user_id HAVING COUNT(*) > 1 ORDER BY c DESC LIMIT 3"""
    analysis = resolve(parse(query), inputs(), library())
    assert [one for check in CHECKS for one in check(analysis)] == []
