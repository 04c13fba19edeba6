"""Makes the plan of flattening a schema, with everything that is wrong found on the way."""

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.types as pat

from blocks.core import labels
from blocks.core.errors import ColumnError, PrivacyError, Problem, SchemaError, all_problems, nearest
from blocks.core.labels import EVENT_TIME, KEY, LABEL, MASKED, PUBLIC
from blocks.flattening.options import BLOCK, MAIN, Options
from blocks.flattening.paths import every_list, is_item, levels_of, path_problems, places, value_type
from blocks.flattening.plan import (
    PARENT_ID,
    POSITION,
    POSITION_TYPE,
    ROOT,
    ROW_ID,
    Column,
    Emit,
    Enter,
    Level,
    Open,
    Pick,
    Plan,
    Space,
    Step,
    Table,
)
from blocks.flattening.row_ids import ID_TYPE, IdMeaning, id_meaning, id_type_problems


def plan_flattening(schema: pa.Schema, options: Options) -> Plan:
    """Plans the flattening of a schema.

    Raises:
      ColumnError: a path that is not there; columns or tables that would have one name, with both paths.
      SchemaError: a path of another kind, lists that are not nested in each other, a key that a map cannot have.
      PrivacyError: row ids that would give personal values away.
    """
    found = places(schema, options.map_keys)
    groups = every_list(found) if options.tables and options.explode is None else options.explode or ()
    wrong = list(path_problems(schema, options, groups, found))
    with all_problems(BLOCK, ColumnError if all(missing for missing, _ in wrong) else SchemaError) as problems:
        problems.extend(problem for _, problem in wrong)
    with all_problems(BLOCK, SchemaError) as problems:
        ordered = [tuple(group) for group in groups] if options.tables else levels_of(groups, found, problems)
    return _Planner(schema, options, ordered).plan()


def inherit(child: pa.Field, parent: pa.Field) -> pa.Field:
    """The child with the label and mask mark that hold for it below this parent."""
    if labels.labels_of(child):
        return child
    mark = labels.get(child, MASKED) or labels.get(parent, MASKED)
    return labels.put(child, {LABEL: labels.get(parent, LABEL), MASKED: mark})


