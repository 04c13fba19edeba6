"""Beam's pipeline options as text, `name=value`: known ones only, and of the type that Beam gives them.

Beam itself drops an option that it does not know, with a line in the log; a misspelt one would do nothing.
"""

import argparse
import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions

from blocks.core.errors import Problem, nearest

# Of `FlinkPipelineOptions` of Beam 2.62, as its job server describes them; Beam's Python knows a few of them only.
# What the engine decides itself (the master, attached mode, the configuration) is left out.
FLINK_OPTIONS: Mapping[str, type] = {
    **dict.fromkeys(
        (
            "allow_non_restored_state",
            "auto_balance_write_files_sharding_enabled",
            "disable_metrics",
            "enable_stable_input_drain",
            "externalized_checkpoints_enabled",
            "fail_on_checkpointing_errors",
            "faster_copy",
            "finish_bundle_before_checkpointing",
            "force_unaligned_checkpoint_enabled",
            "object_reuse",
            "operator_chaining",
            "re_iterable_group_by_key_result",
            "retain_externalized_checkpoints_on_cancellation",
            "unaligned_checkpoint_enabled",
            "use_data_stream_for_batch",
        ),
        bool,
    ),
    **dict.fromkeys(
        (
            "auto_watermark_interval",
            "checkpoint_timeout_millis",
            "checkpointing_interval",
            "execution_retry_delay",
            "file_input_split_max_size_m_b",
            "job_check_interval_in_secs",
            "latency_tracking_interval",
            "max_bundle_size",
            "max_bundle_time_mills",
            "max_parallelism",
            "min_pause_between_checkpoints",
            "num_concurrent_checkpoints",
            "number_of_execution_retries",
            "parallelism",
            "shutdown_sources_after_idle_ms",
        ),
        int,
    ),
    **dict.fromkeys(
        (
            "checkpointing_mode",
            "execution_mode_for_batch",
            "report_checkpoint_duration",
            "savepoint_path",
            "state_backend",
            "state_backend_factory",
            "state_backend_storage_path",
        ),
        str,
    ),
}
FLINK_DECIDED = ("attached_mode", "flink_conf_dir", "flink_master")

# Options of Beam that have an option of their own here, or that the engine sets.
_OWN = {
    "runner": "--runner",
    "flink_master": "--flink-master",
    "job_endpoint": "--job-endpoint",
    "environment_type": "--environment-type",
    "environment_config": "--environment-config",
    "prism_location": "--prism-location",
}
_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def read_options(texts: Iterable[str], more: Mapping[str, type], problems: list[Problem]) -> dict[str, Any]:
    """Options as `PipelineOptions(**options)` takes them.

    Args:
      texts: `name=value`; an option that takes several values may stand several times.
      more: name to type of options that only the runner knows.
      problems: gets every text that is no option, names an unknown one, or has a value of another type.
    """
    known = _beam_options()
    found: dict[str, Any] = {}
    for text in texts:
        given, equals, value = text.partition("=")
        name = given.strip().lstrip("-").replace("-", "_")
        if not equals or not name:
            problems.append(Problem("expected NAME=VALUE", "--option", "write --option parallelism=4"))
        elif name in _OWN:
            problems.append(Problem(f"`{name}` has an option of its own", "--option", f"use {_OWN[name]}"))
        elif name not in known and name not in more:
            # There are some two hundred: only those that are close say something.
            close = difflib.get_close_matches(name, {*known, *more}, n=3)
            fix = f"did you mean {', '.join(f'`{one}`' for one in close)}?" if close else "see Beam's pipeline options"
            problems.append(Problem(f"Beam has no option `{name}`", "--option", fix))
        else:
            action = known.get(name) or argparse._StoreAction([], name, type=more[name])
            problems.extend(_put(found, name, action, value))
    return found


def _beam_options() -> dict[str, argparse.Action]:
    """Every name of an option, without its dashes, to what Beam's parser does with it."""
    parser = argparse.ArgumentParser(add_help=False, conflict_handler="resolve")
    # Beam's own parser has the method for templated options; their values are plain here.
    parser.add_value_provider_argument = parser.add_argument  # type: ignore[attr-defined]
    for options in PipelineOptions.__subclasses__():
        if options.__module__.startswith("apache_beam."):
            options._add_argparse_args(parser)
    return {
        text.lstrip("-").replace("-", "_"): action
        for action in parser._actions
        for text in action.option_strings
        if text.startswith("--")
    }


def _put(found: dict[str, Any], name: str, action: argparse.Action, text: str) -> Iterator[Problem]:
    where = f"--option {name}"
    single = isinstance(action, argparse._StoreAction) or action.const is not None
    if single and action.dest in found:
        yield Problem(f"`{name}` is given twice", where, "give it once")
    elif action.const is not None or action.type is bool:
        if text.lower() not in _WORDS:
            yield Problem("expected true or false", where, f"write --option {name}=true")
            return
        wanted = _WORDS[text.lower()]
        found[action.dest] = wanted if action.const is None else action.const if wanted else not action.const
    else:
        # Beam's lists and maps gather their values themselves.
        gathered = argparse.Namespace(**found)
        try:
            value: Any = text if action.type is None else action.type(text)  # type: ignore[operator]
            if action.choices is not None and value not in action.choices:
                fix = nearest(text, map(str, action.choices))
                yield Problem("not one of the values that Beam takes", where, fix)
                return
            action(argparse.ArgumentParser(), gathered, value)
        except (ValueError, TypeError, KeyError, argparse.ArgumentError, argparse.ArgumentTypeError):
            kind = getattr(action.type, "__name__", "")
            what = f"expected {kind}" if kind in ("int", "float") else "not a value that Beam takes"
            yield Problem(what, where, f"see the help of `{name}` in Beam's pipeline options")
            return
        found.update(vars(gathered))
