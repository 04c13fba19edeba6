"""`Conformance`: the suite as a test class, for pytest.

    from blocks.testing import Conformance

    class TestOurBlocks(Conformance):
        catalog = "catalog.yaml"

Every trial of every entry of the catalog becomes a test a promise: `test_conforms[MaskColumns-1-plain-pickles]`. An
entry that is added to the catalog is tested without a line of Python.
"""

import sys
from pathlib import Path
from typing import Any, ClassVar

from blocks.catalog.reading import read_catalog
from blocks.core.errors import CatalogError
from blocks.testing.conformance.case import Case, cases
from blocks.testing.conformance.check import Check, hold
from blocks.testing.conformance.checks import CHECKS


class Conformance:
    """Holds every block of a catalog to what every block promises. Make a subclass whose name begins with `Test`.

    Attributes:
      catalog: path of the catalog file: absolute, or relative to the test's folder or a folder above it. Files that the
        entries name are relative to the catalog's folder.
      blocks: names of blocks; all of the catalog unless given.
      leave_out: names of checks that are not asked, with the reason next to it, please; none unless given.
    """

    catalog: ClassVar[str | Path] = "catalog.yaml"
    blocks: ClassVar[tuple[str, ...]] = ()
    leave_out: ClassVar[tuple[str, ...]] = ()

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """Called by pytest: makes a test of each trial and check."""
        import pytest

        if "conformance_check" not in metafunc.fixturenames:
            return
        metafunc.config.addinivalue_line("markers", "slow: takes more than a few seconds")
        asked = [
            pytest.param(case, check, id=f"{case.name}-{check.name}", marks=[pytest.mark.slow] if check.slow else [])
            for case in self.cases()
            for check in CHECKS
            if check.name not in self.leave_out and check.of(case)
        ]
        metafunc.parametrize(("conformance_case", "conformance_check"), asked)

    def test_conforms(self, conformance_case: Case, conformance_check: Check) -> None:
        """Holds one trial to one promise."""
        hold(conformance_case, conformance_check)

    @classmethod
    def cases(cls) -> list[Case]:
        """Every trial of the blocks.

        Raises:
          CatalogError: no such file, what is wrong with it, or a name in `blocks` that it does not have.
        """
        file = found_beside(cls, cls.catalog)
        return cases(read_catalog(file), file.parent, tuple(cls.blocks))


def found_beside(cls: type, path: str | Path) -> Path:
    """A file or folder: absolute, or relative to that of the test class's module or a folder above it.

    Raises:
      CatalogError: there is none.
    """
    beside = Path(sys.modules[cls.__module__].__file__ or ".").resolve().parent
    places = [folder / path for folder in (beside, *beside.parents)]
    found = next((place for place in places if place.exists()), None)
    if found is None:
        raise CatalogError(
            f"no `{path}`",
            where=f"{beside} and the folders above it",
            fix=f'write its path in {cls.__name__}, as in catalog = "our_blocks/catalog.yaml"',
        )
    return found
