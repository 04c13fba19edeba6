package blocks.udf;

import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.math.BigDecimal;
import java.time.LocalDate;
import java.time.LocalTime;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.apache.beam.sdk.schemas.Schema.FieldType;
import org.joda.time.Instant;

/** The types of Java and of Beam as Beam SQL writes them. */
final class SqlTypes {
  private static final Map<Type, String> OF_JAVA =
      Map.ofEntries(
          Map.entry(Boolean.class, "BOOLEAN"),
          Map.entry(Byte.class, "TINYINT"),
          Map.entry(Short.class, "SMALLINT"),
          Map.entry(Integer.class, "INTEGER"),
          Map.entry(Long.class, "BIGINT"),
          Map.entry(Float.class, "FLOAT"),
          Map.entry(Double.class, "DOUBLE"),
          Map.entry(BigDecimal.class, "DECIMAL"),
          Map.entry(String.class, "VARCHAR"),
          Map.entry(byte[].class, "VARBINARY"),
          Map.entry(LocalDate.class, "DATE"),
          Map.entry(LocalTime.class, "TIME"),
          Map.entry(Instant.class, "TIMESTAMP"),
          Map.entry(java.time.Instant.class, "TIMESTAMP"));

  private SqlTypes() {}

  /** Of an argument or a result of a method; none of a type that SQL functions cannot have. */
  static Optional<String> of(Type type) {
    if (type instanceof ParameterizedType) {
      Type[] inner = ((ParameterizedType) type).getActualTypeArguments();
      if (((ParameterizedType) type).getRawType() == List.class) {
        return of(inner[0]).map(item -> "ARRAY<" + item + ">");
      }
      if (((ParameterizedType) type).getRawType() == Map.class) {
        return of(inner[0]).flatMap(key -> of(inner[1]).map(value -> "MAP<" + key + ", " + value + ">"));
      }
    }
    return Optional.ofNullable(OF_JAVA.get(type));
  }

  /** Of a Beam type; none of one that Beam SQL does not have. */
  static Optional<String> of(FieldType type) {
    switch (type.getTypeName()) {
      case ARRAY:
      case ITERABLE:
        return of(type.getCollectionElementType()).map(item -> "ARRAY<" + item + ">");
      case MAP:
        return of(type.getMapKeyType())
            .flatMap(key -> of(type.getMapValueType()).map(value -> "MAP<" + key + ", " + value + ">"));
      case ROW:
        return Optional.of(
                type.getRowSchema().getFields().stream()
                    .map(field -> of(field.getType()).map(one -> field.getName() + " " + one))
                    .map(field -> field.orElse("?"))
                    .collect(Collectors.joining(", ", "ROW<", ">")))
            .filter(row -> !row.contains("?"));
      case LOGICAL_TYPE:
        return List.of(Kind.DATE, Kind.TIME).stream()
            .filter(kind -> kind.type().getLogicalType().getIdentifier().equals(type.getLogicalType().getIdentifier()))
            .map(Kind::name)
            .findFirst();
      default:
        return Optional.ofNullable(
            switch (type.getTypeName()) {
              case BOOLEAN -> "BOOLEAN";
              case BYTE -> "TINYINT";
              case INT16 -> "SMALLINT";
              case INT32 -> "INTEGER";
              case INT64 -> "BIGINT";
              case FLOAT -> "FLOAT";
              case DOUBLE -> "DOUBLE";
              case DECIMAL -> "DECIMAL";
              case STRING -> "VARCHAR";
              case BYTES -> "VARBINARY";
              case DATETIME -> "TIMESTAMP";
              default -> null;
            });
    }
  }
}
