"""A case: one trial of one entry of a catalog, that can be run in many ways.

What differs between blocks (what they take, what they give) is settled here once, so that a check is a few lines.
"""

import copyreg
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq

from blocks.catalog.model import Catalog, Entry, Revised, Trial
from blocks.catalog.reading import read_catalog
from blocks.core import labels
from blocks.core.batch_type import BatchType
from blocks.core.errors import CatalogError
from blocks.core.rejects import REJECT_SCHEMA, Rejects
from blocks.core.schema import schema_of_option
from blocks.core.schema.yaml_form import of_columns
from blocks.core.windows import WindowRows
from blocks.snippets.configs import block_of
from blocks.testing.collecting import Collected, collect
from blocks.testing.comparing import multiset, settled
from blocks.testing.conformance.rows_in import open_policy, rows_of
from blocks.testing.feeding import Feed, empty_source
from blocks.testing.generated import batch_for

ROWS = 150
_RUN_ID = "conformance"
PICKLED = "was about to be pickled"


@dataclass(frozen=True)
class Result:
    """What a run gave.

    Attributes:
      outputs: name to what came out of an output; the only one of most blocks is named "". None for tables.
      rejects: of `REJECT_SCHEMA`, empty for a block that has none.
      fed: what went into the block, after the steps before it.
      folder: where the run's files are: `tables` (what `${folder}` stood for) and `rejects`.
      labels: of every step of the pipeline.
      schemas: name to the declared schema of an output of batches.
      exact: whether every batch carried the metadata of its declared schema.
      revised: of the entry.
    """

    outputs: Mapping[str, list[tuple[str, pa.RecordBatch]]]
    rejects: pa.Table
    fed: tuple[pa.Table, ...]
    folder: Path
    labels: tuple[str, ...]
    schemas: Mapping[str, pa.Schema]
    exact: bool
    revised: Revised | None = None
    _kept: Any = field(repr=False, default=None)

    @property
    def rows(self) -> Counter[str]:
        """The rows of all outputs with their windows, as a multiset; of rows that were revised the last."""
        marked = [(f"{name}|{window}", batch) for name, found in self.outputs.items() for window, batch in found]
        return multiset(marked if self.revised is None else settled(marked, self.revised))

    @property
    def rows_out(self) -> int:
        """How many rows came out."""
        return sum(batch.num_rows for found in self.outputs.values() for _, batch in found)

    @property
    def rejected(self) -> Counter[tuple[str, str]]:
        """(code, field path) of the rejects."""
        paths = zip(self.rejects.column("code").to_pylist(), self.rejects.column("field_path").to_pylist(), strict=True)
        return Counter(paths)


