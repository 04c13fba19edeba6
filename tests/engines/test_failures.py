"""What a failed run says, whichever way the runner wrapped the error of a worker."""

import traceback

import apache_beam as beam
import pytest

from blocks.core.errors import ConfigError, MaskKeyError, PrivacyError, Problem, RejectedRecordError
from blocks.engines import engine
from blocks.engines.failures import failure_of

ERROR = RejectedRecordError(
    "wrong_type: expected a list", where="ReadJson, a.jsonl, position 3", fix="mend it\nor reject it"
)


def parts(error):
    return error.what, error.where, error.fix


def raised_in_a_pipeline(error: Exception) -> Exception:
    def fail(_):
        raise error

    pipeline = beam.Pipeline(runner=engine())
    pipeline | "Start" >> beam.Create([1]) | "Fail" >> beam.Map(fail)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which class it is, is the runner's matter
        pipeline.run()
    return caught.value


def as_text_of_a_remote_worker(error: Exception) -> Exception:
    """As FnApiRunner with gRPC workers, Prism and Flink report it: a traceback, as text."""
    found = raised_in_a_pipeline(error)
    return RuntimeError("Pipeline failed: " + "".join(traceback.format_exception(found)))


@pytest.mark.parametrize("wrap", [raised_in_a_pipeline, as_text_of_a_remote_worker])
@pytest.mark.parametrize("error", [ERROR, MaskKeyError("no key", where="k", fix="set it"), PrivacyError("only what")])
def test_the_three_parts_come_back(wrap, error):
    failure = failure_of(wrap(error))
    assert type(failure.error) is type(error)
    assert parts(failure.error) == parts(error)
    assert failure.label == "Fail"


def test_an_error_of_another_kind_is_told_by_its_class():
    failure = failure_of(raised_in_a_pipeline(KeyError("secret")))
    assert (failure.error, failure.kind, failure.label) == (None, "KeyError", "Fail")


def test_an_error_behind_another_one_is_found():
    outer = ValueError("Error applying transform")
    outer.__cause__ = ERROR
    assert parts(failure_of(outer).error) == parts(ERROR)


def test_every_problem_of_an_error_is_kept():
    error = ConfigError("2 problems", where="x", problems=[Problem("a"), Problem("b")])
    assert failure_of(error).error.problems == (Problem("a"), Problem("b"))
