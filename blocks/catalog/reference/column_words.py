"""What an entry says about columns and labels, in words."""

from collections.abc import Iterator

from blocks.catalog.model import Added, Entry, Gives, Need

_FORMS = {
    "names": "those that `{}` names",
    "keys": "the keys of `{}`",
    "values": "the values of `{}`",
    "expression": "those in the expression `{}`",
    "expressions": "those in the expressions of `{}`",
    "expectations": "those in the expectations of `{}`",
    "transforms": "those in the transforms of `{}`",
    "paths": "those on the paths of `{}`",
    "query": "those that `{}` reads",
    "features": "those that `{}` reads",
    "sessions": "those that `{}` reads",
}
_FROM = {
    "input": "those of the input",
    "union": "those of all inputs, matched by name",
    "parts": "those of the input, or parts of them, whose names begin with the column's",
    "schema": "those of `{}`",
    "query": "those that `{}` computes",
    "features": "the key, `as_of`, `revision`, `reason`, the features of `{}`, `truncated`",
    "partials": "the key, `newest`, `settled`, `deleted`, `definition`, `events`, `tiles_...`, `emitted`, for `{}`",
    "sessions": (
        "the key, `session_id`, `started_at`, `ended_at`, `event_count`, `closed_by`, `revision`, `reason`, "
        "the features of `{}`, `events` where it lists columns, `truncated`"
    ),
    "none": "none: a pipeline ends here",
}
_LABELS = {
    "carried": "each column has those of every column that it comes from",
    "declared": "as the schema says",
    "masked": "kept, with how the column was masked; the policy decides which columns are dropped",
    "unmasked": "kept; the mark of the mask is taken away",
}


def column_rows(entry: Entry) -> Iterator[tuple[str, str]]:
    """(what, words) for the table of a block's page."""
    gives = entry.columns.gives
    if entry.columns.needs:
        yield "needs columns", "; ".join(map(_need, entry.columns.needs))
    yield "gives columns", _gives(gives)
    if gives.columns != "none":
        yield "labels", _LABELS[gives.labels]
    always = ", ".join(f"`{name}`" for name in entry.destinations) or "none: data stays in the pipeline"
    sometimes = ", ".join(f"`{name}`" for name in entry.sometimes)
    yield "destinations", always + (f"; with some options or inputs {sometimes}" if sometimes else "")
    yield "conserves", f"`{entry.conserves}`"


def _need(need: Need) -> str:
    words = _FORMS[need.form].format(need.option)
    if need.types:
        words += f" ({' or '.join(need.types)})"
    return words + (f", masked with `{need.masked}`" if need.masked else "")


def _gives(gives: Gives) -> str:
    words = _FROM[gives.columns].format(gives.schema_option or gives.query or gives.features or gives.sessions)
    if gives.only:
        words += f"; with `{gives.only}`, only these and in its order"
    if gives.without:
        words += f"; without those of `{gives.without}`"
    if gives.renamed:
        words += f"; with the names in `{gives.renamed}`"
    if gives.typed:
        words += f"; with the types in `{gives.typed}`"
    return "; ".join([words, *(f"and {_added(added)}" for added in gives.added)])


def _added(added: Added) -> str:
    if added.name:
        words = f"`{added.name}`" + (f", {added.type}" if added.type else "")
        if added.label:
            words += f", labelled `{added.label}`"
        return words + (f", where `{added.path}` is a path" if added.path else "")
    if added.named_by:
        return f"the one that `{added.named_by}` names"
    if added.expressions:
        return f"those that `{added.expressions}` computes"
    words = f"those of `{added.schema_option}`" if added.schema_option else "those of the second input"
    words += f", of which `{added.only}`" if added.only else ""
    words += f", without `{added.but}`" if added.but else ""
    return words + (f", with `{added.prefix}` before their names" if added.prefix else "")
