"""The dotted paths of a schema, and whether the paths that options name are there and can be done together.

A path goes through structs and lists alike: `orders.lines.sku`. An element that is itself a list or a map is
`<list>.item`; below a map there are `<map>.key` and `<map>.value`, or, where `map_keys` lists its keys, `<map>.<key>`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.types as pat

from blocks.core import labels
from blocks.core.errors import Problem, nearest
from blocks.flattening.options import MapKey, Options


@dataclass(frozen=True)
class Place:
    """One path of a schema.

    Attributes:
      path: dotted.
      type: its Arrow type, dictionaries decoded.
      inside: the lists and maps that it is in, outermost first.
    """

    path: str
    type: pa.DataType
    inside: tuple[str, ...]

    @property
    def is_list(self) -> bool:
        """Whether it can be exploded."""
        return bool(labels.is_list(self.type) or pat.is_map(self.type))


def places(schema: pa.Schema, map_keys: Mapping[str, Sequence[MapKey]]) -> list[Place]:
    """Every path of a schema, depth first."""
    return [place for field in schema for place in _places(field.name, field.type, (), map_keys)]


def _places(
    path: str, kind: pa.DataType, inside: tuple[str, ...], map_keys: Mapping[str, Sequence[MapKey]]
) -> Iterator[Place]:
    kind = value_type(kind)
    yield Place(path, kind, inside)
    if pat.is_struct(kind):
        for child in kind:
            yield from _places(f"{path}.{child.name}", child.type, inside, map_keys)
    elif pat.is_map(kind) and path in map_keys:
        for key in map_keys[path]:
            yield from _places(f"{path}.{key}", kind.item_type, inside, map_keys)
    elif pat.is_map(kind):
        yield from _places(f"{path}.key", kind.key_type, (*inside, path), map_keys)
        yield from _places(f"{path}.value", kind.item_type, (*inside, path), map_keys)
    elif labels.is_list(kind):
        element = value_type(kind.value_type)
        if pat.is_struct(element):
            for child in element:
                yield from _places(f"{path}.{child.name}", child.type, (*inside, path), map_keys)
        elif is_item(element):
            yield from _places(f"{path}.item", element, (*inside, path), map_keys)


def value_type(kind: pa.DataType) -> pa.DataType:
    """The type of the values of a dictionary, or the type itself."""
    return kind.value_type if pat.is_dictionary(kind) else kind


def is_item(element: pa.DataType) -> bool:
    """Whether an element of a list has a path of its own, `<list>.item`."""
    return bool(labels.is_list(element) or pat.is_map(element))


def every_list(found: Sequence[Place]) -> tuple[tuple[str, ...], ...]:
    """The lists that are in no map, each as a group of its own."""
    maps = {place.path for place in found if pat.is_map(place.type)}
    return tuple((place.path,) for place in found if labels.is_list(place.type) and not maps.intersection(place.inside))


def path_problems(
    schema: pa.Schema, options: Options, groups: Sequence[Sequence[str]], found: Sequence[Place]
) -> Iterator[tuple[bool, Problem]]:
    """(whether a path is not there, the problem) for everything that is wrong with the paths of options."""
    at = _by_path(found)
    # Row ids are made of the input, where the keys of a map are not columns yet.
    source = _by_path(places(schema, {}))
    exploded = [path for group in groups for path in group]
    columns = [(path, "key=") for path in options.key] + [(path, "repeat=") for path in options.repeat or ()]
    named = [(path, "explode=") for path in exploded] + [(path, "map_keys=") for path in options.map_keys] + columns
    for path, option in named:
        here = (source if option == "key=" else at).get(path, [])
        if len(here) > 1:
            what = f"`{path}` means {len(here)} fields, as a name has a dot or stands twice"
            yield True, Problem(what, option, "rename one of them first")
        elif not here:
            known = [place.path for place in found if option not in ("explode=", "map_keys=") or place.is_list]
            yield True, Problem(f"no field `{path}`", option, nearest(path, known))
        else:
            yield from ((False, problem) for problem in _kind_problems(here[0], option, exploded))
    for path, keys in options.map_keys.items():
        if path in at and pat.is_map(at[path][0].type):
            yield from ((False, problem) for problem in _key_problems(path, keys, at[path][0].type))


def _by_path(found: Sequence[Place]) -> dict[str, list[Place]]:
    at: dict[str, list[Place]] = {}
    for place in found:
        at.setdefault(place.path, []).append(place)
    return at


def _kind_problems(place: Place, option: str, exploded: Sequence[str]) -> Iterator[Problem]:
    path = place.path
    if option == "explode=" and not place.is_list:
        fix = "structs become columns without it" if pat.is_struct(place.type) else "take it out"
        yield Problem(f"`{path}` is {place.type}, neither a list nor a map", option, fix)
    if option == "map_keys=" and not pat.is_map(place.type):
        yield Problem(f"`{path}` is {place.type}, not a map", option, "take it out")
    if option in ("key=", "repeat=") and place.inside:
        yield Problem(f"`{path}` is in the list `{place.inside[-1]}`", option, "name a column that a row has once")
    elif closed := [outside for outside in place.inside if outside not in exploded]:
        fix = f"explode it too: explode={[*closed, path]}" if option == "explode=" else f"explode `{closed[0]}`"
        yield Problem(f"`{path}` is in `{closed[0]}`, which is not exploded", option, fix)


def _key_problems(path: str, keys: Sequence[MapKey], kind: pa.MapType) -> Iterator[Problem]:
    for key in keys:
        try:
            pa.scalar(key, value_type(kind.key_type))
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
            fix = f"write keys of type {kind.key_type}"
            yield Problem(f"`{key}` cannot be a key, which are {kind.key_type}", f"map_keys= `{path}`", fix)


def levels_of(
    groups: Sequence[Sequence[str]], found: Sequence[Place], problems: list[Problem]
) -> list[tuple[str, ...]]:
    """The groups from the outermost list inwards; a problem where two are not nested in each other."""
    inside = {place.path: place.inside for place in found}
    ordered = sorted((tuple(group) for group in groups), key=lambda group: len(inside[group[0]]))
    before: tuple[str, ...] = ()
    for group in ordered:
        fix = "tables=True for a table each; two FlattenRecords, one after the other, if every combination is wanted"
        if len({len(inside[path]) for path in group}) > 1:
            names = " and ".join(f"`{path}`" for path in group)
            problems.append(Problem(f"{names} are at different depths and cannot go side by side", "explode=", fix))
        elif strangers := [path for path in group if not _continues(inside[path], before)]:
            what = f"`{before[0]}` and `{strangers[0]}` are not nested: they would give every combination of items"
            if len(inside[strangers[0]]) == len(inside[before[0]]):
                fix = f'explode=[["{before[0]}", "{strangers[0]}"]] to go through them side by side; {fix}'
            problems.append(Problem(what, "explode=", fix))
        before = group
    return ordered


def _continues(inside: tuple[str, ...], before: tuple[str, ...]) -> bool:
    return inside[-1] in before if inside else not before
