"""What feeds what, through chains and composites."""

import pytest

from blocks.snippets.building import build
from blocks.snippets.edges import edges_of
from blocks.snippets.graph import in_order, sources

NESTED = """\
pipeline:
  - {type: AddNumber, name: last, input: inner.doubled}
  - type: composite
    name: inner
    input: {numbers: feed}
    output: {plain: look, doubled: twice}
    transforms:
      - {type: Look, name: look, input: numbers}
      - {type: MultiplyColumn, name: twice, input: numbers, config: {column: number}}
  - {type: AddNumber, name: other, input: inner.plain}
  - type: chain
    name: feed
    transforms:
      - {type: ReadNumbers, config: {batches: 1}}
      - {type: Look}
  - {type: UnionBatches, name: all, input: [last, other]}
"""


@pytest.fixture
def built(snippet, catalog):
    return build(snippet(NESTED), catalog=catalog)


def test_inputs_lead_to_the_steps_that_give_them(built):
    fed = {step.label: [source.step.label for source in sources(step)] for step in built.steps}
    assert fed == {
        "last": ["inner/twice"],
        "inner/look": ["feed/Look"],
        "inner/twice": ["feed/Look"],
        "other": ["inner/look"],
        "feed/ReadNumbers": [],
        "feed/Look": ["feed/ReadNumbers"],
        "all": ["last", "other"],
    }


def test_each_step_comes_after_what_feeds_it(built):
    order = [step.label for step in in_order(list(built.steps))]
    assert len(order) == len(built.steps)
    for step in built.steps:
        for source in sources(step):
            assert order.index(source.step.label) < order.index(step.label)


def test_every_edge_has_its_schema(built):
    edges = edges_of(built)
    inputs = [one.output for step in built.steps for one in edges.inputs(step)]
    assert [output.schema.names for output in inputs if output is not None] == [["number", "word"]] * 7
    assert all(output is not None for output in inputs)
