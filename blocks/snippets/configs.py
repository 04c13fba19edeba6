"""The config of a step: checked against the signature of its block, and turned into what the block takes."""

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, PydanticSchemaGenerationError, TypeAdapter, ValidationError

from blocks.catalog.model import Entry
from blocks.catalog.options import REQUIRED, Option, kind_of, options_of, value_kind
from blocks.core.errors import BlocksError, Problem, all_problems, nearest
from blocks.core.policy import Policy, read_policy
from blocks.core.schema import schema_of_option
from blocks.core.strict_yaml import Document
from blocks.snippets.parameters import beside, has_missing
from blocks.snippets.reading import Snippet
from blocks.snippets.wiring import Place, Step

if TYPE_CHECKING:
    from blocks.snippets.cases.standing_in import Rehearsal

_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_WINDOWS = {"global": (), "fixed": ("size", "offset"), "sliding": ("size", "period", "offset")}


def block_of(
    entry: Entry, config: Mapping[str, Any], *, folder: str | Path = ".", rejects: Any = None, where: str = ""
) -> Any:
    """The block of a config outside of a snippet: of a trial, of plain Beam YAML, of another language.

    Args:
      entry: of the catalog.
      config: as below `config:` in a snippet.
      folder: to which files to read are relative.
      rejects: a `blocks.Rejects` for blocks that reject.
      where: what the config is called in messages; the block's name unless given.

    Raises:
      ConfigError: every problem of the config.
    """
    name = where or entry.name
    problems: list[Problem] = []
    snippet = Snippet(Document({}, str(Path(folder) / name), {}), entry.name)
    builder = StepBuilder(snippet, rejects, problems)
    block = builder.build(Step(0, entry.name, entry.name, entry.name, (), entry, dict(config)))
    with all_problems(name) as found:
        found.extend(
            Problem(one.what, one.where.partition(f"step `{entry.name}`")[2].lstrip(", :"), one.fix) for one in problems
        )
    return block


