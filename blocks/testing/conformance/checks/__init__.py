"""The checks, one promise each; `CHECKS` in the order in which a reader of a failing block wants them."""

from blocks.testing.conformance.case import Case
from blocks.testing.conformance.check import Check
from blocks.testing.conformance.checks.building import builds_from_config, pickles, stays_arrow
from blocks.testing.conformance.checks.columns import gives_what_it_declares, needs_what_it_declares
from blocks.testing.conformance.checks.documents import is_documented
from blocks.testing.conformance.checks.errors import errors_have_three_parts
from blocks.testing.conformance.checks.layouts import (
    all_null_batches,
    dictionary_batches,
    empty_batches,
    sliced_batches,
)
from blocks.testing.conformance.checks.leaks import leaks_no_marker
from blocks.testing.conformance.checks.places import asks_the_policy
from blocks.testing.conformance.checks.rejecting import rejects_what_it_declares
from blocks.testing.conformance.checks.rows import (
    any_bundling,
    conserves_rows,
    gives_the_same_again,
    many_bundlings,
    stream_equals_batch,
)
from blocks.testing.conformance.checks.yaml_forms import builds_in_a_snippet, builds_in_beam_yaml


def _streams(case: Case) -> bool:
    return "stream" in case.entry.modes


CHECKS: tuple[Check, ...] = (
    Check(builds_from_config),
    Check(gives_what_it_declares),
    Check(needs_what_it_declares),
    Check(asks_the_policy),
    Check(conserves_rows),
    Check(gives_the_same_again),
    Check(any_bundling),
    Check(stream_equals_batch, _streams),
    Check(sliced_batches),
    Check(empty_batches),
    Check(all_null_batches),
    Check(dictionary_batches, lambda case: case.kind != "rows"),
    Check(rejects_what_it_declares),
    Check(leaks_no_marker),
    Check(pickles),
    Check(stays_arrow),
    Check(errors_have_three_parts, once=True),
    Check(is_documented, once=True),
    Check(builds_in_a_snippet),
    Check(builds_in_beam_yaml),
    Check(many_bundlings, slow=True),
)
