"""Every block gives what its released versions have been recorded to give."""

from blocks.testing import RecordedOutputs


class TestRecorded(RecordedOutputs):
    catalog, folder = "catalog.yaml", "recorded"