@dataclass(frozen=True)
class Case:
    """One trial of one entry.

    Attributes:
      entry: of the catalog.
      trial: of the entry.
      catalog: where `before` steps are looked up first, then in the library's own.
      root: folder of the catalog, to which files in configs are relative.
    """

    entry: Entry
    trial: Trial
    catalog: Catalog
    root: Path

    @property
    def name(self) -> str:
        """As in test ids: `MaskColumns-1-plain`."""
        return f"{self.entry.name}-{self.entry.major}-{self.trial.name}"

    @cached_property
    def schema(self) -> pa.Schema:
        """Of the trial's input, before the steps before the block."""
        given = self.trial.input
        return schema_of_option(self._file(given)) if isinstance(given, str) else of_columns(given, self.name)

    @cached_property
    def input_schema(self) -> pa.Schema:
        """Of what the block itself takes: after the steps before it."""
        feed = self.feed()
        return self.before(beam.Pipeline() | empty_source(feed.schema)).element_type.schema

    def rows(self, rows: int = ROWS, seed: int = 0, more: Mapping[str, Any] | None = None) -> pa.RecordBatch:
        """Rows of the trial's input.

        Args:
          rows: how many.
          seed: another seed, other rows.
          more: values beside the trial's hints.
        """
        if rows == ROWS and not seed and not more:
            return self._rows
        return batch_for(self.schema, rows, seed, values={**self.trial.values, **(more or {})})

    @cached_property
    def _rows(self) -> pa.RecordBatch:
        return batch_for(self.schema, ROWS, values=self.trial.values)

    def feed(self, **options: Any) -> Feed:
        """The trial's rows in one batch, or as the options of `Feed` say."""
        return replace(Feed((self.rows(),)), **options)

    @cached_property
    def plain(self) -> Result:
        """The run of one batch, with which all others are compared; made once."""
        return self.run(self.feed())

    @property
    def kind(self) -> str:
        """In which of the ways that the block takes it is fed."""
        takes = self.entry.takes
        order = ("several", "batches", "nothing", "rows", "bytes")
        several = self.entry.columns.gives.columns == "union"
        return next(kind for kind in order if kind in takes and (kind != "several" or several))

    def run(self, feed: Feed, *, rejects: bool = True, block: Any = None) -> Result:
        """Runs the block over what is fed.

        Args:
          feed: the rows.
          rejects: whether bad rows have a place to go to; without one the first stops the run.
          block: instead of that of the trial's config.

        Raises:
          BlocksError: what the block raises, when built or run.
        """
        kept = tempfile.TemporaryDirectory(prefix="blocks-conformance-")
        folder = Path(kept.name)
        built = self.build(feed, folder, rejects=rejects, block=block)
        built.pipeline.run().wait_until_finish()
        outputs = {name: found.windowed() for name, found in built.outputs.items()}
        if self.entry.gives == "tables":
            outputs = {"": [("", batch) for batch in _written(folder / "tables")]}
        exact = all(found.exact for found in built.outputs.values())
        return Result(
            outputs,
            _rejected(folder),
            built.taken(feed),
            folder,
            built.names(),
            built.schemas(),
            exact,
            self.entry.revised,
            kept,
        )

    def build(self, feed: Feed, folder: Path, *, rejects: bool = True, block: Any = None) -> "Built":
        """The pipeline of a run, which has not run yet."""
        (folder / "tables").mkdir(parents=True, exist_ok=True)
        pipeline = beam.Pipeline(runner=feed.runner(), options=feed.options())
        if not (self.entry.rejects and rejects):
            return self._build(pipeline, feed, folder, None, block)
        policy = self.policy
        with Rejects(str(folder / "rejects"), policy, _RUN_ID) as handler:
            return self._build(pipeline, feed, folder, handler, block)

    def _build(self, pipeline: beam.Pipeline, feed: Feed, folder: Path, rejects: Any, block: Any) -> "Built":
        kind = "bytes" if self.kind == "nothing" and feed.stream else self.kind
        block = block or self.block(folder, rejects=rejects, feed=feed, kind=kind)
        taps: list[Collected] = []
        if kind == "nothing":
            given: Any = pipeline
        elif kind == "bytes":
            given = pipeline | feed.messages()
        elif kind == "several":
            dealt = pipeline | feed.source(2)
            given = tuple(self.before(one, str(number)) for number, one in enumerate(dealt))
        else:
            given = self.before(pipeline | feed.source())
            if self.trial.before:
                taps.append(collect(given))
            if kind == "rows":
                given = given | "Rows" >> rows_of(feed.schema)
            elif self.entry.gives == "tables" and feed.stream:
                # A table of a stream is written window by window.
                given = given | "Hours" >> WindowRows(beam.window.FixedWindows(3600))
        found = given | "Block" >> block
        named = found if isinstance(found, dict) else {"": found}
        if not isinstance(found, dict | beam.PCollection):
            named = {str(number): one for number, one in enumerate(found)}
        collected = {} if self.entry.gives == "tables" else {name: collect(one) for name, one in named.items()}
        return Built(pipeline, named, collected, tuple(taps))

    def block(
        self, folder: Path | str = "", *, rejects: Any = None, feed: Feed | None = None, kind: str = "", **changes: Any
    ) -> Any:
        """The block of the trial's config.

        Args:
          folder: for what it writes.
          rejects: a `blocks.Rejects`.
          feed: whose rows are written to files for a block that reads.
          kind: how it is fed.
          changes: options over those of the config.

        Raises:
          BlocksError: every problem of the config.
        """
        config = self.config(Path(folder), feed, kind)
        return block_of(self.entry, {**config, **changes}, folder=self.root, rejects=rejects)

    def config(self, folder: Path, feed: Feed | None = None, kind: str = "") -> dict[str, Any]:
        """The trial's config with its placeholders filled in.

        Args:
          folder: `${folder}` is the folder `tables` in it, `${input}` files in the folder `input`.
          feed: whose rows are written to these files.
          kind: `bytes` leaves out the option that names the files.
        """
        config = dict(self.trial.config)
        reads = [name for name, value in config.items() if value == "${input}"]
        for name in reads:
            if kind == "bytes":
                del config[name]
            elif feed is not None:
                config[name] = feed.write(folder / "input", self.file_form(name))
        return {name: _filled(value, folder / "tables", folder / "input") for name, value in config.items()}

    def file_form(self, option: str) -> Any:
        """What kind of files an option names: as in the entry's example."""
        return "parquet" if "parquet" in str(self.entry.example.get(option, "")) else "json"

    def before_block(self, number: int) -> Any:
        """The block of a step before the trial's."""
        step = self.trial.before[number]
        own = step.type in self.catalog
        entry = (self.catalog if own else read_catalog()).block(step.type)
        return block_of(entry, step.config, folder=self.root, where=f"{self.name}, before {number}: {step.type}")

    def before(self, pcoll: Any, label: str = "") -> Any:
        """The steps before the block, applied.

        Args:
          pcoll: rows of the trial's input.
          label: that tells several of them in one pipeline apart.
        """
        for number, step in enumerate(self.trial.before):
            pcoll = pcoll | f"Before {label}{number} {step.type}" >> self.before_block(number)
        return pcoll

    @property
    def policy(self) -> Any:
        """The policy for rejects: that of the block, or of a step before it, or one that lets public columns pass."""
        steps = [self.trial.config, *(step.config for step in self.trial.before)]
        given = next((config["policy"] for config in steps if config.get("policy") is not None), None)
        if isinstance(given, str):
            return self._file(given)
        return given if given is not None else open_policy({labels.PUBLIC}, "rejects")

    def _file(self, given: str) -> str:
        return given if Path(given).is_absolute() else str(self.root / given)


