"""The page of the SQL functions: each with its signatures, what it does, examples, and what it does to labels."""

from collections.abc import Iterator, Sequence
from typing import Any

from blocks.catalog.functions import TOPICS, DeclassifiesEntry, FunctionEntry
from blocks.catalog.model import Catalog, load_target
from blocks.catalog.reference.markdown import code, quoted, table

_TITLE = """\
# SQL functions

What a query may call beside [Beam SQL's own functions](https://beam.apache.org/documentation/dsls/sql/overview/). They
are written in Java, Scala and SQL; a query does not tell which. [Functions of SQL](../sql-functions.md) says how to
choose a version, how to add functions of your own, and what masking functions do to labels."""
_TOPICS = {
    "masks": "Masks and digests",
    "contacts": "E-mail and phone",
    "text": "Text",
    "web": "Addresses, URLs and JSON",
    "money": "Money and countries",
    "numbers": "Numbers",
    "conditions": "Conditions",
    "time": "Time",
    "places": "Places",
    "aggregates": "Aggregates",
}
_MOST_SIGNATURES = 6
_BOTH = "Beam, and DuckDB in-process"


def functions_page(catalog: Catalog) -> str:
    """The page as Markdown."""
    entries = [entry for entry in catalog.functions if entry.origin != "beam"]
    parts = [_TITLE, _index(entries)]
    for topic in TOPICS:
        own = [entry for entry in entries if entry.topic == topic]
        if own:
            parts.append(f"## {_TOPICS[topic]}")
            parts.extend(_part(entry, found(entry)) for entry in own)
    parts += ["## Beam's own", _beam(catalog)]
    return "\n\n".join(parts) + "\n"


def found(entry: FunctionEntry) -> Any:
    """The `Function` of an entry; the catalog knows the module by its name only.

    Raises:
      CatalogError: the entry's function is nowhere.
    """
    registry = load_target("blocks.sql.functions.registry:library", "the catalog's functions")()
    name = entry.name if entry.origin == "beam" else f"{entry.name}_v{entry.major}"
    return registry.find(name)


def signatures(entry: FunctionEntry, function: Any) -> list[str]:
    """The ways to call a function; those that differ in the type of the first argument only are one, with T."""
    text = load_target("blocks.sql.functions.signatures:signature_text", "the catalog's functions")
    shown = [text(entry.name, overload) for overload in function.overloads]
    if len(shown) <= _MOST_SIGNATURES:
        return shown
    same = all(overload.returns == overload.arguments[0].type for overload in function.overloads)
    generic: dict[str, list[str]] = {}
    for overload, one in zip(function.overloads, shown, strict=True):
        first = str(overload.arguments[0].type)
        head, tail = one.split(f" {first}", 1)
        tail = tail.replace(f"<{first}>", "<T>")
        tail = tail.removesuffix(first) + "T" if same else tail
        generic.setdefault(f"{head} T{tail}", []).append(first)
    return [f"{one}, T of {', '.join(types)}" for one, types in generic.items()]


def engines(function: Any) -> str:
    """Where a function can run."""
    if function.expression:
        return f"{_BOTH} where all that it calls does"
    forms = [overload.duckdb for overload in function.overloads if overload.duckdb is not None]
    if not forms:
        return "Beam"
    some = len(forms) < len(function.overloads) or any(form.literal for form in forms)
    return f"{_BOTH} for some of its calls" if some else _BOTH


def labels_effect(declassifies: DeclassifiesEntry | None) -> str:
    """What a function does to labels, in a sentence or two."""
    if declassifies is None:
        return "The result has every label of the arguments."
    conditions = [f"`{name}` is a literal {_within(bound)}" for name, bound in declassifies.bounds.items()]
    if declassifies.literal:
        conditions.append(f"{_listed(declassifies.literal)}, if given, are literals")
    conditions.extend(f"`{name}` is not given" for name in declassifies.absent)
    where = f" where {', and '.join(conditions)}" if conditions else ""
    if declassifies.group:
        return "The result is public in groups that have as many rows as the policy asks for."
    if not declassifies.gives:
        return f"The result is public{where}."
    of = _listed(declassifies.of) if declassifies.of else "the arguments"
    what = f"The result keeps the labels of {of} and is marked as masked by `{declassifies.gives}`{where}"
    return f"{what}; the policy decides where it passes. Otherwise it is as private as its arguments."


def _listed(names: Sequence[str]) -> str:
    return " and ".join(part for part in (quoted(names[:-1]), f"`{names[-1]}`") if part)


def _within(bound: Any) -> str:
    least, most = bound.least, bound.most
    if least is None:
        return f"up to {most}"
    return f"from {least}" + ("" if most is None else f" to {most}")


def _index(entries: list[FunctionEntry]) -> str:
    rows = []
    for topic in TOPICS:
        names = [f"[`{entry.name}`](#{entry.name})" for entry in entries if entry.topic == topic]
        if names:
            rows.append((_TOPICS[topic], ", ".join(names)))
    return table(("topic", "functions"), rows)


def _part(entry: FunctionEntry, function: Any) -> str:
    facts = f"*{entry.kind}, version {entry.version}, since {entry.since}"
    facts += "" if entry.status == "stable" else f", {entry.status}"
    examples = table(("call", "result"), ((f"`{call}`", f"`{result}`") for call, result in function.examples))
    parts = [f"### {entry.name}", code("sql", "\n".join(signatures(entry, function))), function.description]
    parts += [f"{facts}; runs on {engines(function)}.*", f"**NULL.** {nulls(function)}"]
    parts += [f"**Labels.** {labels_effect(entry.declassifies)}", examples]
    if function.expression:
        parts.append(code("sql", function.expression))
    return "\n\n".join(parts)


def nulls(function: Any) -> str:
    """What a function does with NULL, in a sentence."""
    return {
        "null": "A NULL argument gives NULL.",
        "call": "The function gives NULL arguments a meaning of their own.",
        "skip": "Rows with a NULL argument are left out.",
        "never": "The result is never NULL.",
    }[function.nulls]


def _beam(catalog: Catalog) -> str:
    def rows() -> Iterator[tuple[str, str]]:
        for entry in catalog.functions:
            if entry.origin == "beam":
                yield f"`{entry.name}`", labels_effect(entry.declassifies)

    text = "Every one of Beam SQL's own functions keeps the labels of its arguments, except:"
    return f"{text}\n\n{table(('function', 'labels'), rows())}"
