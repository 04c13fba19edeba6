"""Reusable Apache Beam transforms: read, mask, flatten and write partner data.

The public names come from `catalog.yaml` and are loaded when they are used, so that `import blocks` imports neither
Beam nor pyarrow. `blocks/__init__.pyi`, made from the same file, tells type checkers and editors about them.
"""

from typing import Any

__version__ = "0.1.0"


def load(name: str, version: int | str | None = None) -> Any:
    """The class of a block of the catalog.

    Args:
      name: as in `blocks catalog`.
      version: major version; the newest that is not experimental unless given. With a minor (`1.2`), that or a later
        one of the same major.

    Raises:
      CatalogError: the catalog has no such block or version, or its class is not there.

    Example:
      >>> load("MaskColumns", version=1).__name__
      'MaskColumns'
    """
    from blocks.catalog.reading import read_catalog

    return read_catalog().block(name, version).load()


def __getattr__(name: str) -> Any:
    if name.startswith("__") and name != "__all__":
        raise AttributeError(f"module `blocks` has no attribute `{name}`")
    from blocks.catalog.names import load_name, public_names

    if name == "__all__":
        return __dir__()
    if name not in public_names():
        from blocks.core.errors import nearest

        raise AttributeError(f"module `blocks` has no attribute `{name}`; {nearest(name, __dir__())}")
    value = globals()[name] = load_name(name)
    return value


def __dir__() -> list[str]:
    from blocks.catalog.names import public_names

    return sorted([*public_names(), "__version__", "load"])
