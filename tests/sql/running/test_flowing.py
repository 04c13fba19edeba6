"""The catalog tells where the columns of a query come from, from names alone; a snippet names its inputs."""

from pathlib import Path

import pytest

from blocks.catalog.flow import flow, needed
from blocks.catalog.reading import read_catalog
from blocks.core.errors import ConfigError
from blocks.snippets.building import build, check_snippet
from blocks.snippets.explaining import explain
from blocks.sql.running.flowing import columns_named, sources_of

NAMES = [["id", "name", "at", "price", "who"]]
EXAMPLE = Path(__file__).parents[3] / "examples" / "sql" / "orders.yaml"


@pytest.mark.parametrize(
    ("query", "told", "named"),
    [
        (
            "SELECT *, id + 1 AS next FROM PCOLLECTION",
            {**{name: ("kept", name) for name in NAMES[0]}, "next": ("computed", "id")},
            ["id"],
        ),
        ("SELECT COUNT(*) AS n FROM PCOLLECTION", {"n": ("computed", "")}, []),
        (
            "SELECT name AS who, SUM(price) AS s FROM PCOLLECTION p WHERE id > 3 GROUP BY name HAVING s > 3 ORDER BY s",
            {"who": ("renamed", "name"), "s": ("computed", "price")},
            ["name", "price", "id"],
        ),
        (
            "SELECT x.a, x.b || 'y' AS c FROM (SELECT id AS a, name || price AS b FROM PCOLLECTION) x",
            {"a": ("computed", "id"), "c": ("computed", "name price")},
            ["id", "name", "price"],
        ),
        ("SELECT id FROM PCOLLECTION WHERE name = :x", {"id": ("kept", "id")}, ["id", "name"]),
    ],
)
def test_the_sources_of_columns_and_the_columns_that_a_query_needs(query, told, named):
    config = {"query": query, "parameters": {"x": 1} if ":x" in query else {}}
    found = sources_of(query, config, NAMES)
    assert {name: (how, " ".join(one for _, one in sources)) for name, (how, sources) in found.items()} == told
    assert sorted(columns_named(query, config)) == sorted(named)


def test_the_catalog_entry_asks_the_query():
    entry = read_catalog().block("RunSql")
    config = {"query": "SELECT id, UPPER(name) AS up FROM PCOLLECTION"}
    assert [name for _, name in needed(entry, config)] == ["id", "name"]
    assert flow(entry, config, NAMES).columns["up"].sources == ((0, "name"),)
    with pytest.raises(ConfigError):
        flow(entry, config, NAMES * 2)


def test_what_cannot_be_read_needs_nothing():
    assert columns_named("SELECT FROM", {}) == []
    assert columns_named("SELECT a FROM orders", {}) == []


def snippet(tmp_path: Path, query: str, more: str = "") -> Path:
    (tmp_path / "s.yaml").write_text("fields: [{name: id, type: int64, label: public}, {name: n, type: string}]")
    file = tmp_path / "snippet.yaml"
    file.write_text(
        "pipeline:\n  type: chain\n  transforms:\n"
        "    - {type: ReadJson, config: {pattern: x.jsonl, schema: s.yaml}}\n"
        f'    - {{type: RunSql, config: {{query: "{query}"{more}}}}}\n'
        "    - {type: WriteWarehouse, config: {table: t, warehouse: w}}\n"
    )
    return file


def test_explain_of_a_snippet_says_where_a_query_runs_and_what_was_written_anew(tmp_path):
    built = build(snippet(tmp_path, "SELECT id, UPPER(n) AS up FROM PCOLLECTION WHERE id != 1"))
    step = next(one for one in explain(built) if one.step.type == "RunSql")
    assert "runs in DuckDB" in step.notes[0]
    assert "1:50: `!=` is written `<>`" in step.notes
    assert ("+", "up", "from n") in [(one.sign, one.path, one.note) for one in step.columns[""]]


def test_a_mistake_of_a_query_stands_at_its_step_with_line_and_column(tmp_path):
    found = check_snippet(snippet(tmp_path, "SELECT idd FROM PCOLLECTION"))
    assert len(found.problems) == 1
    assert "column `idd`" in found.problems[0].what
    assert "snippet.yaml:5:" in found.problems[0].where


@pytest.mark.slow
@pytest.mark.jvm
def test_inputs_of_a_snippet_have_the_names_that_the_query_has_for_them():
    assert [one.what for one in check_snippet(EXAMPLE).problems] == []
