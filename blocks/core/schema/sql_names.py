"""Types of SQL by the names of Arrow that are meant, for whoever writes one for the other."""

# Names of SQL, for which the nearest Arrow name in letters would often be another type.
SQL_NAMES = {
    "tinyint": "int8",
    **dict.fromkeys(("smallint", "int2"), "int16"),
    **dict.fromkeys(("int", "integer", "int4", "serial"), "int32"),
    **dict.fromkeys(("bigint", "long", "bigserial"), "int64"),
    **dict.fromkeys(("real", "float4"), "float32"),
    "float8": "float64",
    **dict.fromkeys(("numeric", "number", "dec"), "decimal128(18, 2)"),
    **dict.fromkeys(("varchar", "char", "character", "nvarchar", "text", "str", "uuid", "json"), "string"),
    **dict.fromkeys(("blob", "bytea", "bytes", "varbinary"), "binary"),
    **dict.fromkeys(("datetime", "timestamptz", "timestamp_tz"), "timestamp[us, tz=UTC]"),
    "timestamp_ntz": "timestamp[us]",
}
# What begins with the name of an Arrow type and is more than one word.
SQL_PHRASES = {
    "double precision": "float64",
    "timestamp with time zone": "timestamp[us, tz=UTC]",
    "timestamp without time zone": "timestamp[us]",
    "time without time zone": "time64[us]",
}
