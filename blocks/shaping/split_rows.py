"""SplitRows: rows divided by their key into train, evaluation, test, or whatever shares are named."""

import functools
import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa

from blocks.core.batch_type import schema_of
from blocks.core.errors import ColumnError, ConfigError, Problem, SchemaError, all_problems
from blocks.core.named_outputs import named_outputs
from blocks.core.wire import take
from blocks.shaping.key_hash import bound, key_hash, key_problems, read_key

SPLIT = "blocks.split"
SHARES: Mapping[str, float] = {"train": 0.8, "evaluation": 0.1, "test": 0.1}
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Split:
    """Which rows a PCollection holds, of those that were split.

    Attributes:
      name: of the share.
      key: the columns whose values decided, by the names that they had.
      start: the share of keys before this one, from 0.
      stop: the share of keys up to the end of this one, at most 1.
      salt: as given to `SplitRows`.
      within: the split that was split again.
    """

    name: str
    key: tuple[str, ...]
    start: float
    stop: float
    salt: str = ""
    within: "Split | None" = None

    def to_json(self) -> str:
        """As stored in the schema: keys in order, so that equal splits are equal text."""
        return json.dumps(self._content(), sort_keys=True, ensure_ascii=True, separators=(",", ":"))

    def _content(self) -> dict[str, Any]:
        content: dict[str, Any] = {
            "name": self.name,
            "key": list(self.key),
            "from": self.start,
            "to": self.stop,
            "salt": self.salt,
        }
        return content if self.within is None else {**content, "within": self.within._content()}

    @classmethod
    def _read(cls, content: Any) -> "Split":
        within = content.get("within")
        return cls(
            name=content["name"],
            key=tuple(content["key"]),
            start=content["from"],
            stop=content["to"],
            salt=content["salt"],
            within=None if within is None else cls._read(within),
        )


def split_of(schema: pa.Schema) -> Split | None:
    """Which split a schema belongs to, or None.

    Raises:
      SchemaError: metadata that `SplitRows` did not write.
    """
    text = (schema.metadata or {}).get(SPLIT.encode())
    if text is None:
        return None
    try:
        return Split._read(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError):
        raise SchemaError(
            "metadata that is no split of this version",
            where=f"schema metadata `{SPLIT}`",
            fix="take the schema that SplitRows gave, or split the original again",
        ) from None


