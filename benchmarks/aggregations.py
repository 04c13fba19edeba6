"""AggregateEvents against what users would write. `nox -s bench -- aggregations`, or with `--part stream --full`.

Parts, each by itself, with results side by side in one file:

- `events`: a row an event of ten features, against a plain stateful DoFn, and DuckDB on one thread (the limit);
- `days`: a row a user and day, against a stateful DoFn with timers, CombinePerKey over sliding windows, and DuckDB;
- `spine`: a training set; ten features against DuckDB's range join, three against its ASOF joins and merge_asof;
- `stream`: a row an event on each runner, against a plain stateful DoFn that keeps three sums a key;
- `state`: three sums of a stream by number of keys, as state per key and in shards; one shard by itself for more keys;
- `memory`: batches of growing size.

Contestants are processes of their own, in turn, timed as a whole: with the start of Python and its imports (about
2.5 s), and of the runner. Whoever gives other answers, of a sample of the users, has lost. Sizes are small unless
`--full`: those of the figures that the project shows.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.contestants.aggregation_work import differences, read_answers, write_events, write_spine
from benchmarks.harness import Contestant, contestant, measure
from blocks.engines.errors import EngineError
from blocks.engines.prism import prism_program

OUTPUT = Path(__file__).parent / "results" / "aggregations.json"
OURS, DUCKDB, BY_HAND = "AggregateEvents", "DuckDB, one thread", "stateful DoFn by hand"
_EACH = 50
# How far distinct counts may be apart: DuckDB's registers are few, those by hand are exact.
_COARSE, _FINE = 0.5, 0.1


@dataclass(frozen=True)
class Sizes:
    """How much of it.

    Attributes:
      events: of a batch, 50 a user.
      hand: of a batch, where the stateful DoFn takes part.
      slow: where it takes part with timers, and CombinePerKey, whose windows hold each event 30 times.
      spine: rows of a training set.
      stream: events of a stream, of a twentieth as many users.
      batch: events of a stream that come at once.
      keys: users of a stream, of which the state is looked at.
      shard_keys: the same for one shard by itself.
    """

    events: int = 50_000
    hand: int = 20_000
    slow: int = 5_000
    spine: int = 5_000
    stream: int = 20_000
    batch: int = 10_000
    keys: tuple[int, ...] = (1_000,)
    shard_keys: tuple[int, ...] = (1_000, 100_000)


FULL = Sizes(5_000_000, 5_000_000, 50_000, 1_000_000, 200_000, 20_000, (1_000, 100_000), (1_000, 100_000, 10_000_000))


class Bench:
    """The parts.

    Args:
      sizes: of the data.
      rounds: of each comparison.
      runners: of the streams.
      folder: for the data.
    """

    def __init__(self, sizes: Sizes, rounds: int, runners: Iterable[str], folder: Path) -> None:
        self._sizes, self._rounds, self._runners, self._folder = sizes, rounds, list(runners), folder

    def events(self) -> Iterable[dict[str, Any]]:
        """A row an event."""
        for count in sorted({self._sizes.hand, self._sizes.events}):
            rest = [self._duckdb("events", count)]
            if count == self._sizes.hand:
                rest.append(self._other(BY_HAND, "aggregation_by_hand", "events", str(self._file(count)), count=count))
            title = f"{count:,} events of {count // _EACH:,} users, ten features, a row an event"
            yield self._compared(title, self._ours("events", count), *rest)

    def days(self) -> Iterable[dict[str, Any]]:
        """A row a user and day."""
        for count in sorted({self._sizes.slow, self._sizes.events}):
            rest = [self._duckdb("days", count)]
            if count == self._sizes.slow:
                path = str(self._file(count))
                rest.append(self._other(f"{BY_HAND}, timers", "aggregation_by_hand", "days", path, count=count))
                rest.append(self._other("CombinePerKey, windows", "aggregation_combine", path, count=count))
            title = f"{count:,} events of {count // _EACH:,} users, ten features as of 30 days"
            yield self._compared(title, self._ours("days", count), *rest)

    def spine(self) -> Iterable[dict[str, Any]]:
        """A training set."""
        count = self._sizes.events
        spine = self._folder / "spine.parquet"
        write_spine(spine, self._sizes.spine, count // _EACH)
        path = str(self._file(count))
        for mode, what in (("spine", "ten features"), ("few", "three features")):
            rest = [self._duckdb(mode, count, str(spine))]
            if mode == "few":
                rest.append(self._other("pandas, merge_asof", "aggregation_pandas", path, str(spine), count=count))
            title = f"{self._sizes.spine:,} moments, {count:,} events of {count // _EACH:,} users, {what}"
            yield self._compared(title, self._ours(mode, count, str(spine)), *rest)

    def stream(self) -> Iterable[dict[str, Any]]:
        """A stream on each runner."""
        count, users = self._sizes.stream, self._sizes.stream // 20
        path = str(self._file(count, users))
        for runner in self._runners:
            ours = [
                self._of_stream(f"{OURS}, {name}, {shards} shards", step, runner, path, users, shards)
                for name, step in (("ten features", "features"), ("three", "sums"))
                for shards in (16, 64)
            ]
            rest = self._of_stream("stateful DoFn, three sums", "by_hand", runner, path, users)
            title = f"{runner}: a stream of {count:,} events of {users:,} users"
            yield self._compared(title, *ours, rest, wanted=self._batch_of(count, users))

    def state(self) -> Iterable[dict[str, Any]]:
        """State per key against shards."""
        count = self._sizes.stream
        for users in self._sizes.keys:
            path = str(self._file(count, users))
            rest = [
                self._of_stream(f"{shards} shards", "sums", "local", path, users, shards)
                for shards in (16, 64, 256, 1024)
            ]
            hand = self._of_stream("state per key", "by_hand", "local", path, users)
            title = f"local: three sums of {users:,} keys, {count:,} events"
            yield self._compared(title, *rest, hand)
        for users in self._sizes.shard_keys:
            yield self._one_shard(users)

    def memory(self) -> Iterable[dict[str, Any]]:
        """Batches of growing size, and what a key of a stream costs."""
        counts = (self._sizes.events // 10, self._sizes.events)
        yield self._compared("a row an event, by size", *(self._ours("events", count) for count in counts), agree=False)
        told = {}
        for each in (1, 10, 100):
            shard = self._shard(f"{each} events a key", 1_000, 1, 1_000, each, 10)
            measure(f"state after 30 days, {each} events a key, ten features", [shard.contestant], 1, {})
            told[f"{each} events a key"] = round(shard.told["bytes"] / shard.told["keys"])
        yield {"title": "bytes of state a key, ten features", "results": told}

    def _one_shard(self, users: int) -> dict[str, Any]:
        """By number of shards: how long one takes for its part of a batch, and how large it is."""
        shards = [
            self._shard(f"{many} shards", users, many, self._sizes.batch, 1, 3)
            for many in (16, 64, 256, 1024, 4096)
            if many * 10 <= users <= many * 200_000
        ]
        found = measure(
            f"one shard of {users:,} keys, {self._sizes.batch:,} events at once, three sums",
            [one.contestant for one in shards],
            1,
            {},
        )
        for one, result in zip(shards, found["results"], strict=True):
            result |= {name: one.told[name] for name in ("milliseconds", "bytes", "keys")}
        return found

    def _shard(self, name: str, users: int, shards: int, batch: int, each: int, features: int) -> "_Shard":
        numbers = {"keys": users, "shards": shards, "batch": batch, "each": each, "features": features}
        options = [text for key, value in numbers.items() for text in (f"--{key}", str(value))]
        return _Shard(name, contestant("aggregation_shard", "{out}", *options), 10 * max(batch // shards, 1))

    def _ours(self, mode: str, count: int, spine: str = "-") -> Contestant:
        return self._other(OURS, "aggregation_block", mode, str(self._file(count)), spine, count=count)

    def _duckdb(self, mode: str, count: int, spine: str = "-") -> Contestant:
        return self._other(DUCKDB, "aggregation_duckdb", mode, str(self._file(count)), spine, count=count)

    def _other(self, name: str, module: str, *arguments: str, count: int) -> Contestant:
        rows = self._sizes.spine if arguments[-1].endswith("spine.parquet") else count
        return Contestant(name, [*contestant(module, *arguments, "{out}"), "--keys", str(count // _EACH)], rows)

    def _of_stream(self, name: str, step: str, runner: str, path: str, users: int, shards: int = 0) -> Contestant:
        line = [*contestant("aggregation_stream", step, runner, path, "{out}"), "--keys", str(users)]
        line += ["--batch", str(self._sizes.batch), *(("--shards", str(shards)) if shards else ())]
        return Contestant(name, line, self._sizes.stream)

    def _file(self, count: int, users: int = 0) -> Path:
        users = users or count // _EACH
        path = self._folder / f"events-{count}-{users}.parquet"
        if not path.exists():
            write_events(path, count, users)
        return path

    def _batch_of(self, count: int, users: int) -> Contestant:
        """What a stream has to agree with: the same events in batch."""
        line = contestant("aggregation_block", "events", str(self._file(count, users)), "-", "{out}")
        return Contestant(f"{OURS} in batch", [*line, "--keys", str(users)], count)

    def _compared(
        self, title: str, *contestants: Contestant, agree: bool = True, wanted: Contestant | None = None
    ) -> dict[str, Any]:
        if agree:
            agreement = _Agreement()
            if wanted is not None:
                wanted.look = agreement.check(wanted.name)
                wanted.run({})
            for one in contestants:
                one.look = agreement.check(one.name)
        return measure(title, list(contestants), self._rounds, {})


class _Agreement:
    """Holds contestants to the answers of the first."""

    def __init__(self) -> None:
        self._first: Any = None

    def check(self, name: str) -> Callable[[Path], None]:
        def look(folder: Path) -> None:
            rows, found = read_answers(folder)
            if not rows:
                raise SystemExit(f"{name} gave no rows")
            if self._first is None:
                self._first = rows, found
            wanted_rows, wanted = self._first
            # Other features than the first's, or none: only that there are rows.
            names = [set(next(iter(one.values()), {})) for one in (wanted, found)]
            if names[0] != names[1]:
                return
            wrong = [f"{rows} rows, expected {wanted_rows}"] if rows != wanted_rows else []
            wrong += list(differences(wanted, found, _COARSE if name == DUCKDB else _FINE))[:5]
            if wrong:
                raise SystemExit("\n".join([f"{name} gives other answers:", *wrong]))

        return look


class _Shard:
    """A contestant that is one shard, and what it told."""

    def __init__(self, name: str, line: list[str], rows: int) -> None:
        self.told: dict[str, Any] = {}
        self.contestant = Contestant(name, line, rows, self._look)

    def _look(self, folder: Path) -> None:
        self.told = json.loads((folder / "shard.json").read_text())


PARTS = ("events", "days", "spine", "stream", "state", "memory")


def main() -> None:
    """Measures, prints the tables, and writes the parts into the JSON."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--part", choices=PARTS, nargs="+", default=list(PARTS))
    options.add_argument("--full", action="store_true", help="the sizes of the figures that the project shows")
    options.add_argument("--rounds", type=int, default=1)
    options.add_argument("--runner", nargs="+", default=["local", "prism", "flink"], help="of the streams")
    sizes = {name: value for name, value in vars(Sizes()).items() if isinstance(value, int)}
    for name in sizes:
        options.add_argument(f"--{name}", type=int, help="instead of that of the size chosen; see Sizes")
    given = options.parse_args()
    chosen = vars(FULL if given.full else Sizes())
    chosen = {name: getattr(given, name, None) or value for name, value in chosen.items()}
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Sizes(**chosen), given.rounds, _there(given.runner), Path(folder))
        for part in given.part:
            results = list(getattr(bench, part)())
            content = json.loads(OUTPUT.read_text()) if OUTPUT.exists() else {}
            OUTPUT.parent.mkdir(parents=True, exist_ok=True)
            content[part] = _merged(content.get(part, []), results)
            OUTPUT.write_text(json.dumps(content, indent=2) + "\n")


def _merged(before: list[dict[str, Any]], results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What was measured before, and now in its place: a part may be measured by one runner or size at a time."""
    titles = {one["title"] for one in results}
    return [*(one for one in before if one["title"] not in titles), *results]


def _there(runners: list[str]) -> list[str]:
    """Without Prism where it is not installed."""
    try:
        prism_program()
    except EngineError as error:
        print(f"without Prism: {error}")
        return [one for one in runners if one != "prism"]
    return runners


if __name__ == "__main__":
    main()
