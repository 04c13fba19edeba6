"""The public names of `blocks` and where they are, read from the catalog at the least cost.

Nothing is validated here: the catalog that a release carries was, by its tests, and `import blocks` is to be quick.
"""

import importlib
from functools import cache
from pathlib import Path
from typing import Any


def catalog_file() -> Path:
    """The catalog: beside this module in an installed package, at the root of a checkout otherwise."""
    installed = Path(__file__).with_name("catalog.yaml")
    return installed if installed.exists() else Path(__file__).parents[2] / "catalog.yaml"


@cache
def public_names() -> dict[str, str]:
    """Name to `module:attribute`; of several versions of a block the last in the file."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with catalog_file().open("rb") as file:
        content = yaml.load(file, Loader=loader)  # noqa: S506 - both are safe loaders
    return {entry["name"]: entry["class"] for entry in content["blocks"]} | content["names"]


def load_name(name: str) -> Any:
    """The object of a public name."""
    module, _, attribute = public_names()[name].partition(":")
    return getattr(importlib.import_module(module), attribute)
