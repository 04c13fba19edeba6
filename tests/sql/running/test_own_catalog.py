"""Functions of a user that a catalog names: known to every way in which a query is checked, and told where wrong."""

import hashlib
import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sql_runs import field
from typer.testing import CliRunner

from blocks.catalog.reading import read_catalog
from blocks.cli import app
from blocks.core.errors import CatalogError, ConfigError, Problem
from blocks.sql.checking import check_sql
from blocks.sql.run_sql import RunSql
from blocks.sql.running.archives import INDEX

SCHEMA = pa.schema([field("id", pa.int64()), field("at", pa.timestamp("us", "UTC"), event_time="true")])
MARGIN = """\
-- name: our_margin
-- version: 1
-- description: What is left.
-- signature: (price BIGINT, cost BIGINT) RETURNS BIGINT
-- example: our_margin(5, 2) -> 3

price - cost
"""
QUERY = "SELECT our_margin(id, 1) AS m, our_score(id) AS s FROM PCOLLECTION"


def function(name: str, version: int = 1) -> dict[str, Any]:
    return {
        "name": name,
        "version": version,
        "kind": "scalar",
        "language": "java",
        "class": f"ours.{name}",
        "description": "For tests.",
        "deterministic": True,
        "nulls": "null",
        "overloads": [{"arguments": [{"name": "x", "type": "BIGINT"}], "returns": "BIGINT"}],
        "examples": [{"call": f"{name}(1)", "result": "1"}],
    }


def jar(path: Path, *functions: dict[str, Any]) -> str:
    """An archive with an index, as its build writes it; gives its SHA-256."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ours/Own.class", struct.pack(">IHH", 0xCAFEBABE, 0, 61))
        archive.writestr(INDEX, json.dumps({"format": 1, "functions": functions}))
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with a catalog of functions, an archive and a folder of SQL."""
    sha256 = jar(tmp_path / "ours.jar", function("our_score"))
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions" / "our_margin.sql").write_text(MARGIN)
    text = f"udf_jars:\n  - {{path: ours.jar, sha256: {sha256}}}\nsql_udfs: [functions]\n"
    (tmp_path / "catalog.yaml").write_text(text)
    return tmp_path


def problems_of(catalog: Path) -> list[tuple[str, str]]:
    """(place, what) of all that is wrong with a catalog's functions."""
    with pytest.raises(ConfigError) as caught:
        RunSql("SELECT id FROM PCOLLECTION", catalog=catalog)
    assert all(one.fix for one in caught.value.problems)
    home = str(catalog.parent)
    return [
        (one.where.removeprefix("RunSql: ").replace(home, "T"), one.what.replace(home, "T"))
        for one in caught.value.problems
    ]


def test_functions_of_a_catalog_are_known_to_a_query_wherever_it_is_checked(home):
    sha256 = hashlib.sha256((home / "ours.jar").read_bytes()).hexdigest()
    found = RunSql(QUERY, catalog=home / "catalog.yaml").explain(SCHEMA)
    assert found.functions == ("our_margin 1 (sql)", f"our_score 1 (jar, archive {sha256[:12]})")
    checked = check_sql(QUERY, {"PCOLLECTION": SCHEMA}, catalog=home / "catalog.yaml")
    assert [one.name for one in checked.functions] == ["our_margin", "our_score"]
    assert read_catalog(home / "catalog.yaml").own.jars[0].sha256 == sha256


def test_check_sql_on_the_command_line_takes_a_catalog(home, monkeypatch):
    monkeypatch.chdir(home)
    (home / "event.yaml").write_text("name: event\nfields: [{name: id, type: int64, label: public}]\n")
    (home / "query.sql").write_text(QUERY)
    command = ["check-sql", "query.sql", "--schema", "event.yaml"]
    assert "unknown function `our_margin`" in CliRunner().invoke(app, command).stderr
    told = CliRunner().invoke(app, [*command, "--catalog", "catalog.yaml"])
    assert told.exit_code == 0
    assert "functions: our_margin 1 (sql), our_score 1 (jar)" in told.stdout
    told = CliRunner().invoke(app, [*command, "--jar", "ours.jar", "--functions", "functions"])
    assert told.exit_code == 0


