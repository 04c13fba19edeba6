"""The section `functions` of the catalog: every function that SQL may call, its version, and what it does to labels.

Arguments, types, NULLs and examples are not here: they stand with the function, in the head of a file of `sql_udfs/` or
in the annotation of a class of `java_udfs/`, and a test holds the two against each other.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError, model_validator

from blocks.catalog.model import Version, Word, numbers
from blocks.core import strict_yaml
from blocks.core.errors import Problem, nearest

FunctionName = Annotated[str, StringConstraints(pattern=r"^([a-z][a-z0-9_]*|[A-Z][A-Z0-9_]*)$")]
# In the order of the reference; a topic's title stands in `blocks.catalog.reference.functions_page`.
TOPICS = (
    "masks",
    "contacts",
    "text",
    "web",
    "money",
    "numbers",
    "conditions",
    "time",
    "places",
    "aggregates",
)
_FORMS = {
    "version": "1.0.0",
    "since": "0.1.0",
    "name": "`mask_left`, or `COUNT` for one of Beam's own",
    "summary": "one line of at most 120 characters",
}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Bound(_Part):
    """Within which a literal whole number has to be.

    Attributes:
      least: no less than this; any if None.
      most: no more than this; any if None.
    """

    least: int | None = None
    most: int | None = None

    @model_validator(mode="after")
    def _some(self) -> "Bound":
        if self.least is None and self.most is None:
            raise ValueError("a bound has `least`, `most` or both")
        if self.least is not None and self.most is not None and self.least > self.most:
            raise ValueError("`least` is more than `most`")
        return self


class DeclassifiesEntry(_Part):
    """That a result does not have the labels of the arguments, and when.

    Attributes:
      bounds: argument to the bounds of the whole number that has to stand there as a literal.
      literal: further arguments that have to be literals.
      absent: arguments that must not be given.
      of: arguments whose labels the result loses; all if empty.
      gives: method of a policy that the function is equal to: the result keeps its labels and is marked as masked in
        this way, so that a policy decides; empty if it is public.
      options: argument to the name of the method's option that it gives, `key` among them.
      group: for aggregates, whether the policy's least size of a group is asked for.
    """

    bounds: dict[Word, Bound] = {}
    literal: tuple[Word, ...] = ()
    absent: tuple[Word, ...] = ()
    of: tuple[Word, ...] = ()
    gives: Literal["", "mask", "mask_left", "mask_right", "mask_keep_left", "mask_keep_right", "hmac"] = ""
    options: dict[Word, Word] = {}
    group: bool = False


class DuckdbEntry(_Part):
    """An equal form of an overload in DuckDB's SQL.

    Attributes:
      arguments: names of those of the overload, in order.
      sql: over `{name}` of each.
      literal: argument to the bounds of the whole number that has to stand there as a literal.
    """

    arguments: tuple[Word, ...]
    sql: Annotated[str, StringConstraints(min_length=1)]
    literal: dict[Word, Bound] = {}


class FunctionEntry(_Part):
    """One version of a function.

    Attributes:
      name: as SQL calls it; upper case for Beam's own, which are here only for what they do to labels.
      version: semantic; a change of results is a new major. For Beam's own, the version of Beam.
      status: experimental, stable (its examples are kept for ever) or deprecated.
      since: release of the library that brought it.
      kind: of one row or of many.
      topic: under which the reference has it.
      origin: where it is written.
      summary: one line.
      declassifies: None where the result has all labels of its arguments.
      duckdb: equal forms in DuckDB's SQL, one an overload; those of functions in SQL are their expressions.
    """

    name: FunctionName
    version: Version
    status: Literal["experimental", "stable", "deprecated"] = "stable"
    since: Version
    kind: Literal["scalar", "aggregate"] = "scalar"
    topic: Literal[TOPICS]  # type: ignore[valid-type]
    origin: Literal["java", "scala", "sql", "beam"]
    summary: Annotated[str, StringConstraints(min_length=1, max_length=120)]
    declassifies: DeclassifiesEntry | None = None
    duckdb: tuple[DuckdbEntry, ...] = ()

    @property
    def major(self) -> int:
        """The first number of the version."""
        return numbers(self.version)[0]


_KEYS = tuple(FunctionEntry.model_fields)


def function_entries(
    document: strict_yaml.Document, content: Any, problems: list[Problem]
) -> tuple[FunctionEntry, ...]:
    """The entries of a catalog's `functions`, without those that are wrong, for the reasons added to `problems`."""
    if not isinstance(content, list):
        problems.append(Problem("`functions` is no list", document.where(("functions",)), "write a list of entries"))
        return ()
    found = [entry for number, one in enumerate(content) if (entry := _entry(document, number, one, problems))]
    problems.extend(_repeated(document, found))
    return tuple(entry for _, entry in found)


def _entry(
    document: strict_yaml.Document, number: int, content: Any, problems: list[Problem]
) -> tuple[int, FunctionEntry] | None:
    at: tuple[str | int, ...] = ("functions", number)
    if not isinstance(content, dict):
        problems.append(Problem("a function is a mapping", document.where(at), "begin with `name:`"))
        return None
    title = f"function `{content.get('name', number + 1)}`"
    before = len(problems)
    for key in content.keys() - set(_KEYS):
        what = f"{title}: unknown key `{key}`"
        problems.append(Problem(what, document.where_key((*at, key)), nearest(key, _KEYS)))
    try:
        entry = FunctionEntry.model_validate({key: value for key, value in content.items() if key in _KEYS})
    except ValidationError as error:
        for one in error.errors():
            path = tuple(part for part in one["loc"] if isinstance(part, str | int))
            what = f"{title}: {'.'.join(map(str, path))}: {_message(one)}"
            fix = f"write {_FORMS[str(path[-1])]}" if path and path[-1] in _FORMS else "see docs/sql-functions.md"
            problems.append(Problem(what, document.where((*at, *path)), fix))
        return None
    if (entry.name[0].isupper()) != (entry.origin == "beam"):
        fix = "names of the library's are in lower case, Beam's in upper case"
        problems.append(
            Problem(f"{title}: the name and its origin `{entry.origin}`", document.where((*at, "name")), fix)
        )
    if re.search(r"_v\d+$", entry.name):
        what = f"{title}: a name that ends like a version"
        problems.append(Problem(what, document.where((*at, "name")), "leave out `_v` and the number"))
    return (number, entry) if len(problems) == before else None


def _message(error: Any) -> str:
    if error["type"] == "missing":
        return "is missing"
    if error["type"] == "string_pattern_mismatch":
        return "is not of the right form"
    message = str(error["msg"]).removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def _repeated(document: strict_yaml.Document, found: list[tuple[int, FunctionEntry]]) -> Iterator[Problem]:
    last: dict[str, FunctionEntry] = {}
    for number, entry in found:
        before = last.get(entry.name)
        if before is not None and before.major >= entry.major:
            what = f"function `{entry.name}`: version {entry.version} stands below {before.version}"
            yield Problem(what, document.where(("functions", number, "version")), "a new major, below the older ones")
        last[entry.name] = entry
