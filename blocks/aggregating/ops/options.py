"""Options of operations: what they take, and what is said of what they do not take."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from blocks.core.durations import duration_micros
from blocks.core.errors import Problem


class _Needed:
    pass


NEEDED = _Needed()


@dataclass(frozen=True)
class Option:
    """An option of an operation.

    Attributes:
      about: one line for people.
      default: used where it is not given; NEEDED if it has to be.
    """

    about: str
    default: Any = NEEDED

    def read(self, value: Any, where: str, problems: list[Problem]) -> Any:
        """The value to use; `problems` grows where the given one cannot be used."""
        raise NotImplementedError


@dataclass(frozen=True)
class Whole(Option):
    """A whole number.

    Attributes:
      least, most: both allowed.
    """

    least: int = 1
    most: int = 1_000_000

    def read(self, value: Any, where: str, problems: list[Problem]) -> int:
        """The number."""
        if isinstance(value, int) and not isinstance(value, bool) and self.least <= value <= self.most:
            return value
        what = f"expected a whole number from {self.least} to {self.most}, got {value!r}"
        problems.append(Problem(what, where, self.about))
        return self.least


@dataclass(frozen=True)
class Number(Option):
    """A number.

    Attributes:
      least, most: both allowed.
    """

    least: float = 0.0
    most: float = 1.0

    def read(self, value: Any, where: str, problems: list[Problem]) -> float:
        """The number, as a double."""
        if isinstance(value, int | float) and not isinstance(value, bool) and self.least <= value <= self.most:
            return float(value)
        problems.append(
            Problem(f"expected a number from {self.least} to {self.most}, got {value!r}", where, self.about)
        )
        return self.least


@dataclass(frozen=True)
class Numbers(Option):
    """A number, or a list of numbers in ascending order.

    Attributes:
      least, most: both allowed.
      fewest: how many a list has at least; 0 lets a single number stand without a list.
    """

    least: float = 0.0
    most: float = 1.0
    fewest: int = 0

    def read(self, value: Any, where: str, problems: list[Problem]) -> float | tuple[float, ...]:
        """The number, or a tuple of them."""
        alone = isinstance(value, int | float) and not isinstance(value, bool)
        numbers = [value] if alone else value
        if isinstance(numbers, Sequence) and not isinstance(numbers, str) and (self.fewest == 0 or not alone):
            fit = all(isinstance(one, int | float) and not isinstance(one, bool) for one in numbers)
            fit = fit and all(self.least <= one <= self.most for one in numbers)
            if fit and len(numbers) >= max(self.fewest, 1) and list(numbers) == sorted(set(numbers)):
                return float(value) if alone else tuple(map(float, numbers))
        what = f"expected {'a number or ' if not self.fewest else ''}ascending numbers from {self.least} to {self.most}"
        problems.append(Problem(what, where, self.about))
        return self.least if not self.fewest else (self.least, self.most)


@dataclass(frozen=True)
class Time(Option):
    """A length of time: `30s`, `10m`, `2h`, `1d`."""

    def read(self, value: Any, where: str, problems: list[Problem]) -> int:
        """Microseconds, at least one."""
        before = len(problems)
        found = duration_micros(value, where, problems)
        if len(problems) == before and found <= 0:
            problems.append(Problem("expected a time longer than none", where, self.about))
        return max(found, 1)
