"""The privacy policy: which labels each destination may hold, and what to do with the others.

    keys: {main: "env:BLOCKS_MASK_KEY"}
    destinations:
      warehouse:
        protected: true
        labels:
          public: keep
          pii.email: {method: hmac, key: main}
          "pii.*": drop
      rejects: {labels: {public: keep}, unparsed: {method: hmac, key: main}}

The rules, all of them fail closed:

- The most specific pattern decides: the label itself, then the longest `prefix.*`, then `*`. A column with several labels
  gets the strictest of their actions.
- A label that a destination does not name does not pass it. An unlabelled column passes unless the destination is
  `protected`.
- A destination that the policy does not name takes `public` columns only.
- Without a policy, a schema that has no label other than `public` is free; any other goes nowhere.
- A masked column passes where the policy would mask it in exactly this way (method, key, options), or would keep it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from blocks.core import labels, strict_yaml
from blocks.core.errors import PolicyError, PrivacyError, Problem, all_problems, nearest
from blocks.core.keys import KeyRing, key_uri_problem
from blocks.core.labels import PUBLIC, Leaf, Masked
from blocks.core.masks import METHOD_NAMES, METHODS, AnyMethod, Drop, Hmac, Keep, Method, strictest

DESTINATIONS = ("warehouse", "rejects", "state", "shuffle", "partials", "online", "model", "rows")
# Labels of what is not a column: where a record came from, and names that stand in data instead of in a schema.
SOURCE = "source"
FIELD_NAME = "field_name"

_METHOD = TypeAdapter[Method](AnyMethod)


class Destination(BaseModel):
    """What one destination takes.

    Attributes:
      protected: unlabelled columns do not pass.
      labels: pattern to method.
      unparsed: for `rejects`: how a record that could not be parsed is identified; an hmac, or drop.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    protected: bool = False
    labels: dict[str, AnyMethod] = Field(default_factory=dict)
    unparsed: Hmac | Drop = Drop()

    def action(self, names: Iterable[str]) -> Method | None:
        """What to do with a column of these labels; None if one of them is not named, or if there is none to name."""
        found = [self._one(name) for name in sorted(names)]
        actions = [action for action in found if action is not None]
        if not found:
            return None if self.protected else Keep()
        return strictest(actions) if len(actions) == len(found) else None

    def _one(self, name: str) -> Method | None:
        if name in self.labels:
            return self.labels[name]
        parts = name.split(".")
        for length in range(len(parts) - 1, 0, -1):
            pattern = ".".join(parts[:length]) + ".*"
            if pattern in self.labels:
                return self.labels[pattern]
        return self.labels.get("*")


_PUBLIC_ONLY = Destination(protected=True, labels={PUBLIC: Keep()})
_FREE = Destination(labels={PUBLIC: Keep()})


@dataclass(frozen=True)
class Policy:
    """A policy that was read and found right as a whole.

    Attributes:
      destinations: name to what it takes.
      keys: key name to URI (no secret).
      file: where it was read from, for messages; empty for no policy at all.
    """

    destinations: Mapping[str, Destination]
    keys: Mapping[str, str]
    file: str = ""

    def key_ring(self) -> KeyRing:
        """A ring that opens the keys where it is used, not here."""
        return KeyRing(self.keys)

    def destination(self, name: str, schema: pa.Schema | None = None) -> Destination:
        """What a destination takes, named or not.

        Args:
          name: `warehouse`, `rejects`, ..., or any name of your own.
          schema: what is about to go there. Without a policy, one without private labels is free.
        """
        if name in self.destinations:
            return self.destinations[name]
        if not self.file and schema is not None and not labels.has_private_label(schema):
            return _FREE
        return _PUBLIC_ONLY

    def action(self, destination: Destination, leaf: Leaf) -> Method | None:
        """What to do with one leaf on its way to a destination: Keep if it passes as it is, None if it must not."""
        action = destination.action(leaf.labels)
        if action is None or leaf.masked is None or isinstance(action, Keep | Drop):
            return action
        # Masked already: it passes if this is the mask that the policy asks for; no mask goes on top of another.
        return Keep() if accepts(action, leaf) else None


NO_POLICY = Policy({}, {})

PolicySource = str | Path | Mapping[str, Any] | Policy | None


def accepts(action: Method, leaf: Leaf) -> bool:
    """Whether a masked leaf is masked in exactly the way that an action asks for."""
    mark = leaf.masked
    if mark is None:
        return False
    options = action.model_dump(exclude={"method", "key"}, exclude_defaults=True)
    return (action.name(), action.key_name(), options) == (mark.method, mark.key, dict(mark.options))


