"""Fingerprints of the stages of a snippet, and what changed since the last run.

A fingerprint is a SHA-256 over all that decides what a step gives: block and version, options with parameters put in,
the content (not the place) of policies and schemas, the schemas of the inputs, and the fingerprints of the steps that
feed it. Names and descriptions decide nothing: neither of the snippet, nor of steps, nor of fields. Comments are not
there any more when a file is read, and the order of options decides nothing; the order within an option does, since it
may be that of columns or of shares. Secrets have no part: of a key there is only the URI.

What a run leaves behind are digests, never options themselves, which may be private.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import apache_beam
import pyarrow as pa
from pydantic import BaseModel

from blocks.catalog.options import options_of
from blocks.core import labels, strict_yaml
from blocks.core.errors import ConfigError, WarehouseError
from blocks.core.labels import children
from blocks.core.policy import REJECTS, Policy
from blocks.snippets.building import Built
from blocks.snippets.edges import Edges, edges_of
from blocks.snippets.graph import Step, in_order

FORMAT = 1
_FOLDER = Path(".blocks") / "plans"


@dataclass(frozen=True)
class Stage:
    """What decides what a step gives; every value is a digest.

    Attributes:
      step: label of the step.
      fingerprint: over all of the rest but the label.
      block: type, without its version.
      version: of the block; of Beam for a transform of Beam.
      config: option to digest.
      policy: of the policy's content; empty if the block takes none.
      rejects: of the policy for rejects; empty if the block has none.
      schemas: of the inputs, in order.
      inputs: label of each step that feeds it (with `.output`) to its fingerprint.
    """

    step: str
    fingerprint: str
    block: str
    version: str
    config: Mapping[str, str] = field(default_factory=dict)
    policy: str = ""
    rejects: str = ""
    schemas: tuple[str, ...] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Change:
    """One stage, and why it is not what it was at the last run.

    Attributes:
      stage: as it is now.
      state: `same`, `new` or `changed`.
      why: of a changed stage: what is different, in words.
      own: of `why`, what is different in the stage itself, and not only in what feeds it.
      rewrites: what a run will do to a table, if the stage is not the same and writes one.
    """

    stage: Stage
    state: str
    why: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    rewrites: str = ""


def stages(built: Built, edges: Edges | None = None) -> list[Stage]:
    """The stages of a snippet, in the order of the file."""
    edges = edges or edges_of(built)
    found: dict[int, Stage] = {}
    for step in in_order(list(built.steps)):
        found[step.number] = _stage(built, edges, step, found)
    return [found[step.number] for step in built.steps]


def config_digest(stage: Stage) -> str:
    """Over the block's own options and policies, without its version and what feeds it."""
    return _digest([dict(stage.config), stage.policy, stage.rejects])


def changes(built: Built, before: list[Stage] | None) -> list[Change]:
    """What changed since a run.

    Args:
      built: the snippet.
      before: what the run left behind; None if there was none.
    """
    now = stages(built)
    old = {stage.step: stage for stage in before or ()}
    free = {stage.fingerprint for stage in before or () if stage.step not in {one.step for one in now}}
    steps = {step.label: step for step in built.steps}
    found = []
    for stage in now:
        last = old.get(stage.step)
        same = (last is not None and last.fingerprint == stage.fingerprint) or (
            last is None and stage.fingerprint in free
        )
        if same:
            found.append(Change(stage, "same"))
            continue
        rewrites = _rewrites(steps[stage.step])
        found.append(
            Change(stage, "new", rewrites=rewrites)
            if last is None
            else Change(stage, "changed", tuple(_why(stage, last)), tuple(_own(stage, last)), rewrites)
        )
    return found


def causes(found: list[Change]) -> dict[str, tuple[str, ...]]:
    """Label of each changed stage to what came first: its own differences, or else the stages before it that have some.

    Args:
      found: of `changes`.
    """
    there = {change.stage.step: change for change in found}

    def first(label: str) -> Iterator[str]:
        change = there[label]
        if change.state == "new" or change.own:
            yield label
        elif change.state == "changed":
            for feed in _feeds(change.stage, there):
                yield from first(feed)

    told = {}
    for change in found:
        if change.state == "changed":
            label = change.stage.step
            roots = [] if change.own else list(dict.fromkeys(first(label)))
            told[label] = change.own or tuple(f"follows `{root}`" for root in roots) or change.why
    return told


