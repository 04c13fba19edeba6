"""A value of a snippet's parameter never becomes a part of the text of a query."""

from datetime import date
from pathlib import Path

import pytest

from blocks.core.errors import Problem
from blocks.snippets.reading import read_snippet

SNIPPET = """
parameters:
  who: {type: string, default: nobody}
  from: {type: date, default: 2026-01-01}
  query: {type: string, default: SELECT 1 AS x FROM PCOLLECTION}
pipeline:
  type: chain
  transforms:
    - type: STEP
      config:
        query: "QUERY"
        parameters: {who: "${who}", from: "${from}"}
"""
EVIL = "x' OR '1'='1"


def read(tmp_path: Path, query: str, step: str = "RunSql") -> tuple[object, list[Problem]]:
    file = tmp_path / "snippet.yaml"
    file.write_text(SNIPPET.replace("QUERY", query).replace("STEP", step))
    problems: list[Problem] = []
    snippet = read_snippet(file, {"who": EVIL, "query": "SELECT 2 AS x FROM PCOLLECTION"}, problems)
    return snippet.pipeline["transforms"][0]["config"], problems


@pytest.mark.parametrize("step", ["RunSql", "RunSql@1", "Sql"])
@pytest.mark.parametrize("query", ["SELECT a FROM t WHERE b = '${who}'", "SELECT ${who} FROM t", "${who}${from}"])
def test_a_value_within_the_text_of_a_query_is_a_mistake_that_says_how_to_bind_it(tmp_path, query, step):
    config, problems = read(tmp_path, query, step)
    assert [one.what for one in problems] == ["the value of `${who}` would be pasted into SQL"]
    assert ":12:" in problems[0].where or ":11:" in problems[0].where
    assert "write :who in the query of a RunSql, without quotes" in problems[0].fix
    assert '`parameters: {who: "${who}"' in problems[0].fix
    assert EVIL not in str(config["query"])
    assert EVIL not in str(problems)


def test_parameters_of_the_query_keep_the_value_and_its_type(tmp_path):
    config, problems = read(tmp_path, "SELECT a FROM t WHERE b = :who AND c >= :from")
    assert problems == []
    assert config["query"] == "SELECT a FROM t WHERE b = :who AND c >= :from"
    assert config["parameters"]["who"] == EVIL
    assert config["parameters"]["from"].isoformat() == "2026-01-01"


def test_a_whole_query_may_be_a_parameter_and_a_dollar_may_stand_in_one(tmp_path):
    assert read(tmp_path, "${query}") == (
        {
            "query": "SELECT 2 AS x FROM PCOLLECTION",
            "parameters": {"who": EVIL, "from": date(2026, 1, 1)},
        },
        [],
    )
    assert read(tmp_path, "SELECT '$${x}' AS x FROM t")[0]["query"] == "SELECT '${x}' AS x FROM t"


def test_what_is_no_query_is_put_in_as_before(tmp_path):
    config, problems = read(tmp_path, "b = '${who}'", "FilterRows")
    assert (config["query"], problems) == (f"b = '{EVIL}'", [])
