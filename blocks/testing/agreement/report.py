"""The table of the agreement, for people and as JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from blocks.testing.agreement.comparing import WRONG, Compared, Figures, figures, text
from blocks.testing.agreement.known import Known

# More than this part of the corpus wrong in one way fails the session.
BOUND = 0.01
_ROWS = (
    ("agreed", "agreed"),
    ("false accept", "false accepts: the planner refuses, we do not"),
    ("false reject", "false rejects: we refuse for the planner, which does not"),
    ("schema", "both accept, output schemas differ"),
    ("crash", "check_sql failed with something else than SqlCheckError"),
    ("runtime", "refused by us only: fails or misleads when it runs"),
    ("library", "refused by us only: rules of this library"),
)


def show(console: Console, parts: Mapping[str, Sequence[Compared]], known: Mapping[str, Known]) -> None:
    """Prints the table, and after it every disagreement that is not known."""
    counted = {name: figures(found) for name, found in parts.items()}
    table = Table(title="check_sql against Beam's planner")
    table.add_column("")
    for name in counted:
        table.add_column(name, justify="right")
    table.add_row("queries", *(f"{one.queries:,}" for one in counted.values()))
    for outcome, label in _ROWS:
        cells = (f"{one.outcomes[outcome]:,} ({one.share(outcome):.1%})" for one in counted.values())
        table.add_row(label, *cells)
    table.add_row("both accept", *(f"{one.both:,}" for one in counted.values()))
    for part, label in ((0.5, "p50"), (0.95, "p95")):
        table.add_row(f"check_sql, {label}", *(f"{one.percentile(part):.1f} ms" for one in counted.values()))
    console.print(table)
    for found in parts.values():
        for one in found:
            if one.outcome in WRONG:
                _disagreement(console, one, known.get(one.name))


def _disagreement(console: Console, one: Compared, known: Known | None) -> None:
    left = f" (known: {known.reason})" if known and known.outcome == one.outcome else ""
    lines = [f"{one.outcome}: {one.name}{left}", *(f"    {line}" for line in one.query.splitlines())]
    if one.outcome == "schema":
        lines.append(f"  {one.difference}")
    else:
        lines.append(f"  ours:    {one.ours.message or 'accepted'}")
        lines.append(f"  planner: {one.theirs.message or 'accepted'}")
    console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)


def failures(found: Sequence[Compared], known: Mapping[str, Known]) -> list[str]:
    """What is wrong with the agreement over the corpus: too much of one kind, or what nobody knows of any more."""
    counted = figures(found)
    told = [
        f"{counted.share(outcome):.2%} {outcome}, more than {BOUND:.0%}"
        for outcome in WRONG
        if counted.share(outcome) > BOUND
    ]
    outcomes = {one.name: one.outcome for one in found}
    for case, entry in known.items():
        if outcomes.get(case) != entry.outcome:
            told.append(f"{case} is known as {entry.outcome} and is {outcomes.get(case, 'not there')}: take it out")
    return told


def as_json(parts: Mapping[str, Sequence[Compared]], versions: Mapping[str, str]) -> dict[str, Any]:
    """What `benchmarks/results/agreement.json` holds."""
    return {
        "title": "check_sql against Beam's planner",
        "versions": dict(versions),
        "results": [_part(name, figures(found)) for name, found in parts.items()],
        "disagreements": [_entry(one) for found in parts.values() for one in found if one.outcome in WRONG],
    }


def _part(name: str, counted: Figures) -> dict[str, Any]:
    return {
        "name": name,
        "queries": counted.queries,
        "both_accept": counted.both,
        **{outcome.replace(" ", "_"): counted.outcomes[outcome] for outcome, _ in _ROWS},
        "check_p50_ms": round(counted.percentile(0.5), 2),
        "check_p95_ms": round(counted.percentile(0.95), 2),
    }


def _entry(one: Compared) -> dict[str, Any]:
    return {
        "case": one.name,
        "outcome": one.outcome,
        "query": one.query,
        "ours": one.ours.message or "accepted",
        "planner": one.theirs.message or "accepted",
        "difference": one.difference,
    }


def schema_text(schema: Any) -> str:
    """A schema in one line, as the recorded verdicts write it."""
    return ", ".join(f"{field.name} {text(field)}" for field in schema)
