package blocks.service;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.Channels;
import java.util.ArrayList;
import java.util.List;
import org.apache.arrow.vector.ipc.ReadChannel;
import org.apache.arrow.vector.ipc.WriteChannel;
import org.apache.arrow.vector.ipc.message.MessageSerializer;
import org.apache.arrow.vector.types.DateUnit;
import org.apache.arrow.vector.types.FloatingPointPrecision;
import org.apache.arrow.vector.types.TimeUnit;
import org.apache.arrow.vector.types.pojo.ArrowType;
import org.apache.arrow.vector.types.pojo.Field;
import org.apache.beam.sdk.schemas.Schema;
import org.apache.beam.sdk.schemas.Schema.FieldType;
import org.apache.beam.sdk.schemas.logicaltypes.SqlTypes;

/**
 * Arrow's types as those that Beam SQL computes with, and back.
 *
 * <p>Beam SQL has no unsigned integers (they widen), no precision of decimals (a result is decimal(38, 9) unless the
 * caller knows better) and instants in milliseconds.
 */
public final class ArrowTypes {
  static final int DECIMAL_DIGITS = 38;
  static final int DECIMAL_SCALE = 9;

  private ArrowTypes() {}

  /** A schema that Beam SQL cannot hold. */
  public static final class Unsupported extends IllegalArgumentException {
    public Unsupported(String path, ArrowType type) {
      super("column `" + path + "`: Beam SQL cannot hold " + type);
    }
  }

  /** The schema of an encapsulated IPC message. */
  public static org.apache.arrow.vector.types.pojo.Schema read(byte[] message) {
    try {
      return MessageSerializer.deserializeSchema(
          new ReadChannel(Channels.newChannel(new ByteArrayInputStream(message))));
    } catch (IOException cause) {
      throw new UncheckedIOException(cause);
    }
  }

