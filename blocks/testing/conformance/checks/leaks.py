"""No raw personal value gets out of a block but in a column that says so."""

import contextlib
import io
import logging
import traceback
from collections.abc import Iterator
from typing import Any

from blocks.core import labels
from blocks.core.errors import RejectedRecordError
from blocks.testing.conformance.case import Case, Result
from blocks.testing.conformance.checks.rejecting import bad_feed
from blocks.testing.feeding import Feed
from blocks.testing.leak_search import markers_for, open_texts, search, table_texts, texts_of

Texts = Iterator[tuple[str, bytes]]


def leaks_no_marker(case: Case) -> Iterator[str]:
    """A marker in every private column is found in no public or masked column, file, reject, log, name or error."""
    markers = markers_for(case.schema)
    if not markers:
        return
    everywhere = _first(markers)
    feed = bad_feed(case, markers, everywhere) or case.feed(batches=(case.rows(more=markers),))
    said = _Said()
    with said.listening():
        result = case.run(feed)
    seen = [*_outputs(result), *said.texts()]
    yield from search(seen, markers)
    # A table may hold what the policy lets pass as it is: what is raw at the block's input.
    yield from search(_files(case, result), _masked_before(case, markers))
    if case.entry.rejects:
        yield from search(_stopped(case, feed), markers)


def _first(markers: dict[str, list[Any]]) -> str:
    """A text marker, to stand where a bad row has nonsense; any text where no column holds text."""
    return next((marks[0] for marks in markers.values() if isinstance(marks[0], str)), "nonsense")


def _outputs(result: Result) -> Texts:
    for found in result.outputs.values():
        for _, batch in found:
            yield from open_texts(batch)
    yield "names of steps", "\n".join(result.labels).encode()
    yield from table_texts("rejects", result.rejects)


def _files(case: Case, result: Result) -> Texts:
    for folder in ("tables", "rejects"):
        if (result.folder / folder).exists():
            yield from texts_of(result.folder / folder)


def _masked_before(case: Case, markers: dict[str, list[Any]]) -> dict[str, list[Any]]:
    if case.entry.gives != "tables":
        return markers
    raw = {leaf.path for leaf in labels.leaves(case.input_schema) if leaf.labels - {labels.PUBLIC} and not leaf.masked}
    return {path: marks for path, marks in markers.items() if path not in raw}


def _stopped(case: Case, feed: Feed) -> Texts:
    """What is said when the first bad row stops the run."""
    said = _Said()
    with said.listening():
        try:
            case.run(feed, rejects=False)
        except RejectedRecordError as error:
            yield "the error", "".join(traceback.format_exception(error)).encode()
    yield from said.texts()


class _Said:
    """What a run says: log records and what it prints."""

    def __init__(self) -> None:
        self._stream = io.StringIO()

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Within it, everything of level INFO and above is heard."""
        handler = logging.StreamHandler(self._stream)
        root = logging.getLogger()
        level = root.level
        root.addHandler(handler)
        root.setLevel(logging.INFO)
        try:
            with contextlib.redirect_stdout(self._stream), contextlib.redirect_stderr(self._stream):
                yield
        finally:
            root.setLevel(level)
            root.removeHandler(handler)

    def texts(self) -> Texts:
        """What was heard."""
        yield "the log", self._stream.getvalue().encode()
