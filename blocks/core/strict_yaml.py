"""YAML as configuration: the safe loader, without what makes YAML surprising.

Duplicate keys, tags and aliases that multiply are errors with line and column; every key and every value knows where it
stands, so that a problem found later can be shown at its place.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from blocks.core.errors import BlocksError, ConfigError, Problem, all_problems

MAX_BYTES = 4 << 20
MAX_NODES = 200_000

Path_ = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML document with places.

    Attributes:
      data: dicts, lists and scalars.
      file: name for messages.
      marks: (line, column), from 1, of the value at each path.
      keys: (line, column), from 1, of the key that ends each path; a list's positions have none.
    """

    data: Any
    file: str
    marks: dict[Path_, tuple[int, int]]
    keys: dict[Path_, tuple[int, int]] = field(default_factory=dict)

    def where(self, path: Path_) -> str:
        """`file:line:column` of a value, or of its nearest ancestor that has a place."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.marks:
                line, column = self.marks[path[:length]]
                return f"{self.file}:{line}:{column}"
        return self.file

    def where_key(self, path: Path_) -> str:
        """`file:line:column` of the key that ends a path, for what is wrong with the key and not with its value."""
        if path in self.keys:
            line, column = self.keys[path]
            return f"{self.file}:{line}:{column}"
        return self.where(path)


def load(source: str | Path, *, text: str | None = None, error: type[BlocksError] = ConfigError) -> Document:
    """Reads one YAML document.

    Args:
      source: path of the file, or its name where `text` is given.
      text: the text, instead of reading the file.
      error: class of the error to raise.

    Raises:
      error: no such file, not YAML, duplicate keys, a tag, more than 4 MiB or more than 200,000 values (aliases counted
        each time they are used); all that can be found at once.
    """
    file = str(source)
    if text is None:
        try:
            text = Path(source).read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as cause:
            raise error("the file is not UTF-8 text", where=file, fix="save it as UTF-8") from cause
        except OSError as cause:
            raise error(
                f"cannot read the file: {cause.strerror or type(cause).__name__}", where=file, fix="check the path"
            ) from cause
    if len(text) > MAX_BYTES:
        raise error(f"the file has more than {MAX_BYTES >> 20} MiB", where=file, fix="split it")
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as cause:
        mark = cause.problem_mark or cause.context_mark
        place = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else file
        raise error(f"not YAML: {cause.problem or cause.context}", where=place, fix="mend the syntax") from None
    except (yaml.YAMLError, RecursionError) as cause:
        raise error(f"not YAML: {type(cause).__name__}", where=file, fix="mend the syntax") from None
    with all_problems(file, error) as problems:
        marks: dict[Path_, tuple[int, int]] = {}
        keys: dict[Path_, tuple[int, int]] = {}
        reader = _Reader(file, marks, keys, problems)
        data = reader.value(node, ()) if node is not None else None
    return Document(data, file, marks, keys)


class _Reader:
    def __init__(
        self,
        file: str,
        marks: dict[Path_, tuple[int, int]],
        keys: dict[Path_, tuple[int, int]],
        problems: list[Problem],
    ) -> None:
        self._file, self._marks, self._keys, self._problems = file, marks, keys, problems
        self._constructor = yaml.SafeLoader("")
        self._open: list[int] = []
        self._count = 0

    def value(self, node: yaml.Node, path: Path_) -> Any:
        self._count += 1
        if self._count == MAX_NODES:
            self._add(node, f"more than {MAX_NODES:,} values once aliases are followed", "use fewer aliases")
        if self._count >= MAX_NODES:
            return None
        if id(node) in self._open:
            self._add(node, "an alias that holds itself", "write the value out")
            return None
        self._marks[path] = (node.start_mark.line + 1, node.start_mark.column + 1)
        self._open.append(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return dict(self._items(node, path))
            if isinstance(node, yaml.SequenceNode):
                self._check_tag(node, "seq", "a plain list")
                return [self.value(child, (*path, position)) for position, child in enumerate(node.value)]
            return self._scalar(node)
        finally:
            self._open.pop()

    def _scalar(self, node: yaml.Node) -> Any:
        if not node.tag.startswith("tag:yaml.org,2002:") or "python" in node.tag:
            self._add(node, f"the tag {node.tag} is not allowed", "write a plain value")
            return None
        try:
            return self._constructor.construct_object(node)
        except (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError, OverflowError):
            # The safe constructors were written for values that fit; `!!bool maybe` is a KeyError.
            what, fix = "a value that does not fit its type", "put it in quotes"
            if node.tag == "tag:yaml.org,2002:timestamp" and str(node.value)[:4].isdigit():
                what, fix = "there is no such date or time", "mend it; if it is text, put it in quotes"
            self._add(node, what, fix)
            return None

    def _items(self, node: yaml.MappingNode, path: Path_) -> Iterator[tuple[Any, Any]]:
        self._check_tag(node, "map", "a plain mapping")
        seen: dict[Any, int] = {}
        for key_node, value_node in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                # What a merge overrides is easy to misread, and other tools differ on it.
                self._add(key_node, "a merge key `<<` is not allowed", "write the keys out, or alias whole values")
                continue
            key = self._scalar(key_node) if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key_node, yaml.ScalarNode):
                self._add(key_node, "a key is a list or a mapping", "write a plain key")
                continue
            if not isinstance(key, str):
                # `on:`, `1:` and `null:` are not strings in YAML; configuration keys are.
                key = str(key_node.value)
            if key in seen:
                self._add(key_node, f"the key `{key}` stands twice (first in line {seen[key]})", "remove one")
            seen[key] = key_node.start_mark.line + 1
            self._keys[*path, key] = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            yield key, self.value(value_node, (*path, key))

    def _check_tag(self, node: yaml.Node, kind: str, plain: str) -> None:
        if node.tag != f"tag:yaml.org,2002:{kind}":
            self._add(node, f"the tag {node.tag} is not allowed", f"write {plain}")

    def _add(self, node: yaml.Node, what: str, fix: str) -> None:
        mark = node.start_mark
        self._problems.append(Problem(what, f"{self._file}:{mark.line + 1}:{mark.column + 1}", fix))
