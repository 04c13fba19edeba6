"""Reusable Apache Beam transforms: read, mask, flatten and write partner data.

The public names come from `catalog.yaml` and are loaded when they are used, so that `import blocks` imports neither
Beam nor pyarrow. `blocks/__init__.pyi`, made from the same file, tells type checkers and editors about them.
"""

from typing import Any

__version__ = "0.1.0"


def load(name: str) -> Any:
    """The class of a block of the catalog.

    Args:
      name: as in `blocks catalog`.

    Raises:
      CatalogError: the catalog has no such block, or its class is not there.

    Example:
      >>> load("MaskColumns").__name__
      'MaskColumns'
    """
    from blocks.catalog.reading import read_catalog

    return read_catalog().block(name).load()


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
