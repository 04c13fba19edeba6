"""A block is usable from YAML: as a step of a snippet, and in plain Beam YAML with the provider listing."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import yaml
from apache_beam.yaml import yaml_transform

from blocks.catalog.model import Catalog
from blocks.catalog.names import catalog_file
from blocks.catalog.reading import read_catalog
from blocks.core import labels
from blocks.core.errors import SnippetError
from blocks.core.schema import write_schema
from blocks.snippets.building import build
from blocks.testing.conformance.case import Case
from blocks.testing.conformance.rows_in import open_policy

Steps = list[dict[str, Any]]


def builds_in_a_snippet(case: Case) -> Iterator[str]:
    """It builds as a step of a snippet, behind a reader and the steps before the trial."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "snippet.yaml"
        steps = _steps(case, Path(folder), f"{case.entry.name}@{case.entry.major}")
        content: dict[str, Any] = {"pipeline": {"type": "chain", "transforms": steps}}
        if case.entry.rejects:
            content["rejects"] = {"path": f"{folder}/rejects"}
        file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        try:
            build(file, catalog=_with_the_librarys(case.catalog))
        except SnippetError as error:
            yield str(error)


def builds_in_beam_yaml(case: Case) -> Iterator[str]:
    """It builds in plain Beam YAML, as `type: NAME` and `type: NAME@MAJOR` of the provider listing."""
    if case.catalog is not read_catalog(catalog_file()):
        # The listing is of the library's blocks; that of a team's own is its own.
        return
    from blocks.snippets import beam_yaml

    for name in (case.entry.name, f"{case.entry.name}@{case.entry.major}"):
        with tempfile.TemporaryDirectory() as folder:
            steps = _steps(case, Path(folder), name, batches=True)
            content = {"pipeline": {"type": "chain", "transforms": steps}, "providers": beam_yaml.providers()}
            try:
                text = yaml.safe_dump(content, sort_keys=False)
                yaml_transform.expand_pipeline(beam.Pipeline(), text, validate_schema=None)
            except Exception as error:  # whatever Beam YAML makes of it
                yield f"as `{name}`: {error}"


def _steps(case: Case, folder: Path, name: str, *, batches: bool = False) -> Steps:
    """Reading (if the block does not), the steps before, and the block; files by absolute path."""
    feed = case.feed()
    config = _absolute(case, case.config(folder, feed, case.kind))
    steps: Steps = []
    if case.kind != "nothing":
        (folder / "schema.yaml").write_text(write_schema(case.schema), encoding="utf-8")
        pattern = feed.write(folder / "input", "parquet")
        steps.append({"type": "ReadParquet", "config": {"pattern": pattern, "schema": f"{folder}/schema.yaml"}})
    steps += [{"type": step.type, "config": _absolute(case, step.config)} for step in case.trial.before]
    if case.kind == "rows":
        found = {label for leaf in labels.leaves(case.schema) for label in leaf.labels} | {labels.PUBLIC}
        steps.append({"type": "AsRows", "config": {"policy": open_policy(found, "rows")}})
    steps.append({"type": name, "config": config})
    if batches:
        # Between rows of Beam YAML the policy's destination `rows` would decide; that is a matter of its own.
        for step in steps:
            gives = (case.catalog.block(step["type"])).gives
            step["config"] = {**step["config"], **({"output": "batches"} if gives == "batches" else {})}
    return steps


def _absolute(case: Case, config: dict[str, Any]) -> dict[str, Any]:
    """The config with files that are relative to the catalog by absolute path."""
    names = {"policy", "schema", *case.entry.input_files}
    return {
        name: str(case.root / value) if name in names and isinstance(value, str) else value
        for name, value in config.items()
    }


def _with_the_librarys(catalog: Catalog) -> Catalog:
    own = {entry.name for entry in catalog.entries}
    return Catalog((*catalog.entries, *(one for one in read_catalog().entries if one.name not in own)), {})
