"""The Arrow schema, with labels, of rows that come from another language.

Where it comes from, the first that there is:

1. the config field `input_schema`, a schema file; decimals need it, because Beam's have no precision,
2. the schema that an earlier block left in the row type, as long as nobody changed the columns,
3. the row type itself, with what its field options say: `blocks.label`, `blocks.event_time`, `blocks.key` and
   `blocks.description`, all text, on fields at any depth.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa
import pyarrow.types as pat
from apache_beam.portability import common_urns
from apache_beam.portability.api import beam_expansion_api_pb2, schema_pb2
from apache_beam.typehints import row_type, schemas

from blocks.core import labels
from blocks.core.errors import Problem, SchemaError, all_problems, unknown_column
from blocks.core.row_types import arrow_schema_of
from blocks.core.schema.meaning import schema_problems

_OPTIONS = (labels.LABEL, labels.EVENT_TIME, labels.KEY, labels.DESCRIPTION)


def sent_schemas(request: beam_expansion_api_pb2.ExpansionRequest) -> dict[str, schema_pb2.Schema]:
    """The schema of each input of a request that is made of rows, by the input's name.

    Taken from the coders as they were sent: Beam's Python types lose the options of fields.
    """
    found = {}
    for tag, name in request.transform.inputs.items():
        coder = request.components.coders[request.components.pcollections[name].coder_id].spec
        if coder.urn == common_urns.coders.ROW.urn:
            found[tag] = schema_pb2.Schema.FromString(coder.payload)
    return found


def check_readable(sent: Mapping[str, schema_pb2.Schema], where: str) -> None:
    """Refuses rows that Beam cannot hand over to Python, before it fails on them.

    Args:
      sent: from `sent_schemas`.
      where: the step, for the error.

    Raises:
      SchemaError: every field of a type that Python does not know, such as Java's `SqlTypes.DATE`.
    """
    with all_problems(where, SchemaError) as problems:
        for tag, schema in sent.items():
            for field in schema.fields:
                if what := _unreadable(field.type):
                    place, fix = f"input `{tag}`, field `{field.name}`", "send it as text, INT64 or DATETIME"
                    problems.append(Problem(what, place, fix))


def _unreadable(kind: schema_pb2.FieldType) -> str:
    """Why Beam cannot hand a type over to Python; empty if it can."""
    if kind.atomic_type == schema_pb2.BYTE:
        return "Beam's Python reads a negative BYTE as another number"
    parts: list[schema_pb2.FieldType] = []
    info = kind.WhichOneof("type_info")
    if info in ("array_type", "iterable_type"):
        parts = [getattr(kind, info).element_type]
    elif info == "map_type":
        parts = [kind.map_type.key_type, kind.map_type.value_type]
    elif info == "row_type":
        parts = [field.type for field in kind.row_type.schema.fields]
    if found := next(filter(None, map(_unreadable, parts)), ""):
        return found
    try:
        schemas.typing_from_runner_api(kind)
    except Exception:
        # Beam has no error of its own for this: whatever a logical type's class raises.
        urn = kind.logical_type.urn
        return f"Beam's Python cannot read the {f'logical type `{urn}`' if urn else 'type'}"
    return ""


def input_columns(sent: schema_pb2.Schema, given: pa.Schema | None, where: str) -> pa.Schema:
    """The columns of rows.

    Args:
      sent: schema of the rows, from `sent_schemas`.
      given: from `input_schema`.
      where: the block and its input, for errors.

    Raises:
      SchemaError: fields whose Arrow type is not known, labels that are none, columns that `input_schema` does not have
        or has too many; all of them.
    """
    if given is not None:
        with all_problems(f"{where}: input_schema", SchemaError) as problems:
            problems.extend(_differences(given.names, [field.name for field in sent.fields]))
        return given
    rows = schemas.typing_from_runner_api(schema_pb2.FieldType(row_type=schema_pb2.RowType(schema=sent)))
    try:
        found = arrow_schema_of(rows, where)
    except SchemaError as error:
        fix = "send another type, or give `input_schema`, a file that says the type"
        problems = [Problem(one.what, one.where or where, fix) for one in error.problems]
        if len(problems) == 1:
            place = problems[0].where if problems[0].where.startswith(where) else f"{where}: {problems[0].where}"
            raise SchemaError(problems[0].what, where=place, fix=fix) from None
        raise SchemaError(error.what, where=where, problems=problems) from None
    found = pa.schema(_with_meaning(found, sent), found.metadata)
    with all_problems(where, SchemaError) as problems:
        problems.extend(schema_problems(found))
    return found


def labelled_type(rows: row_type.RowTypeConstraint, columns: pa.Schema) -> type:
    """A row type whose coder carries the schema's options, and on every column what its Arrow field says.

    Beam's coder of a row type writes names and types only; that of a registered NamedTuple writes its whole schema. So
    the next language can see the labels, and the next block finds them again.
    """
    schema = schema_pb2.Schema()
    schema.CopyFrom(schemas.typing_to_runner_api(rows).row_type.schema)
    for sent, column in zip(schema.fields, columns, strict=True):
        said = [(name, value) for name in _OPTIONS if (value := labels.get(column, name)) is not None]
        sent.options.extend(schemas.option_to_runner_api(option) for option in said)
    # Equal rows have one id: a service that runs for months does not gather types.
    schema.id = ""
    schema.id = str(uuid.uuid5(uuid.NAMESPACE_OID, schema.SerializeToString(deterministic=True).hex()))
    return schemas.named_tuple_from_schema(schema)


def _differences(wanted: Sequence[str], sent: Sequence[str]) -> Iterable[Problem]:
    yield from (unknown_column(name, sent) for name in wanted if name not in sent)
    for name in sent:
        if name not in wanted:
            # A column that nobody named would be lost without a word.
            yield Problem(f"the rows have a column `{name}`", "", "add it to the schema, or leave it out of the rows")


def _with_meaning(fields: Iterable[pa.Field], sent: schema_pb2.Schema) -> list[pa.Field]:
    """The fields with what the options of the sent ones say, at every depth."""
    return [_field(field, described) for field, described in zip(fields, sent.fields, strict=True)]


def _field(field: pa.Field, sent: schema_pb2.Field) -> pa.Field:
    said = {
        option.name: option.value.atomic_value.string
        for option in sent.options
        if option.name in _OPTIONS and option.type.atomic_type == schema_pb2.STRING
    }
    field = field.with_type(_type(field.type, sent.type))
    return labels.put(field, said) if said else field


def _type(data_type: pa.DataType, sent: schema_pb2.FieldType) -> pa.DataType:
    kind = sent.WhichOneof("type_info")
    if kind == "row_type" and pat.is_struct(data_type):
        return pa.struct(_with_meaning(data_type, sent.row_type.schema))
    if kind in ("array_type", "iterable_type") and pat.is_list(data_type):
        element = data_type.value_field
        return pa.list_(element.with_type(_type(element.type, getattr(sent, kind).element_type)))
    if kind == "map_type" and pat.is_map(data_type):
        item = data_type.item_field
        return pa.map_(data_type.key_type, item.with_type(_type(item.type, sent.map_type.value_type)))
    return data_type
