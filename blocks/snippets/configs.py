"""The config of a step: checked against the signature of its block, and turned into what the block takes."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from pydantic import ConfigDict, PydanticSchemaGenerationError, TypeAdapter, ValidationError

from blocks.catalog.options import REQUIRED, Option, options_of, value_kind
from blocks.core.errors import BlocksError, Problem, nearest
from blocks.core.policy import Policy, read_policy
from blocks.core.schema import schema_of_option
from blocks.snippets.parameters import beside, has_missing
from blocks.snippets.reading import Snippet
from blocks.snippets.wiring import Place, Step

_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_WINDOWS = {"global": (), "fixed": ("size", "offset"), "sliding": ("size", "period", "offset")}


class StepBuilder:
    """Builds the blocks of one snippet.

    Args:
      snippet: as it was read.
      rejects: a `blocks.Rejects`, or None.
      problems: grows.
    """

    def __init__(self, snippet: Snippet, rejects: Any, problems: list[Problem]) -> None:
        self._snippet, self._rejects, self._problems = snippet, rejects, problems
        self._options: dict[type, dict[str, Option]] = {}
        self._policy: Policy | None = None
        if snippet.policy is not None:
            try:
                self._policy = read_policy(snippet.policy)
            except BlocksError as error:
                problems.extend(error.problems)

    def build(self, step: Step) -> Any:
        """The block of a step, or None where something is wrong with it."""
        before = len(self._problems)
        assert step.entry is not None
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
            config["policy"] = self._policy
        for name, option in options.items():
            if option.default is REQUIRED and name not in config and name not in step.config:
                fix = f"add `{name}:`, {option.kind}"
                if name == "policy":
                    fix += "; or give the snippet a `policy:`"
                place = self._where((*step.place, "config"), step)
                self._problems.append(Problem(f"option `{name}` is missing", place, fix))
        if len(self._problems) > before or has_missing(step.config) or (defaulted and self._policy is None):
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

    def note(self, step: Step, error: BlocksError) -> None:
        """Adds the problems of an error that a block raised, each at its option's place if it names one."""
        for problem in error.problems:
            option = next((word for word in re.findall(r"\w+", problem.where) if word in step.config), None)
            place = (*step.place, "config", option) if option else step.place
            where = self._where(place, step)
            rest = problem.where.removeprefix(step.type).lstrip(":. ")
            self._problems.append(Problem(problem.what, f"{where}, {rest}" if rest else where, problem.fix))

    def where(self, step: Step | None) -> str:
        """Where a step stands; the file if it is not known which."""
        return self._where(step.place, step) if step else self._snippet.document.file

    def _where(self, place: Place, step: Step) -> str:
        return f"{self._snippet.document.where(place)}, {_shown(step)}"

    def _checked(self, step: Step, options: Mapping[str, Option]) -> dict[str, Any]:
        usable = [name for name in options if name != "rejects"]
        config: dict[str, Any] = {}
        for name, value in step.config.items():
            place: Place = (*step.place, "config", name)
            if name == "rejects" and name in options:
                fix = "write `rejects: {path: ...}` at the top of the snippet, for every block that rejects"
                self._problems.append(Problem("`rejects` is given once, for all steps", self._where(place, step), fix))
            elif name not in options:
                what = f"unknown option `{name}` of {step.type}"
                self._problems.append(Problem(what, self._where(place, step), nearest(name, usable)))
            elif not has_missing(value):
                config[name] = self._value(step, options[name], value, place)
        return config

    def _value(self, step: Step, option: Option, value: Any, place: Place) -> Any:
        assert step.entry is not None
        file = self._snippet.document.file
        if option.name in ("schema", "policy") and isinstance(value, str):
            path = beside(file, value)
            return self._read(
                step, place, lambda: schema_of_option(path) if option.name == "schema" else read_policy(path)
            )
        if option.name == "windowfn":
            return self._window(step, value, place)
        if option.name in step.entry.input_files and isinstance(value, str):
            value = beside(file, value)
        return self._typed(step, option, value, place)

    def _read(self, step: Step, place: Place, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except BlocksError as error:
            where = self._where(place, step)
            self._problems.extend(
                Problem(one.what, f"{where}: {one.where or error.where}", one.fix) for one in error.problems
            )
            return None

    def _typed(self, step: Step, option: Option, value: Any, place: Place) -> Any:
        if option.annotation is Any or (value is None and option.default is None):
            return value
        try:
            adapter = TypeAdapter(option.annotation, config=ConfigDict(arbitrary_types_allowed=True))
            # JSON's strictness: no text for a number and no number for text, but lists for tuples and text for dates.
            return adapter.validate_json(json.dumps(value, default=_iso), strict=True)
        except PydanticSchemaGenerationError:
            return value
        except (ValidationError, TypeError) as error:
            deeper: Place = ()
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
                self._problems.append(Problem(f"unknown key `{name}`", self._where((*place, name), step), fix))
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


def _shown(step: Step) -> str:
    return f"step `{step.label}`" if step.name == step.type else f"step `{step.label}` ({step.type})"


def _iso(value: Any) -> str:
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"a {type(value).__name__}")
