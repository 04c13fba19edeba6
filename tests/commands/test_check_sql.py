"""`blocks check-sql`: what a person at a terminal, and a program, sees."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from blocks.cli import app

SCHEMA = """\
name: event
fields:
  - {name: user_id, type: string, label: public}
  - {name: email, type: string, label: pii.email}
  - {name: amount, type: double, label: public}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "event.yaml").write_text(SCHEMA, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(folder: Path, query: str, *options: str) -> Result:
    (folder / "query.sql").write_text(query, encoding="utf-8")
    return CliRunner().invoke(app, ["check-sql", "query.sql", "--schema", "event.yaml", *options])


def test_a_mistake_is_underlined_with_the_nearest_name(folder: Path) -> None:
    result = check(folder, "SELECT\n  user_id, email_domain(emial) AS domain\nFROM PCOLLECTION\n")
    assert result.exit_code == 2
    assert result.stderr == (
        "query.sql:2:25: unknown column `emial` in PCOLLECTION\n"
        "  |    user_id, email_domain(emial) AS domain\n"
        "                             ^^^^^ did you mean `email`? columns: user_id, email, amount\n"
    )


def test_all_mistakes_are_shown_in_the_order_of_the_text(folder: Path) -> None:
    result = check(folder, "SELECT uzer_id, nosuch(email) AS x\nFROM PCOLLECTION WHERE amont > 1")
    assert [line.split(": ")[0] for line in result.stderr.splitlines() if line.startswith("query.sql")] == [
        "query.sql:1:8",
        "query.sql:1:17",
        "query.sql:2:24",
    ]


def test_a_right_query_shows_engine_columns_labels_and_notes(folder: Path) -> None:
    result = check(folder, "SELECT user_id, UPPER(email) AS e FROM PCOLLECTION WHERE amount != 1")
    assert result.exit_code == 0
    assert result.stdout == (
        "query.sql: right; runs in DuckDB\n"
        "  1:58: `!=` is written `<>`\n"
        "  user_id  string  public\n"
        "  e        string  pii.email\n"
    )


def test_a_query_that_needs_beam_says_why(folder: Path) -> None:
    result = check(folder, "SELECT user_id, SUM(amount) AS spent FROM PCOLLECTION GROUP BY user_id", "--sql")
    assert (
        "query.sql: right; runs in Beam SQL\n  because: GROUP BY meets several rows (query.sql:1:55).\n"
        in result.stdout
    )
    assert result.stdout.endswith("SELECT user_id, SUM(amount) AS spent FROM PCOLLECTION GROUP BY user_id\n")


def test_programs_get_json(folder: Path) -> None:
    result = check(folder, "SELECT emial FROM PCOLLECTION", "--format", "json")
    assert result.exit_code == 2
    (found,) = json.loads(result.stdout)
    assert found["right"] is False
    assert found["problems"] == [
        {
            "line": 1,
            "column": 8,
            "length": 5,
            "severity": "error",
            "code": "unknown_column",
            "message": "unknown column `emial` in PCOLLECTION",
            "hint": "did you mean `email`? columns: user_id, email, amount",
        }
    ]


def test_json_of_a_right_query_has_its_columns(folder: Path) -> None:
    (found,) = json.loads(check(folder, "SELECT email AS e FROM PCOLLECTION", "--format", "json").stdout)
    assert found["columns"] == [{"name": "e", "type": "string", "nullable": True, "labels": ["pii.email"]}]
    assert (found["engine"], found["problems"]) == ("duckdb", [])


def test_a_query_comes_from_standard_input(folder: Path) -> None:
    arguments = ["check-sql", "-", "--schema", "event.yaml"]
    result = CliRunner().invoke(app, arguments, input="SELECT emial FROM PCOLLECTION")
    assert result.exit_code == 2
    assert result.stderr.startswith("query:1:8: unknown column `emial`")


def test_several_inputs_have_names(folder: Path) -> None:
    (folder / "join.sql").write_text("SELECT a.user_id FROM a JOIN b ON a.user_id = b.user_id", encoding="utf-8")
    arguments = ["check-sql", "join.sql", "--schema", "a=event.yaml", "--schema", "b=event.yaml"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output


def test_a_query_of_another_dialect(folder: Path) -> None:
    result = check(folder, "SELECT IFF(amount > 1, 'a', 'b') AS k FROM PCOLLECTION", "--dialect", "snowflake")
    assert result.exit_code == 0, result.output


def test_a_parameter_is_a_value_and_never_text(folder: Path) -> None:
    query = "SELECT user_id FROM PCOLLECTION WHERE user_id = :who"
    result = check(folder, query, "--set", "who=' OR 'a' = 'a", "--sql")
    assert result.exit_code == 0, result.output
    assert "''' OR ''a'' = ''a'" in result.stdout


def test_functions_of_a_folder(folder: Path) -> None:
    (folder / "own").mkdir()
    header = "-- name: twice\n-- version: 1\n-- description: Twice a number.\n"
    header += "-- signature: (x DOUBLE) RETURNS DOUBLE\n-- example: twice(CAST(2 AS DOUBLE)) -> 4.0\n"
    (folder / "own" / "twice.sql").write_text(f"{header}\nx * 2\n", encoding="utf-8")
    result = check(folder, "SELECT twice(amount) AS t FROM PCOLLECTION", "--functions", "own")
    assert result.exit_code == 0, result.output
    assert "functions: twice 1 (sql)" in result.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--dialect", "oracle"], "no dialect `oracle`"),
        (["--format", "xml"], "no format `xml`"),
        (["--set", "x"], "expected NAME=VALUE, got `x`"),
        (["--schema", "event.yaml"], "two schemas for `PCOLLECTION`"),
    ],
)
def test_options_that_cannot_be_are_named(folder: Path, options: list[str], message: str) -> None:
    result = check(folder, "SELECT 1 AS x FROM PCOLLECTION", *options)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_file_that_is_not_there_and_no_schema(folder: Path) -> None:
    result = CliRunner().invoke(app, ["check-sql", "nowhere.sql"])
    assert result.exit_code == 2
    assert "cannot read the query: No such file or directory" in result.stderr
    assert "there is no schema" in result.stderr


