"""Records what the blocks of a catalog give, and holds them to it: `python -m blocks.testing.recording NAME...`.

from blocks.testing import RecordedOutputs

class TestOurRecords(RecordedOutputs):
    catalog, folder = "catalog.yaml", "recorded"
"""

import argparse
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from blocks.catalog.model import Catalog, Entry, numbers
from blocks.catalog.reading import read_catalog
from blocks.core.errors import BlocksError, CatalogError, Problem, all_problems
from blocks.testing.conformance.case import cases
from blocks.testing.conformance.suite import found_beside
from blocks.testing.records import Record, changes, records_of, write_record

_RELEASED = ("stable", "deprecated")


def record(catalog: str | Path, names: Sequence[str] = (), folder: str | Path = "tests/recorded") -> list[str]:
    """Records every trial that has no record yet, and those of experimental blocks again.

    A version is released when it is stable or deprecated and has a record. Such a record is not written again: it is
    replayed, and a difference is an error.

    Args:
      catalog: path of the catalog file.
      names: of blocks; all unless given.
      folder: of all records.

    Returns:
      The records that were written, as `NAME-VERSION-TRIAL`.

    Raises:
      CatalogError: a version that goes down, or a block that no longer gives what was recorded.
    """
    file, home = Path(catalog).resolve(), Path(folder)
    read = read_catalog(file)
    written: list[str] = []
    with all_problems(str(home), CatalogError) as problems:
        for case in cases(read, file.parent, tuple(names)):
            known = [one for one in _of(case.entry, home) if one.folder.name == case.trial.name]
            problems.extend(_goes_down(case.entry, known))
            kept = [one for one in known if _same_minor(one, case.entry)]
            if kept and (case.entry.status in _RELEASED or kept[-1].facts()["status"] in _RELEASED):
                problems.extend(changed(kept[-1], read))
            elif not problems:
                try:
                    written.append(write_record(case, home).name)
                except BlocksError as error:
                    what = f"{case.name} cannot be recorded: {error.problems[0].what}"
                    problems.append(Problem(what, f"catalog entry `{case.entry.name}`", error.problems[0].fix))
                    continue
                for one in kept:
                    if one.name != written[-1]:
                        shutil.rmtree(one.folder)
    return written


def changed(record: Record, catalog: Catalog) -> Iterator[Problem]:
    """A problem if the block of a record's major gives anything otherwise than recorded."""
    name = f"{record.block} {record.version}"
    if f"{record.block}@{record.major}" not in catalog:
        fix = f"keep the entry and the class of {record.block}@{record.major}; mark it deprecated"
        yield Problem(f"{name} was recorded, and its major is no longer in the catalog", record.name, fix)
        return
    entry = catalog.block(record.block, record.major)
    fix = (
        f"undo the change; or make it a new major: keep the class of {entry.name}@{entry.major} as it was, add a class "
        f"and an entry with version {entry.major + 1}.0.0, and run nox -s record -- {entry.name}"
    )
    try:
        found = list(changes(record, entry, catalog))
    except BlocksError as error:
        found = [f"{type(error).__name__}: {error.problems[0].what}"]
    if found:
        what = f"{entry.name} {entry.version} no longer gives what {name} gave: {'; '.join(found)}"
        yield Problem(what, record.name, fix)


def damaged(record: Record) -> Iterator[Problem]:
    """A problem for each file of a record that is not as it was written."""
    fix = f"git checkout -- {record.folder.name}: a record is never edited"
    now, then = record.sums(), record.recorded_sums()
    for name in sorted(now.keys() | then.keys()):
        if now.get(name) != then.get(name):
            what = "is gone" if name not in now else "is not of the record" if name not in then else "was changed"
            yield Problem(f"{name} {what}", record.name, fix)


def unrecorded(catalog: Catalog, folder: Path) -> Iterator[Problem]:
    """A problem for each stable trial without a record, and each version that is lower than a recorded one."""
    for entry in catalog.entries:
        known = _of(entry, folder)
        yield from _goes_down(entry, known)
        there = {one.folder.name for one in known if _same_minor(one, entry)}
        for trial in entry.trials:
            if entry.status in _RELEASED and trial.name not in there:
                what = f"{entry.name} {entry.version} is {entry.status}, and its trial `{trial.name}` is not recorded"
                yield Problem(what, str(folder), f"run nox -s record -- {entry.name}")


def _of(entry: Entry, folder: Path) -> list[Record]:
    return [one for one in records_of(folder) if (one.block, one.major) == (entry.name, entry.major)]


def _same_minor(record: Record, entry: Entry) -> bool:
    # A patch changes nothing that a record shows.
    return numbers(record.version)[:2] == numbers(entry.version)[:2]


def _goes_down(entry: Entry, known: list[Record]) -> Iterator[Problem]:
    newest = max((numbers(one.version) for one in known), default=[])
    if newest > numbers(entry.version):
        there = ".".join(map(str, newest))
        what = f"{entry.name} is {entry.version} in the catalog, and {there} was recorded: a version goes down"
        yield Problem(what, f"catalog entry `{entry.name}`", f"give it {there} or a later version")


class RecordedOutputs:
    """Replays the records of a catalog's blocks. Make a subclass whose name begins with `Test`.

    Attributes:
      catalog: path of the catalog file, as of `Conformance`.
      folder: of the records, found in the same way.
    """

    catalog: ClassVar[str | Path] = "catalog.yaml"
    folder: ClassVar[str | Path] = "recorded"

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """Called by pytest: makes a test of each record."""
        if "recorded" in metafunc.fixturenames:
            found = records_of(self._folder())
            metafunc.parametrize("recorded", found, ids=[one.name for one in found])

    def test_the_record_is_as_it_was_written(self, recorded: Record) -> None:
        """Not one bit of it."""
        with all_problems(recorded.name, CatalogError) as problems:
            problems.extend(damaged(recorded))

    def test_the_block_gives_what_was_recorded(self, recorded: Record) -> None:
        """In each major's latest version."""
        with all_problems(recorded.name, CatalogError) as problems:
            problems.extend(changed(recorded, read_catalog(self._catalog())))

    def test_stable_blocks_are_recorded_and_versions_go_up(self) -> None:
        """Every trial of them."""
        with all_problems(str(self._catalog()), CatalogError) as problems:
            problems.extend(unrecorded(read_catalog(self._catalog()), self._folder()))

    @classmethod
    def _catalog(cls) -> Path:
        return found_beside(cls, cls.catalog)

    @classmethod
    def _folder(cls) -> Path:
        return found_beside(cls, cls.folder)


def main(arguments: list[str]) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m blocks.testing.recording", description=(__doc__ or "")[:100])
    parser.add_argument("names", nargs="*", metavar="NAME", help="blocks; all unless given")
    parser.add_argument("--catalog", default="catalog.yaml", help="the catalog file")
    parser.add_argument("--folder", default="tests/recorded", help="the folder of all records")
    given = parser.parse_args(arguments)
    try:
        written = record(given.catalog, given.names, given.folder)
    except BlocksError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    print("\n".join([*(f"recorded {name}" for name in written), "every other record is what its block gives"]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
