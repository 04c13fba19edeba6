"""Disagreements that were looked at and are left as they are, each with its reason: a reviewed file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

FORM = "a list of `case: <file>: <name>`, `outcome: <what>` and `reason: <why it is left>`"


@dataclass(frozen=True, slots=True)
class Known:
    """A disagreement that is left as it is."""

    case: str
    outcome: str
    reason: str


def read_known(path: Path) -> Mapping[str, Known]:
    """By the name of the case.

    Raises:
      ValueError: a file that is not of the form, or an entry without a reason.
    """
    content = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else []
    found = {}
    for entry in content or []:
        if not isinstance(entry, dict) or set(entry) != {"case", "outcome", "reason"} or not entry["reason"]:
            raise ValueError(f"{path.name} is {FORM}, not {entry!r}")
        found[entry["case"]] = Known(**entry)
    return found