def test_functions_of_a_catalog_are_listed_and_shown(home):
    sha256 = jar(home / "ours.jar", function("our_score", 1), function("our_score", 2))
    (home / "catalog.yaml").write_text(f"udf_jars: [{{path: ours.jar, sha256: {sha256}}}]\nsql_udfs: [functions]\n")
    catalog, wide = ["--catalog", str(home / "catalog.yaml")], {"COLUMNS": "150"}
    listed = CliRunner().invoke(app, ["catalog", *catalog], env=wide).stdout.splitlines()
    rows = [line.split() for line in listed if " our_" in f" {line}"]
    assert [(one[0], one[1]) for one in rows] == [("our_margin", "1"), ("our_score", "1"), ("our_score", "2")]
    shown = CliRunner().invoke(app, ["show", "our_score", *catalog], env=wide).stdout
    assert shown.startswith(f"our_score 2 (scalar; archive {sha256[:12]}; runs on Beam)")
    assert "our_score(x BIGINT) BIGINT" in shown
    for name in ("our_score@1", "our_score_v1"):
        assert CliRunner().invoke(app, ["show", name, *catalog], env=wide).stdout.startswith("our_score 1 (")
    assert "price - cost" not in (shown := CliRunner().invoke(app, ["show", "our_margin", *catalog], env=wide).stdout)
    assert "our_margin(5, 2)" in shown
    assert CliRunner().invoke(app, ["show", "clamp", *catalog], env=wide).stdout.startswith("clamp 1.0.0")


def test_a_catalog_that_is_not_there_is_no_empty_one(home):
    for command in (["catalog"], ["show", "clamp"]):
        told = CliRunner().invoke(app, [*command, "--catalog", str(home / "gone.yaml")])
        assert told.exit_code == 2
        assert "cannot read the file" in told.stderr


def test_a_snippet_names_a_catalog_beside_itself(home, monkeypatch):
    (home / "event.yaml").write_text("name: event\nfields: [{name: id, type: int64, label: public}]\n")
    (home / "snippet.yaml").write_text(
        "pipeline:\n  type: chain\n  transforms:\n"
        "    - {type: ReadJson, config: {pattern: events.jsonl, schema: event.yaml}}\n"
        f"    - {{type: RunSql, config: {{query: '{QUERY}', catalog: catalog.yaml}}}}\n"
    )
    (home / "events.jsonl").write_text('{"id": 1}\n')
    told = CliRunner().invoke(app, ["check", str(home / "snippet.yaml")])
    assert told.exit_code == 0, told.output
    (home / "ours.jar").write_bytes((home / "ours.jar").read_bytes() + b"\0")
    told = CliRunner().invoke(app, ["check", str(home / "snippet.yaml")])
    assert told.exit_code == 2
    assert "has the SHA-256" in told.output


def test_an_archive_that_was_changed_is_refused_at_its_line(home):
    jar(home / "ours.jar", function("our_score"), function("our_other"))
    ((where, what),) = problems_of(home / "catalog.yaml")
    assert where == "T/catalog.yaml:2:5"
    assert what.startswith("T/ours.jar has the SHA-256 ")


def test_everything_that_is_wrong_is_told_at_once_with_its_place(home):
    none, taken = jar(home / "none.jar"), jar(home / "taken.jar", function("mask_left"), function("our_score"))
    good = hashlib.sha256((home / "ours.jar").read_bytes()).hexdigest()
    (home / "catalog.yaml").write_text(
        f"udf_jars:\n  - {{path: ours.jar, sha256: {good}}}\n  - {{path: none.jar, sha256: {none}}}\n"
        f"  - {{path: taken.jar, sha256: {taken}}}\n  - {{path: gone.jar, sha256: {'a' * 64}}}\n"
        "sql_udfs: [functions, nowhere]\n"
    )
    assert problems_of(home / "catalog.yaml") == [
        ("T/catalog.yaml:5:5", "cannot read T/gone.jar: No such file or directory"),
        ("T/catalog.yaml:3:5, T/none.jar", "the archive has no functions"),
        ("T/catalog.yaml:4:5, T/taken.jar", "`mask_left` is in the library and in T/taken.jar"),
        ("T/catalog.yaml:4:5, T/taken.jar", "`our_score` is in T/ours.jar and in T/taken.jar"),
        ("T/catalog.yaml:6:23", "no folder T/nowhere"),
    ]


