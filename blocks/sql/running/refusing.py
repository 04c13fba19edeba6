"""What Beam SQL cannot hold, or would change, is refused when the pipeline is built."""

from collections.abc import Iterator, Mapping, Sequence

from blocks.core.policy import Policy
from blocks.sql.checked import CheckedSql
from blocks.sql.places import place_of
from blocks.sql.problems import Place, SqlCheckError, SqlPrivacyError, SqlProblem, problem
from blocks.sql.running.destinations import destination_problems
from blocks.sql.running.reading import fine_times
from blocks.sql.running.settings import Settings
from blocks.sql.types import UnsupportedTypeError, from_arrow


def refuse_for_beam(checked: CheckedSql, read: Mapping[str, Sequence[str]], settings: Settings, policy: Policy) -> None:
    """Refuses columns of types that Beam SQL has not, times that it would cut, what needs an end of an input, and
    columns that the policy does not let go where the query puts them.

    Args:
      checked: the query.
      read: columns of each input that it reads.
      settings: of the block.
      policy: of the block.

    Raises:
      SqlCheckError: all of it; a `SqlPrivacyError`, which is a `PrivacyError` too, where the policy refuses a column.
    """
    problems = [*checked.beam_problems, *_types(checked, read, settings)]
    if settings.timestamps == "exact":
        problems.extend(_times(checked, settings))
    private = list(destination_problems(checked, read, settings, policy))
    if problems or private:
        told = sorted([*problems, *private], key=lambda one: (one.line, one.column))
        error = SqlPrivacyError if private else SqlCheckError
        raise error(f"{len(told)} problems" if len(told) > 1 else told[0].what, where=settings.source, problems=told)


def _types(checked: CheckedSql, read: Mapping[str, Sequence[str]], settings: Settings) -> Iterator[SqlProblem]:
    for name, columns in read.items():
        for column in columns:
            try:
                from_arrow(checked.tables[name].schema.field(column))
            except UnsupportedTypeError as error:
                what = f"Beam SQL has no type for `{column}`: {error.data_type}"
                yield problem(settings.query, Place(1, 1), "unsupported_type", what, error.fix, source=settings.source)


def _times(checked: CheckedSql, settings: Settings) -> Iterator[SqlProblem]:
    for (_, column), node in fine_times(checked.analysis).items():
        place = place_of(node)
        what = f"Beam SQL would cut the microseconds of `{column}`: it knows milliseconds"
        fix = (
            'if they do not matter, say so: RunSql(..., timestamps="milliseconds"); '
            "TUMBLE, HOP and SESSION take the column as it is"
        )
        yield problem(settings.query, place, "fine_time", what, fix, source=settings.source)
