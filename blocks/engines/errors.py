"""The exception of engines; `blocks.core.errors` has the others."""

from blocks.core.errors import BlocksError


class EngineError(BlocksError, OSError):
    """A runner that cannot start, cannot be reached, or ended while a pipeline ran.

    To do: look at the log that the message names; `blocks doctor` says what is missing on this machine.
    """

    # (message, line, column) of what is wrong with a query, in the query as the engine got it; 0 without a place.
    told: tuple[tuple[str, int, int], ...] = ()
