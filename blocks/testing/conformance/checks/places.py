"""Where a block puts data, the policy is asked, as the entry's `destinations` says."""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from blocks.catalog.flow import leaks
from blocks.core import guards, labels
from blocks.core.errors import BlocksError, PrivacyError
from blocks.core.policy import read_policy
from blocks.testing.conformance.case import Case
from blocks.testing.conformance.check import lacking_parts


def asks_the_policy(case: Case) -> Iterator[str]:
    """Raw personal columns do not get to a destination of the block that the policy closes to them."""
    if case.kind != "batches" or not labels.has_private_label(case.schema):
        return
    raw = replace(case, trial=case.trial.model_copy(update={"before": ()}))
    given = case.trial.config.get("policy")
    policy = read_policy(str(case.root / given) if isinstance(given, str) else given)
    told = [problem.what for problem in leaks(case.entry, [raw.schema], policy)]
    error = _refusal(raw)
    if told and error is None:
        yield f"raw columns would go to {', '.join(case.entry.destinations)}, and the pipeline builds: {told[0]}"
    if error is not None and isinstance(error, PrivacyError):
        yield from lacking_parts(error)
        decides = case.entry.columns.gives.labels in ("masked", "declared") or case.entry.sometimes
        if not told and not decides:
            yield f"it refuses raw columns, and the entry names no destination for it: {error.problems[0]}"


def _refusal(case: Case) -> BlocksError | None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            guards.check_pipeline(case.build(case.feed(), Path(folder)).pipeline)
        except BlocksError as error:
            return error
    return None
