"""Calls within calls mean what they mean one after the other, whatever columns are called and wherever NULLs are."""

import pyarrow as pa
from example_runs import analysed
from hypothesis import given, settings
from hypothesis import strategies as st

from blocks.sql.lowering import LoweredRunner, lower

# Named as arguments of the functions are, and as their bodies could take for their own.
COLUMNS = ("number", "least", "most", "divisor")
NUMBERS = st.one_of(st.none(), st.integers(-6, 6).map(lambda number: number / 2))
ROWS = st.lists(st.tuples(*(NUMBERS for _ in COLUMNS)), min_size=1, max_size=6)
FUNCTIONS = {
    "clamp": 3,
    "safe_divide": 2,
    "percent_change": 2,
    "min_max_scale": 3,
    "zero_if_null": 1,
    "{} + {}": 2,
    "{} * {} - 1.5e0": 2,
    "-{}": 1,
    "COALESCE({}, {})": 2,
}


def calls(inner):
    return st.sampled_from(sorted(FUNCTIONS)).flatmap(
        lambda name: st.tuples(st.just(name), *(inner for _ in range(FUNCTIONS[name])))
    )


EXPRESSIONS = st.recursive(st.sampled_from(COLUMNS), calls, max_leaves=6)


def text_of(node):
    if isinstance(node, str):
        return node
    name, *arguments = node
    if "{" not in name:
        return f"{name}({', '.join(map(text_of, arguments))})"
    return name.format(*(f"({text_of(argument)})" for argument in arguments))


def run(expression, batch):
    lowered = lower(analysed([expression], batch.schema))
    assert not isinstance(lowered, str), lowered
    ran = LoweredRunner(lowered)(batch)
    assert ran.failed is None
    return ran.batch.column(0)


def one_after_the_other(node, batch):
    """Each argument is computed into a column of its own before the call."""
    if isinstance(node, str):
        return batch.column(node)
    name, *arguments = node
    columns = [one_after_the_other(argument, batch) for argument in arguments]
    names = [f"c{place}" for place in range(len(columns))]
    return run(text_of((name, *names)), pa.RecordBatch.from_arrays(columns, names=names))


@settings(max_examples=40)
@given(EXPRESSIONS.filter(lambda node: not isinstance(node, str)), ROWS)
def test_a_call_of_calls_is_the_calls_one_after_the_other(node, rows):
    columns = [pa.array(values, pa.float64()) for values in zip(*rows, strict=True)]
    batch = pa.RecordBatch.from_arrays(columns, names=list(COLUMNS))
    assert run(text_of(node), batch).to_pylist() == one_after_the_other(node, batch).to_pylist()
