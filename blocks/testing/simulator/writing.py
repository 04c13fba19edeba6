"""Writes simulated events, as chunks of bytes or as a file."""

import contextlib
import gzip
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import numpy as np
import zstandard

from blocks.core.errors import BlocksError, ConfigError
from blocks.testing.simulator.config import SimulatorConfig
from blocks.testing.simulator.events import Chunk, chunks

# About 5 MiB of JSON: large enough that a chunk's fixed costs do not show, small enough for the processor's cache.
CHUNK_EVENTS = 8192


@dataclass(frozen=True, slots=True)
class SimulationReport:
    """What was written, counted while writing.

    Attributes:
      path: the file.
      events: records, bad ones included.
      bytes: JSON text before compression.
      file_bytes: size of the file.
      bad: bad records by code.
      late: good records that arrived 2 hours or more after they occurred.
      users: different users in the good records.
      first_event_time: the earliest `occurred_at` of the good records, None where there are none.
      last_event_time: the latest one.
    """

    path: Path
    events: int
    bytes: int
    file_bytes: int
    bad: Mapping[str, int]
    late: int
    users: int
    first_event_time: datetime | None
    last_event_time: datetime | None


def simulate(config: SimulatorConfig, *, chunk_events: int = CHUNK_EVENTS) -> Iterator[bytes]:
    """The events as JSON lines, a chunk at a time; one chunk is in memory.

    The chunks joined are the same bytes for every `chunk_events`.

    Args:
      config: what to simulate.
      chunk_events: records of a chunk, about 650 bytes each; every chunk ends with a line end.

    Raises:
      ConfigError: `chunk_events` below 1.
    """
    return (chunk.data for chunk in _chunks(config, chunk_events))


def write_events(
    path: str | os.PathLike[str], config: SimulatorConfig, progress: Callable[[int], None] | None = None
) -> SimulationReport:
    """Writes a file of events: gzip if its name ends in `.gz`, zstd if in `.zst`, else plain.

    The file appears under its name when it is complete, and replaces one that is there; until then it is a hidden
    file next to it, which an error takes away.

    Args:
      path: where to; folders are made.
      config: what to simulate.
      progress: called with the number of records written so far, after each chunk.

    Raises:
      BlocksError: the file cannot be written (`OSError` as its cause).
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.part")
    count = _Count(config)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _opened(temporary, path.suffix) as file:
            for chunk in _chunks(config, CHUNK_EVENTS):
                file.write(chunk.data)
                count.add(chunk)
                if progress is not None:
                    progress(count.events)
        temporary.replace(path)
    except OSError as error:
        raise BlocksError(
            f"simulated events could not be written: {error.strerror or type(error).__name__}",
            where=str(path),
            fix="give a file in a folder that you may write to, with room for it",
        ) from error
    finally:
        # After the rename there is nothing to take away; a failure to do so must not hide the first one.
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return count.report(path)


def _chunks(config: SimulatorConfig, chunk_events: int) -> Iterator[Chunk]:
    if chunk_events < 1:
        raise ConfigError(f"{chunk_events} records a chunk", where="simulate: chunk_events", fix="take 1 or more")
    return chunks(config, chunk_events)


class _Sink(Protocol):
    def write(self, data: bytes, /) -> object: ...


@contextlib.contextmanager
def _opened(path: Path, suffix: str) -> Iterator[_Sink]:
    with path.open("xb") as raw:
        if suffix == ".gz":
            # No name and no time in the header, so that equal events are equal files; level 1 because level 6
            # takes longer than the simulation.
            with gzip.GzipFile("", "wb", compresslevel=1, fileobj=raw, mtime=0) as file:
                yield file
        elif suffix == ".zst":
            with zstandard.ZstdCompressor(level=3).stream_writer(raw, closefd=False) as file:
                yield file
        else:
            yield raw


class _Count:
    """Adds up chunks; a bit a user is all that it keeps."""

    def __init__(self, config: SimulatorConfig) -> None:
        self._config = config
        self._seen = np.zeros(config.population, bool)
        self.events, self._bytes, self._late = 0, 0, 0
        self._bad: dict[str, int] = {}
        self._times: tuple[int, int] | None = None

    def add(self, chunk: Chunk) -> None:
        self.events += chunk.events
        self._bytes += len(chunk.data)
        self._late += chunk.late
        self._seen[chunk.users] = True
        for code, number in chunk.bad.items():
            self._bad[code] = self._bad.get(code, 0) + number
        if len(chunk.times):
            first, last = self._times or (int(chunk.times[0]), int(chunk.times[0]))
            self._times = min(first, int(chunk.times.min())), max(last, int(chunk.times.max()))

    def report(self, path: Path) -> SimulationReport:
        first, last = (
            (None, None)
            if self._times is None
            else (self._config.start + timedelta(microseconds=offset) for offset in self._times)
        )
        return SimulationReport(
            path=path,
            events=self.events,
            bytes=self._bytes,
            file_bytes=path.stat().st_size,
            bad={code: self._bad[code] for code in self._config.codes if code in self._bad},
            late=self._late,
            users=int(np.count_nonzero(self._seen)),
            first_event_time=first,
            last_event_time=last,
        )