def method_of(mark: Masked) -> Method:
    """The method that a mask mark tells of."""
    key = {"key": mark.key} if mark.key else {}
    return _METHOD.validate_python({"method": mark.method, **key, **mark.options})


def read_policy(source: PolicySource) -> Policy:
    """Reads and validates a policy.

    Args:
      source: path of a YAML file, its content as a mapping, a policy (returned as it is), or None for no policy.

    Raises:
      PolicyError: with every problem of the file, each with line and column.
    """
    if source is None:
        return NO_POLICY
    if isinstance(source, Policy):
        return source
    if isinstance(source, Mapping):
        return _validated(strict_yaml.Document(_deep_copy(source), "policy", {}))
    path = Path(source)
    try:
        stat = path.stat()
    except OSError as cause:
        raise PolicyError(
            f"cannot read the policy: {cause.strerror}", where=str(source), fix="check the path"
        ) from None
    return _read(str(source), stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=64)
def _read(path: str, _changed: int, _size: int) -> Policy:
    return _validated(strict_yaml.load(path, error=PolicyError))


def _deep_copy(source: Any) -> Any:
    return {str(key): _deep_copy(value) for key, value in source.items()} if isinstance(source, Mapping) else source


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")
    description: str = ""
    keys: dict[str, str] = Field(default_factory=dict)
    destinations: dict[str, dict[str, Any]]


def _validated(document: strict_yaml.Document) -> Policy:
    with all_problems(document.file, PolicyError) as problems:
        file = _checked_file(document, problems)
        keys = dict(file.keys) if file else {}
        for name, uri in keys.items():
            if problem := key_uri_problem(uri):
                problems.append(Problem(problem[0], document.where(("keys", name)), problem[1]))
        destinations: dict[str, Destination] = {}
        for name, content in (file.destinations if file else {}).items():
            destinations[name] = _destination(document, ("destinations", name), content, keys, problems)
    return Policy(destinations, keys, document.file)


def _checked_file(document: strict_yaml.Document, problems: list[Problem]) -> _File | None:
    if not isinstance(document.data, dict):
        problems.append(Problem("a policy is a mapping", document.where(()), "begin with `destinations:`"))
        return None
    data = dict(document.data)
    for key in [key for key in data if key not in _File.model_fields]:
        place = document.where((key,))
        problems.append(Problem(f"unknown key `{key}`", place, nearest(key, _File.model_fields)))
        data.pop(key)
    try:
        return _File.model_validate(data)
    except ValidationError as error:
        for one in error.errors():
            problems.append(Problem(_message(one), document.where(tuple(one["loc"])), "see the form of a policy"))
    return None


def _destination(
    document: strict_yaml.Document,
    at: tuple[str, ...],
    content: dict[str, Any],
    keys: Mapping[str, str],
    problems: list[Problem],
) -> Destination:
    known = Destination.model_fields
    for key in [key for key in content if key not in known]:
        problems.append(
            Problem(f"unknown option `{key}` of a destination", document.where((*at, key)), nearest(key, known))
        )
    protected, found = content.get("protected", False), {}
    if not isinstance(protected, bool):
        problems.append(Problem("`protected` is true or false", document.where((*at, "protected")), ""))
    rules = content.get("labels") or {}
    if not isinstance(rules, dict):
        problems.append(Problem("`labels` is a mapping of label to method", document.where((*at, "labels")), ""))
        rules = {}
    for pattern, rule in rules.items():
        place = (*at, "labels", pattern)
        if not _is_pattern(pattern):
            fix = "write a label (`pii.email`), `pii.*` or `*`"
            problems.append(Problem(f"`{pattern}` is not a pattern of labels", document.where(place), fix))
        elif method := _method(document, place, rule, keys, problems):
            found[pattern] = method
    unparsed: Any = Drop()
    if "unparsed" in content:
        place = (*at, "unparsed")
        unparsed = _method(document, place, content["unparsed"], keys, problems) or Drop()
        if not isinstance(unparsed, Hmac | Drop):
            problems.append(Problem("`unparsed` is an hmac or drop", document.where(place), ""))
            unparsed = Drop()
    return Destination(protected=protected is True, labels=found, unparsed=unparsed)


def _is_pattern(text: str) -> bool:
    words = text.removesuffix(".*").replace("-", "_").split(".")
    return text == "*" or all(word.isidentifier() or word.isalnum() for word in words)


