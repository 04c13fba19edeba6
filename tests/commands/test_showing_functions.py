"""`blocks catalog` and `blocks show` for functions of SQL."""

import pytest
from typer.testing import CliRunner

from blocks.catalog.reading import read_catalog
from blocks.cli import app


@pytest.fixture
def blocks(tmp_path, monkeypatch):
    """Runs a command in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")

    def run(*arguments: str, code: int = 0):
        result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result

    return run


def test_the_catalog_lists_every_function(blocks):
    output = blocks("catalog").output
    for entry in read_catalog().functions:
        assert (f" {entry.name} " in output) == (entry.origin != "beam")


def test_show_tells_how_a_function_is_called_and_what_it_does_to_labels(blocks):
    output = blocks("show", "mask_left").output
    assert "mask_left 1.0.0 (stable; scalar; written in Java; since 0.1.0; runs on Beam" in output
    assert "mask_left(text VARCHAR, count BIGINT) VARCHAR" in output
    assert "marked as masked by `mask_left` where `count` is a literal from 1" in output
    assert "'nn11-2222'" in output


def test_show_tells_that_a_function_in_sql_runs_in_process(blocks):
    assert "written in SQL; since 0.1.0; runs on Beam, and DuckDB in-process" in blocks("show", "clamp").output


def test_show_takes_a_version(blocks):
    assert blocks("show", "clamp@1").output == blocks("show", "clamp").output
    assert "no version 2 of `clamp`" in blocks("show", "clamp@2", code=2).stderr


def test_a_misspelt_function_gets_the_nearest_name(blocks):
    result = blocks("show", "mask_lef", code=2)
    assert result.stderr.splitlines()[0].endswith("no function `mask_lef`")
    assert "did you mean `mask_left`?" in result.stderr