class SplitRows(beam.PTransform):
    """Divides rows into shares by their key: all rows of a key go to the same share.

    Where a key goes depends on its value, the salt and the bounds of the shares, and on nothing else: batches, runs,
    machines, runners, versions and Arrow's layout make no difference. The shares follow one another from 0 to 1 in the
    order in which they are named; a key goes where its hash falls. So another name for a share moves no key; another
    size moves the keys next to its bounds; a share that is put in takes keys from those whose bounds move, and if it is
    carved out of one share, from that share only. Splits are independent of `SampleRows` and of masks.

    Input: batches with the columns of `key`.
    Output: a dict of PCollections, one a share, named as in `shares`; each row is in exactly one of them, rows keep
    their order. Types, labels and marks stay. The schema of each records the split (`blocks.split` in its metadata,
    read by `split_of`), which blocks carry along; `UnionBatches` of different splits drops it. A batch's timestamp is
    its earliest event time.
    Rejects: none.
    Nulls: kept. A null in the key is a value like any other: all rows without a key are in one share.
    State: none.
    Cost: one pass: a hash and a copy a row; the hash is vectorised for whole numbers and times, and about a microsecond
    for each distinct text, bytes or decimal of a batch.

    Rows in = the sum of the rows of all shares.

    Args:
      key: column, or list of columns in order, whose values decide together. Texts are taken as they are: `A` and `a`
        are two keys.
      shares: name to share of the keys, in order; at least two, above 0, together 1 (within 1e-9).
      salt: any text, for other splits of the same sizes. It is no secret.

    Raises:
      ConfigError: shares or a key that cannot be; all of them.
      ColumnError: key columns that are not there, of floating point, nested, or encrypted so that equal values differ.
      SchemaError: the input is a split by the same key and salt, whose hashes are a part of the range only.

    Example:
      >>> splits = events | SplitRows("user_id", {"train": 0.9, "test": 0.1})
      >>> splits["train"] | WriteWarehouse("train")

    Source: hashed splits as in TFX's ExampleGen; the hash is that of `blocks.shaping.key_hash`.
    """

    def __init__(self, key: str | Sequence[str], shares: Mapping[str, float] = SHARES, *, salt: str = "") -> None:
        super().__init__()
        with all_problems("SplitRows", ConfigError) as problems:
            self._key = read_key(key, problems)
            problems.extend(_share_problems(shares))
            if not isinstance(salt, str):
                problems.append(Problem(f"expected a text, got a {type(salt).__name__}", "salt", "write it in quotes"))
        self._salt = salt
        # As written in decimal, so that 0.8 and 0.1 and 0.1 are 1.
        exact = [Fraction(str(share)) for share in shares.values()]
        ends = [float(end / sum(exact)) for end in itertools.accumulate(exact)]
        self._bounds = dict(zip(shares, itertools.pairwise([0.0, *ends]), strict=True))

    @property
    def block_name(self) -> str:
        """The name in the catalog: the class's."""
        return type(self).__name__

    @property
    def output_names(self) -> tuple[str, ...]:
        """The shares, in order: known without the input."""
        return tuple(self._bounds)

    def output_schemas(self, schema: pa.Schema) -> dict[str, pa.Schema]:
        """The schema of every share, in order; every mistake about columns is raised here."""
        with all_problems(self.block_name, ColumnError) as problems:
            problems.extend(key_problems(self._key, schema))
        before = split_of(schema)
        self._check_not_again(before)
        splits = [Split(name, self._key, *ends, self._salt, before) for name, ends in self._bounds.items()]
        return {
            split.name: schema.with_metadata({**(schema.metadata or {}), SPLIT.encode(): split.to_json().encode()})
            for split in splits
        }

    def _check_not_again(self, before: Split | None) -> None:
        while before is not None:
            if (before.key, before.salt) == (self._key, self._salt):
                raise SchemaError(
                    f"the input is the split `{before.name}` by the same key and salt: it holds the keys from "
                    f"{before.start:g} to {before.stop:g} only, and the shares would be wrong",
                    where=self.block_name,
                    fix="give this split a salt of its own, as in salt='second'",
                )
            before = before.within

    def splits_function(self, schema: pa.Schema) -> Callable[[pa.RecordBatch], Iterator[tuple[str, pa.RecordBatch]]]:
        """Makes the function from a batch to (share, its rows) pairs; shares without a row are left out."""
        schemas = self.output_schemas(schema)
        names = list(schemas)
        hashes = key_hash(self._key, self.block_name, self._salt)
        stops = np.array([bound(stop) for _, stop in self._bounds.values()][:-1], np.uint64)
        numbers = np.arange(len(names) + 1)

        def split(batch: pa.RecordBatch) -> Iterator[tuple[str, pa.RecordBatch]]:
            share = np.searchsorted(stops, hashes(batch), side="right")
            order = np.argsort(share, kind="stable")
            ends = np.searchsorted(share[order], numbers)
            for name, (start, stop) in zip(names, itertools.pairwise(ends), strict=True):
                if start < stop:
                    part = batch if stop - start == batch.num_rows else take(batch, pa.array(order[start:stop]))
                    yield name, part.replace_schema_metadata(schemas[name].metadata)

        return split

    # Beam reads the annotation as a type hint, and warns that it does not know a dict.
    def expand(self, pcoll: beam.PCollection) -> Any:
        """Applies the block.

        Returns:
          Name of the share to PCollection of batches.

        Raises:
          BatchTypeError: the input is not made of batches.
        """
        schema = schema_of(pcoll, self.block_name)
        make = functools.partial(self.splits_function, schema)
        return named_outputs(pcoll, "Split", self.block_name, self.output_schemas(schema), make, _keeps_time)


def _keeps_time(share: str, part: pa.RecordBatch, batch: pa.RecordBatch) -> bool:
    # Without a row gone, the earliest is still there.
    return part.num_rows == batch.num_rows


def _share_problems(shares: Any) -> Iterator[Problem]:
    if not isinstance(shares, Mapping):
        what = f"expected a mapping of name to share, got a {type(shares).__name__}"
        yield Problem(what, "shares", "as in {'train': 0.9, 'test': 0.1}")
        return
    if len(shares) < 2:
        yield Problem(f"expected at least two shares, got {len(shares)}", "shares", "as in {'train': 0.9, 'test': 0.1}")
    right = True
    for name, share in shares.items():
        if not isinstance(name, str) or not name.isidentifier():
            what = f"`{name}` is no name of a share"
            yield Problem(what, "shares", "use letters, digits and `_`, and begin with no digit")
        number = isinstance(share, int | float) and not isinstance(share, bool)
        if not number or not 0 < share < math.inf:
            right = False
            yield Problem(
                f"expected a number above 0, got {share!r}", f"shares.{name}", "write it as in 0.1 for a tenth"
            )
    total = sum((Fraction(str(share)) for share in shares.values()), Fraction(0)) if right else Fraction(1)
    if len(shares) >= 2 and abs(total - 1) > _TOLERANCE:
        yield Problem(f"the shares are {float(total)} together", "shares", "change them so that they are 1 together")
