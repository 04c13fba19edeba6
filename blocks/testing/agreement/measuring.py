"""Asks both sides about the corpus and about generated queries, and makes disagreements small."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from blocks.testing.agreement import pairs
from blocks.testing.agreement.comparing import WRONG, Compared, compare
from blocks.testing.agreement.corpus import Case
from blocks.testing.agreement.generating import Made, generate
from blocks.testing.agreement.shrinking import shrink
from blocks.testing.agreement.verdicts import Judge, Tables


@dataclass(frozen=True, slots=True)
class Sides:
    """Whom to ask: the checks, which need no JVM, and Beam's planner."""

    ours: Judge
    theirs: Judge

    def ask(self, name: str, query: str, tables: Tables, before: str = "") -> Compared:
        """What both say of a query."""
        return compare(name, query, self.ours(query, tables), self.theirs(query, tables), before)


def over_corpus(sides: Sides, cases: Iterable[Case], tables: Tables) -> Iterator[Compared]:
    """Each case, compared."""
    for case in cases:
        yield sides.ask(str(case), case.query, {name: tables[name] for name in case.tables})


def over_pairs(sides: Sides) -> Iterator[Compared]:
    """Every operator over every pair of types, compared."""
    for pair in pairs.every_pair():
        yield sides.ask(str(pair), pair.query, pairs.TABLES)


def over_generated(sides: Sides, count: int, seed: int, start: int = 0, attempts: int = 200) -> Iterator[Compared]:
    """Generated queries, compared; those on which the sides disagree are shrunk while the outcome stays.

    Args:
      sides: whom to ask.
      count: how many queries.
      seed: and `start`: of which they are made.
      start: number of the first.
      attempts: questions for each disagreement; 0 leaves it as it is.
    """
    for number in range(start, start + count):
        made = generate(seed, number)
        found = sides.ask(str(made), str(made.piece), made.tables)
        yield _shrunk(sides, made, found, attempts) if found.outcome in WRONG and attempts else found


def _shrunk(sides: Sides, made: Made, found: Compared, attempts: int) -> Compared:
    query = str(made.piece)

    def same(text: str) -> bool:
        now = sides.ask(str(made), text, made.tables)
        # A shorter query with another problem of ours would hide the one that was found.
        return now.outcome == found.outcome and now.ours.codes[:1] == found.ours.codes[:1]

    small = str(shrink(made.piece, same, attempts))
    return found if small == query else sides.ask(str(made), small, made.tables, before=query)
