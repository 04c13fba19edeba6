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
def _content() -> dict[str, Any]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with catalog_file().open("rb") as file:
        return dict(yaml.load(file, Loader=loader))  # noqa: S506 - both are safe loaders


@cache
def public_names() -> dict[str, str]:
    """Name to `module:attribute`; of several versions of a block the newest that is not experimental."""
    content = _content()
    # Majors stand in rising order: a later entry replaces an earlier one unless only it is experimental.
    named: dict[str, dict[str, Any]] = {}
    for entry in content["blocks"]:
        before = named.get(entry["name"], entry)
        if entry["status"] != "experimental" or before["status"] == "experimental":
            named[entry["name"]] = entry
    return {name: entry["class"] for name, entry in named.items()} | content["names"]


def plain_functions() -> list[dict[str, Any]]:
    """The entries under `functions`, as they stand in the file."""
    return list(_content().get("functions", ()))


def load_name(name: str) -> Any:
    """The object of a public name."""
    module, _, attribute = public_names()[name].partition(":")
    return getattr(importlib.import_module(module), attribute)
