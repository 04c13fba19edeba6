"""`blocks new-block`: what it writes passes at once, and overwrites nothing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from blocks.catalog.reading import read_catalog
from blocks.cli import app
from blocks.commands.new_block import new_block, with_entry
from blocks.core.errors import CatalogError, ConfigError

ROOT = Path(__file__).parents[2]


def run_tests(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--color=no", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_a_new_block_passes_at_once_and_a_fault_in_it_is_found(tmp_path):
    new_block("TagOrders", folder=tmp_path)
    done = run_tests(tmp_path, "-m", "not slow")
    assert done.returncode == 0, done.stdout
    module = tmp_path / "our_blocks" / "tag_orders.py"
    module.write_text(
        module.read_text()
        .replace("*batch.columns, *(", "*batch.slice(1).columns, *(")
        .replace("batch.column(name) for", "batch.slice(1).column(name) for")
    )
    done = run_tests(tmp_path, "-k", "conserves_rows")
    assert done.returncode == 1
    assert "rows_in = rows_out, but rows_in 150, rows_out 149" in done.stdout


def test_package_catalog_and_tests_are_where_they_are_asked_for(tmp_path):
    written = new_block(
        "TagOrders", folder=tmp_path, package="shop.steps", catalog=Path("shop/blocks.yaml"), tests=Path("checks")
    )
    assert [str(file.relative_to(tmp_path)) for file in written] == [
        "shop/blocks.yaml",
        "shop/steps/tag_orders.py",
        "checks/test_tag_orders.py",
        "shop/steps/__init__.py",
        "shop/__init__.py",
        "conftest.py",
    ]
    assert read_catalog(written[0]).block("TagOrders").target == "shop.steps.tag_orders:TagOrders"


def test_the_package_of_a_project_is_the_default(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "shop-blocks"\nversion = "1"\n')
    (tmp_path / "shop_blocks").mkdir()
    (tmp_path / "shop_blocks" / "__init__.py").touch()
    assert tmp_path / "shop_blocks" / "tag_orders.py" in new_block("TagOrders", folder=tmp_path)


def test_in_a_checkout_of_the_library_the_suite_is_there_already(tmp_path):
    (tmp_path / "blocks" / "catalog").mkdir(parents=True)
    for file in ("blocks/catalog/names.py", "catalog.yaml", "pyproject.toml"):
        shutil.copyfile(ROOT / file, tmp_path / file)
    for package in ("blocks", "blocks/shaping"):
        (tmp_path / package).mkdir(exist_ok=True)
        (tmp_path / package / "__init__.py").touch()
    before = read_catalog(ROOT / "catalog.yaml")
    catalog, *files = new_block("TagOrders", folder=tmp_path)
    names = [str(file.relative_to(tmp_path)) for file in files]
    assert names == ["blocks/shaping/tag_orders.py", "tests/shaping/test_tag_orders.py"]
    assert "Conformance" not in files[1].read_text()
    after = read_catalog(catalog)
    assert [entry.name for entry in after.entries] == [*(entry.name for entry in before.entries), "TagOrders"]
    assert after.names == before.names


def test_the_catalog_keeps_its_comments():
    catalog = "# ours\nblocks:\n- name: A\n  # why\n  version: 1.0.0\n\n# the rest\nnames:\n  x: a:B\n"
    before, after = catalog.split("\n# the rest")
    added = "\n- name: B\n  version: 1.0.0\n"
    assert with_entry(catalog, added.lstrip()) == f"{before}{added}\n# the rest{after}"


@pytest.mark.parametrize("catalog", ["blocks: []\n", "blocks:\n"])
def test_an_empty_catalog_gets_its_first_entry(catalog):
    assert with_entry(catalog, "- name: B\n") == "blocks:\n  - name: B\n"


def test_everything_that_is_wrong_is_said_at_once_and_nothing_is_written(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(ConfigError) as caught:
        new_block("tagOrders", folder=tmp_path, package="Our Blocks")
    assert [problem.where for problem in caught.value.problems] == ["NAME", "--package"]
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


def test_nothing_that_is_there_is_overwritten(tmp_path):
    written = {file: file.read_bytes() for file in new_block("TagOrders", folder=tmp_path)}
    with pytest.raises(ConfigError) as caught:
        new_block("TagOrders", folder=tmp_path)
    assert [problem.what for problem in caught.value.problems] == [
        "the file is there already",
        "the file is there already",
        "the catalog has a block `TagOrders`",
    ]
    assert {file: file.read_bytes() for file in written} == written


def test_a_catalog_that_cannot_be_read_is_left_alone(tmp_path):
    (tmp_path / "catalog.yaml").write_text("blocks: [{name: x}]\n")
    with pytest.raises((ConfigError, CatalogError), match="problems"):
        new_block("TagOrders", folder=tmp_path)
    assert (tmp_path / "catalog.yaml").read_text() == "blocks: [{name: x}]\n"


def test_the_command_says_what_it_wrote(tmp_path):
    result = CliRunner().invoke(app, ["new-block", "TagOrders", "--folder", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "wrote our_blocks/tag_orders.py" in result.output
    assert CliRunner().invoke(app, ["new-block", "tag", "--folder", str(tmp_path)]).exit_code == 2
