"""Versions of a block in a snippet: `Name@1`, majors side by side, deprecated ones."""

import pytest
import snippet_blocks

from blocks.core.errors import SnippetError
from blocks.engines import engine
from blocks.snippets.building import build, check_snippet
from blocks.snippets.running import run

TWO = """\
pipeline:
  - {type: ReadNumbers, name: read, config: {batches: 1}}
  - {type: AddNumber@1, name: old, input: read}
  - {type: AddNumber@2, name: new, input: read}
  - {type: AddNumber, name: newest, input: read}
  - {type: UnionBatches, name: all, input: [old, new, newest]}
  - {type: Look, name: look, input: all}
  - {type: AsRows, name: rows, input: look}
  - {type: LogForTesting, input: rows}
"""
ONE = """\
pipeline:
  type: chain
  transforms:
    - {{type: ReadNumbers, config: {{batches: 1}}}}
    - type: AddNumber@{}
"""


def test_two_majors_of_a_block_run_side_by_side_in_one_snippet(snippet, catalog, monkeypatch):
    seen: list[int] = []
    monkeypatch.setattr(snippet_blocks, "look", lambda batch: seen.extend(batch.column("number").to_pylist()))
    runner = engine()
    run(build(snippet(TWO), runner=runner, catalog=catalog), runner.counts)
    assert sorted(seen) == sorted([*range(1, 11), *range(100, 110), *range(100, 110)])


def test_a_deprecated_version_is_a_warning_at_its_step(snippet, catalog):
    found = check_snippet(snippet(TWO), catalog=catalog)
    assert not found.problems
    assert [(one.what, one.where) for one in found.warnings] == [
        ("AddNumber 1.0.0 is deprecated", "snippet.yaml:3:5, step `old` (AddNumber@1)")
    ]


@pytest.mark.parametrize(
    ("version", "what", "fix"),
    [
        ("9", "no version 9 of `AddNumber`", "there is: AddNumber@1 (1.0.0), AddNumber@2 (2.3.0)"),
        ("2.4", "no version 2.4 of `AddNumber`", "there is: AddNumber@1 (1.0.0), AddNumber@2 (2.3.0)"),
        ("x", "`x` is no version", "write a major, as in AddNumber@2"),
        ("", "`` is no version", "write a major, as in AddNumber@2"),
    ],
)
def test_a_version_that_is_not_there_is_reported_at_the_type(snippet, catalog, version, what, fix):
    with pytest.raises(SnippetError) as caught:
        build(snippet(ONE.format(version)), catalog=catalog)
    (problem,) = caught.value.problems
    assert (problem.what, problem.where, problem.fix) == (what, "snippet.yaml:5:13", fix)


@pytest.mark.parametrize("version", ["2", "2.3", "2.1.5"])
def test_a_version_that_is_not_newer_than_the_entry_is_taken(snippet, catalog, version):
    built = build(snippet(ONE.format(version)), catalog=catalog)
    assert type(built.blocks[1]) is snippet_blocks.AddNumber2
