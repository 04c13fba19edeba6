"""What an entry of the catalog says."""

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from blocks.core.errors import CatalogError, nearest

_VERSION = r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
_TARGET = r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*"

Version = Annotated[str, StringConstraints(pattern=f"^{_VERSION}$")]
Target = Annotated[str, StringConstraints(pattern=f"^{_TARGET}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
Kind = Literal["nothing", "bytes", "rows", "batches", "several"]


class Entry(BaseModel):
    """One version of a block.

    Attributes:
      name: as in Python and YAML.
      version: semantic; a change of behaviour is a new major.
      status: experimental, stable or deprecated.
      target: `module:Class`; `class` in the file.
      summary: one line.
      modes: batch, stream.
      rejects: whether it has rejects.
      state: whether it keeps state.
      since: release of the library that brought it.
      takes: what its input may be; `nothing` if it can begin a pipeline, `several` if it takes more than one input.
      gives: what its output is; `tables` ends a pipeline.
      input_files: options that name files to read; in a snippet they are relative to its file.
      example: a config that builds it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    name: Name
    version: Version
    status: Literal["experimental", "stable", "deprecated"]
    target: Target = Field(alias="class")
    summary: Annotated[str, StringConstraints(min_length=1, max_length=120)]
    modes: Annotated[tuple[Literal["batch", "stream"], ...], Field(min_length=1)]
    rejects: bool
    state: bool
    since: Version
    takes: Annotated[tuple[Kind, ...], Field(min_length=1)]
    gives: Literal["batches", "rows", "tables"]
    input_files: tuple[str, ...] = ()
    example: dict[str, Any]

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


@dataclass(frozen=True)
class Catalog:
    """Every block and every other public name.

    Attributes:
      entries: in the order of the file.
      names: name to `module:attribute`.
    """

    entries: tuple[Entry, ...]
    names: dict[str, str]

    def __contains__(self, name: object) -> bool:
        return any(entry.name == name for entry in self.entries)

    def block(self, name: str) -> Entry:
        """The newest version of a block.

        Raises:
          CatalogError: there is no such block, with the nearest name.
        """
        found = [entry for entry in self.entries if entry.name == name]
        if not found:
            known = [entry.name for entry in self.entries]
            raise CatalogError(f"no block `{name}`", where="the catalog", fix=nearest(name, known))
        return max(found, key=lambda entry: entry.major)
