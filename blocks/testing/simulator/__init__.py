"""Simulated events of a financial partner: nested JSON lines, the same bytes for the same config.

    config = SimulatorConfig(events=1_000_000, seed=7, bad=0.001, late=0.01)
    report = write_events("events.jsonl.gz", config)
    assert dict(report.bad) == dict(expected_counts(config).bad)

The events fit `examples/partner_events/transaction.thrift`. Every person is made of nonsense syllables, with an
address at example.com, a telephone number from the ranges reserved for fiction, an IP address from the ranges
reserved for documentation and a card number from a range that no issuer can get.
"""

from blocks.reading.diagnosis import CODES
from blocks.testing.simulator.config import SimulatorConfig
from blocks.testing.simulator.faults import VARIANTS
from blocks.testing.simulator.plan import ExpectedCounts, expected_counts
from blocks.testing.simulator.writing import SimulationReport, simulate, write_events

__all__ = [
    "CODES",
    "VARIANTS",
    "ExpectedCounts",
    "SimulationReport",
    "SimulatorConfig",
    "expected_counts",
    "simulate",
    "write_events",
]