class StepBuilder:
    """Builds the blocks of one snippet.

    Args:
      snippet: as it was read.
      rejects: a `blocks.Rejects`, or None.
      problems: grows.
      rehearsal: what stands for keys in a test.
      more: keys that a config may have beside the options of its block, for hints.

    Attributes:
      outputs: number of a step to the names of its outputs, none where it has only one; of the steps that could tell.
    """

    def __init__(
        self,
        snippet: Snippet,
        rejects: Any,
        problems: list[Problem],
        rehearsal: "Rehearsal | None" = None,
        more: Sequence[str] = (),
    ) -> None:
        self._more = more
        self._snippet, self._rejects, self._problems, self._rehearsal = snippet, rejects, problems, rehearsal
        self._options: dict[type, dict[str, Option]] = {}
        self._right: dict[int, dict[str, Any]] = {}
        self.outputs: dict[int, tuple[str, ...]] = {}
        # Whether an option of the step is only a part of what stands in the file, because the rest is wrong.
        self._partial = False
        self._unread: set[str] = set()
        self._policy: Policy | None = None
        if snippet.policy is not None:
            try:
                self._policy = self._read_policy(snippet.policy)
            except BlocksError as error:
                self._unread.add(snippet.policy)
                problems.extend(placed(error, snippet.policy))

    def build(self, step: Step) -> Any:
        """The block of a step, or None where something is wrong with it."""
        before = len(self._problems)
        assert step.entry is not None
        self._right[step.number], self._partial = {}, False
        try:
            cls = step.entry.load()
        except BlocksError as error:
            self.note(step, error)
            return None
        if cls not in self._options:
            self._options[cls] = options_of(cls)
        options = self._options[cls]
        config = self._checked(step, options)
        if "rejects" in options and self._rejects is not None:
            config["rejects"] = self._rejects
        defaulted = "policy" in options and "policy" not in step.config and self._snippet.policy is not None
        if defaulted:
            config["policy"] = self._right[step.number]["policy"] = self._policy
        for name, option in options.items():
            if option.default is REQUIRED and name not in config and name not in step.config:
                fix = f"add `{name}:`, {option.kind}"
                if name == "policy":
                    fix += "; or give the snippet a `policy:`"
                place = self._where((*step.place, "config"), step)
                self._problems.append(Problem(f"option `{name}` is missing", place, fix))
        unread = any(config[name] is None and step.config[name] is not None for name in step.config if name in config)
        if self._partial and not unread and not any(name not in config for name in step.config):
            with contextlib.suppress(TypeError, ValueError):
                self._tried(step, cls, config)
        if len(self._problems) > before or has_missing(step.config) or unread or (defaulted and self._policy is None):
            return None
        try:
            return cls(**config)
        except BlocksError as error:
            self.note(step, error)
        except (TypeError, ValueError) as error:
            self._problems.append(
                Problem(f"{step.type} refused its options: {error}", self._where(step.place, step), "mend the options")
            )
        return None

    def _tried(self, step: Step, cls: type, config: Mapping[str, Any]) -> None:
        """Notes what a block says of the options that are right by themselves, where it cannot be made of all."""
        try:
            cls(**config)
        except BlocksError as error:
            self.note(step, error)

    def right(self, step: Step) -> Mapping[str, Any]:
        """The options of a step that are right by themselves, with schemas and policies read."""
        return self._right.get(step.number, {})

    def note(self, step: Step, error: BlocksError) -> None:
        """Adds the problems of an error that a block raised, each at its option's place if it names one."""
        for problem in error.problems:
            named = self._file_option(step, problem.where) or _named(problem.where, step.config)
            where = self._where((*step.place, "config", *named) if named else step.place, step)
            rest = problem.where.removeprefix(step.type).lstrip(",:. ")
            self._problems.append(Problem(problem.what, f"{where}, {rest}" if rest else where, problem.fix))

    def _file_option(self, step: Step, where: str) -> Place:
        """The option whose file a place is in, empty if it is in none."""
        read = self.right(step)
        files = step.entry.input_files if step.entry is not None else ()
        for name in files:
            if isinstance(path := read.get(name), str) and path in where:
                return (name,)
        return ()

    @property
    def document(self) -> Document:
        """Of the snippet."""
        return self._snippet.document

    def where(self, step: Step | None) -> str:
        """Where a step stands; the file if it is not known which."""
        return self._where(step.place, step) if step else self._snippet.document.file

    def _where(self, place: Place, step: Step, *, key: bool = False) -> str:
        document = self._snippet.document
        return f"{document.where_key(place) if key else document.where(place)}, {_shown(step)}"

    def _checked(self, step: Step, options: Mapping[str, Option]) -> dict[str, Any]:
        assert step.entry is not None
        usable = [*(name for name, one in options.items() if name != "rejects" and not one.is_input), *self._more]
        config: dict[str, Any] = {}
        right = self._right[step.number] = {}
        for name, value in step.config.items():
            before = len(self._problems)
            place: Place = (*step.place, "config", name)
            if name == "rejects" and name in options:
                fix = "write `rejects: {path: ...}` at the top of the snippet, for every block that rejects"
                where = self._where(place, step, key=True)
                self._problems.append(Problem("`rejects` is given once, for all steps", where, fix))
            elif name in options and options[name].is_input:
                fix = f"write input: {{{step.entry.inputs[0]}: STEP, {name}: STEP}}"
                where = self._where(place, step, key=True)
                self._problems.append(Problem(f"in a snippet `{name}` is an input, not an option", where, fix))
            elif name not in options:
                what = f"unknown option `{name}` of {step.type}"
                self._problems.append(Problem(what, self._where(place, step, key=True), nearest(name, usable)))
            elif not has_missing(value):
                config[name] = self._value(step, options[name], value, place)
                partial = len(self._problems) > before and config[name] is not None
                if partial or (len(self._problems) == before and (config[name] is not None or value is None)):
                    read = partial or name in ("schema", "policy", *step.entry.input_files)
                    right[name] = config[name] if read else value
                    self._partial = self._partial or partial
        return config

    def _value(self, step: Step, option: Option, value: Any, place: Place) -> Any:
        assert step.entry is not None
        file = self._snippet.document.file
        if option.name in ("schema", "policy") and isinstance(value, str):
            path = beside(file, value)
            read = schema_of_option if option.name == "schema" else self._read_policy
            return self._read(step, place, path, read)
        if option.name == "windowfn":
            return self._window(step, value, place)
        if option.name in step.entry.input_files:
            value = _beside(file, value)
        if option.name == "keys" and self._rehearsal is not None and isinstance(value, Mapping):
            value = self._rehearsal.keys(value)
        return self._typed(step, option, value, place)

    def _read(self, step: Step, place: Place, path: str, read: Callable[[str], Any]) -> Any:
        try:
            return read(path)
        except BlocksError as error:
            if path in self._unread:
                return None  # the mistakes of a file are told once, at the first step that uses it
            self._unread.add(path)
            where = self._where(place, step)
            self._problems.extend(Problem(one.what, f"{where}: {one.where}", one.fix) for one in placed(error, path))
            return None

    def _read_policy(self, path: str) -> Policy:
        policy = read_policy(path)
        return policy if self._rehearsal is None else self._rehearsal.policy(policy)

    def _typed(self, step: Step, option: Option, value: Any, place: Place) -> Any:
        if option.annotation is Any or (value is None and option.default is None):
            return value
        if option.annotation == Mapping[str, Any] | None and isinstance(value, dict):
            # A date in it stays one.
            return value
        try:
            adapter = TypeAdapter(option.annotation, config=ConfigDict(arbitrary_types_allowed=True))
            # JSON's strictness: no text for a number and no number for text, but lists for tuples and text for dates.
            return adapter.validate_json(json.dumps(value, default=_iso), strict=True)
        except PydanticSchemaGenerationError:
            return value
        except (ValidationError, TypeError) as error:
            deeper: Place = ()
            if names := self._not_texts(step, option, value, place):
                # What is wrong with the rest is told as well, though no block is made of it.
                return {name: one for name, one in value.items() if name not in names} or None
            if isinstance(error, ValidationError) and len(error.errors()) == 1:
                deeper = tuple(part for part in error.errors()[0]["loc"] if isinstance(part, int))
            at = value
            for part in deeper:
                at = at[part] if isinstance(at, list) and isinstance(part, int) and part < len(at) else at
            within = "".join(f"[{part}]" for part in deeper)
            what = f"option `{option.name}{within}`: expected {option.kind}, got {value_kind(at)}"
            if value_kind(at) in option.kind:
                what = f"option `{option.name}{within}`: expected {option.kind}"
            self._problems.append(Problem(what, self._where((*place, *deeper), step), "blocks show " + step.type))
            return None

    def _not_texts(self, step: Step, option: Option, value: Any, place: Place) -> list[Any]:
        """Keys of a mapping of text to text whose value is a number, a date or nothing, each with a problem noted."""
        if option.kind != kind_of(Mapping[str, str]) or not isinstance(value, dict):
            return []
        found = [name for name, one in value.items() if not isinstance(one, str) or not isinstance(name, str)]
        for name in found:
            at, one = f"option `{option.name}.{name}`", value[name]
            what = f"{at}: expected text, got {value_kind(one)}" if isinstance(name, str) else f"{at}: a name is text"
            fix = "put it in quotes" + (f', as in "{one}"' if type(one) in (int, float) else "")
            if one is None or isinstance(one, dict | list):
                fix = "write a text in quotes, or take it out"
            where = self._where((*place, name), step, key=not isinstance(name, str))
            self._problems.append(Problem(what, where, fix))
        return found

    def _window(self, step: Step, value: Any, place: Place) -> Any:
        from apache_beam.transforms import window

        form = "write {type: fixed, size: 1h}, {type: sliding, size: 1d, period: 1h} or {type: global}"
        kind = value.get("type") if isinstance(value, dict) else None
        if kind not in _WINDOWS:
            what = f"option `windowfn`: expected a window, got {value_kind(value)}"
            if isinstance(value, dict):
                what = f"option `windowfn`: `{kind}` is not a window that batches can follow"
            self._problems.append(Problem(what, self._where(place, step), form))
            return None
        numbers: dict[str, float] = {}
        for name, text in value.items():
            if name == "type":
                continue
            match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?", str(text))
            if name not in _WINDOWS[kind]:
                fix = nearest(name, _WINDOWS[kind])
                where = self._where((*place, name), step, key=True)
                self._problems.append(Problem(f"unknown key `{name}`", where, fix))
            elif match is None:
                what = f"option `windowfn`: `{name}` is a time such as 30s, 5m, 1h or 1d"
                self._problems.append(Problem(what, self._where((*place, name), step), form))
            else:
                numbers[name] = float(match[1]) * _SECONDS[match[2] or "s"]
        needed = [name for name in _WINDOWS[kind] if name != "offset"]
        for name in needed:
            if name not in value:
                what = f"option `windowfn`: a {kind} window has a `{name}`"
                self._problems.append(Problem(what, self._where(place, step), form))
        if any(name not in numbers for name in needed):
            return None
        if kind == "global":
            return window.GlobalWindows()
        return window.FixedWindows(**numbers) if kind == "fixed" else window.SlidingWindows(**numbers)


