"""Removes data files that no table names: what killed, failed and refused runs left."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from blocks.core.errors import ConfigError
from blocks.writing import catalogs
from blocks.writing.parquet_dataset import dataset_folder, live_files, read_log, visible_files


def remove_orphans(
    table: str,
    older_than: datetime | timedelta,
    *,
    warehouse: str | Path | None = None,
    catalog: str | None = None,
    format: str = "iceberg",  # noqa: A002
    dry_run: bool = False,
) -> list[str]:
    """Removes the data files of a table that no snapshot names.

    A run that is still writing has such files too: give an age beyond any run's.

    Args:
      table: name, with its namespace if it has one.
      older_than: age, or moment with a time zone; files that changed later stay.
      warehouse: folder; default `$BLOCKS_WAREHOUSE` or `./warehouse`.
      catalog: name of a configured catalog instead.
      format: `iceberg` or `parquet`.
      dry_run: only tell.

    Returns:
      Paths of the files that were (or would be) removed, sorted.

    Raises:
      WarehouseError: there is no such table.
      ConfigError: a moment without a time zone.
    """
    before = datetime.now(UTC) - older_than if isinstance(older_than, timedelta) else older_than
    if before.tzinfo is None:
        raise ConfigError("`older_than` has no time zone", where="remove_orphans", fix="give datetime(..., tzinfo=UTC)")
    if format == "parquet":
        return _remove_local(dataset_folder(table, warehouse), before, dry_run)
    return _remove_iceberg(catalogs.load_table(table, warehouse, catalog), before, dry_run)


def _remove_local(folder: Path, before: datetime, dry_run: bool) -> list[str]:
    live = live_files(read_log(folder))
    found = [
        path
        for path in visible_files(folder)
        if str(path.relative_to(folder)) not in live and datetime.fromtimestamp(path.stat().st_mtime, UTC) < before
    ]
    for path in found if not dry_run else ():
        path.unlink(missing_ok=True)
    return sorted(map(str, found))


def _remove_iceberg(table: Any, before: datetime, dry_run: bool) -> list[str]:
    from pyarrow.fs import FileSelector, FileType
    from pyiceberg.io.pyarrow import PyArrowFileIO

    io = table.io if isinstance(table.io, PyArrowFileIO) else PyArrowFileIO(table.io.properties)
    scheme, netloc, root = PyArrowFileIO.parse_location(table.location_provider().data_path)
    files = io.fs_by_scheme(scheme, netloc)
    named = {PyArrowFileIO.parse_location(path)[2] for path in _named(table)}
    selector = FileSelector(root, recursive=True, allow_not_found=True)
    found = [
        info.path
        for info in files.get_file_info(selector)
        if info.type == FileType.File and info.path not in named and info.mtime < before
    ]
    for path in found if not dry_run else ():
        files.delete_file(path)
    return sorted(found)


def _named(table: Any) -> set[str]:
    """Paths of the data files of every snapshot, old ones too."""
    seen: set[str] = set()
    paths: set[str] = set()
    for snapshot in table.metadata.snapshots:
        for manifest in snapshot.manifests(table.io):
            if manifest.manifest_path not in seen:
                seen.add(manifest.manifest_path)
                # A file that this snapshot deleted is named by the older ones that hold it, while they are there.
                entries = manifest.fetch_manifest_entry(table.io, discard_deleted=True)
                paths.update(entry.data_file.file_path for entry in entries)
    return paths
