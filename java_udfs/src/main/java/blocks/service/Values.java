package blocks.service;

import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.math.BigDecimal;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.beam.sdk.extensions.sql.impl.utils.CalciteUtils;
import org.apache.beam.sdk.schemas.Schema;
import org.apache.beam.sdk.schemas.Schema.FieldType;
import org.apache.beam.sdk.schemas.Schema.LogicalType;
import org.apache.beam.sdk.schemas.logicaltypes.SqlTypes;
import org.apache.beam.sdk.values.Row;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.avatica.util.ByteString;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.rel.type.RelDataType;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.rel.type.RelDataTypeFactory;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.sql.type.SqlTypeName;
import org.joda.time.Instant;
import org.joda.time.ReadableInstant;

/**
 * The Java types that a scalar function may have, what they are in SQL, and how Calcite holds their values.
 *
 * <p>Boolean, Byte, Short, Integer, Long, Float, Double, BigDecimal, String, byte[], java.time.LocalDate and LocalTime,
 * Instant (of java.time or Joda), and List and Map of these.
 */
final class Values {
  private static final long NANOS_PER_MILLI = 1_000_000L;
  private static final long MILLIS_PER_DAY = 86_400_000L;
  private static final Converter SAME = value -> value;
  private static final Map<Class<?>, Kind> KINDS = new LinkedHashMap<>();

  static {
    kind(SqlTypeName.BOOLEAN, SAME, boolean.class, Boolean.class);
    kind(SqlTypeName.TINYINT, value -> ((Number) value).byteValue(), byte.class, Byte.class);
    kind(SqlTypeName.SMALLINT, value -> ((Number) value).shortValue(), short.class, Short.class);
    kind(SqlTypeName.INTEGER, value -> ((Number) value).intValue(), int.class, Integer.class);
    kind(SqlTypeName.BIGINT, value -> ((Number) value).longValue(), long.class, Long.class);
    kind(SqlTypeName.FLOAT, value -> ((Number) value).floatValue(), float.class, Float.class);
    kind(SqlTypeName.DOUBLE, value -> ((Number) value).doubleValue(), double.class, Double.class);
    kind(SqlTypeName.DECIMAL, Values::decimal, BigDecimal.class);
    kind(SqlTypeName.VARCHAR, SAME, String.class);
    KINDS.put(byte[].class, new Kind(SqlTypeName.VARBINARY, Values::bytes, value -> new ByteString((byte[]) value)));
    KINDS.put(
        LocalDate.class,
        new Kind(
            SqlTypeName.DATE,
            value -> LocalDate.ofEpochDay(((Number) value).longValue()),
            value -> (int) ((LocalDate) value).toEpochDay()));
    KINDS.put(
        LocalTime.class,
        new Kind(
            SqlTypeName.TIME,
            value -> LocalTime.ofNanoOfDay(((Number) value).longValue() * NANOS_PER_MILLI),
            value -> (int) (((LocalTime) value).toNanoOfDay() / NANOS_PER_MILLI)));
    KINDS.put(
        Instant.class,
        new Kind(
            SqlTypeName.TIMESTAMP,
            value -> Instant.ofEpochMilli(((Number) value).longValue()),
            value -> ((Instant) value).getMillis()));
    KINDS.put(
        java.time.Instant.class,
        new Kind(
            SqlTypeName.TIMESTAMP,
            value -> java.time.Instant.ofEpochMilli(((Number) value).longValue()),
            value -> ((java.time.Instant) value).toEpochMilli()));
  }

  private Values() {}

  /** Makes one form of a value, which is not null, into another. */
  @FunctionalInterface
  interface Converter {
    Object convert(Object value);
  }

  private record Kind(SqlTypeName sql, Converter argument, Converter result) {}

  private static void kind(SqlTypeName sql, Converter argument, Class<?>... types) {
    for (Class<?> type : types) {
      KINDS.put(type, new Kind(sql, argument, SAME));
    }
  }

  private static Object decimal(Object value) {
    return value instanceof BigDecimal ? value : new BigDecimal(value.toString());
  }

  private static Object bytes(Object value) {
    return value instanceof ByteString ? ((ByteString) value).getBytes() : value;
  }