def _method(
    document: strict_yaml.Document, place: tuple[str, ...], rule: Any, keys: Mapping[str, str], problems: list[Problem]
) -> Method | None:
    content = {"method": rule} if isinstance(rule, str) else rule
    if isinstance(rule, type(None)):
        # An unquoted `null` in YAML is the value null; it can only mean the method of that name.
        content = {"method": "null"}
    if isinstance(content, Method):
        return content
    name = content.get("method") if isinstance(content, dict) else None
    if not isinstance(name, str) or name not in METHOD_NAMES:
        what = f"unknown method `{name}`" if isinstance(name, str) else "a method is a name or {method: name, ...}"
        problems.append(Problem(what, document.where(place), nearest(str(name or ""), METHOD_NAMES)))
        return None
    try:
        method = _METHOD.validate_python(content)
    except ValidationError as error:
        fields = [field for field in next(m for m in METHODS if m.name() == name).model_fields if field != "method"]
        for one in error.errors():
            at = tuple(part for part in one["loc"] if part != name)
            option = ".".join(map(str, at))
            what = f"`{name}`: {option + ': ' if option else ''}{_message(one)}"
            problems.append(Problem(what, document.where((*place, *at)), f"options: {', '.join(fields) or 'none'}"))
        return None
    if method.key_name() and method.key_name() not in keys:
        problems.append(
            Problem(
                f"no key `{method.key_name()}` in `keys`",
                document.where((*place, "key")),
                nearest(method.key_name(), keys),
            )
        )
    return method


def _message(error: Any) -> str:
    # pydantic repeats the input in some messages; `msg` alone does not.
    text = str(error["msg"]).removeprefix("Value error, ")
    return text[:1].lower() + text[1:]


def refusals(schema: pa.Schema, policy: Policy, destination: str) -> Iterator[Problem]:
    """A problem for every leaf that may not go to a destination as it is, with the line to add."""
    rules = policy.destination(destination, schema)
    for leaf in labels.leaves(schema):
        action = policy.action(rules, leaf)
        if not isinstance(action, Keep):
            yield refusal(leaf, action, policy, destination)


def refusal(leaf: Leaf, action: Method | None, policy: Policy, destination: str) -> Problem:
    """The problem of one leaf that may not pass."""
    where = f"field `{leaf.path}`"
    if not policy.file:
        fix = f"give policy=, a file with destinations: {{{destination}: {{labels: ...}}}}"
        return Problem(f"{_labels(leaf)} and there is no policy", where, fix)
    if destination not in policy.destinations:
        fix = f"add to {policy.file} under `destinations:`\n{destination}: {{labels: {{{_line(leaf)}}}}}"
        return Problem(f"{_labels(leaf)}, and the policy does not name `{destination}`", where, fix)
    if action is not None:
        wanted = action.name() + (f" with key {action.key_name()}" if action.key_name() else "")
        fix = f"put MaskColumns(policy=..., destination={destination!r}) before it"
        return Problem(f"{_labels(leaf)} must go through {wanted} first", where, fix)
    if leaf.masked:
        what = f"{_labels(leaf)} is masked by {leaf.masked.method} (key {leaf.masked.key or 'none'}), not as the policy asks"
        return Problem(what, where, "mask it for this destination, once, from the original")
    if not leaf.labels:
        fix = f"label it in the schema: `public` if anyone may see it, or what it is, such as pii.name ({leaf.path})"
        return Problem(f"no label, and `{destination}` is protected", where, fix)
    fix = f"add to {policy.file} under `destinations: {destination}: labels:`\n{_line(leaf)}"
    return Problem(f"{_labels(leaf)} is not named for `{destination}`", where, fix)


def _labels(leaf: Leaf) -> str:
    return "label " + ", ".join(sorted(leaf.labels)) if leaf.labels else "no label"


def _line(leaf: Leaf) -> str:
    label = next(iter(sorted(leaf.labels)), PUBLIC)
    return f"{label}: {'keep' if label == PUBLIC else 'drop'}"


def check_destination(schema: pa.Schema, policy: Policy, destination: str, where: str) -> None:
    """Refuses a schema that may not go to a destination as it is.

    Args:
      schema: what is about to go there.
      policy: from `read_policy`.
      destination: name in the policy.
      where: the block that asks, for the error.

    Raises:
      PrivacyError: with every leaf that does not pass and the line to add.
    """
    with all_problems(where, PrivacyError) as problems:
        problems.extend(refusals(schema, policy, destination))
