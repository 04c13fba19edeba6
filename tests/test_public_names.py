"""The public names of `blocks`: each is there, is what it says, and the package lists exactly these."""

import tomllib
from pathlib import Path

import pytest

import blocks
from blocks.catalog.names import public_names


@pytest.mark.parametrize("name", sorted(public_names()))
def test_every_public_name_is_the_object_of_its_module(name):
    module, _, attribute = public_names()[name].partition(":")
    found = getattr(blocks, name)
    assert found is getattr(__import__(module, fromlist=[attribute]), attribute)


def test_the_package_lists_its_names_and_no_other():
    assert dir(blocks) == sorted([*public_names(), "__version__", "load"])
    assert blocks.__all__ == dir(blocks)


def test_a_star_import_brings_every_public_name():
    into: dict[str, object] = {}
    exec("from blocks import *", into)
    assert set(public_names()) <= set(into)


def test_a_misspelt_name_gets_the_nearest_one():
    with pytest.raises(AttributeError, match=r"no attribute `ReadJsn`; did you mean `ReadJson`\?"):
        blocks.ReadJsn  # noqa: B018


def test_submodules_are_imported_as_usual():
    from blocks import core

    assert core.__name__ == "blocks.core"


def test_every_error_class_is_public():
    from blocks.core import errors

    tree = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}
    assert tree <= set(public_names())


def test_load_gives_the_class_of_a_block():
    assert blocks.load("MaskColumns") is blocks.MaskColumns


def test_the_version_is_that_of_the_project():
    project = tomllib.loads((Path(blocks.__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    assert blocks.__version__ == project["project"]["version"]