  /** What an argument is made into. */
  static Converter argument(Type type) {
    return converter(type, true);
  }

  /** What a result is made into. */
  static Converter result(Type type) {
    return converter(type, false);
  }

  private static Converter converter(Type type, boolean argument) {
    if (type instanceof ParameterizedType) {
      ParameterizedType of = (ParameterizedType) type;
      Type[] inner = of.getActualTypeArguments();
      if (inner.length == 1 && of.getRawType() == List.class) {
        return list(converter(inner[0], argument));
      }
      if (inner.length == 2 && of.getRawType() == Map.class) {
        return map(converter(inner[0], argument), converter(inner[1], argument));
      }
    }
    Kind kind = KINDS.get(type);
    if (kind == null) {
      throw new IllegalArgumentException(type.getTypeName());
    }
    return argument ? kind.argument() : kind.result();
  }

  private static Converter list(Converter item) {
    return value -> {
      List<Object> converted = new ArrayList<>(((List<?>) value).size());
      for (Object one : (List<?>) value) {
        converted.add(one == null ? null : item.convert(one));
      }
      return converted;
    };
  }

  private static Converter map(Converter key, Converter item) {
    return value -> {
      Map<Object, Object> converted = new LinkedHashMap<>();
      for (Map.Entry<?, ?> one : ((Map<?, ?>) value).entrySet()) {
        Object found = one.getValue();
        Object name = one.getKey();
        converted.put(name == null ? null : key.convert(name), found == null ? null : item.convert(found));
      }
      return converted;
    };
  }

  /** The SQL type of a parameter, as Beam registers its own functions: Calcite then converts arguments by itself. */
  static RelDataType parameterType(RelDataTypeFactory factory, Type type) {
    Kind kind = KINDS.get(type);
    boolean temporal = kind != null && kind.argument() != SAME && !isKnownToBeam(type);
    return nullable(factory, temporal ? factory.createSqlType(kind.sql()) : beamType(factory, type));
  }

  private static RelDataType beamType(RelDataTypeFactory factory, Type type) {
    return CalciteUtils.sqlTypeWithAutoCast(factory, type);
  }

  private static boolean isKnownToBeam(Type type) {
    return type instanceof Class<?> one
        && (one.isPrimitive() || Number.class.isAssignableFrom(one) || one == byte[].class);
  }

  /** The SQL type of a result. */
  static RelDataType resultType(RelDataTypeFactory factory, Type type) {
    if (type instanceof ParameterizedType) {
      ParameterizedType of = (ParameterizedType) type;
      Type[] inner = of.getActualTypeArguments();
      if (of.getRawType() == List.class) {
        return nullable(factory, factory.createArrayType(resultType(factory, inner[0]), -1));
      }
      return nullable(factory, factory.createMapType(resultType(factory, inner[0]), resultType(factory, inner[1])));
    }
    Kind kind = KINDS.get(type);
    if (kind == null) {
      throw new IllegalArgumentException(type.getTypeName());
    }
    return nullable(factory, factory.createSqlType(kind.sql()));
  }

  private static RelDataType nullable(RelDataTypeFactory factory, RelDataType type) {
    return factory.createTypeWithNullability(type, true);
  }

  /** The class of Calcite's values of a type. */
  static Class<?> calciteClass(FieldType type) {
    switch (type.getTypeName()) {
      case BOOLEAN:
        return Boolean.class;
      case BYTE:
        return Byte.class;
      case INT16:
        return Short.class;
      case INT32:
        return Integer.class;
      case INT64:
      case DATETIME:
        return Long.class;
      case FLOAT:
        return Float.class;
      case DOUBLE:
        return Double.class;
      case DECIMAL:
        return BigDecimal.class;
      case STRING:
        return String.class;
      case BYTES:
        return ByteString.class;
      case ARRAY:
      case ITERABLE:
      case ROW:
        return List.class;
      case MAP:
        return Map.class;
      default:
        return isLogical(type, SqlTypes.DATETIME) ? Long.class : Integer.class;
    }
  }

  private static boolean isLogical(FieldType type, LogicalType<?, ?> logical) {
    return type.getLogicalType() != null && type.getLogicalType().getIdentifier().equals(logical.getIdentifier());
  }

