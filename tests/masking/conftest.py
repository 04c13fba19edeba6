import pytest
from mask_cases import OTHER_SECRET, OTHER_VARIABLE, SECRET, VARIABLE


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, SECRET)
    monkeypatch.setenv(OTHER_VARIABLE, OTHER_SECRET)
