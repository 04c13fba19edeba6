"""One suite for every block of a catalog, present and future: docs/testing-blocks.md."""

from blocks.testing.conformance.case import Case, Result, cases
from blocks.testing.conformance.check import Check, NotConforming, hold
from blocks.testing.conformance.checks import CHECKS
from blocks.testing.conformance.suite import Conformance

__all__ = ["CHECKS", "Case", "Check", "Conformance", "NotConforming", "Result", "cases", "hold"]
