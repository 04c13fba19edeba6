"""A check of the suite: a promise that every block keeps, and the function that looks for breaches of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from blocks.core.errors import BlocksError
from blocks.testing.conformance.case import Case


def _always(case: Case) -> bool:
    return True


@dataclass(frozen=True)
class Check:
    """One promise.

    Attributes:
      function: gives what a case breaks, one text a breach; nothing if it keeps the promise.
      applies: whether a case can be asked.
      slow: whether it takes more than a few seconds.
      once: whether it is about the entry and not about a trial, so that the first trial is enough.
    """

    function: Callable[[Case], Iterator[str]]
    applies: Callable[[Case], bool] = _always
    slow: bool = False
    once: bool = False

    @property
    def name(self) -> str:
        """As in test ids."""
        return self.function.__name__

    @property
    def promise(self) -> str:
        """In one line."""
        return (self.function.__doc__ or "").strip().partition("\n")[0]

    def of(self, case: Case) -> bool:
        """Whether this case is asked."""
        return self.applies(case) and not (self.once and case.trial is not case.entry.trials[0])


class NotConforming(AssertionError):  # noqa: N818 - what it says is the failure of a test
    """A block that breaks a promise.

    Args:
      case: of which block.
      check: which promise.
      breaches: how.
    """

    def __init__(self, case: Case, check: Check, breaches: list[str]) -> None:
        entry, trial = case.entry, case.trial
        head = f"{entry.name} {entry.version}, trial `{trial.name}`: {check.promise}"
        super().__init__("\n".join([head, *(f"- {breach}" for breach in breaches)]))
        self.breaches = tuple(breaches)


def hold(case: Case, check: Check) -> None:
    """Holds a block to a promise.

    Raises:
      NotConforming: with every breach.
    """
    try:
        breaches = list(check.function(case))
    except Exception as error:
        raise NotConforming(case, check, [f"{type(error).__name__}: {error}"]) from error
    if breaches:
        raise NotConforming(case, check, breaches)


def lacking_parts(error: BlocksError) -> Iterator[str]:
    """The parts that an error of `blocks` lacks: what, where, what to do."""
    text = str(error)
    for problem in error.problems:
        # Beam raises an error of a worker again with nothing but its text.
        where = problem.where or error.where or "\n  where: " in text
        fix = problem.fix or error.fix or "\n  to do: " in text
        for part, said in (("what", problem.what), ("where", where), ("what to do", fix)):
            if not said:
                yield f"its error does not say {part}: {problem.what or error}"
