"""What a failed run says: runners wrap the errors of workers, some of them as text."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from blocks.core import errors
from blocks.core.errors import BlocksError
from blocks.engines.errors import EngineError

_CLASSES = {
    name: value for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, BlocksError)
} | {"EngineError": EngineError}
_STEP = re.compile(r" ?\[while running '([^']*)'\]")
_TEXT = re.compile(r"^blocks\.(?:core|engines)\.errors\.(\w+): (.+(?:\n {2,}\S.*)*)", re.MULTILINE)


@dataclass(frozen=True)
class Failure:
    """Why a run failed.

    Attributes:
      error: with its three parts as a block raised it; None if it is not an error of `blocks`.
      kind: class name of the error.
      label: full label of the transform in which it happened; empty if that is not known.
    """

    error: BlocksError | None
    kind: str
    label: str


def failure_of(error: BaseException) -> Failure:
    """Finds the first error and its step in what a runner raised.

    Beam makes a new error of the same class with the name of the step in its text, which leaves the other parts behind;
    the first one is its context, or stands in the text of a remote worker's traceback.
    """
    chain = list(_chain(error))
    texts = [str(one) for one in chain]
    steps = [match[1] for text in texts for match in _STEP.finditer(text)]
    # The deepest composite names come from the first error; `-ptransform-12` is a number that Beam adds.
    label = re.sub(r"-ptransform-\d+$", "", steps[-1]) if steps else ""
    own = [one for one in chain if isinstance(one, BlocksError)]
    if own:
        whole = next((one for one in reversed(own) if one.where or one.fix), own[-1])
        return Failure(_without_step(whole), type(whole).__name__, label)
    read = [found for text in texts for match in _TEXT.finditer(text) if (found := _from_text(match[1], match[2]))]
    if read:
        whole = next((one for one in read if one.where or one.fix), read[0])
        return Failure(_without_step(whole), type(whole).__name__, label)
    return Failure(None, type(chain[-1]).__name__, label)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        yield at
        at = at.__cause__ or at.__context__


def _from_text(name: str, text: str) -> BlocksError | None:
    if name not in _CLASSES:
        return None
    what, parts = text.split("\n")[0], {"where": "", "to do": ""}
    current = ""
    for line in text.split("\n")[1:]:
        key, colon, rest = line.strip().partition(": ")
        if colon and key in parts:
            current, parts[key] = key, rest
        elif current:
            parts[current] += "\n" + line.strip()
    return _CLASSES[name](what, where=parts["where"], fix=parts["to do"])


def _without_step(error: BlocksError) -> BlocksError:
    if not _STEP.search(error.what):
        return error
    return type(error)(_STEP.sub("", error.what), where=error.where, fix=error.fix)
