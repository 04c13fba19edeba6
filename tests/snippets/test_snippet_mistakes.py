"""Every mistake in a snippet is reported, at its place, in one error: golden pairs of YAML and text."""

from pathlib import Path

import pytest

from blocks.core.errors import SnippetError
from blocks.snippets.building import build

GOLDEN = Path(__file__).parent / "golden"
CASES = sorted(path.stem for path in GOLDEN.glob("*.yaml"))


@pytest.mark.parametrize("case", CASES)
def test_all_mistakes_are_reported_with_their_places(case, catalog, monkeypatch):
    monkeypatch.chdir(GOLDEN)
    with pytest.raises(SnippetError) as caught:
        build(f"{case}.yaml", catalog=catalog)
    assert f"{caught.value}\n" == (GOLDEN / f"{case}.txt").read_text(encoding="utf-8")


def test_every_problem_has_what_where_and_a_fix(catalog, monkeypatch):
    monkeypatch.chdir(GOLDEN)
    for case in CASES:
        with pytest.raises(SnippetError) as caught:
            build(f"{case}.yaml", catalog=catalog)
        for problem in caught.value.problems:
            assert problem.what
            assert problem.where.startswith(f"{case}.yaml") or problem.where.startswith("--set")
            assert problem.fix


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "a snippet is a mapping, got nothing"),
        ("[1]", "a snippet is a mapping, got a list"),
        ("name: x", "a snippet has a `pipeline`"),
        ("pipeline: {type: chain}", "`transforms` is a list of steps"),
        ("pipeline: [3]", "a step is a mapping with a `type`, got a whole number"),
        ("a: [", "not YAML"),
    ],
)
def test_files_that_are_no_snippets_are_refused(snippet, text, what):
    with pytest.raises(SnippetError) as caught:
        build(snippet(text))
    assert caught.value.problems[0].what.startswith(what)


def test_aliases_that_multiply_are_refused(snippet):
    lines = ["a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(SnippetError, match="more than 200,000 values"):
        build(snippet("\n".join(lines)))


def test_a_missing_file_is_named():
    with pytest.raises(SnippetError) as caught:
        build("nowhere/none.yaml")
    assert caught.value.where == "nowhere/none.yaml"
