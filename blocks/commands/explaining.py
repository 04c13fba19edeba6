"""`blocks explain`: the schema and the labels on every edge of a snippet, as text or as a Mermaid flowchart."""

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import typer

from blocks.catalog.reading import read_catalog
from blocks.commands.running import counted, parameters
from blocks.core import labels
from blocks.core.errors import ConfigError, nearest
from blocks.core.looking import looking
from blocks.snippets.building import Built, build
from blocks.snippets.edges import Output
from blocks.snippets.explaining import SAME, Column, Explained, Place, explain
from blocks.snippets.plan import config_digest

FORMATS = ("text", "mermaid")
WIDTH = 100
_MOST = 12
_MOST_LABELS = 4
# Of path, type and labels; what is left is for the note.
_WIDTHS = (34, 22, 16)


def explain_file(
    file: Path,
    settings: Iterable[str],
    start: str | None,
    end: str | None,
    form: str = "text",
    whole: bool = False,
) -> None:
    """Prints what a snippet does, step by step.

    Args:
      file: a snippet.
      settings: `NAME=VALUE` texts.
      start: the parameter `from`.
      end: the parameter `to`.
      form: one of `FORMATS`.
      whole: every column, also of wide schemas, also those that stay as they are.

    Raises:
      SnippetError: every problem of the snippet.
      ConfigError: there is no such format.
    """
    if form not in FORMATS:
        raise ConfigError(f"no format `{form}`", where="--format", fix=nearest(form, FORMATS))
    with looking():
        built = build(file, parameters(settings, start, end), catalog=read_catalog())
    typer.echo("\n".join(mermaid(built) if form == "mermaid" else text(built, whole)))


def text(built: Built, whole: bool = False) -> Iterator[str]:
    """The lines of the text; none is longer than `WIDTH` unless a name is."""
    snippet = built.snippet
    yield f"{snippet.name}: {counted(len(built.steps), 'step')}" + (
        f"; {snippet.description}" * bool(snippet.description)
    )
    for number, one in enumerate(explain(built), 1):
        yield ""
        yield from _step(number, one, whole)
    yield ""
    yield "= as it was, + new, - gone, ~ changed" + ("" if whole else "; --all shows every column")


def _step(number: int, one: Explained, whole: bool) -> Iterator[str]:
    block = one.step.type.partition("@")[0]
    named = one.step.label if one.step.name == one.step.type else f"{one.step.label}: {block}"
    version = f" {one.version}" if one.version else " (Beam)"
    yield f"{number}. {named}{version}  config {config_digest(one.stage)[:8]}"
    for given in one.inputs:
        source = given.source.step
        name = (
            "an unknown step"
            if source is None
            else f"{source.label}" + f".{given.source.output}" * bool(given.source.output)
        )
        yield f"   takes {name}" + (f": {_summary(given.output)}" if given.output is not None else "")
    for note in one.notes:
        # A line that is underlined stays as it is.
        lines = note.splitlines() if "\n" in note else textwrap.wrap(note, WIDTH - 3, subsequent_indent="  ")
        yield from (f"   {line}" for line in lines)
    for name, output in one.outputs.items():
        yield f"   gives {f'{name}: ' if name else ''}{_summary(output)}"
        yield from _columns(one.columns.get(name, ()), whole)
    for place in one.places:
        yield from _place(place, one)


def _summary(output: Output) -> str:
    if output.told is None:
        return f"{output.kind}, columns not known before it runs"
    leaves = list(labels.leaves(output.told))
    private = sum(bool(leaf.labels - {labels.PUBLIC}) for leaf in leaves)
    masked = sum(bool(leaf.labels - {labels.PUBLIC}) and leaf.masked is not None for leaf in leaves)
    parts = [counted(len(output.told.names), "column")]
    if len(leaves) != len(output.told.names):
        parts.append(counted(len(leaves), "field"))
    parts.append(f"{private} private" + (f" ({masked} masked)" if masked else "") if private else "none private")
    at = labels.event_time_of(output.told)
    parts += [f"event time {at}"] if at else []
    parts += [f"windows {output.windows}"] if output.windows else []
    return ("" if output.kind == "batches" else f"{output.kind}, ") + ", ".join(parts)