class _Planner:
    def __init__(self, schema: pa.Schema, options: Options, groups: Sequence[tuple[str, ...]]) -> None:
        self._schema, self._options, self._groups = schema, options, groups
        self._exploded = {path for group in groups for path in group}
        self._spaces = [Space("", "", ROOT, None)]
        self._columns: list[Column] = []
        self._slots = 0
        self._labelled = any(leaf.labels for leaf in labels.leaves(schema))
        self._mistakes: list[Problem] = []

    def plan(self) -> Plan:
        steps = tuple(self._step(field, field.name, (field.name,), ROOT, top=True) for field in self._schema)
        with all_problems(BLOCK, SchemaError) as problems:
            problems.extend(self._mistakes)
        key, meaning = self._key() if self._options.row_id else (None, IdMeaning(None, None))
        tables = self._child_tables(meaning) if self._options.tables else [self._one_table(meaning)]
        with all_problems(BLOCK, ColumnError) as problems:
            problems.extend(_repeated(tables))
        return Plan(steps, tuple(self._spaces), tuple(tables), key)

    def _step(self, field: pa.Field, path: str, names: tuple[str, ...], space: int, top: bool = False) -> Step:
        """The step of a field that carries its inherited label; `top` marks what stays a column of the whole row."""
        if not top:
            field = labels.put(field, {EVENT_TIME: None, KEY: None})
        kind = value_type(field.type)
        if path in self._options.map_keys:
            return self._pick(field, kind, path, names, space)
        if path in self._exploded:
            return self._enter(field, kind, path, names, space)
        if pat.is_struct(kind):
            return Open(tuple(self._child(child, field, path, names, space) for child in kind))
        name = self._options.separator.join(names)
        self._columns.append(Column(field.with_name(name), path, space, self._slots))
        self._slots += 1
        return Emit(self._slots - 1)

    def _child(self, child: pa.Field, parent: pa.Field, path: str, names: tuple[str, ...], space: int) -> Step:
        field = inherit(child, parent).with_nullable(child.nullable or parent.nullable)
        # A struct that identifies the row does so through all of its children.
        mark = labels.get(parent, KEY)
        field = labels.put(field, {EVENT_TIME: None, KEY: mark})
        return self._step(field, f"{path}.{child.name}", (*names, child.name), space, top=mark is not None)

    def _pick(self, field: pa.Field, kind: pa.MapType, path: str, names: tuple[str, ...], space: int) -> Step:
        key = inherit(kind.key_field, field)
        if (mask := labels.masked_of(key)) is not None:
            what = f"the keys of `{path}` are masked by {mask.method}: the listed ones would never be found"
            fix = "put this block before MaskColumns, or explode the map instead"
            self._mistakes.append(Problem(what, f"map_keys= `{path}`", fix))
        value = labels.put(inherit(kind.item_field, field).with_nullable(True), {EVENT_TIME: None, KEY: None})
        return Pick(
            tuple(
                (
                    pa.scalar(one, value_type(kind.key_type)),
                    self._step(value, f"{path}.{one}", (*names, str(one)), space),
                )
                for one in self._options.map_keys[path]
            )
        )

    def _enter(self, field: pa.Field, kind: pa.DataType, path: str, names: tuple[str, ...], parent: int) -> Step:
        space = len(self._spaces)
        name = self._options.separator.join(names)
        if self._options.tables and parent != ROOT:
            name = self._options.separator.join((self._spaces[parent].name, *names))
        self._spaces.append(Space(path, name, parent, self._position_label(field)))
        self._columns.append(Column(pa.field(name, POSITION_TYPE), path, space, POSITION))
        inner = () if self._options.tables else names
        if pat.is_map(kind):
            parts = (("key", kind.key_field), ("value", kind.item_field))
            return Enter(
                space,
                Open(
                    tuple(
                        self._step(inherit(part, field), f"{path}.{word}", (*inner, word), space)
                        for word, part in parts
                    )
                ),
            )
        element = labels.put(inherit(kind.value_field, field), {EVENT_TIME: None, KEY: None})
        element_type = value_type(element.type)
        if is_item(element_type):
            last = ("value" if f"{path}.item" not in self._exploded else "item",) if self._options.tables else ("item",)
            return Enter(space, self._step(element, f"{path}.item", (*inner, *last), space))
        if pat.is_struct(element_type):
            # The path goes through the list: `orders.lines` names a list in the structs of a list.
            return Enter(space, Open(tuple(self._child(child, element, path, inner, space) for child in element_type)))
        scalar = inner or ("value",)
        self._columns.append(Column(element.with_name(self._options.separator.join(scalar)), path, space, self._slots))
        self._slots += 1
        return Enter(space, Emit(self._slots - 1))

    def _position_label(self, field: pa.Field) -> str | None:
        """A position is public, unless somebody labelled the list itself and it is not masked."""
        if not self._labelled:
            return None
        own = labels.get(field, LABEL)
        bare = any(leaf.masked is None and leaf.labels - {PUBLIC} for leaf in labels.leaves_of(field))
        return own if own and bare else PUBLIC

    def _key(self) -> tuple[tuple[tuple[int, ...], ...], IdMeaning]:
        paths = self._options.key or tuple(field.name for field in self._schema if labels.is_key(field))
        routes: list[tuple[int, ...]] = []
        leaves: list[labels.Leaf] = []
        for path in paths or self._schema.names:
            route, field = next(_routes(list(self._schema), path, None))
            routes.append(route)
            prefix = path.removesuffix(field.name)
            leaves.extend(
                labels.Leaf(prefix + leaf.path, leaf.field, leaf.labels, leaf.masked)
                for leaf in labels.leaves_of(field)
            )
        fix = "name public columns that identify a row: key=[...]"
        with all_problems(BLOCK, SchemaError) as problems:
            problems.extend(id_type_problems(leaves))
        with all_problems(BLOCK, PrivacyError) as problems:
            meaning = id_meaning(leaves, fix, problems)
        return tuple(routes), meaning

    @property
    def _has_key(self) -> bool:
        return bool(self._options.key) or any(labels.is_key(field) for field in self._schema)

    def _id_column(self, name: str, slot: int, meaning: IdMeaning, key: bool) -> Column:
        metadata = {LABEL: meaning.label, MASKED: meaning.masked, KEY: "true" if key else None}
        return Column(labels.put(pa.field(name, ID_TYPE, nullable=False), metadata), "the row id", ROOT, slot)

    def _one_table(self, meaning: IdMeaning) -> Table:
        """The normal form: every space in one chain."""
        options = self._options
        by_path = {space.path: number for number, space in enumerate(self._spaces)}
        levels = tuple(
            Level(tuple(by_path[path] for path in group), any(path in options.outer for path in group))
            for group in self._groups
        )
        sure = not any(level.outer or len(level.spaces) > 1 for level in levels)
        # Positions complete the key only where every row has them.
        identifies = not levels or (sure and options.position is not None)
        keyed = any(labels.is_key(field) for field in self._schema)
        padded = self._padded(levels)
        columns: list[Column] = []
        if options.row_id:
            marked = self._has_key and (not identifies or not keyed)
            columns.append(self._id_column(options.row_id, ROW_ID, meaning, key=marked))
        for column in self._columns:
            if column.slot == POSITION:
                if options.position is not None:
                    mark = "true" if keyed and identifies else None
                    columns.append(self._position(column, column.space in padded, mark))
            else:
                field = column.field.with_nullable(column.field.nullable or column.space in padded)
                field = field if identifies else labels.put(field, {KEY: None})
                columns.append(Column(field, column.path, column.space, column.slot))
        return self._table(MAIN, levels, columns)

    def _position(self, column: Column, nullable: bool, mark: str | None) -> Column:
        options, space = self._options, self._spaces[column.space]
        position = options.position or ""
        name = position if options.tables else options.separator.join((column.field.name, position))
        field = labels.put(pa.field(name, POSITION_TYPE, nullable), {LABEL: space.label, KEY: mark})
        return Column(field, f"the position of {space.path}", column.space, POSITION)

    def _padded(self, levels: Sequence[Level]) -> set[int]:
        """Spaces of which a row of the result may have no item."""
        sure: set[int] = {ROOT}
        for level in levels:
            if not level.outer and len(level.spaces) == 1:
                space = level.spaces[0]
                while space != ROOT:
                    sure.add(space)
                    space = self._spaces[space].parent
        return set(range(len(self._spaces))) - sure

    def _child_tables(self, meaning: IdMeaning) -> list[Table]:
        options = self._options
        keyed = any(labels.is_key(field) for field in self._schema)
        row_id, parent = options.row_id or "", self._id_column(options.parent_id, PARENT_ID, meaning, key=False)
        repeated = self._repeated_columns()
        tables = []
        for number, space in enumerate(self._spaces):
            own = [column for column in self._columns if column.space == number]
            marked = self._has_key and (number != ROOT or not keyed)
            columns = [self._id_column(row_id, ROW_ID, meaning, key=marked)]
            if number != ROOT:
                columns += [parent, self._position(own[0], nullable=False, mark=None), *repeated]
                own = own[1:]
            tables.append(self._table(space.name if number else MAIN, self._chain(number), [*columns, *own]))
        return tables

    def _repeated_columns(self) -> list[Column]:
        event_time = labels.event_time_of(self._schema)
        wanted = self._options.repeat if self._options.repeat is not None else (event_time,) if event_time else ()
        main = [column for column in self._columns if column.space == ROOT and column.slot != POSITION]
        repeated = [
            column for path in wanted for column in main if column.path == path or column.path.startswith(f"{path}.")
        ]
        with all_problems(BLOCK, ColumnError) as problems:
            for path in wanted:
                if not any(column.path == path or column.path.startswith(f"{path}.") for column in repeated):
                    names = [column.path for column in main]
                    problems.append(
                        Problem(f"`{path}` is no column of the main table", "repeat=", nearest(path, names))
                    )
        return [
            Column(labels.put(column.field, {KEY: None}), column.path, ROOT, column.slot)
            for column in dict.fromkeys(repeated)
        ]

    def _chain(self, space: int) -> tuple[Level, ...]:
        return () if space == ROOT else (*self._chain(self._spaces[space].parent), Level((space,), outer=False))

    def _table(self, name: str, levels: tuple[Level, ...], columns: Sequence[Column]) -> Table:
        # Two columns of one name are told by `_repeated`, with both paths.
        schema = pa.schema([column.field for column in columns], self._schema.metadata)
        return Table(name, schema, levels, tuple(columns))