@dataclass(frozen=True)
class Built:
    """A pipeline around the block of a case.

    Attributes:
      pipeline: not run yet.
      given: PCollections that the block gave, by name.
      outputs: what collects them.
      taps: what collects the block's input, where it is not what was fed.
    """

    pipeline: beam.Pipeline
    given: Mapping[str, Any]
    outputs: Mapping[str, Collected]
    taps: tuple[Collected, ...]

    def schemas(self) -> dict[str, pa.Schema]:
        """The schema of every output of batches."""
        types = {name: one.element_type for name, one in self.given.items()}
        return {name: kind.schema for name, kind in types.items() if isinstance(kind, BatchType)}

    def taken(self, feed: Feed) -> tuple[pa.Table, ...]:
        """The block's input, when the pipeline has run."""
        # Bad rows may have nulls where others have none.
        fed = pa.concat_tables([pa.table(batch) for batch in feed.batches], promote_options="default")
        return tuple(tap.table() for tap in self.taps) or (fed,)

    def names(self) -> tuple[str, ...]:
        """Names of steps and of counters: what a runner shows."""
        visitor = _Names()
        self.pipeline.visit(visitor)
        return tuple(visitor.found)


class _Names(beam.pipeline.PipelineVisitor):
    def __init__(self) -> None:
        self.found: list[str] = []

    def enter_composite_transform(self, node: Any) -> None:
        self.found.append(node.full_label)

    def visit_transform(self, node: Any) -> None:
        self.found.append(node.full_label)


def _filled(value: Any, folder: Path, files: Path) -> Any:
    if isinstance(value, Mapping):
        return {name: _filled(one, folder, files) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(one, folder, files) for one in value]
    if not isinstance(value, str):
        return value
    places = {"folder": str(folder), "input": str(files)}
    return re.sub(r"\$\{(folder|input)\}", lambda match: places[match[1]], value)


def _written(folder: Path) -> Iterator[pa.RecordBatch]:
    for file in sorted(folder.rglob("*.parquet")):
        # Columns that differ between files are told from those of one: rows are compared by name and value.
        yield from pq.ParquetFile(file).read().to_batches()


def _rejected(folder: Path) -> pa.Table:
    files = sorted((folder / "rejects").rglob("*.parquet"))
    return pa.concat_tables([pq.ParquetFile(file).read() for file in files] or [REJECT_SCHEMA.empty_table()])


@contextmanager
def no_pickled_batches() -> Iterator[None]:
    """Within it, a batch or table that this process pickles raises an error."""
    kinds = (pa.RecordBatch, pa.Table)
    before = {kind: copyreg.dispatch_table.get(kind) for kind in kinds}
    for kind in kinds:
        copyreg.pickle(kind, _refuse)
    try:
        yield
    finally:
        for kind, reduce in before.items():
            if reduce is None:
                del copyreg.dispatch_table[kind]
            else:
                copyreg.pickle(kind, reduce)


def _refuse(batch: Any) -> Any:
    raise TypeError(f"a {type(batch).__name__} {PICKLED}")


def cases(catalog: Catalog, root: Path, names: tuple[str, ...] = ()) -> list[Case]:
    """Every trial of every entry.

    Args:
      catalog: that was read.
      root: its folder.
      names: of blocks; all unless given.

    Raises:
      CatalogError: a name that the catalog does not have.
    """
    for name in names:
        if name not in catalog:
            problem = catalog.unknown(name)
            raise CatalogError(problem.what, where="Conformance.blocks", fix=problem.fix)
    wanted = [entry for entry in catalog.entries if not names or entry.name in names]
    return [Case(entry, trial, catalog, root) for entry in wanted for trial in entry.trials]