def _columns(columns: Iterable[Column], whole: bool) -> Iterator[str]:
    found = list(columns)
    shown = found if whole else [one for one in found if one.sign != SAME]
    cut = shown if whole else shown[:_MOST]
    yield from _aligned(cut)
    if len(shown) > len(cut):
        signs = Counter(one.sign for one in shown[len(cut) :])
        yield "     and " + ", ".join(f"{sign} {number}" for sign, number in signs.items()) + " more"
    same = len(found) - len(shown)
    if same:
        yield f"     = {same} as {'it was' if same == 1 else 'they were'}"


def _aligned(columns: list[Column]) -> Iterator[str]:
    rows = [(one.path, one.type, one.labels, one.note) for one in columns]
    widths = [min(max((len(row[at]) for row in rows), default=0), most) for at, most in enumerate(_WIDTHS)]
    for one, row in zip(columns, rows, strict=True):
        cells = [_cut(cell, width).ljust(width) for cell, width in zip(row[:3], widths, strict=True)]
        yield f"     {one.sign} {'  '.join(cells)}  {_cut(row[3], WIDTH - sum(widths) - 13)}".rstrip()


def _cut(cell: str, width: int) -> str:
    return cell if len(cell) <= width else cell[: width - 3] + "..."


def _place(place: Place, one: Explained) -> Iterator[str]:
    policy = f" ({place.policy})" if place.policy else " (no policy)"
    to = f"   {'may go ' if place.sometimes else ''}to {place.destination}"
    head = f"   rejects{policy}" if place.destination == "rejects" else f"{to}{policy}"
    if place.destination == "rejects":
        yield from _wrapped(f"{head}, codes ", one.codes, WIDTH)
        head = "   records there"
    whose = "the table's columns, " if place.table else ""
    yield from _wrapped(f"{head}: {whose}", place.passes, WIDTH)


def _wrapped(head: str, parts: Iterable[str], width: int) -> Iterator[str]:
    line = head
    for number, part in enumerate(parts):
        more = ("" if number == 0 else ", ") + part
        if len(line) + len(more) > width and number:
            yield line + ","
            line, more = "     ", part
        line += more
    yield line


def mermaid(built: Built) -> Iterator[str]:
    """The lines of a Mermaid flowchart: steps as boxes, tables and rejects as cylinders, labels on the edges."""
    steps = explain(built)
    yield "flowchart LR"
    rejecting = []
    for one in steps:
        block = one.step.type.partition("@")[0]
        versioned = f"{block} {one.version}".strip()
        lines = [versioned] if one.step.label in (block, one.step.type) else [one.step.label, versioned]
        node = f"s{one.step.number}"
        if one.step.entry is not None and one.step.entry.gives == "tables":
            lines.append(str(one.step.config.get("table", "")))
            yield f'  {node}[("{_escaped(lines)}")]'
        else:
            yield f'  {node}["{_escaped(lines)}"]'
        if one.codes and one.kept:
            rejecting.append(node)
    if rejecting:
        yield '  rejects[("rejects")]'
    for one in steps:
        for given in one.inputs:
            if given.source.step is not None:
                label = f'|"{_escaped(_edge(given.output))}"|' if given.output is not None else ""
                yield f"  s{given.source.step.number} -->{label} s{one.step.number}"
    yield from (f"  {node} -.-> rejects" for node in rejecting)


def _edge(output: Output) -> list[str]:
    if output.told is None:
        return [output.kind]
    lines = [f"{output.name}: " * bool(output.name) + counted(len(output.told.names), "column")]
    found = []
    for leaf in labels.leaves(output.told):
        how = "raw" if leaf.masked is None else f"{leaf.masked.method} {leaf.masked.key}".strip()
        found += [f"{label}: {how}" for label in sorted(leaf.labels - {labels.PUBLIC})]
    distinct = list(dict.fromkeys(found))
    lines += distinct[:_MOST_LABELS]
    if len(distinct) > _MOST_LABELS:
        more = len(distinct) - _MOST_LABELS
        lines.append(f"and {more} more {'label' if more == 1 else 'labels'}")
    return lines


def _escaped(lines: Iterable[str]) -> str:
    """Text within quotes of Mermaid: what it could read as syntax is written as an entity."""
    shown = (" ".join(line.split()) for line in lines if line)
    return "<br/>".join(
        "".join(one if one.isalnum() or one in " _-.,:()/+*" else f"#{ord(one)};" for one in line) for line in shown
    )