  /** From values as Beam's rows hold them to Calcite's. */
  static Converter calcite(FieldType type) {
    switch (type.getTypeName()) {
      case DATETIME:
        return value -> ((ReadableInstant) value).getMillis();
      case BYTES:
        return value -> new ByteString((byte[]) value);
      case ARRAY:
      case ITERABLE:
        return list(calcite(type.getCollectionElementType()));
      case MAP:
        return map(calcite(type.getMapKeyType()), calcite(type.getMapValueType()));
      case ROW:
        Converter[] fields =
            type.getRowSchema().getFields().stream().map(field -> calcite(field.getType())).toArray(Converter[]::new);
        return value -> converted(((Row) value).getValues(), fields);
      case LOGICAL_TYPE:
        if (isLogical(type, SqlTypes.DATE)) {
          return value -> (int) ((LocalDate) value).toEpochDay();
        }
        if (isLogical(type, SqlTypes.TIME)) {
          return value -> (int) (((LocalTime) value).toNanoOfDay() / NANOS_PER_MILLI);
        }
        if (isLogical(type, SqlTypes.DATETIME)) {
          return value -> ((LocalDateTime) value).toInstant(ZoneOffset.UTC).toEpochMilli();
        }
        throw new UnsupportedOperationException("no SQL type for " + type.getLogicalType().getIdentifier());
      default:
        return SAME;
    }
  }

  /** From Calcite's values to those that Beam's rows hold; a number may come as another kind than its type says. */
  static Converter beam(FieldType type) {
    switch (type.getTypeName()) {
      case BYTE:
        return value -> ((Number) value).byteValue();
      case INT16:
        return value -> ((Number) value).shortValue();
      case INT32:
        return value -> ((Number) value).intValue();
      case INT64:
        return value -> ((Number) value).longValue();
      case FLOAT:
        return value -> ((Number) value).floatValue();
      case DOUBLE:
        return value -> ((Number) value).doubleValue();
      case DECIMAL:
        return Values::decimal;
      case DATETIME:
        return value -> Instant.ofEpochMilli(millis(value));
      case BYTES:
        return Values::bytes;
      case ARRAY:
      case ITERABLE:
        return list(beam(type.getCollectionElementType()));
      case MAP:
        return map(beam(type.getMapKeyType()), beam(type.getMapValueType()));
      case ROW:
        Schema schema = type.getRowSchema();
        Converter[] fields = schema.getFields().stream().map(field -> beam(field.getType())).toArray(Converter[]::new);
        return value -> {
          List<?> values = value instanceof Object[] ? Arrays.asList((Object[]) value) : (List<?>) value;
          return Row.withSchema(schema).attachValues(converted(values, fields));
        };
      case LOGICAL_TYPE:
        return logical(type);
      default:
        return SAME;
    }
  }

  private static Converter logical(FieldType type) {
    if (isLogical(type, SqlTypes.DATE)) {
      return value ->
          LocalDate.ofEpochDay(
              value instanceof Number ? ((Number) value).longValue() : Math.floorDiv(millis(value), MILLIS_PER_DAY));
    }
    if (isLogical(type, SqlTypes.TIME)) {
      return value -> LocalTime.ofNanoOfDay(Math.floorMod(millis(value), MILLIS_PER_DAY) * NANOS_PER_MILLI);
    }
    if (isLogical(type, SqlTypes.DATETIME)) {
      return value -> LocalDateTime.ofInstant(java.time.Instant.ofEpochMilli(millis(value)), ZoneOffset.UTC);
    }
    throw new UnsupportedOperationException("no SQL type for " + type.getLogicalType().getIdentifier());
  }

  private static long millis(Object value) {
    return value instanceof java.util.Date ? ((java.util.Date) value).getTime() : ((Number) value).longValue();
  }

  private static List<Object> converted(List<?> values, Converter[] fields) {
    List<Object> found = new ArrayList<>(fields.length);
    for (int place = 0; place < fields.length; place++) {
      Object value = values.get(place);
      found.add(value == null ? null : fields[place].convert(value));
    }
    return found;
  }
}