def _routes(
    fields: Sequence[pa.Field], path: str, parent: pa.Field | None
) -> Iterator[tuple[tuple[int, ...], pa.Field]]:
    """(positions from a column through structs to a path, the field there with its inherited label)."""
    for position, plain_field in enumerate(fields):
        field = plain_field if parent is None else inherit(plain_field, parent)
        if path == field.name:
            yield (position,), field
        # A name may hold a dot, so more than one field can be the beginning of a path.
        kind = value_type(field.type)
        if path.startswith(f"{field.name}.") and pat.is_struct(kind):
            for route, found in _routes(list(kind), path.removeprefix(f"{field.name}."), field):
                yield (position, *route), found


def _repeated(tables: Sequence[Table]) -> list[Problem]:
    problems = []
    fix = "choose another separator= (or name of your own, for ids and positions), or rename one of them first"
    for table in tables:
        where = f"table `{table.name}`" if len(tables) > 1 else ""
        paths: dict[str, str] = {}
        for column in table.columns:
            name = column.field.name
            if name in paths:
                what = f"`{paths[name]}` and `{column.path}` would both be the column `{name}`"
                problems.append(Problem(what, where, fix))
            paths.setdefault(name, column.path)
        if not table.columns:
            problems.append(Problem("no column would be left", where, "give row_id=, or leave this block out"))
    names: dict[str, str] = {}
    for table in tables:
        path = next((column.path for column in table.columns if column.slot == POSITION), f"{MAIN} table")
        path = path.removeprefix("the position of ")
        if table.name in names:
            what = f"`{names[table.name]}` and `{path}` would both be the table `{table.name}`"
            problems.append(Problem(what, "", fix))
        names.setdefault(table.name, path)
    return problems