def _beside(file: str, value: Any) -> Any:
    """A path, a list of paths, or of mappings with a `path`, from where the reader is."""
    if isinstance(value, list):
        return [_beside(file, one) for one in value]
    if isinstance(value, dict) and isinstance(value.get("path"), str):
        return {**value, "path": beside(file, value["path"])}
    return beside(file, value) if isinstance(value, str) else value


def placed(error: BlocksError, file: str) -> Iterator[Problem]:
    """The problems of a file that could not be read, each at its place in it."""
    for one in error.problems:
        where = one.where.removeprefix(f"{file}: ") or error.where
        if match := re.match(r"line (\d+), column (\d+)(.*)", where, re.DOTALL):
            where = f"{file}:{match[1]}:{match[2]}{match[3]}"
        elif Path(file).name not in where:
            where = f"{file}: {where}"
        yield Problem(one.what, where, one.fix)


def _named(where: str, config: Mapping[str, Any]) -> Place:
    """The path into a config that a block's problem names, such as `expect[3].where`, as far as it is there."""
    for match in re.finditer(r"\b(\w+)(?=((?:\.\w+|\[\d+\])*))", where):
        if match[1] not in config:
            continue
        place: list[str | int] = [match[1]]
        at = config[match[1]]
        for name, number in re.findall(r"\.(\w+)|\[(\d+)\]", match[2]):
            key = name or int(number) - 1  # positions are told from 1
            inside = key in at if isinstance(at, Mapping) else isinstance(at, list) and key in range(len(at))
            if not inside:
                break
            place.append(key)
            at = at[key]
        return tuple(place)
    return ()


def _shown(step: Step) -> str:
    return f"step `{step.label}`" if step.name == step.type else f"step `{step.label}` ({step.type})"


def _iso(value: Any) -> str:
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"a {type(value).__name__}")
