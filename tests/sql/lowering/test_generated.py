"""Random expressions over the allow-list give the same in DuckDB as in Beam."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lowering_agreement import analysed, differences
from lowering_beam import BeamRows
from lowering_expressions import expressions
from lowering_rows import SCHEMA, batch_of, columns_of, query_of

from blocks.sql.lowering import Lowered, lower, refusal

_SLOW = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.jvm
@pytest.mark.slow
@_SLOW
@given(st.lists(expressions(), min_size=6, max_size=6))
def test_random_expressions_are_equal_or_not_lowered(beam_rows: BeamRows, written: list[str]) -> None:
    for expression in written:
        query = query_of(expression)
        analysis = analysed(query, SCHEMA)
        lowered = None if analysis.problems else lower(analysis)
        # RunSql gives to Beam what DuckDB refuses to plan, such as a literal out of range.
        if not isinstance(lowered, Lowered) or refusal(lowered):
            continue
        batch = batch_of(columns_of(expression), 60)
        assert differences(beam_rows, [query], batch, nulls_may_fail=True, far_years_may_fail=True) == []


@settings(max_examples=100, deadline=None)
@given(st.lists(expressions(), min_size=5, max_size=5))
def test_most_random_expressions_are_lowered(written: list[str]) -> None:
    known = [expression for expression in written if not analysed(query_of(expression), SCHEMA).problems]
    lowered = [one for one in known if not isinstance(lower(analysed(query_of(one), SCHEMA)), str)]
    assert len(lowered) * 2 >= len(known) or len(known) < 4