QUERY = "SELECT email, MAX(at) AS last FROM PCOLLECTION GROUP BY email"
TIMED = """\
name: event
fields:
  - {name: email, type: string, label: pii.email}
  - {name: at, type: timestamp, label: public}
"""
KEEP = "destinations: {shuffle: {labels: {public: keep, pii.email: keep}}}\n"


@pytest.fixture
def timed(folder: Path) -> Path:
    (folder / "event.yaml").write_text(TIMED, encoding="utf-8")
    (folder / "privacy.yaml").write_text(KEEP, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("options", "codes"),
    [
        ([], ["privacy", "fine_time"]),
        (["--policy", "privacy.yaml"], ["fine_time"]),
        (["--timestamps", "milliseconds"], ["privacy"]),
        (["--policy", "privacy.yaml", "--timestamps", "milliseconds"], []),
        (["--engine", "duckdb"], ["not_taken"]),
    ],
)
def test_what_the_policy_and_the_engine_refuse_is_told_as_run_sql_tells_it(timed: Path, options, codes) -> None:
    import apache_beam as beam

    from blocks.core.batch_type import BatchType
    from blocks.core.errors import BlocksError
    from blocks.core.looking import looking
    from blocks.core.schema import schema_of_option
    from blocks.sql.run_sql import RunSql

    result = check(timed, QUERY, "--format", "json", *options)
    (found,) = json.loads(result.stdout)
    assert [one["code"] for one in found["problems"]] == codes
    assert result.exit_code == (2 if codes else 0)
    given = {name.removeprefix("--"): value for name, value in zip(options[::2], options[1::2], strict=True)}
    rows = beam.Pipeline() | beam.Create([0])
    batches = rows | beam.FlatMap(lambda _: ()).with_output_types(BatchType(schema_of_option("event.yaml")))
    told: list[str] = []
    try:
        with looking():
            batches | RunSql(QUERY, **given)
    except BlocksError as error:
        told = [one.what for one in error.problems]
    # The file has a name here.
    assert [one["message"].replace("query.sql:", "query:") for one in found["problems"]] == told


