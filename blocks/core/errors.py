"""The exceptions of `blocks`: one tree, every message in three parts.

    BlocksError
    ├── ConfigError (ValueError)         an option of a block, a policy, a catalog entry or a snippet
    │   ├── PolicyError                  a policy file
    │   ├── CatalogError                 a catalog entry
    │   └── SnippetError                 a pipeline in YAML
    ├── SchemaError (ValueError)         a schema that cannot be read, or a type that cannot be held
    │   └── ColumnError                  a column that is not there, or two of one name
    ├── BatchTypeError (TypeError)       a PCollection that is not made of batches, or batches that Beam would pickle
    ├── PrivacyError                     a labelled column on its way to a place that must not hold it
    ├── MaskKeyError                     a key that cannot be read or is too short
    ├── RejectedRecordError (ValueError) a bad record in a pipeline that has nowhere to put it
    ├── ReadError (OSError)              input files
    └── WarehouseError (OSError)         a table or a data file that could not be written
        └── ConflictError                another writer changed the same rows

The parts: what happened (expected and got), where (block, option, field path, file), what to do (nearest name,
command to run). Config errors carry every problem at once in `problems`. No message shows a value of a column.
"""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: what, where, and what to do about it."""

    what: str
    where: str = ""
    fix: str = ""

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.fix:
            lines.append("  to do: " + self.fix.replace("\n", "\n         "))
        return "\n".join(lines)


class BlocksError(Exception):
    """Base of every exception of `blocks`.

    Args:
      what: what happened, with what was expected and what was found.
      where: block, option, field path or file.
      fix: what the reader can do.
      problems: several problems instead of one; `what` is then the headline.
    """

    def __init__(self, what: str, *, where: str = "", fix: str = "", problems: Iterable[Problem] = ()) -> None:
        self.what, self.where, self.fix = what, where, fix
        self.problems: tuple[Problem, ...] = tuple(problems) or (Problem(what, where, fix),)
        super().__init__(what)
        # Beam raises an error of a worker again as `type(error)(error.args[0] + the step)`: all parts must be in it.
        self.args = (str(self),)

    def __str__(self) -> str:
        if self.problems == (Problem(self.what, self.where, self.fix),):
            return str(self.problems[0])
        numbered = (f"{number}. {problem}".replace("\n", "\n   ") for number, problem in enumerate(self.problems, 1))
        return "\n".join([str(Problem(self.what, self.where, self.fix)), *numbered])

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.what, self.where, self.fix, self.problems)


def _rebuild(cls: type[BlocksError], what: str, where: str, fix: str, problems: tuple[Problem, ...]) -> BlocksError:
    return cls(what, where=where, fix=fix, problems=problems)


class ConfigError(BlocksError, ValueError):
    """An option that is missing, misspelt, of the wrong type or out of range.

    To do: mend every option that the message lists; `blocks show NAME` prints those of a block.
    """


class PolicyError(ConfigError):
    """A policy file that cannot be used.

    To do: mend the policy file at the lines that the message names; the methods and their options are in the
    documents under Policy.
    """


class CatalogError(ConfigError):
    """A catalog entry that cannot be used, or a name that the catalog does not have.

    To do: use a name or version that the message lists; where the entry itself is wrong, mend `catalog.yaml`.
    """


class SnippetError(ConfigError):
    """A pipeline in YAML that cannot be built.

    To do: run `blocks check FILE`, which lists all mistakes of a snippet with line and column.
    """


class SchemaError(BlocksError, ValueError):
    """A schema that cannot be read, or a type that the other side cannot hold.

    To do: mend the schema file; `blocks describe FILE:NAME` shows what it says.
    """


class ColumnError(SchemaError):
    """A column that is not there, or two columns of one name.

    To do: use one of the columns that the message lists; `blocks explain FILE` shows those of every step.
    """


class BatchTypeError(BlocksError, TypeError):
    """A PCollection that is not made of batches, or an edge on which Beam would pickle batches.

    To do: declare what a step gives (`.with_output_types(blocks.BatchType(schema))`), or put `AsBatches` or
    `AsRows` between.
    """


class PrivacyError(BlocksError):
    """A labelled column on its way to a place that must not hold it.

    To do: put `MaskColumns` before the place that the message names, or decide in the policy what the label gets there.
    """


class MaskKeyError(BlocksError):
    """A mask key that cannot be read, or is too short.

    To do: give every worker the key that the policy names, at least 16 bytes; make one with `openssl rand -hex 32`.
    """


class RejectedRecordError(BlocksError, ValueError):
    """A bad record in a pipeline without `rejects=`.

    To do: give the pipeline a place for rejects (`rejects=`, or `rejects:` in a snippet), or mend the record.
    """


class ReadError(BlocksError, OSError):
    """Input files that are not there or cannot be read.

    To do: look at path and permissions; a file that is cut short has to be delivered again.
    """


class WarehouseError(BlocksError, OSError):
    """A table or a data file that could not be written; nothing of the run is visible.

    To do: look at space, permissions and the catalog's address, then run again: nothing of this run is in the table.
    """


class ConflictError(WarehouseError):
    """Another writer changed the same rows; nothing of this run is visible.

    To do: run again; it then sees what the other writer did.
    """


def nearest(name: str, names: Iterable[str]) -> str:
    """`did you mean `email`?` where a name is close, and the names there are; for the fix of an error."""
    known = list(names)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    listed = ", ".join(known[:20]) + (f", ... ({len(known)} in all)" if len(known) > 20 else "")
    hint = f"did you mean `{close[0]}`? " if close else ""
    return f"{hint}there is: {listed}" if known else f"{hint}there is none"


def unknown_column(name: str, columns: Sequence[str], where: str = "") -> Problem:
    """The problem of a column that the schema does not have."""
    return Problem(f"no column `{name}`", where, nearest(name, columns))


def repeated_names(names: Iterable[str], where: str = "") -> Iterator[Problem]:
    """A problem for every name that stands more than once."""
    seen: dict[str, int] = {}
    for name in names:
        seen[name] = seen.get(name, 0) + 1
    for name, count in seen.items():
        if count > 1:
            yield Problem(f"{count} columns would be named `{name}`", where, "give them different names")


@contextmanager
def all_problems(where: str, error: type[BlocksError] = ConfigError) -> Iterator[list[Problem]]:
    """Collects problems and raises them once, at the end, in one error.

    Args:
      where: the block, file or option that the headline names.
      error: the class to raise.
    """
    problems: list[Problem] = []
    yield problems
    if len(problems) == 1:
        (only,) = problems
        # A place in a file begins with the file already.
        told = only.where == where or only.where.startswith(f"{where}:")
        place = only.where if told else f"{where}: {only.where}" if only.where else where
        raise error(only.what, where=place, fix=only.fix)
    if problems:
        raise error(f"{len(problems)} problems", where=where, problems=problems)