def test_every_mistake_of_the_sections_is_told_at_once(home):
    (home / "catalog.yaml").write_text(
        "udf_jars:\n  - ours.jar\n  - {path: ours.jar}\n  - {path: a.jar, sha256: abc, sha: 1}\n"
        f"  - {{path: b.jar, sha256: {'1' * 64}}}\n"
        "sql_udfs: [functions, functions, 7]\n"
    )
    wanted = [
        ("2:5", "no path of an archive"),
        ("3:5", "an archive without its `sha256`"),
        ("4:32", "unknown key `sha`"),
        ("4:27", "`sha256` is not 64 hex digits"),
        ("5:27", "`sha256` is a number to YAML"),
        ("6:34", "no path of a folder"),
        ("6:23", f"{home}/functions is named twice, first in {home}/catalog.yaml:6:12"),
    ]
    with pytest.raises(CatalogError) as caught:
        read_catalog(home / "catalog.yaml")
    assert [(one.where, one.what) for one in caught.value.problems] == [
        (f"{home}/catalog.yaml:{place}", what) for place, what in wanted
    ]
    assert len(problems_of(home / "catalog.yaml")) == len(wanted)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("blocks: []\n", "the catalog names no functions of your own"),
        ("udf_jar: []\n", "the catalog names no functions of your own"),
        ("sql_udfs: functions\n", "`sql_udfs` is no list"),
    ],
)
def test_a_catalog_without_functions_is_a_mistake(home, text, what):
    (home / "catalog.yaml").write_text(text)
    assert [one for _, one in problems_of(home / "catalog.yaml")] == [what]
    if "udf_jar:" in text:
        with pytest.raises(ConfigError, match="did you mean `udf_jars`"):
            RunSql("SELECT 1 AS x FROM PCOLLECTION", catalog=home / "catalog.yaml")


def test_a_bad_archive_is_told_beside_what_is_wrong_with_other_options(home):
    with pytest.raises(ConfigError) as caught:
        RunSql("SELECT 1 AS x FROM PCOLLECTION", engine="duck", catalog=home / "nowhere.yaml", udf_jars=["x.jar"])
    assert [one.where.partition(",")[0] for one in caught.value.problems] == ["engine", "udf_jars[1]", "catalog"]


def test_a_version_of_a_compiled_function_is_asked_for_by_name(home):
    sha256 = jar(home / "ours.jar", function("our_score", 1), function("our_score", 2))
    (home / "catalog.yaml").write_text(f"udf_jars: [{{path: ours.jar, sha256: {sha256}}}]\n")

    def served(query: str) -> str:
        return check_sql(query, {"PCOLLECTION": SCHEMA}, catalog=home / "catalog.yaml").sql

    query = "SELECT our_score(id) AS n, our_score_v1(id) AS a, our_score_v2(id) AS b FROM PCOLLECTION"
    assert served(query) == query.replace("our_score(id)", "our_score_v2(id)")
    (problem,) = _wrong("SELECT our_score_v3(id) AS n FROM PCOLLECTION", home / "catalog.yaml")
    assert "our_score_v3" in problem.what
    assert "our_score" in problem.fix


def _wrong(query: str, catalog: Path) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        check_sql(query, {"PCOLLECTION": SCHEMA}, catalog=catalog)
    return caught.value.problems


def test_one_version_alone_has_the_plain_name_in_the_service(home):
    query = "SELECT our_score_v1(id) AS n FROM PCOLLECTION"
    found = check_sql(query, {"PCOLLECTION": SCHEMA}, catalog=home / "catalog.yaml")
    assert found.sql == "SELECT our_score(id) AS n FROM PCOLLECTION"


def test_explain_says_that_a_function_of_an_archive_keeps_the_query_out_of_duckdb(home):
    found = RunSql("SELECT our_score(id) AS n FROM PCOLLECTION", catalog=home / "catalog.yaml").explain(SCHEMA)
    assert found.engine == "beam"
    assert "our_score runs in Java only" in found.reason


def test_explain_tells_what_changed_in_a_column_that_keeps_its_name():
    schema = pa.schema([field("id", pa.int32()), field("email", pa.string(), "pii.email"), field("n", pa.int64())])
    query = "SELECT CAST(id AS BIGINT) AS id, UPPER(email) AS email, n FROM PCOLLECTION WHERE email <> ''"
    found = RunSql(query).explain(schema)
    assert [(one.name, one.changes) for one in found.columns] == [
        ("id", ("computed", "was int32", "label was public")),
        ("email", ("computed",)),
        ("n", ("label was public",)),
    ]
    assert "  id     int64  pii.email, public  computed, was int32, label was public\n" in str(found)
    (same, _) = RunSql("SELECT n, email FROM PCOLLECTION").explain(schema).columns
    assert same.changes == ()


def test_explain_tells_how_a_column_was_masked():
    schema = pa.schema([field("email", pa.string(), "pii.email")])
    policy = {"keys": {"main": "env:BLOCKS_MASK_KEY"}, "destinations": {"rows": {"labels": {}}}}
    query = "SELECT hmac_sha256(email, 'main') AS email, hmac_sha256(email, 'main') AS code FROM PCOLLECTION"
    found = RunSql(query, policy=policy).explain(schema)
    assert [one.changes for one in found.columns] == [("computed", "masked: hmac (main)"), ("masked: hmac (main)",)]
