"""The steps of a snippet and how they are wired, found out without Beam; and the tree that Beam YAML is given.

Beam YAML stops at its first problem and knows no columns, so everything about names is settled here: in the tree
that it gets every step has a name of its own and an id, and every reference is an id.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from blocks.catalog.model import Catalog, Entry
from blocks.catalog.options import value_kind
from blocks.core.errors import Problem, nearest
from blocks.core.strict_yaml import Document
from blocks.snippets.graph import CONTAINERS, Place, Reference, Step, kind_problems

__all__ = ["Place", "Step", "Wiring", "wire"]

_STEP_KEYS = ("type", "name", "input", "output", "config", "windowing", "resource_hints")
_CONTAINER_KEYS = (*_STEP_KEYS, "transforms", "source", "sink")


@dataclass(frozen=True)
class Wiring:
    """The steps of a snippet.

    Attributes:
      steps: blocks and transforms of Beam, not the containers.
      tree: for Beam YAML, with `{"step": number}` for the config of a block.
      misplaced: numbers of steps that do not take what they are given.
    """

    steps: list[Step]
    tree: dict[str, Any] | None
    misplaced: frozenset[int] = frozenset()


def wire(
    document: Document, pipeline: Any, catalog: Catalog, beam_types: Callable[[], set[str]], problems: list[Problem]
) -> Wiring:
    """Finds the steps and resolves what they name.

    Args:
      document: of the snippet.
      pipeline: its tree, parameters put in.
      catalog: whose blocks may be used.
      beam_types: gives the types of Beam YAML itself; asked when a type is not in the catalog.
      problems: grows.
    """
    walker = _Walker(document, catalog, beam_types, problems)
    if pipeline is None:
        fix = "add `pipeline: {type: chain, transforms: [...]}`"
        problems.append(Problem("a snippet has a `pipeline`", document.where(("pipeline",)), fix))
        return Wiring([], None)
    if isinstance(pipeline, list):
        pipeline = {"type": "composite", "transforms": pipeline}
        tree = walker.container(pipeline, ("pipeline",), "", {}, listed=True)
    elif isinstance(pipeline, dict):
        tree = walker.container({"type": "composite", **pipeline}, ("pipeline",), "", {})
    else:
        what = f"expected a mapping, got {value_kind(pipeline)}"
        problems.append(Problem(what, document.where(("pipeline",)), "write `type: chain` and `transforms:`"))
        return Wiring([], None)
    misplaced = set(walker.lost)
    for step in walker.steps:
        found = [] if step.number in walker.lost else list(kind_problems(document, step))
        problems.extend(found)
        misplaced |= {step.number} if found else set()
    return Wiring(walker.steps, tree if walker.sound else None, frozenset(misplaced))


class _Walker:
    def __init__(
        self, document: Document, catalog: Catalog, beam_types: Callable[[], set[str]], problems: list[Problem]
    ) -> None:
        self._document, self._catalog, self._beam_types, self._problems = document, catalog, beam_types, problems
        self._numbers = iter(range(1_000_000))
        self.steps: list[Step] = []
        self.lost: set[int] = set()
        # Whether Beam YAML can be given the tree: false once a reference or a type cannot be resolved.
        self.sound = True

    def container(
        self,
        spec: Mapping[str, Any],
        at: Place,
        prefix: str,
        inputs: Mapping[str, Any],
        listed: bool = False,
        parent: Step | None = None,
    ) -> dict[str, Any]:
        kind = spec["type"]
        if kind not in CONTAINERS:
            self._add(
                f"a pipeline is a chain or a composite, not `{kind}`", (*at, "type"), nearest(str(kind), CONTAINERS)
            )
        for key in spec:
            if key not in _CONTAINER_KEYS:
                self._add(f"unknown key `{key}`", (*at, key), nearest(key, _CONTAINER_KEYS), broken=False, key=True)
        children = list(self._children(spec, at, listed))
        names = self._names(children, parent)
        tree = [self._child(child, place, step, prefix) for (place, child), step in zip(children, names, strict=True)]
        scope = {step.name: step for step in names}
        if kind == "chain":
            self._chain(children, names, tree, inputs)
        else:
            for (place, child), step, one in zip(children, names, tree, strict=True):
                self._references(child, place, step, one, names, scope, inputs)
            self._cycles(names)
        if kind == "chain" and names and parent is not None:
            parent.ends[""] = Reference(names[-1].place, names[-1])
        result = {**spec, "type": kind, "transforms": tree, "__line__": self._line(at), "__uuid__": f"at-{len(at)}"}
        if kind == "composite" and spec.get("output"):
            result["output"] = {}
            for key, name in _mapping(spec["output"], "output").items():
                result["output"][key], end = self._resolved(name, (*at, "output"), names, inputs)
                if end is not None and parent is not None:
                    parent.ends["" if key == "output" else key] = end
        return {key: value for key, value in result.items() if key not in ("source", "sink")}

    def _children(self, spec: Mapping[str, Any], at: Place, listed: bool) -> Iterator[tuple[Place, dict[str, Any]]]:
        transforms = spec.get("transforms")
        if not isinstance(transforms, list) or not transforms:
            self._add("`transforms` is a list of steps", (*at, "transforms"), "write `- type: ReadJson` below it")
            transforms = []
        base = at if listed else (*at, "transforms")
        found = [((*base, number), child) for number, child in enumerate(transforms)]
        if "source" in spec:
            found.insert(0, ((*at, "source"), spec["source"]))
        if "sink" in spec:
            found.append(((*at, "sink"), spec["sink"]))
        for place, child in found:
            if isinstance(child, dict) and isinstance(child.get("type"), str):
                yield place, child
            else:
                got = "no `type`" if isinstance(child, dict) else value_kind(child)
                self._add(f"a step is a mapping with a `type`, got {got}", place, "write `- type: ReadJson`")

    def _names(self, children: list[tuple[Place, dict[str, Any]]], parent: Step | None) -> list[Step]:
        steps: list[Step] = []
        for place, child in children:
            wanted = child.get("name", child["type"])
            if not isinstance(wanted, str) or not wanted or "/" in wanted:
                self._add("a name is text without `/`", (*place, "name"), "write another name", broken=False)
                wanted = child["type"]
            name, again = wanted, 1
            while any(step.name == name for step in steps):
                again += 1
                name = f"{wanted} ({again})"
            if again > 1 and "name" in child:
                self._add(f"two steps are named `{wanted}`", (*place, "name"), "give them different names")
            steps.append(Step(next(self._numbers), child["type"], name, name, place, None, {}, parent=parent))
        return steps

    def _child(self, spec: dict[str, Any], at: Place, step: Step, prefix: str) -> dict[str, Any]:
        step.label = prefix + step.name
        kind = spec["type"]
        marks = {"name": step.name, "__uuid__": step.id, "__line__": self._line(at)}
        if kind in CONTAINERS:
            inputs = _mapping(spec.get("input"), "input")
            return {**self.container(spec, at, f"{step.label}/", inputs, parent=step), **marks}
        config = spec.get("config")
        if config is not None and not isinstance(config, dict):
            self._add(f"`config` is a mapping, got {value_kind(config)}", (*at, "config"), "write `config: {...}`")
        step.config = config if isinstance(config, dict) else {}
        self._check_days(spec.get("windowing"), (*at, "windowing"))
        if kind == "WindowInto":
            self._check_days(step.config.get("windowing"), (*at, "config", "windowing"))
        self._check_keys(spec, at, kind)
        self.steps.append(step)
        if kind in self._catalog:
            step.entry = self._catalog.block(kind)
            # A block is built before Beam YAML sees it, which so needs to know only which one it is.
            return {**spec, "config": {"step": step.number}, **marks}
        if "@" in kind or kind not in self._beam_types():
            step.known = False
            unknown = self._catalog.unknown(kind)
            self._add(unknown.what, (*at, "type"), unknown.fix if "version" in unknown.what else self._near(kind))
        return {**spec, "config": step.config, **marks}

    def _check_days(self, windowing: Any, at: Place) -> None:
        """Refuses days in Beam YAML's own windows, which it takes for 12 hours each (2.77)."""
        for key, value in windowing.items() if isinstance(windowing, dict) else ():
            if isinstance(value, str) and re.fullmatch(r"[\d.]+d", value):
                fix = f"write {float(value[:-1]) * 24:g}h, or use WindowElements (rows) or WindowRows (batches)"
                self._add(
                    f"Beam YAML takes `{value}` for {float(value[:-1]) * 12:g} hours", (*at, key), fix, broken=False
                )

    def _near(self, kind: str) -> str:
        """The nearest block, or else the nearest of Beam's transforms; of the latter there are too many to list."""
        known = list(dict.fromkeys(entry.name for entry in self._catalog.entries))
        fix = nearest(kind, known)
        if fix.startswith("did"):
            return fix
        hint = nearest(kind, sorted(self._beam_types())).partition("there is:")[0]
        return hint + fix

    def _check_keys(self, spec: dict[str, Any], at: Place, kind: str) -> None:
        for key in spec:
            if key in _STEP_KEYS:
                continue
            fix = nearest(key, _STEP_KEYS)
            if not fix.startswith("did"):
                fix = f"options of `{kind}` stand below `config:`"
            self._add(f"unknown key `{key}` of a step", (*at, key), fix, broken=False, key=True)

    def _chain(
        self,
        children: list[tuple[Place, dict[str, Any]]],
        steps: list[Step],
        tree: list[dict[str, Any]],
        inputs: Mapping[str, Any],
    ) -> None:
        before: Step | None = None
        for (place, child), step, one in zip(children, steps, tree, strict=True):
            for key in ("input", "output"):
                if key in child:
                    one.pop(key, None)
                    fix = f"take `{key}` out, or write `type: composite`"
                    self._add(
                        f"a step of a chain has no `{key}`: it takes what the one before gives",
                        (*place, key),
                        fix,
                        key=True,
                    )
            if before is not None or inputs:
                step.inputs.append(("", Reference(place, before, outer="" if before else "*")))
            before = step

    def _references(
        self,
        spec: dict[str, Any],
        at: Place,
        step: Step,
        one: dict[str, Any],
        steps: list[Step],
        scope: Mapping[str, Step],
        inputs: Mapping[str, Any],
    ) -> None:
        if "input" not in spec:
            return
        given = spec["input"]
        if isinstance(given, list) and step.entry is not None:
            # Beam YAML would merge a list with Flatten, which batches must not go through.
            if "several" not in step.entry.takes:
                fix = "put a UnionBatches step before it, with the same list as input"
                self._add(f"`{step.name}` takes one input", (*at, "input"), fix)
                self.lost.add(step.number)
            given = {f"input{number}": name for number, name in enumerate(given)}
        resolved: dict[str, Any] = {}
        named = _mapping(given, "input")
        if step.entry is not None:
            # The input that the block's columns come from is its first, wherever it stands.
            named = {key: named[key] for key in sorted(named, key=lambda key: _rank(key, step.entry))}
        for key, value in named.items():
            found = []
            for name in value if isinstance(value, list) else [value]:
                reference, source = self._resolved(name, (*at, "input"), steps, inputs)
                found.append(reference)
                if source is None:
                    self.lost.add(step.number)
                step.inputs.append((key, source or Reference((*at, "input"))))
            resolved[key] = found if isinstance(value, list) else found[0]
        one["input"] = resolved

    def _resolved(
        self, name: Any, at: Place, steps: list[Step], inputs: Mapping[str, Any]
    ) -> tuple[str, Reference | None]:
        """The reference for Beam YAML, and what it is to; None if that is not there."""
        if not isinstance(name, str):
            self._add(f"an input is the name of a step, got {value_kind(name)}", at, "write the name of a step")
            return "", None
        if name in inputs:
            return name, Reference(at, outer=name)
        for wanted, output in ((name, ""), tuple(name.rsplit(".", 1)) if "." in name else (name, "")):
            exact = [step for step in steps if step.name == wanted] or [step for step in steps if step.type == wanted]
            if len(exact) == 1:
                return exact[0].id + (f".{output}" if output else ""), Reference(at, exact[0], output)
            if exact:
                self._add(f"{len(exact)} steps are of the type `{wanted}`", at, "give them names, and name one")
                return "", None
        self._add(f"no step `{name}`", at, nearest(name, [*inputs, *(step.name for step in steps)]))
        return "", None

    def _cycles(self, steps: list[Step]) -> None:
        done: set[int] = set()

        def visit(step: Step, path: list[Step]) -> None:
            if step in path:
                names = " -> ".join(one.name for one in [*reversed(path[path.index(step) :]), path[-1]])
                self._add(f"steps that feed themselves: {names}", (*step.place, "input"), "take one of the inputs out")
            elif step.number not in done:
                for _, one in step.inputs:
                    if one.step is not None:
                        visit(one.step, [*path, step])
                done.add(step.number)

        for step in steps:
            visit(step, [])

    def _line(self, at: Place) -> int:
        return self._document.marks.get(at, (0, 0))[0]

    def _add(self, what: str, at: Place, fix: str, broken: bool = True, key: bool = False) -> None:
        self._problems.append(Problem(what, self._document.where_key(at) if key else self._document.where(at), fix))
        self.sound = self.sound and not broken


def _rank(key: str, entry: Entry | None) -> int:
    names = entry.inputs if entry is not None else ()
    return names.index(key) if key in names else len(names)


def _mapping(value: Any, key: str) -> dict[str, Any]:
    if value is None or value == {}:
        return {}
    return dict(value) if isinstance(value, dict) else {key: value}
