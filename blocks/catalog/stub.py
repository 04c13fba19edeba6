"""Makes `blocks/__init__.pyi`, so that type checkers and editors know the names that are loaded lazily.

Run it after a change of the catalog: `python -m blocks.catalog.stub`.
"""

from pathlib import Path

from blocks.catalog.model import Catalog
from blocks.catalog.reading import read_catalog

_HEAD = "# Made from catalog.yaml by `python -m blocks.catalog.stub`; do not edit.\n"


def stub_file() -> Path:
    """Where the stub stands."""
    return Path(__file__).parents[1] / "__init__.pyi"


def stub_text(catalog: Catalog) -> str:
    """The content of the stub: one re-export a name, sorted by module."""
    targets = {entry.name: catalog.block(entry.name).target for entry in catalog.entries} | catalog.names
    by_module: dict[str, list[str]] = {}
    for name, target in targets.items():
        module, _, attribute = target.partition(":")
        by_module.setdefault(module, []).append(f"{attribute} as {name}")
    lines = [_HEAD, "from typing import Any\n"]
    for module, names in sorted(by_module.items()):
        listed = sorted(names)
        one = f"from {module} import {', '.join(listed)}"
        inner = ",\n    ".join(listed)
        lines.append(one if len(one) <= 120 else f"from {module} import (\n    {inner},\n)")
    public = sorted([*targets, "__version__", "load"])
    quoted = "\n".join(f'    "{name}",' for name in public)
    lines.append(f"\n__all__ = [\n{quoted}\n]\n\n__version__: str\n")
    lines.append("def load(name: str, version: int | str | None = None) -> Any: ...")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    stub_file().write_text(stub_text(read_catalog()), encoding="utf-8")
