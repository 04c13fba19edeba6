"""For people who write and test blocks: the conformance suite, made rows, collectors, simulated events.

    from blocks.testing import Conformance

    class TestOurBlocks(Conformance):
        catalog = "catalog.yaml"

The names are loaded when they are used. `docs/testing-blocks.md` shows each of them.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from blocks.testing.collecting import Collected, collect
    from blocks.testing.comparing import differences, multiset
    from blocks.testing.conformance import CHECKS, Case, Conformance, NotConforming, cases, hold
    from blocks.testing.feeding import Feed
    from blocks.testing.generated import batch_for, batches_for, rows_for
    from blocks.testing.recording import RecordedOutputs

_HOMES = {
    "CHECKS": "conformance",
    "Case": "conformance",
    "Collected": "collecting",
    "Conformance": "conformance",
    "Feed": "feeding",
    "NotConforming": "conformance",
    "RecordedOutputs": "recording",
    "batch_for": "generated",
    "batches_for": "generated",
    "cases": "conformance",
    "collect": "collecting",
    "differences": "comparing",
    "hold": "conformance",
    "multiset": "comparing",
    "rows_for": "generated",
}
__all__ = [
    "CHECKS",
    "Case",
    "Collected",
    "Conformance",
    "Feed",
    "NotConforming",
    "RecordedOutputs",
    "batch_for",
    "batches_for",
    "cases",
    "collect",
    "differences",
    "hold",
    "multiset",
    "rows_for",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module `blocks.testing` has no attribute `{name}`")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
