"""first, last, first_k, last_k: values in the order of events."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from blocks.aggregating.ops.options import Whole
from blocks.aggregating.ops.ordered import ByTime

_K = {"k": Whole("how many values to keep at most", least=1, most=10_000)}


class First(ByTime):
    """The value of the earliest event that has one; of none: null."""

    name = "first"
    summary = "the value of the earliest event"
    newest = False

    def __init__(self, column: pa.DataType | None, options: Mapping[str, Any]) -> None:
        """No options."""
        super().__init__(column, options)
        assert column is not None
        self.result = column


class Last(First):
    """The value of the latest event that has one; of none: null."""

    name = "last"
    summary = "the value of the latest event"
    newest = True


class FirstK(ByTime):
    """The values of the `k` earliest events that have one, the earliest first; of none: an empty list."""

    name = "first_k"
    summary = "the values of the k earliest events, the earliest first"
    newest = False
    options = _K
    nullable = False

    def __init__(self, column: pa.DataType | None, options: Mapping[str, Any]) -> None:
        """Takes `k`."""
        super().__init__(column, options)
        self.result = pa.list_(pa.field("item", column, False))


class LastK(FirstK):
    """The values of the `k` latest events that have one, the latest first; of none: an empty list."""

    name = "last_k"
    summary = "the values of the k latest events, the latest first"
    newest = True
