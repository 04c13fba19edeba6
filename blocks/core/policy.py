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

- The most specific pattern decides: the label itself, then the longest `prefix.*`, then `*`. A column with several
  labels gets the strictest of their actions.
- A label that a destination does not name does not pass it. An unlabelled column passes unless the destination is
  `protected`; `rejects` is, as soon as any column has a label other than `public`.
- A destination that the policy does not name takes `public` columns only.
- Without a policy, a schema that has no label other than `public` is free; any other goes nowhere.
- A masked column passes where the policy would mask it in exactly this way (method, key, options), or would keep it.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from blocks.core import labels, strict_yaml
from blocks.core.errors import PolicyError, PrivacyError, Problem, SchemaError, all_problems, nearest
from blocks.core.keys import KeyRing, key_uri_problem
from blocks.core.labels import PUBLIC, Leaf, Masked
from blocks.core.masks import METHOD_NAMES, METHODS, AnyMethod, Drop, Hmac, Keep, Method, strictest

DESTINATIONS = ("warehouse", "rejects", "state", "shuffle", "partials", "online", "model", "rows")
# Labels of what is not a column: where a record came from, and names that stand in data instead of in a schema.
REJECTS = "rejects"
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
      min_group: rows that a group must have for an aggregate of SQL to take labels away; None for any.
    """

    destinations: Mapping[str, Destination]
    keys: Mapping[str, str]
    file: str = ""
    min_group: int | None = None

    def key_ring(self) -> KeyRing:
        """A ring that opens the keys where it is used, not here."""
        return KeyRing(self.keys)

    def destination(self, name: str, schema: pa.Schema | None = None) -> Destination:
        """What a destination takes, named or not.

        Args:
          name: `warehouse`, `rejects`, ..., or any name of your own.
          schema: what is about to go there. Without a policy, one without private labels is free.
        """
        found = self.destinations.get(name)
        if found is not None and name == REJECTS and schema is not None and labels.has_private_label(schema):
            # A rejected record may hold anything anywhere: beside labelled columns, unlabelled ones are no safer.
            return found.model_copy(update={"protected": True})
        if found is not None:
            return found
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
    options = action.options(min(leaf.labels, default=""))
    return (action.name(), action.key_name(), options) == (mark.method, mark.key, dict(mark.options))


def method_of(mark: Masked) -> Method:
    """The method that a mask mark tells of.

    Raises:
      SchemaError: a mark of a method or of options that this version does not have.
    """
    key = {"key": mark.key} if mark.key else {}
    try:
        return _METHOD.validate_python({"method": mark.method, **key, **mark.options})
    except ValidationError:
        raise SchemaError(
            f"a mask mark of `{mark.method}` with options that this version does not have",
            where=f"field metadata `{labels.MASKED}`",
            fix="read and mask the original again",
        ) from None


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
        fix = _near_files(path) if isinstance(cause, FileNotFoundError) else "check the path"
        raise PolicyError(f"cannot read the policy: {cause.strerror}", where=str(source), fix=fix) from None
    # A worker reads the same file for every step; the identity of the file is part of what is remembered.
    return _read(str(source), (stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_size))


def _near_files(path: Path) -> str:
    try:
        names = sorted(one.name for one in path.parent.iterdir() if one.is_file())
    except OSError:
        return f"there is no folder `{path.parent}`"
    close = difflib.get_close_matches(path.name, names, n=1)
    return f"did you mean `{close[0]}`?" if close else "check the path"


@lru_cache(maxsize=64)
def _read(path: str, _identity: tuple[int, ...]) -> Policy:
    return _validated(strict_yaml.load(path, error=PolicyError))


def _deep_copy(source: Any) -> Any:
    return {str(key): _deep_copy(value) for key, value in source.items()} if isinstance(source, Mapping) else source


_PARTS = ("description", "keys", "destinations", "min_group")
_KEY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def _validated(document: strict_yaml.Document) -> Policy:
    with all_problems(document.file, PolicyError) as problems:
        parts = _parts(document, problems)
        keys = _keys(document, parts["keys"], problems)
        destinations = {
            name: _destination(document, ("destinations", name), content, keys, problems)
            for name, content in parts["destinations"].items()
        }
    least = document.data.get("min_group") if isinstance(document.data, dict) else None
    return Policy(destinations, keys, document.file, least)


def _parts(document: strict_yaml.Document, problems: list[Problem]) -> dict[str, dict[str, Any]]:
    """The mappings of a policy; one that is wrong is empty, so that the mistakes in the others show too."""
    parts: dict[str, dict[str, Any]] = {"keys": {}, "destinations": {}}
    if not isinstance(document.data, dict):
        problems.append(Problem("a policy is a mapping", document.where(()), "begin with `destinations:`"))
        return parts
    for name, content in document.data.items():
        place = document.where((name,))
        if name not in _PARTS:
            problems.append(Problem(f"unknown key `{name}`", document.where_key((name,)), nearest(name, _PARTS)))
        elif name == "description":
            if not isinstance(content, str):
                problems.append(Problem("`description` is text", place, "put it in quotes"))
        elif name == "min_group":
            if not isinstance(content, int) or isinstance(content, bool) or content < 1:
                problems.append(Problem("`min_group` is a number of rows", place, "write min_group: 20"))
        elif isinstance(content, dict):
            parts[name] = content
        elif content is not None or name == "destinations":
            fix = _FORMS[name]
            problems.append(Problem(f"`{name}` is a mapping", place, fix))
    if "destinations" not in document.data:
        problems.append(Problem("no `destinations`", document.where(()), _FORMS["destinations"]))
    return parts


_FORMS = {
    "keys": 'write keys: {main: "env:NAME"}',
    "destinations": "write destinations: {warehouse: {labels: {public: keep}}}",
}


def _keys(document: strict_yaml.Document, content: dict[str, Any], problems: list[Problem]) -> dict[str, str]:
    """Names and URIs. Wrong ones are kept by name, so that those who use them are not wrong too."""
    keys: dict[str, str] = {}
    for name, uri in content.items():
        place = document.where(("keys", name))
        if not _KEY_NAME.fullmatch(name):
            # The text may be a secret in the wrong place.
            fix = "use at most 64 letters, digits, `_`, `.` and `-`: masked values begin with it"
            problems.append(Problem("this is not the name of a key", place, fix))
        problem = key_uri_problem(uri) if isinstance(uri, str) else key_uri_problem("")
        if problem:
            problems.append(Problem(problem[0], place, problem[1]))
        keys[name] = str(uri)
    return keys


def _destination(
    document: strict_yaml.Document,
    at: tuple[str, ...],
    content: Any,
    keys: Mapping[str, str],
    problems: list[Problem],
) -> Destination:
    known = Destination.model_fields
    if not isinstance(content, dict):
        fix = "write {labels: {public: keep}}"
        problems.append(Problem("a destination is a mapping", document.where(at), fix))
        content = {}
    problems.extend(
        Problem(f"unknown option `{key}` of a destination", document.where_key((*at, key)), nearest(key, known))
        for key in content
        if key not in known
    )
    protected, found = content.get("protected", False), {}
    if not isinstance(protected, bool):
        fix = "write protected: true"
        problems.append(Problem("`protected` is true or false", document.where((*at, "protected")), fix))
    rules = content.get("labels") or {}
    if not isinstance(rules, dict):
        fix = "write labels: {public: keep}"
        problems.append(Problem("`labels` is a mapping of label to method", document.where((*at, "labels")), fix))
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
            fix = "write unparsed: {method: hmac, key: NAME}"
            problems.append(Problem("`unparsed` is an hmac or drop", document.where(place), fix))
            unparsed = Drop()
    return Destination(protected=protected is True, labels=found, unparsed=unparsed)


def _is_pattern(text: str) -> bool:
    words = text.removesuffix(".*").replace("-", "_").split(".")
    return text == "*" or all(word.isidentifier() or word.isalnum() for word in words)


def _method(
    document: strict_yaml.Document, place: tuple[str, ...], rule: Any, keys: Mapping[str, str], problems: list[Problem]
) -> Method | None:
    content = {"method": rule} if isinstance(rule, str) else rule
    # An unquoted `null` in YAML is the value null; it can only mean the method of that name.
    if rule is None:
        content = {"method": "null"}
    elif isinstance(rule, dict) and "method" in rule and rule["method"] is None:
        content = {**rule, "method": "null"}
    if isinstance(content, Method):
        # From a mapping in Python: its options are right, its key may not be.
        return _with_key(document, place, content, keys, problems)
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
    return _with_key(document, place, method, keys, problems)


def _with_key(
    document: strict_yaml.Document,
    place: tuple[str, ...],
    method: Method,
    keys: Mapping[str, str],
    problems: list[Problem],
) -> Method:
    if method.key_name() and method.key_name() not in keys:
        # The name is not repeated: it may be a secret in the wrong place.
        fix = nearest(method.key_name(), keys)
        problems.append(Problem("`keys` has no key of this name", document.where((*place, "key")), fix))
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
        fix = f"{_guess(policy, destination)}add to {policy.file} under `destinations:`, all its labels in one entry\n"
        fix += f"{destination}: {{labels: {{{_line(leaf)}}}}}"
        return Problem(f"{_labels(leaf)}, and the policy does not name `{destination}`", where, fix)
    if action is not None:
        wanted = action.name() + (f" with key {action.key_name()}" if action.key_name() else "")
        fix = f"put MaskColumns(policy=..., destination={destination!r}) before it"
        return Problem(f"{_labels(leaf)} must go through {wanted} first", where, fix)
    if leaf.masked:
        how = f"is masked by {leaf.masked.method}" + (f" (key {leaf.masked.key})" if leaf.masked.key else "")
        fix = f"if `{destination}` may hold it so, say it under `destinations: {destination}: labels:`\n{_line(leaf)}\n"
        fix += "otherwise mask it for this destination, once, from the original"
        return Problem(f"{_labels(leaf)} {how}, not as the policy asks", where, fix)
    if not leaf.labels:
        fix = f"label it in the schema: `public` if anyone may see it, or what it is, such as pii.name ({leaf.path})"
        return Problem(f"no label, and `{destination}` is protected", where, fix)
    rules = policy.destinations[destination]
    unnamed = sorted(label for label in leaf.labels if rules.action([label]) is None)
    lines = "\n".join(f"{label}: {_suggested(label)}" for label in unnamed)
    fix = f"add to {policy.file} under `destinations: {destination}: labels:`\n{lines}"
    return Problem(f"label {', '.join(unnamed)} is not named for `{destination}`", where, fix)


def _guess(policy: Policy, destination: str) -> str:
    """What may have been meant by a destination that the policy does not name."""
    if destination in DESTINATIONS:
        # The block is right, so the policy may have misspelt it; a name of another place of the library is no mistake.
        close = difflib.get_close_matches(destination, [n for n in policy.destinations if n not in DESTINATIONS], n=1)
        return f"the policy names `{close[0]}`: did you mean `{destination}`? otherwise " if close else ""
    close = difflib.get_close_matches(destination, [*policy.destinations, *DESTINATIONS], n=1)
    return f"did you mean `{close[0]}`? otherwise " if close else ""


def _labels(leaf: Leaf) -> str:
    return "label " + ", ".join(sorted(leaf.labels)) if leaf.labels else "no label"


def _line(leaf: Leaf) -> str:
    label = next(iter(sorted(leaf.labels)), PUBLIC)
    return f"{label}: {_suggested(label) if leaf.masked is None else _as_masked(leaf.masked)}"


def _as_masked(masked: Masked) -> str:
    """The method that accepts a column just as it was masked."""
    key = f", key: {masked.key}" if masked.key else ""
    options = "".join(f", {name}: {value}" for name, value in masked.options.items() if name != "domain")
    return f"{{method: {masked.method}{key}{options}}}"


def _suggested(label: str) -> str:
    return "keep" if label == PUBLIC else "drop"


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