  /** The encapsulated IPC message of a schema. */
  public static byte[] write(org.apache.arrow.vector.types.pojo.Schema schema) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try {
      MessageSerializer.serialize(new WriteChannel(Channels.newChannel(out)), schema);
    } catch (IOException cause) {
      throw new UncheckedIOException(cause);
    }
    return out.toByteArray();
  }

  /** What rows of these columns look like to Beam SQL. */
  public static Schema beamSchema(List<Field> fields) {
    return beamSchema(fields, "");
  }

  private static Schema beamSchema(List<Field> fields, String above) {
    Schema.Builder builder = Schema.builder();
    for (Field field : fields) {
      builder.addField(field.getName(), beamType(field, above + field.getName()));
    }
    return builder.build();
  }

  private static FieldType beamType(Field field, String path) {
    return required(field, path).withNullable(field.isNullable());
  }

  private static FieldType required(Field field, String path) {
    ArrowType type = field.getType();
    switch (type.getTypeID()) {
      case Bool:
        return FieldType.BOOLEAN;
      case Int:
        return integer((ArrowType.Int) type, path);
      case FloatingPoint:
        FloatingPointPrecision precision = ((ArrowType.FloatingPoint) type).getPrecision();
        if (precision == FloatingPointPrecision.HALF) {
          throw new Unsupported(path, type);
        }
        return precision == FloatingPointPrecision.SINGLE ? FieldType.FLOAT : FieldType.DOUBLE;
      case Decimal:
        return FieldType.DECIMAL;
      case Utf8:
      case LargeUtf8:
        return FieldType.STRING;
      case Binary:
      case LargeBinary:
      case FixedSizeBinary:
        return FieldType.BYTES;
      case Date:
        if (((ArrowType.Date) type).getUnit() != DateUnit.DAY) {
          throw new Unsupported(path, type);
        }
        return FieldType.logicalType(SqlTypes.DATE);
      case Time:
        return FieldType.logicalType(SqlTypes.TIME);
      case Timestamp:
        return FieldType.DATETIME;
      case List:
      case LargeList:
      case FixedSizeList:
        return FieldType.array(beamType(field.getChildren().get(0), path + "[]"));
      case Struct:
        return FieldType.row(beamSchema(field.getChildren(), path + "."));
      case Map:
        List<Field> entry = field.getChildren().get(0).getChildren();
        return FieldType.map(required(entry.get(0), path + "{key}"), beamType(entry.get(1), path + "{}"));
      default:
        throw new Unsupported(path, type);
    }
  }

  private static FieldType integer(ArrowType.Int type, String path) {
    int bits = type.getBitWidth();
    if (!type.getIsSigned()) {
      if (bits == 64) {
        throw new Unsupported(path, type);
      }
      bits *= 2;
    }
    switch (bits) {
      case 8:
        return FieldType.BYTE;
      case 16:
        return FieldType.INT16;
      case 32:
        return FieldType.INT32;
      default:
        return FieldType.INT64;
    }
  }

  /** The Arrow schema of what a query gives. */
  public static org.apache.arrow.vector.types.pojo.Schema arrowSchema(Schema schema) {
    return new org.apache.arrow.vector.types.pojo.Schema(arrowFields(schema, ""));
  }

  private static List<Field> arrowFields(Schema schema, String above) {
    List<Field> fields = new ArrayList<>();
    for (Schema.Field field : schema.getFields()) {
      fields.add(arrowField(field.getName(), field.getType(), above + field.getName()));
    }
    return fields;
  }

  private static Field arrowField(String name, FieldType type, String path) {
    boolean nullable = Boolean.TRUE.equals(type.getNullable());
    switch (type.getTypeName()) {
      case ROW:
        return field(name, nullable, new ArrowType.Struct(), arrowFields(type.getRowSchema(), path + "."));
      case ARRAY:
      case ITERABLE:
        Field item = arrowField("item", type.getCollectionElementType(), path + "[]");
        // The planner forgets whether an element may be null.
        Field inner = field("item", true, item.getType(), item.getChildren());
        return field(name, nullable, new ArrowType.List(), List.of(inner));
      case MAP:
        Field key = arrowField("key", type.getMapKeyType().withNullable(false), path + "{key}");
        Field value = arrowField("value", type.getMapValueType(), path + "{}");
        value = field("value", true, value.getType(), value.getChildren());
        Field entries = field("entries", false, new ArrowType.Struct(), List.of(key, value));
        return field(name, nullable, new ArrowType.Map(false), List.of(entries));
      default:
        return field(name, nullable, leaf(type, path), List.of());
    }
  }

  private static Field field(String name, boolean nullable, ArrowType type, List<Field> children) {
    return new Field(name, new org.apache.arrow.vector.types.pojo.FieldType(nullable, type, null), children);
  }

  private static ArrowType leaf(FieldType type, String path) {
    switch (type.getTypeName()) {
      case BOOLEAN:
        return new ArrowType.Bool();
      case BYTE:
        return new ArrowType.Int(8, true);
      case INT16:
        return new ArrowType.Int(16, true);
      case INT32:
        return new ArrowType.Int(32, true);
      case INT64:
        return new ArrowType.Int(64, true);
      case FLOAT:
        return new ArrowType.FloatingPoint(FloatingPointPrecision.SINGLE);
      case DOUBLE:
        return new ArrowType.FloatingPoint(FloatingPointPrecision.DOUBLE);
      case DECIMAL:
        return new ArrowType.Decimal(DECIMAL_DIGITS, DECIMAL_SCALE, 128);
      case STRING:
        return new ArrowType.Utf8();
      case BYTES:
        return new ArrowType.Binary();
      case DATETIME:
        return new ArrowType.Timestamp(TimeUnit.MICROSECOND, "UTC");
      case LOGICAL_TYPE:
        String identifier = type.getLogicalType().getIdentifier();
        if (identifier.equals(SqlTypes.DATE.getIdentifier())) {
          return new ArrowType.Date(DateUnit.DAY);
        }
        if (identifier.equals(SqlTypes.TIME.getIdentifier())) {
          return new ArrowType.Time(TimeUnit.MICROSECOND, 64);
        }
        if (identifier.equals(SqlTypes.DATETIME.getIdentifier())) {
          return new ArrowType.Timestamp(TimeUnit.MICROSECOND, null);
        }
        break;
      default:
    }
    throw new UnsupportedOperationException("column `" + path + "`: Arrow has no type for " + type.getTypeName());
  }
}
