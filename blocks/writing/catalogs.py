"""Catalogs of Iceberg tables: an embedded one in a warehouse folder, or one of the usual pyiceberg configuration."""

import os
from pathlib import Path
from typing import Any

from blocks.core.errors import ConfigError, Problem, WarehouseError

WAREHOUSE_VARIABLE = "BLOCKS_WAREHOUSE"
DEFAULT_NAMESPACE = "default"
# Writers of one folder wait for each other's short SQLite transactions.
_SQLITE_SECONDS = 60
_CREATE_ATTEMPTS = 20


def warehouse_folder(warehouse: str | Path | None = None) -> Path:
    """The warehouse folder, absolute: as given, else `$BLOCKS_WAREHOUSE`, else `./warehouse`."""
    return Path(warehouse or os.environ.get(WAREHOUSE_VARIABLE) or "warehouse").expanduser().absolute()


def catalog_file(folder: Path) -> Path:
    """Where a warehouse folder keeps its embedded catalog."""
    return folder / "catalog.db"


def identifier(table: str) -> tuple[str, ...]:
    """`a.b` as (`a`, `b`); a bare name lies in the namespace `default`."""
    parts = tuple(table.split("."))
    return parts if len(parts) > 1 else (DEFAULT_NAMESPACE, *parts)


def table_name_problem(table: object) -> Problem | None:
    """What is wrong with the name of a table; None if nothing is."""
    if isinstance(table, str) and all(
        part.replace("-", "_").replace("_", "a").isalnum() and part.isascii() for part in table.split(".")
    ):
        return None
    return Problem(
        f"`{table}` is not the name of a table", "table", "letters, digits, `_` and `-`, as in `payments.transactions`"
    )


def open_catalog(warehouse: str | Path | None = None, catalog: str | None = None) -> Any:
    """Opens the catalog of a warehouse; a folder's embedded SQLite catalog is made when it is not there.

    Args:
      warehouse: folder; default `$BLOCKS_WAREHOUSE` or `./warehouse`.
      catalog: name of a catalog in the pyiceberg configuration (`.pyiceberg.yaml` or `PYICEBERG_CATALOG__...`) instead.

    Returns:
      A `pyiceberg.catalog.Catalog`.

    Raises:
      ConfigError: both are given, or no catalog of this name is configured.
      WarehouseError: the folder cannot be made or written.
    """
    if warehouse is not None and catalog is not None:
        raise ConfigError("`warehouse` and `catalog` are both given", where="open_catalog", fix="give one of them")
    return _configured(catalog) if catalog is not None else _embedded(warehouse_folder(warehouse))


def _configured(name: str) -> Any:
    from pyiceberg.catalog import load_catalog

    try:
        return load_catalog(name)
    except ValueError as cause:
        raise ConfigError(
            f"no usable catalog `{name}` in the pyiceberg configuration",
            where="catalog",
            fix="add it to .pyiceberg.yaml under `catalog:` with at least `type` and `uri`",
        ) from cause


def _embedded(folder: Path) -> Any:
    from pyiceberg.catalog.sql import SqlCatalog
    from sqlalchemy import create_engine
    from sqlalchemy.exc import OperationalError
    from sqlalchemy.pool import NullPool

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        raise _cannot_open(folder, os.strerror(cause.errno or 0)) from None
    uri = f"sqlite:///{catalog_file(folder)}?timeout={_SQLITE_SECONDS}"
    error: Exception | None = None
    for _ in range(_CREATE_ATTEMPTS):
        try:
            # The warehouse is a path and not a URI: '#' and '?' may stand in a folder's name.
            catalog = SqlCatalog("blocks", uri=uri, warehouse=str(folder))
        except OperationalError as cause:
            # Two writers made the catalog's tables at once: those of the other one serve as well.
            error = cause
            if "already exists" not in str(cause.orig):
                break
            continue
        # No connection waits in a pool: an open file would keep the folder from being moved or unmounted.
        catalog.engine.dispose()
        catalog.engine = create_engine(uri, poolclass=NullPool)
        return catalog
    reason = str(getattr(error, "orig", error))
    raise _cannot_open(folder, reason) from None


def _cannot_open(folder: Path, reason: str) -> WarehouseError:
    return WarehouseError(
        f"cannot open the warehouse: {reason}",
        where=str(folder),
        fix=f"give a folder that can be written, by warehouse= or ${WAREHOUSE_VARIABLE}",
    )


def make_namespace(catalog: Any, name: tuple[str, ...]) -> None:
    """Makes a namespace unless it is there; another writer may make it at the same time."""
    from pyiceberg.exceptions import NamespaceAlreadyExistsError
    from sqlalchemy.exc import IntegrityError

    try:
        if not catalog.namespace_exists(name):
            catalog.create_namespace(name)
    except (NamespaceAlreadyExistsError, IntegrityError):
        pass


def find_table(catalog: Any, table: str) -> Any | None:
    """The table as it is now, or None."""
    from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError

    try:
        return catalog.load_table(identifier(table))
    except (NoSuchTableError, NoSuchNamespaceError):
        return None


def load_table(table: str, warehouse: str | Path | None = None, catalog: str | None = None) -> Any:
    """The table as it is now.

    Raises:
      WarehouseError: there is no such table.
    """
    opened = open_catalog(warehouse, catalog)
    found = find_table(opened, table)
    if found is None:
        names = [".".join(name) for name in _tables(opened, identifier(table)[:-1])]
        raise WarehouseError(
            f"no table `{table}`", where=catalog or str(warehouse_folder(warehouse)), fix=f"there is: {names or 'none'}"
        )
    return found


def _tables(catalog: Any, namespace: tuple[str, ...]) -> list[tuple[str, ...]]:
    from pyiceberg.exceptions import NoSuchNamespaceError

    try:
        return list(catalog.list_tables(namespace))
    except NoSuchNamespaceError:
        return []
