"""What an engine is."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import TracebackType
from typing import Any

# Of the counters that blocks keep.
NAMESPACE = "blocks"

Counts = dict[tuple[str, str], int]


class Engine(ABC):
    """Where a pipeline runs.

    Build the pipeline with `runner` and `options`, then run it within `with engine:`, which starts what the runner
    needs, and afterwards ends it and every job that has not ended.

    Attributes:
      name: as on the command line.
      runner: of Beam.
      options: of Beam's pipeline.
    """

    name: str
    runner: Any
    options: Mapping[str, Any]

    @abstractmethod
    def counts(self) -> Counts:
        """(full label of the transform, counter such as `ReadJson:rows_out`) to value, as far as the runner tells."""

    @abstractmethod
    def __enter__(self) -> "Engine": ...

    @abstractmethod
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
