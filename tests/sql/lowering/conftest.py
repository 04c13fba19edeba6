"""The JVM that answers for Beam SQL, one for all tests here."""

from collections.abc import Iterator

import pytest
from lowering_beam import BeamRows


@pytest.fixture(scope="session")
def beam_rows(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BeamRows]:
    """Beam's own answers."""
    rows = BeamRows(tmp_path_factory.mktemp("row_by_row"))
    yield rows
    rows.close()
