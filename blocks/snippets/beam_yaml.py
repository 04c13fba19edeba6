"""Every block in plain Beam YAML: `type: MaskColumns`, or `MaskColumns@1` for a version that stays.

    pipeline:
      type: chain
      transforms:
        - type: ReadFromJson
          config: {path: orders.jsonl}
        - type: MaskColumns@1
          config: {policy: privacy.yaml, input_schema: "orders.yaml:order"}
        - type: WriteToJson
          config: {path: masked.json}
    providers:
      - include: blocks-providers.yaml      # blocks providers > blocks-providers.yaml

Between the transforms of Beam YAML PCollections are rows. A block takes rows (or batches, of a block before it), and
gives rows, for which the policy's destination `rows` decides; `output: batches` in its config leaves batches for a
block that follows, which is faster and needs no such rule. Rejects: Beam YAML's `error_handling: {output: NAME}`, or
`rejects: {path: FOLDER}`. Files are relative to the working directory. Snippets (`blocks run`) need none of this.
"""

import inspect
from collections.abc import Mapping
from functools import cache
from typing import Any

import apache_beam as beam
import yaml

from blocks.catalog.model import Catalog, Entry
from blocks.catalog.options import options_of
from blocks.catalog.reading import read_catalog
from blocks.core import batches
from blocks.core.batch_type import BatchType
from blocks.core.errors import PrivacyError, Problem, SchemaError
from blocks.snippets.expansion.served import OUTPUT, REJECTS, ServedBlock, passes_rows, retold

_HEAD = "# Made from catalog.yaml by `blocks providers`: every block for plain Beam YAML (docs/other-languages.md).\n"
_WAYS = (
    "; or write `rows_policy: FILE`, a policy whose destination `rows` lets it out; "
    "or `output: batches`, where a block follows and nothing becomes rows"
)
_OUTPUTS = ("rows", "batches")


class YamlBlock(ServedBlock):
    """A block between transforms of Beam YAML.

    Args:
      entry: of the catalog.
      config: options of the block and of the service, `output` (rows or batches) and `error_handling`.

    Raises:
      ConfigError: everything that is wrong with the config.
    """

    keys = ("output", "input_schema", "rows_policy", "error_handling")
    written = False

    def __init__(self, entry: Entry, config: Mapping[str, Any]) -> None:
        own = dict(config)
        output, handling = own.pop("output", "rows"), own.pop("error_handling", None)
        problems = []
        if output not in _OUTPUTS:
            problems.append(Problem(f"`output` is rows or batches, got {output}", "output", "use one of them"))
        wrong = _handling_problems(entry, own, handling)
        self._error_output = handling["output"] if handling and not wrong else ""
        self._batches_out = output == "batches"
        if self._error_output:
            own[REJECTS] = {}
        row = {"config": yaml.safe_dump(own, sort_keys=False)} if own else {}
        super().__init__(entry, row, {}, [*problems, *wrong])

    def expand(self, inputs: Any) -> Any:
        """Applies the block."""
        found = super().expand(inputs)
        if not self._error_output or not isinstance(found, dict):
            return found
        return {self._error_output if tag == REJECTS else tag: output for tag, output in found.items()}

    def _batches(self, tag: str, pcoll: beam.PCollection) -> Any:
        if passes_rows(self._entry):
            return pcoll
        takes_batches = "batches" in self._entry.takes
        if isinstance(pcoll.element_type, BatchType) or not (takes_batches or "rows" in self._entry.takes):
            return pcoll
        given = self._served.input_schema
        schema = given.get(tag) if isinstance(given, Mapping) else given
        if takes_batches or schema is not None:
            pcoll = pcoll | f"Batches of {tag}" >> batches.AsBatches(schema)
        return (
            pcoll
            if takes_batches or schema is None
            else pcoll | f"Rows of {tag}" >> batches.AsRows(self._served.rows_policy)
        )

    def _rows(self, tag: str, output: beam.PCollection) -> Any:
        if not isinstance(output.element_type, BatchType) or (self._batches_out and tag != REJECTS):
            return output
        try:
            return output | f"Rows of {tag}" >> batches.AsRows(self._served.rows_policy)
        except (PrivacyError, SchemaError) as error:
            name = f"{self._entry.name}: its output" + ("" if tag == OUTPUT else f" `{tag}`")
            raise retold(error, f"{name}, which becomes rows", _WAYS) from None


def _handling_problems(entry: Entry, config: Mapping[str, Any], handling: Any) -> list[Problem]:
    if handling is None:
        return []
    where, form = "error_handling", "write error_handling: {output: NAME}"
    if not isinstance(handling, Mapping) or set(handling) != {"output"} or not isinstance(handling["output"], str):
        return [Problem("`error_handling` is a mapping with `output`, a name", where, form)]
    found = []
    if not entry.rejects:
        found.append(Problem(f"{entry.name} rejects nothing", where, "take `error_handling` out"))
    if handling["output"] == OUTPUT:
        found.append(Problem(f"`{OUTPUT}` is the name of the output itself", where, "use another name"))
    if REJECTS in config:
        found.append(Problem("rejects go to one place", where, "give `error_handling` or `rejects`"))
    return found


class _Factory:
    """Makes a block of a config, as Beam YAML calls it."""

    def __init__(self, entry: Entry) -> None:
        self._entry = entry
        self._yaml_requires_inputs = "nothing" not in entry.takes
        self.__name__ = entry.name

    def __call__(self, **config: Any) -> YamlBlock:
        return YamlBlock(self._entry, config)

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        return inspect.getdoc(self._entry.load()) or self._entry.summary

    @property
    def __signature__(self) -> inspect.Signature:
        # What the documentation of Beam YAML shows.
        keywords = inspect.Parameter.KEYWORD_ONLY
        parameters = [
            inspect.Parameter(name, keywords, default=option.default, annotation=option.annotation)
            for name, option in options_of(self._entry.load()).items()
        ]
        return inspect.Signature(parameters)


@cache
def _factories() -> dict[str, _Factory]:
    """Attribute of this module to factory: `MaskColumns` and `MaskColumns_v1`."""
    catalog = read_catalog()
    found = {f"{entry.name}_v{entry.major}": _Factory(entry) for entry in catalog.entries}
    return found | {entry.name: _Factory(catalog.block(entry.name)) for entry in catalog.entries}


def __getattr__(name: str) -> Any:
    # Beam YAML finds a provider's transforms by their dotted names.
    if name.startswith("_") or name not in _factories():
        raise AttributeError(f"module `{__name__}` has no attribute `{name}`")
    return _factories()[name]


def types(catalog: Catalog) -> dict[str, str]:
    """Type in Beam YAML to dotted name: each block without a version, and each of its majors."""
    found: dict[str, str] = {}
    for entry in catalog.entries:
        found[entry.name] = f"{__name__}.{entry.name}"
        found[f"{entry.name}@{entry.major}"] = f"{__name__}.{entry.name}_v{entry.major}"
    return found


def listing() -> str:
    """The provider listing of the library's blocks, for `providers: [{include: FILE}]`."""
    listed = [{"type": "python", "config": {}, "transforms": types(read_catalog())}]
    return _HEAD + yaml.safe_dump(listed, sort_keys=False)


def providers() -> list[dict[str, Any]]:
    """The same for Python: the key `providers` of a Beam YAML pipeline that is a dict."""
    return [{"type": "python", "config": {}, "transforms": types(read_catalog())}]