def _feeds(stage: Stage, there: Mapping[str, Change]) -> list[str]:
    """Labels of the stages that feed one, without the names of their outputs."""
    named = [key.partition(":")[2] for key in stage.inputs]
    return [name if name in there else name.rpartition(".")[0] for name in named]


def gone(built: Built, before: list[Stage] | None) -> list[str]:
    """Labels of the stages of the last run that are no more, and were not only renamed."""
    now = stages(built)
    there, same = {stage.step for stage in now}, {stage.fingerprint for stage in now}
    return [stage.step for stage in before or () if stage.step not in there and stage.fingerprint not in same]


def state_file(file: str | Path) -> Path:
    """Where the last run of a snippet is remembered: in the working directory, as the tables are."""
    relative = Path(os.path.relpath(file)).with_suffix("").as_posix()
    return _FOLDER / (re.sub(r"[^A-Za-z0-9_.-]+", ".", relative).strip(".") + ".json")


def read_state(path: Path) -> list[Stage] | None:
    """What the last run left behind; None if there was none.

    Raises:
      ConfigError: the file is not one of these.
    """
    if not path.exists():
        return None
    fix = "remove the file: the next run writes it again"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ConfigError("the plan of another version of this library", where=str(path), fix=fix)
        return [Stage(**{**one, "schemas": tuple(one["schemas"])}) for one in content["stages"]]
    except (ValueError, TypeError, KeyError, OSError) as cause:
        if isinstance(cause, ConfigError):
            raise
        raise ConfigError("this is not what a run leaves behind", where=str(path), fix=fix) from None


def write_state(path: Path, found: list[Stage]) -> None:
    """Remembers the stages of a run that succeeded.

    Raises:
      WarehouseError: the file cannot be written.
    """
    content = {"format": FORMAT, "stages": [asdict(stage) for stage in found]}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.parent == _FOLDER:
            # What a run leaves behind is of this machine, and not for version control.
            (_FOLDER.parent / ".gitignore").write_text("*\n", encoding="utf-8")
        waiting = path.with_name(path.name + ".part")
        waiting.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        waiting.replace(path)
    except OSError as cause:
        what = f"cannot remember this run: {cause.strerror or type(cause).__name__}"
        raise WarehouseError(what, where=str(path), fix="give another file with --state") from None


def _stage(built: Built, edges: Edges, step: Step, before: Mapping[int, Stage]) -> Stage:
    config = built.configs.get(step.number, step.config)
    policy = config.get("policy")
    inputs: dict[str, str] = {}
    schemas, feeds = [], []
    given = edges.inputs(step)
    for number, one in enumerate(given):
        # A single input has no name of its own: a chain and a composite say the same in two ways.
        key = (one.source.key or str(number)) if len(given) > 1 else ""
        if one.source.step is not None:
            output = f".{one.source.output}" if one.source.output else ""
            fingerprint = before[one.source.step.number].fingerprint
            inputs[f"{key}:{one.source.step.label}{output}"] = fingerprint
            feeds.append((key, one.source.output, fingerprint))
        schemas.append(schema_digest(one.output.schema) if one.output and one.output.schema is not None else "")
    rejects = ""
    if built.rejects is not None and step.entry is not None and step.entry.rejects:
        rejects = _digest(_policy_content(built.rejects.settings().policy, {REJECTS}))
    stage = Stage(
        step.label,
        "",
        step.type.partition("@")[0],
        step.entry.version if step.entry is not None else apache_beam.__version__,
        {
            key: _digest(_plain(built, step, key, value), keep_order=True)
            for key, value in sorted(config.items())
            if key != "policy"
        },
        _digest(_policy_content(policy, _destinations(step, config))) if isinstance(policy, Policy) else "",
        rejects,
        tuple(schemas),
        inputs,
    )
    # Labels are for people: of what feeds a step, the name that the step gives it and what it is count.
    content = {**asdict(stage), "step": "", "inputs": feeds}
    return replace(stage, fingerprint=_digest(content))


def _plain(built: Built, step: Step, key: str, value: Any) -> Any:
    """An option as JSON: schemas by content, paths from the snippet's file, so that machines agree."""
    if isinstance(value, pa.Schema):
        return schema_digest(value)
    gives = step.entry.columns.gives if step.entry is not None else None
    if gives is not None and key in (gives.features, gives.sessions) and isinstance(value, str):
        return strict_yaml.load(value).data  # what a definition says counts, and not where it lies
    if step.entry is not None and key in step.entry.input_files and isinstance(value, str) and "://" not in value:
        return Path(os.path.relpath(value, Path(built.snippet.document.file).parent)).as_posix()
    return value


