"""A snippet that is only looked at starts no server."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from blocks.cli import app
from blocks.core.looking import is_looking, looking
from blocks.engines import sql_service

SNIPPET = """\
name: spending
pipeline:
  type: chain
  transforms:
    - {type: ReadJson, config: {pattern: "*.jsonl", schema: event.yaml}}
    - {type: RunSql, config: {query: "SELECT user_id, SUM(amount) AS spent FROM PCOLLECTION GROUP BY user_id"}}
    - {type: WriteWarehouse, config: {table: spending, warehouse: warehouse}}
"""
SCHEMA = "name: event\nfields: [{name: user_id, type: string, required: true}, {name: amount, type: double}]\n"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "s.yaml").write_text(SNIPPET, encoding="utf-8")
    (tmp_path / "event.yaml").write_text(SCHEMA, encoding="utf-8")
    (tmp_path / "a.jsonl").write_text('{"user_id": "a", "amount": 1}\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the service was asked for")

    monkeypatch.setattr(sql_service.client, "service", refuse)
    monkeypatch.setattr(sql_service, "service", refuse)
    monkeypatch.setattr("blocks.engines.sql_service.stage.service", refuse)
    return tmp_path


@pytest.mark.parametrize("command", ["check", "explain", "plan"])
def test_a_query_in_beam_sql_is_checked_without_the_service(files: Path, command: str) -> None:
    result = CliRunner().invoke(app, [command, "s.yaml"])
    assert result.exit_code == 0, result.output


def test_a_pipeline_is_looked_at_only_within() -> None:
    assert not is_looking()
    with looking():
        assert is_looking()
    assert not is_looking()
