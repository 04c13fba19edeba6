"""What an entry of the catalog says."""

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from blocks.catalog.own_functions import OwnFunctions
from blocks.core.errors import CatalogError, Problem, nearest
from blocks.core.policy import DESTINATIONS

if TYPE_CHECKING:
    from blocks.catalog.functions import FunctionEntry

_VERSION = r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
_TARGET = r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*"
_SUM = r"[a-z_]+( \+ [a-z_]+)*"
# What every run of a block can count; other names of an equation are counted by a trial.
COUNTED = ("rows_in", "rows_out", "rejects")

Version = Annotated[str, StringConstraints(pattern=f"^{_VERSION}$")]
Target = Annotated[str, StringConstraints(pattern=f"^{_TARGET}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Equation = Annotated[str, StringConstraints(pattern=f"^{_SUM} (=|<=|>=) {_SUM}$")]
Kind = Literal["nothing", "bytes", "rows", "batches", "several"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Need(_Part):
    """Columns that the input must have.

    Attributes:
      option: whose value names them.
      form: how it does: `names` (one or a list), `keys` or `values` of a mapping, `expression` (SQL), `expressions` (a
        mapping to SQL), `expectations` (of CheckRows), `transforms` (`day(at)`), `paths` (`items[].sku`),
        `query` (SQL over the inputs), `features` (a definition of aggregations), `sessions` (one of sessions).
      types: kinds of which their type must be; empty for any.
      masked: method with which they must be masked; empty where that does not matter.
    """

    option: Word
    form: Literal[
        "names",
        "keys",
        "values",
        "expression",
        "expressions",
        "expectations",
        "transforms",
        "paths",
        "query",
        "features",
        "sessions",
    ] = "names"
    types: tuple[Literal["text", "number", "time", "boolean", "binary", "list", "struct", "map"], ...] = ()
    masked: str = ""


class Added(_Part):
    """Columns that the output has beside those of the input.

    Attributes:
      name: of one column; or
      named_by: option that names one column; or
      expressions: option, a mapping of names to SQL expressions over the input; or
      schema_option: option that names a schema whose columns are added; `schema` in the file.
      only: option that says which of that schema's.
      but: option that names those of that schema that are not.
      prefix: option, text in front of their names.
      of: option that names the columns that the one column is made of, whose labels it has; none unless given.
      type: of the one column, as `blocks.parse_type` reads it.
      label: of the one column; empty for none.
      path: option without which, and without a dotted path in which, it is not added.
    """

    name: str = ""
    named_by: Word | None = None
    expressions: Word | None = None
    schema_option: Word | None = Field(None, alias="schema")
    only: Word | None = None
    but: Word | None = None
    prefix: Word | None = None
    of: Word | None = None
    type: str = ""
    label: str = ""
    path: Word | None = None


class Gives(_Part):
    """Columns of the output, and their labels.

    Attributes:
      columns: where they come from: those of the `input`, the `union` of all inputs, `parts` of the input's columns
        (their names begin with the column's), a `schema`, what a `query`, a definition of `features` or of `sessions`
        computes, `partials` of features, or `none` where a pipeline ends.
      schema_option: option that names the schema; `schema` in the file.
      query: option that is the query; its dialect, functions and parameters are in `dialect`, `udf_jars`, ...
      features: option that is the definition of features; with `partials` their partial aggregates.
      sessions: option that is the definition of sessions.
      only: option that names those that stay, in its order.
      without: option that names those that do not.
      renamed: option, a mapping of old to new names.
      typed: option, a mapping of names to types; other columns keep theirs.
      added: further columns.
      labels: `carried` with the columns that a column comes from, all of them; `declared` by the schema; as the policy
        says for columns that it has `masked`, which may lose their type and be dropped; or `unmasked`.
    """

    columns: Literal["input", "union", "parts", "schema", "query", "features", "partials", "sessions", "none"]
    schema_option: Word | None = Field(None, alias="schema")
    query: Word | None = None
    features: Word | None = None
    sessions: Word | None = None
    only: Word | None = None
    without: Word | None = None
    renamed: Word | None = None
    typed: Word | None = None
    added: tuple[Added, ...] = ()
    labels: Literal["carried", "declared", "masked", "unmasked"] = "carried"


class Revised(_Part):
    """Rows that a stream may give again, corrected.

    Attributes:
      column: of the output, with the number of the revision; of rows with the same key (columns that are marked as key)
        the one with the highest counts.
      reason: column of the output that says why there is a row, which depends on how the events came.
      in_streams_only: reasons of rows that a batch does not give.
      takes_back: reasons of rows that say that there is no row of their key any more.
    """

    column: Word
    reason: Word
    in_streams_only: tuple[Word, ...] = ()
    takes_back: tuple[Word, ...] = ()


class Columns(_Part):
    """What a block does to columns, from which lineage and labels can be told without the block."""

    needs: tuple[Need, ...] = ()
    gives: Gives


class Before(_Part):
    """A step before a trial.

    Attributes:
      type: a block of the catalog.
      config: of it.
    """

    type: str
    config: dict[str, Any] = {}


class Trial(_Part):
    """A config and an input on which a block is tried: by the conformance suite, the recorded outputs, the reference.

    Attributes:
      name: in a file name.
      config: of the block.
      input: schema of the input, `FILE:NAME` or a mapping of column names to types or `{type, label, ...}`.
      values: column to the values that its rows are drawn from; others are made from the type.
      bad: column to values that make the block reject a row, for blocks that take batches and reject.
      counts: name in the equation of conservation to a SQL aggregate over the input (table `input`).
      before: steps (`{type, config}`) that the input goes through first, such as masking.

    In a config `${input}` is the file of the input, for blocks that read, and `${folder}` an empty folder.
    """

    name: Word = "plain"
    config: dict[str, Any]
    input: str | dict[str, Any]
    values: dict[str, list[Any]] = {}
    bad: dict[str, list[Any]] = {}
    counts: dict[str, str] = {}
    before: tuple[Before, ...] = ()


class Entry(_Part):
    """One version of a block.

    Attributes:
      name: as in Python and YAML.
      version: semantic; a change of behaviour is a new major.
      status: experimental (may change within its major), stable (its recorded outputs are kept for ever) or deprecated.
      target: `module:Class`; `class` in the file.
      summary: one line.
      modes: batch, stream.
      batch_only: options and inputs with which it cannot be in a stream.
      rejects: whether it has rejects.
      codes: of its rejects.
      state: whether it keeps state.
      since: release of the library that brought it.
      takes: what its input may be; `nothing` if it can begin a pipeline, `several` if it takes more than one input.
      inputs: names of its inputs where it takes several by name, the one that its columns come from first.
      gives: what its output is; `tables` ends a pipeline.
      columns: the columns, types and labels that it needs and gives.
      revised: how rows of a stream are corrected; none for a block whose rows are final.
      conserves: equation of rows, such as `rows_in = rows_out + rejects`.
      destinations: where it puts rows of its input, of those that a policy names.
      sometimes: destinations that only some configs or inputs lead to, which the block itself checks.
      input_files: options that name files to read; in a snippet they are relative to its file.
      example: a config that builds it.
      trials: configs and inputs on which it is tried.
    """

    name: Name
    version: Version
    status: Literal["experimental", "stable", "deprecated"]
    target: Target = Field(alias="class")
    summary: Annotated[str, StringConstraints(min_length=1, max_length=120)]
    modes: Annotated[tuple[Literal["batch", "stream"], ...], Field(min_length=1)]
    batch_only: tuple[Word, ...] = ()
    rejects: bool
    codes: tuple[Word, ...] = ()
    state: bool
    since: Version
    takes: Annotated[tuple[Kind, ...], Field(min_length=1)]
    inputs: tuple[Word, ...] = ()
    gives: Literal["batches", "rows", "tables"]
    columns: Columns
    revised: Revised | None = None
    conserves: Equation
    destinations: tuple[Literal[DESTINATIONS], ...] = ()  # type: ignore[valid-type]
    sometimes: tuple[Literal[DESTINATIONS], ...] = ()  # type: ignore[valid-type]
    input_files: tuple[str, ...] = ()
    example: dict[str, Any]
    trials: Annotated[tuple[Trial, ...], Field(min_length=1)]

    @property
    def major(self) -> int:
        """The first number of the version."""
        return int(self.version.split(".")[0])

    def load(self) -> Any:
        """The class.

        Raises:
          CatalogError: there is no such module or class.
        """
        return load_target(self.target, f"catalog entry `{self.name}`")


def load_target(target: str, where: str) -> Any:
    """The object of a `module:attribute`.

    Raises:
      CatalogError: there is none.
    """
    module, _, attribute = target.partition(":")
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as cause:
        raise CatalogError(
            f"no module `{cause.name}`", where=where, fix="mend `class`, or install what the block needs"
        ) from cause
    if not hasattr(found, attribute):
        raise CatalogError(f"no `{attribute}` in `{module}`", where=where, fix=nearest(attribute, _public(found)))
    return getattr(found, attribute)


def _public(module: Any) -> Iterator[str]:
    return (name for name in vars(module) if not name.startswith("_") and re.match(r"[A-Z]", name))


Versioned = TypeVar("Versioned", Entry, "FunctionEntry")


def newest(entries: list[Versioned]) -> Versioned:
    """What a name without a version means: the newest major that is not experimental, or else the newest."""
    settled = [entry for entry in entries if entry.status != "experimental"]
    return max(settled or entries, key=lambda entry: entry.major)


@dataclass(frozen=True)
class Catalog:
    """Every block and every other public name.

    Attributes:
      entries: in the order of the file.
      names: name to `module:attribute`.
      functions: that SQL may call, in the order of the file.
      own: archives and folders of functions of SQL, of a user's catalog.
    """

    entries: tuple[Entry, ...]
    names: dict[str, str]
    functions: "tuple[FunctionEntry, ...]" = ()
    own: OwnFunctions = field(default_factory=OwnFunctions)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._found(name) is not None

    def block(self, name: str, version: int | str | None = None) -> Entry:
        """One version of a block.

        Args:
          name: `MaskColumns`, or `MaskColumns@1`.
          version: major version, `1`, or with the parts after it, of which the entry must be no older: `1.2`. Without
            it the newest major that is not experimental.

        Raises:
          CatalogError: there is no such block or version, with the nearest name or the versions that there are.
        """
        found = self._found(name if version is None else f"{name}@{version}")
        if found is None:
            problem = self.unknown(name if version is None else f"{name}@{version}")
            raise CatalogError(problem.what, where="the catalog", fix=problem.fix)
        return found

    def function(self, name: str) -> "FunctionEntry":
        """The entry of a function: `clamp` is the newest major that is not experimental, `clamp@1` or `clamp_v1` one.

        Raises:
          CatalogError: there is no such function or version, with the nearest name or the versions that there are.
        """
        plain, at, version = name.partition("@")
        if not at and (match := re.fullmatch(r"(\w+)_v(\d+)", name)):
            plain, version = match.groups()
        found = [entry for entry in self.functions if entry.name == plain]
        wanted = [entry for entry in found if not version or str(entry.major) == version]
        if not found:
            names = dict.fromkeys(entry.name for entry in self.functions)
            raise CatalogError(f"no function `{plain}`", where="the catalog", fix=nearest(plain, names))
        if not wanted:
            there = ", ".join(f"{plain}@{entry.major} ({entry.version})" for entry in found)
            raise CatalogError(f"no version {version} of `{plain}`", where="the catalog", fix=f"there is: {there}")
        return newest(wanted)

    def unknown(self, name: str) -> Problem:
        """Why there is no such block, and what there is."""
        plain, at, version = name.partition("@")
        entries = [entry for entry in self.entries if entry.name == plain]
        if not entries or not at:
            return Problem(f"no block `{plain}`", "", nearest(plain, dict.fromkeys(one.name for one in self.entries)))
        there = ", ".join(f"{plain}@{entry.major} ({entry.version})" for entry in entries)
        if re.fullmatch(r"\d+(\.\d+){0,2}", version):
            return Problem(f"no version {version} of `{plain}`", "", f"there is: {there}")
        return Problem(f"`{version}` is no version", "", f"write a major, as in {plain}@{entries[-1].major}")

    def _found(self, name: str) -> Entry | None:
        plain, at, version = name.partition("@")
        entries = [entry for entry in self.entries if entry.name == plain]
        if not entries or not at:
            return newest(entries) if entries and not at else None
        if not re.fullmatch(r"\d+(\.\d+){0,2}", version):
            return None
        wanted = [int(part) for part in version.split(".")]
        return next((one for one in entries if one.major == wanted[0] and numbers(one.version) >= wanted), None)


def numbers(version: str) -> list[int]:
    """The parts of a version, to compare."""
    return [int(part) for part in version.split(".")]
