"""Reads the file of a snippet: its own keys, with parameters put in. Blocks and wiring come after this.

    name: payments
    description: Masks and flattens the feed of a partner.
    parameters:
      events: {type: path, description: files of events}
      from: {type: date, default: 2026-01-01}
    policy: policies/privacy.yaml          # for every block that takes a policy and is given none
    rejects: {path: rejects/}              # for every block that rejects; `policy:` unless it has its own
    options: {direct_num_workers: 2}       # Beam's pipeline options
    pipeline:                              # Beam YAML
      type: chain
      transforms:
        - type: ReadJson
          config: {pattern: "${events}", schema: "schemas/payment.thrift:Payment"}
    tests: [...]                           # `blocks test` runs them: blocks/snippets/cases/reading.py

Files to read (schemas, policies, patterns, defaults of parameters) are relative to the snippet's file. What is written
(rejects, warehouse), and a path given by `--set`, is relative to the working directory.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blocks.catalog.options import value_kind
from blocks.core import strict_yaml
from blocks.core.errors import Problem, SnippetError, nearest
from blocks.core.strict_yaml import Document
from blocks.snippets.cases.reading import Case, read_cases
from blocks.snippets.parameters import MISSING, Parameter, beside, declared, substituted, values

KEYS = ("name", "description", "parameters", "policy", "rejects", "options", "pipeline", "tests")
_REJECTS_KEYS = ("path", "policy", "run_id")


@dataclass(frozen=True)
class Snippet:
    """A snippet as it was read.

    Attributes:
      document: with the place of everything in it.
      name: as given, or that of the file.
      description: for people.
      parameters: as declared.
      values: of the parameters.
      policy: path of the policy, from where the reader is; None if the snippet names none.
      rejects: `path`, and maybe `policy` and `run_id`; None if a bad record is to stop the pipeline.
      options: Beam's pipeline options.
      pipeline: Beam YAML's tree.
      cases: its tests.
    """

    document: Document
    name: str
    description: str = ""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    policy: str | None = None
    rejects: Mapping[str, str] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    pipeline: Any = None
    cases: tuple[Case, ...] = ()


def read_snippet(file: str | Path, given: Mapping[str, str], problems: list[Problem]) -> Snippet:
    """Reads a snippet; what is wrong goes to `problems`, and what is right is in the result.

    Args:
      file: a YAML file.
      given: values of parameters, as text.
      problems: grows.

    Raises:
      SnippetError: the file is not YAML, or is not a mapping.
    """
    document = strict_yaml.load(file, error=SnippetError)
    data = document.data
    if not isinstance(data, dict):
        fix = "begin with `pipeline:`"
        raise SnippetError(f"a snippet is a mapping, got {value_kind(data)}", where=document.where(()), fix=fix)
    unknown = (key for key in data if key not in KEYS)
    problems.extend(Problem(f"unknown key `{key}`", document.where_key((key,)), nearest(key, KEYS)) for key in unknown)
    parameters = declared(document, data["parameters"], problems) if data.get("parameters") is not None else {}
    known = values(document, parameters, given, problems)
    tree = {
        key: substituted(document, data[key], (key,), known, problems)
        for key in ("policy", "rejects", "options", "pipeline")
        if key in data
    }
    for key in ("name", "description"):
        if not isinstance(data.get(key, ""), str):
            what = f"expected text, got {value_kind(data[key])}"
            problems.append(Problem(what, document.where((key,)), "put it in quotes"))
    return Snippet(
        document,
        str(data.get("name") or Path(document.file).stem),
        str(data.get("description") or ""),
        parameters,
        known,
        _policy(document, tree.get("policy"), ("policy",), problems),
        _rejects(document, tree.get("rejects"), problems),
        _options(document, tree.get("options"), problems),
        tree.get("pipeline"),
        read_cases(document, data.get("tests"), problems),
    )


def _policy(document: Document, value: Any, at: tuple[str, ...], problems: list[Problem]) -> str | None:
    if value is None or value is MISSING:
        return None
    if not isinstance(value, str):
        what = f"expected the path of a policy file, got {value_kind(value)}"
        problems.append(Problem(what, document.where(at), "write policy: policies/privacy.yaml"))
        return None
    return beside(document.file, value)


def _rejects(document: Document, value: Any, problems: list[Problem]) -> dict[str, str] | None:
    if value is None or value is MISSING:
        return None
    if isinstance(value, str):
        return {"path": value}
    form = "write rejects: {path: rejects/, policy: policies/privacy.yaml}"
    if not isinstance(value, dict):
        what = f"expected a mapping, got {value_kind(value)}"
        problems.append(Problem(what, document.where(("rejects",)), form))
        return None
    for key, one in value.items():
        place = document.where(("rejects", key))
        if key not in _REJECTS_KEYS:
            problems.append(
                Problem(
                    f"unknown key `{key}` of `rejects`",
                    document.where_key(("rejects", key)),
                    nearest(key, _REJECTS_KEYS),
                )
            )
        elif not isinstance(one, str) and one is not MISSING:
            problems.append(Problem(f"`{key}`: expected text, got {value_kind(one)}", place, form))
    if "path" not in value:
        problems.append(Problem("`rejects` has no `path`", document.where(("rejects",)), form))
    found = {key: one for key, one in value.items() if key in _REJECTS_KEYS and isinstance(one, str)}
    if "policy" in found:
        found["policy"] = beside(document.file, found["policy"])
    return found if "path" in found else None


def _options(document: Document, value: Any, problems: list[Problem]) -> dict[str, Any]:
    if value is None or value is MISSING:
        return {}
    if not isinstance(value, dict):
        what = f"expected a mapping, got {value_kind(value)}"
        problems.append(Problem(what, document.where(("options",)), "write options: {direct_num_workers: 2}"))
        return {}
    from apache_beam.options.pipeline_options import PipelineOptions

    known = PipelineOptions([]).get_all_options()
    for key in value:
        place = document.where(("options", key))
        if key == "runner":
            what = "where a pipeline runs is not a matter of the snippet"
            problems.append(Problem(what, place, "blocks run FILE --runner ..."))
        elif key not in known:
            problems.append(
                Problem(f"unknown pipeline option `{key}`", document.where_key(("options", key)), _near(key, known))
            )
    return {key: one for key, one in value.items() if key in known and key != "runner"}


def _near(name: str, known: Mapping[str, Any]) -> str:
    # Beam has hundreds of options: only a close one is of use.
    hint = nearest(name, known)
    return hint.split("? ")[0] + "?" if "? " in hint else "see Beam's pipeline options"