def _destinations(step: Step, config: Mapping[str, Any]) -> set[str]:
    """The destinations of a policy that a step asks for: those of its entry, and the one that its options name."""
    if step.entry is None:
        return set()
    option = options_of(step.entry.load()).get("destination")
    named = config.get("destination", option.default if option is not None else None)
    return {*step.entry.destinations, *([named] if isinstance(named, str) else [])} - {REJECTS}


def _policy_content(policy: Policy, names: set[str]) -> Any:
    """What a policy says of some destinations, or all of it where none is named, with the keys that this needs."""
    there = {name: one for name, one in policy.destinations.items() if name in names or not names}
    methods = [one for destination in there.values() for one in (*destination.labels.values(), destination.unparsed)]
    used = {method.key_name() for method in methods}
    return {"keys": {name: uri for name, uri in policy.keys.items() if name in used}, "destinations": there}


def schema_digest(schema: pa.Schema) -> str:
    """SHA-256 over names, types, nullability, labels, masks and roles at every depth; descriptions do not count."""
    return _digest([_field(one) for one in schema])


def _field(one: pa.Field) -> Any:
    metadata = {
        key.decode(errors="replace"): value.decode(errors="replace") for key, value in (one.metadata or {}).items()
    }
    metadata.pop(labels.DESCRIPTION, None)
    below = [[suffix, _field(child)] for suffix, child in children(one.type)]
    # Of a nested type the children tell all, and the text of the type would repeat their names.
    kind = str(one.type) if not below else str(one.type).partition("<")[0]
    return [one.name, kind, one.nullable, metadata, below]


def _digest(value: Any, keep_order: bool = False) -> str:
    text = json.dumps(value, sort_keys=not keep_order, ensure_ascii=True, separators=(",", ":"), default=_json)
    return hashlib.sha256(text.encode()).hexdigest()


def _json(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return {"kind": type(value).__name__, **value.model_dump()}
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    return {"kind": type(value).__name__, "text": str(value)}


def _why(stage: Stage, last: Stage) -> Iterator[str]:
    own = list(_own(stage, last))
    if stage.block != last.block:
        yield from own
        return
    takes = [one for one in own if one.startswith("takes ")]
    yield from (one for one in own if one not in takes)
    if stage.schemas != last.schemas:
        yield "columns of the input changed"
    for label, now in stage.inputs.items():
        if label in last.inputs and last.inputs[label] != now:
            yield f"input `{label.partition(':')[2]}` changed"
    yield from takes


def _own(stage: Stage, last: Stage) -> Iterator[str]:
    """What is different in a stage itself."""
    if stage.block != last.block:
        yield f"{stage.block} instead of {last.block}"
        return
    if stage.version != last.version:
        yield f"version {last.version} to {stage.version}"
    for key in sorted({*stage.config, *last.config}):
        now, old = stage.config.get(key), last.config.get(key)
        if now != old:
            yield f"option `{key}` " + ("added" if old is None else "taken out" if now is None else "changed")
    if stage.policy != last.policy:
        yield "policy changed"
    if stage.rejects != last.rejects:
        yield "policy for rejects changed"
    for label, now in stage.inputs.items():
        # One that was only renamed feeds it as it did.
        if label not in last.inputs and now not in last.inputs.values():
            yield f"takes `{label.partition(':')[2]}` now"


def _rewrites(step: Step) -> str:
    """What a run of a step that writes does to its table."""
    if step.entry is None or step.entry.gives != "tables" or "table" not in step.config:
        return ""
    config = step.config
    table, mode = f"`{config['table']}`", config.get("mode", "append")
    if mode == "upsert":
        keys = config.get("key")
        named = f" by {', '.join([keys] if isinstance(keys, str) else map(str, keys))}" if keys else ""
        return f"{table}: upsert{named}; rows of keys that the run brings are replaced, others stay as they were"
    if mode != "replace":
        return f"{table}: append; rows of earlier runs stay as they were, and rows that are read again stand twice"
    dates, source = config.get("date_range"), f"the rows of source `{config.get('source')}`"
    if isinstance(dates, list | tuple) and len(dates) == 2:
        return f"{table}: replace; {source} from {dates[0]} to before {dates[1]} are written anew, others stay"
    return f"{table}: replace; {source} in the days that the run brings are written anew, others stay"
