"""The steps of a snippet as a graph: what feeds what, through chains and composites, and what is wrong with that."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from blocks.catalog.model import Entry
from blocks.core.errors import Problem, nearest
from blocks.core.strict_yaml import Document

Place = tuple[str | int, ...]

CONTAINERS = ("chain", "composite")
# What Beam YAML calls the only output of a step.
ALONE = "out"


@dataclass(frozen=True, eq=False)
class Reference:
    """What a step names as an input.

    Attributes:
      place: where it does.
      step: a sibling, a container too; None for an input of the composite around it, or one that is not there.
      output: of the sibling, if it names one.
      outer: name of the composite's input; `*` for all of them, empty if it is none.
    """

    place: Place
    step: "Step | None" = None
    output: str = ""
    outer: str = ""


@dataclass(eq=False)
class Step:
    """One step.

    Attributes:
      number: from 0, in the order of the file.
      type: of the block, or of Beam's transform.
      name: unique among its siblings.
      label: as Beam writes it: `name`, or `composite/name`.
      place: path in the document.
      entry: of the catalog; None for Beam's own transforms.
      config: as in the file, parameters put in.
      inputs: what it names as inputs, by the names that it gives them; see `graph.sources` for the steps they lead to.
      known: whether there is such a block or transform.
      parent: the chain or composite around it, None in the outermost.
      ends: outputs of a container: name (empty where there is one without) to the sibling within that gives it.
    """

    number: int
    type: str
    name: str
    label: str
    place: Place
    entry: Entry | None
    config: dict[str, Any]
    inputs: list[tuple[str, Reference]] = field(default_factory=list)
    known: bool = True
    parent: "Step | None" = None
    ends: dict[str, Reference] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """What references are made of in the tree for Beam YAML."""
        return f"step-{self.number}"

    @property
    def gives(self) -> str | None:
        """Kind of its output; None if that is not known."""
        if self.entry is not None:
            return self.entry.gives
        return "rows" if self.known and self.type not in CONTAINERS else None


@dataclass(frozen=True)
class Source:
    """Where an input of a step comes from, through the chains and composites between.

    Attributes:
      place: where the step names it.
      key: what the step calls it; empty for an input without a name.
      step: a block or a transform of Beam; None if it is not there.
      output: name of the step's output; empty for the only one.
    """

    place: Place
    key: str
    step: Step | None
    output: str


def sources(step: Step) -> list[Source]:
    """What feeds a step, in order."""
    return [
        Source(one.place, key, source, output)
        for key, one in step.inputs
        for source, output in _origins(one, step.parent, frozenset())
    ]


def _origins(one: Reference, parent: Step | None, seen: frozenset[int]) -> Iterator[tuple[Step | None, str]]:
    if one.step is None and one.outer and parent is not None:
        outer = [given for key, given in parent.inputs if one.outer in ("*", key)]
        for given in outer:
            yield from _origins(given, parent.parent, seen)
    elif one.step is not None and one.step.type in CONTAINERS:
        end = one.step.ends.get(one.output)
        if end is None or one.step.number in seen:
            yield None, ""
        else:
            yield from _origins(end, one.step, seen | {one.step.number})
    else:
        yield one.step, one.output


def in_order(steps: list[Step]) -> list[Step]:
    """The steps so that each comes after what feeds it; those in a circle as they stand in the file."""
    found: list[Step] = []
    done: set[int] = set()

    def visit(step: Step, path: frozenset[int]) -> None:
        if step.number in done or step.number in path:
            return
        for source in sources(step):
            if source.step is not None:
                visit(source.step, path | {step.number})
        if step.number not in done:
            done.add(step.number)
            found.append(step)

    for step in steps:
        visit(step, frozenset())
    return found


def kind_problems(document: Document, step: Step) -> Iterator[Problem]:
    """A problem for every input of a step that it does not take."""
    if not step.known:
        return
    takes = set(step.entry.takes) if step.entry else {"rows", "tables", "nothing"}
    if not step.inputs and "nothing" not in takes:
        fix = "write `input: <name of a step>`, or put a step that reads before it"
        yield Problem(f"`{step.name}` has no input", document.where(step.place), fix)
    if len(step.inputs) > 1 and step.entry and "several" not in takes:
        fix = "put a UnionBatches step before it, with the same inputs"
        yield Problem(f"`{step.name}` takes one input", document.where((*step.place, "input")), fix)
    yield from _name_problems(document, step)
    data = takes - {"nothing", "several", "tables"}
    for source in sources(step):
        gives = source.step.gives if source.step else None
        # Of rows nobody says before the pipeline is built whether they are bytes.
        if source.step is None or gives is None or gives in takes or (gives == "rows" and "bytes" in takes):
            continue
        name = f"`{source.step.name}`"
        what = f"`{step.name}` takes {' or '.join(sorted(data)) or 'no input'}, and {name} gives {_words(gives)}"
        fix = {"batches": "put AsRows between them", "rows": "put AsBatches between them"}.get(gives, "end there")
        yield Problem(what, document.where(source.place), fix if data else "take `input` out")


def _name_problems(document: Document, step: Step) -> Iterator[Problem]:
    """A problem for every input that the block has no name for, where it knows its inputs by name."""
    if step.entry is None or not step.entry.inputs or (len(step.inputs) == 1 and step.inputs[0][0] in ("", "input")):
        return
    names = step.entry.inputs
    form = f"write input: {{{', '.join(f'{name}: STEP' for name in names[:2])}}}"
    given = [key for key, _ in step.inputs]
    for key in dict.fromkeys(given):
        place = (*step.place, "input", key)
        if key not in names and place in document.keys:
            yield Problem(f"`{step.name}` has no input `{key}`", document.where_key(place), nearest(key, names))
        elif key not in names:
            what = f"`{step.name}` has {len(given)} inputs without names"
            yield Problem(what, document.where((*step.place, "input")), form)
            return
    if names[0] not in given:
        what = f"`{step.name}` has no input `{names[0]}`"
        yield Problem(what, document.where((*step.place, "input")), form)


def output_problems(
    document: Document, steps: Sequence[Step], outputs: Mapping[int, Sequence[str]]
) -> Iterator[Problem]:
    """A problem for every reference to an output that a block does not have, or to none of several.

    Args:
      document: of the snippet.
      steps: that refer.
      outputs: number of a step to the names of its outputs, none where it has only one; those that are known.
    """
    for step in steps:
        for source in sources(step):
            if source.step is None or source.step.number not in outputs:
                continue
            name, names = source.step.name, outputs[source.step.number]
            where = document.where((*source.place, source.key))
            if source.output and not names and source.output != ALONE:
                yield Problem(f"`{name}` has one output, and none named `{source.output}`", where, f"write `{name}`")
            elif source.output and names and source.output not in names:
                fix = nearest(source.output, names)
                yield Problem(f"`{name}` has no output `{source.output}`", where, fix)
            elif len(names) > 1 and not source.output:
                listed = ", ".join(f"{name}.{one}" for one in names)
                yield Problem(f"`{name}` has {len(names)} outputs", where, f"name one of them: {listed}")


def _words(kind: str) -> str:
    return "nothing to go on with" if kind == "tables" else kind


# Transforms of Beam that a pipeline may end with.
_ENDS = ("Write", "LogForTesting", "AssertEqual", "PyTransform", "RunInference", "MLTransform")


def ends_pipeline(step: Step) -> bool:
    """Whether a pipeline may end with a step."""
    return step.entry.gives == "tables" if step.entry is not None else step.type.startswith(_ENDS)


def unused(document: Document, steps: list[Step]) -> Iterator[Problem]:
    """A problem for every step that works for nobody: it gives rows, and no step takes them."""
    if any(not step.known for step in steps) or any(source.step is None for step in steps for source in sources(step)):
        return  # what is named wrongly may be what is not used
    used = {source.step.number for step in steps for source in sources(step) if source.step is not None}
    for step in steps:
        if step.number not in used and not ends_pipeline(step):
            what = f"nothing takes what `{step.name}` gives"
            yield Problem(what, document.where(step.place), "put a step after it that writes, or take it out")


_SAME_ROWS = ("table", "warehouse", "catalog", "format", "source")


def overwritten(document: Document, steps: list[Step]) -> Iterator[Problem]:
    """A problem for a step that replaces the rows which an earlier step of the same run replaces: one would be lost."""
    before: list[Step] = []
    for step in steps:
        config = step.config
        if step.entry is None or step.entry.gives != "tables" or config.get("mode") != "replace":
            continue
        for other in before:
            same = all(config.get(key) == other.config.get(key) for key in _SAME_ROWS)
            if same and _overlap(config.get("date_range"), other.config.get("date_range")):
                what = f"`{step.label}` replaces the same rows of the table as `{other.label}`"
                fix = "give each a `source` of its own, or put a UnionBatches step before one of them"
                yield Problem(what, document.where(step.place), fix)
                break
        before.append(step)


def _overlap(one: Any, other: Any) -> bool:
    """Whether two ranges, each `[from, to]` or none for all, have a moment in common."""
    if not all(isinstance(given, list) and len(given) == 2 for given in (one, other)):
        return True
    (start, end), (begin, stop) = ([str(moment) for moment in given] for given in (one, other))
    return start < stop and begin < end
