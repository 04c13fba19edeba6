"""MaskColumns: what a policy says about each label, done to every column, nested ones too."""

from collections.abc import Callable

import apache_beam as beam
import pyarrow as pa

from blocks.core import guards
from blocks.core.block import BatchBlock
from blocks.core.errors import ConfigError, nearest
from blocks.core.mask_plan import plan_masking
from blocks.core.policy import DESTINATIONS, PolicySource, read_policy


class MaskColumns(BatchBlock):
    """Masks columns by label for one destination, as the policy says.

    Input: batches with labelled columns. Put it right after reading, with no shuffle between.
    Output: the same rows in the same order. Dropped columns are gone; a struct, list or map of which nothing is left is
    gone too. A masked column keeps its label and tells how it was masked (method, key), so that a later check can see
    it.
    Rejects: none.
    Nulls: stay null under every method.
    State: none.
    Cost: follows the number of distinct values of a batch for hmac, encrypt (deterministic), mask and truncate; columns
    that are kept cost nothing.

    Args:
      policy: policy file, mapping or `Policy`.
      destination: name of the destination in the policy.

    Raises:
      PolicyError: the policy cannot be used, with every problem.
      ConfigError: a destination that neither the policy nor the library knows.
      PrivacyError: columns without a label, or with one that the policy does not name for the destination, with the
        line to add for each.
      SchemaError: columns whose type the method does not take.
      MaskKeyError: (when run) a key that the worker cannot open.

    Example:
      >>> events | MaskColumns(policy="policies/privacy.yaml", destination="warehouse")

    Source: RFC 2104 (HMAC), RFC 5297 (AES-SIV), RFC 8452 (AES-GCM-SIV), ksqlDB's MASK functions.
    """

    keeps_rows = True

    def __init__(self, policy: PolicySource, destination: str = "warehouse") -> None:
        super().__init__()
        self._policy, self._destination = read_policy(policy), destination
        known = [*self._policy.destinations, *DESTINATIONS]
        if destination not in known:
            raise ConfigError(
                f"the policy has no destination `{destination}`",
                where="MaskColumns.destination",
                fix=nearest(destination, dict.fromkeys(known)),
            )

    def expand(self, pcoll: beam.PCollection) -> beam.PCollection:
        """Applies the block."""
        guards.watch(pcoll.pipeline, self._policy)
        return super().expand(pcoll)

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """The masked schema."""
        return plan_masking(schema, self._policy, self._destination, "MaskColumns").schema

    def batch_function(self, schema: pa.Schema) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        """Opens the keys and masks batches."""
        return plan_masking(schema, self._policy, self._destination, "MaskColumns").batch_function()