def test_every_option_that_cannot_be_used_is_told_at_once(timed: Path) -> None:
    options = ["--engine", "duck", "--timestamps", "never", "--policy", "gone.yaml", "--jar", "gone.jar"]
    result = check(timed, QUERY, *options, "--functions", "gone", "--catalog", "gone.yaml")
    assert result.exit_code == 2
    for place in ("--engine", "--timestamps", "gone.yaml", "--jar[1]", "--functions[1]", "--catalog, gone.yaml"):
        assert f"where: {place}" in result.stderr


MASKING = """\
keys: {main: "env:BLOCKS_MASK_KEY"}
destinations:
  warehouse: {labels: {public: keep, pii.email: {method: hmac, key: main}}}
  model: {labels: {public: keep, pii.email: drop}}
  rejects: {labels: {public: keep}}
  shuffle: {labels: {public: keep, pii.email: {method: hmac, key: main}}}
"""
TOLD = ("--policy", "privacy.yaml", "--timestamps", "milliseconds")


@pytest.fixture
def masking(timed: Path) -> Path:
    (timed / "privacy.yaml").write_text(MASKING, encoding="utf-8")
    return timed


def test_without_masked_a_column_that_only_may_be_shuffled_masked_is_refused(masking: Path) -> None:
    result = check(masking, QUERY, *TOLD)
    assert result.exit_code == 2
    assert "label pii.email must go through hmac" in result.stderr


@pytest.mark.parametrize("destination", ["warehouse", "model"])
def test_masked_columns_are_those_that_mask_columns_gives(masking: Path, destination: str) -> None:
    from blocks.core.schema import schema_of_option
    from blocks.masking.mask_columns import MaskColumns
    from blocks.sql.checking import check_sql

    result = check(masking, "SELECT * FROM PCOLLECTION", *TOLD, "--masked", destination, "--format", "json")
    assert result.exit_code == 0, result.output
    schema = MaskColumns("privacy.yaml", destination).output_schema(schema_of_option("event.yaml"))
    expected = check_sql("SELECT * FROM PCOLLECTION", {"PCOLLECTION": schema}).schema.names
    assert [one["name"] for one in json.loads(result.stdout)[0]["columns"]] == expected
    assert ("email" in expected) == (destination == "warehouse")


def test_what_comes_masked_as_the_policy_asks_may_be_shuffled(masking: Path) -> None:
    result = check(masking, QUERY, *TOLD, "--masked", "warehouse")
    assert result.exit_code == 0, result.output
    assert "  email  string  pii.email\n" in result.stdout


def test_every_input_comes_masked(masking: Path) -> None:
    (masking / "join.sql").write_text("SELECT a.email FROM a JOIN b ON a.email = b.email", encoding="utf-8")
    arguments = ["check-sql", "join.sql", "--schema", "a=event.yaml", "--schema", "b=event.yaml", *TOLD]
    assert CliRunner().invoke(app, arguments).exit_code == 2
    result = CliRunner().invoke(app, [*arguments, "--masked", "warehouse"])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            ["--masked", "warehouse"],
            "there is no policy that says how columns are masked\n"
            "  where: check-sql: --masked warehouse\n  to do: write --policy FILE too",
        ),
        (
            ["--policy", "privacy.yaml", "--masked", "warehose"],
            "the policy has no destination `warehose`\n"
            "  where: check-sql: --masked warehose\n  to do: did you mean `warehouse`?",
        ),
        (
            ["--policy", "privacy.yaml", "--masked", "rejects"],
            "label pii.email is not named for `rejects`\n"
            "  where: check-sql: --masked rejects: field `email`\n"
            "  to do: add to privacy.yaml under `destinations: rejects: labels:`\n         pii.email: drop",
        ),
        (
            ["--policy", "privacy.yml", "--masked", "warehouse"],
            "cannot read the policy: No such file or directory\n"
            "  where: check-sql: privacy.yml\n  to do: did you mean `privacy.yaml`?",
        ),
    ],
)
def test_a_mask_that_cannot_be_is_told_once(masking: Path, options: list[str], told: str) -> None:
    result = check(masking, QUERY, *options)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"ConfigError: {told}"), result.stderr
    assert "\n1. " not in result.stderr
