package blocks.service;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.nio.charset.StandardCharsets;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.ZoneOffset;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.apache.arrow.vector.BaseLargeVariableWidthVector;
import org.apache.arrow.vector.BaseVariableWidthVector;
import org.apache.arrow.vector.BigIntVector;
import org.apache.arrow.vector.BitVector;
import org.apache.arrow.vector.DateDayVector;
import org.apache.arrow.vector.Decimal256Vector;
import org.apache.arrow.vector.DecimalVector;
import org.apache.arrow.vector.FieldVector;
import org.apache.arrow.vector.FixedSizeBinaryVector;
import org.apache.arrow.vector.Float4Vector;
import org.apache.arrow.vector.Float8Vector;
import org.apache.arrow.vector.IntVector;
import org.apache.arrow.vector.SmallIntVector;
import org.apache.arrow.vector.TimeMicroVector;
import org.apache.arrow.vector.TimeMilliVector;
import org.apache.arrow.vector.TimeNanoVector;
import org.apache.arrow.vector.TimeSecVector;
import org.apache.arrow.vector.TimeStampVector;
import org.apache.arrow.vector.TinyIntVector;
import org.apache.arrow.vector.UInt1Vector;
import org.apache.arrow.vector.UInt2Vector;
import org.apache.arrow.vector.UInt4Vector;
import org.apache.arrow.vector.complex.FixedSizeListVector;
import org.apache.arrow.vector.complex.LargeListVector;
import org.apache.arrow.vector.complex.ListVector;
import org.apache.arrow.vector.complex.MapVector;
import org.apache.arrow.vector.complex.StructVector;
import org.apache.arrow.vector.types.TimeUnit;
import org.apache.arrow.vector.types.pojo.ArrowType;
import org.apache.beam.sdk.values.Row;
import org.joda.time.ReadableInstant;

/**
 * Writes values as Beam SQL gives them into Arrow vectors of the types that the caller declared.
 *
 * <p>What does not fit (a number out of range, a null in a column that has none) is a {@link SqlFailure}; decimals are
 * rounded half up to the declared scale.
 */
final class ArrowSetters {
  private ArrowSetters() {}

  /** Writes the value at a place of one vector; vectors grow as they need. */
  @FunctionalInterface
  interface Setter {
    void set(int place, Object value);
  }

  /** A setter of a vector. */
  static Setter of(FieldVector vector, String path) {
    Setter present = present(vector, path);
    boolean nullable = vector.getField().isNullable();
    return (place, value) -> {
      if (value != null) {
        present.set(place, value);
      } else if (nullable) {
        hold(vector, place);
        vector.setNull(place);
      } else {
        throw new SqlFailure("a null in the column `" + path + "`, which is declared to have none");
      }
    };
  }

  private static void hold(FieldVector vector, int place) {
    while (place >= vector.getValueCapacity()) {
      vector.reAlloc();
    }
  }

  private static Setter present(FieldVector vector, String path) {
    switch (vector.getMinorType()) {
      case BIT:
        BitVector bits = (BitVector) vector;
        return (place, value) -> bits.setSafe(place, (Boolean) value ? 1 : 0);
      case TINYINT:
        TinyIntVector bytes = (TinyIntVector) vector;
        return (place, value) -> bytes.setSafe(place, (byte) within(value, -128, 127, path));
      case SMALLINT:
        SmallIntVector shorts = (SmallIntVector) vector;
        return (place, value) -> shorts.setSafe(place, (short) within(value, Short.MIN_VALUE, Short.MAX_VALUE, path));
      case INT:
        IntVector ints = (IntVector) vector;
        return (place, value) -> ints.setSafe(place, (int) within(value, Integer.MIN_VALUE, Integer.MAX_VALUE, path));
      case BIGINT:
        BigIntVector longs = (BigIntVector) vector;
        return (place, value) -> longs.setSafe(place, within(value, Long.MIN_VALUE, Long.MAX_VALUE, path));
      case UINT1:
        UInt1Vector unsigned1 = (UInt1Vector) vector;
        return (place, value) -> unsigned1.setSafe(place, (byte) within(value, 0, 255, path));
      case UINT2:
        UInt2Vector unsigned2 = (UInt2Vector) vector;
        return (place, value) -> unsigned2.setSafe(place, (char) within(value, 0, 65_535, path));
      case UINT4:
        UInt4Vector unsigned4 = (UInt4Vector) vector;
        return (place, value) -> unsigned4.setSafe(place, (int) within(value, 0, 0xffff_ffffL, path));
      case FLOAT4:
        Float4Vector floats = (Float4Vector) vector;
        return (place, value) -> floats.setSafe(place, ((Number) value).floatValue());
      case FLOAT8:
        Float8Vector doubles = (Float8Vector) vector;
        return (place, value) -> doubles.setSafe(place, ((Number) value).doubleValue());
      case DECIMAL:
        DecimalVector decimals = (DecimalVector) vector;
        return (place, value) ->
            decimals.setSafe(place, scaled(value, decimals.getScale(), decimals.getPrecision(), path));
      case DECIMAL256:
        Decimal256Vector wide = (Decimal256Vector) vector;
        return (place, value) -> wide.setSafe(place, scaled(value, wide.getScale(), wide.getPrecision(), path));
      case VARCHAR:
      case VARBINARY:
        BaseVariableWidthVector texts = (BaseVariableWidthVector) vector;
        return (place, value) -> texts.setSafe(place, bytes(value));
      case LARGEVARCHAR:
      case LARGEVARBINARY:
        BaseLargeVariableWidthVector large = (BaseLargeVariableWidthVector) vector;
        return (place, value) -> large.setSafe(place, bytes(value));
      case FIXEDSIZEBINARY:
        return fixed((FixedSizeBinaryVector) vector, path);
      case DATEDAY:
        DateDayVector days = (DateDayVector) vector;
        return (place, value) -> days.setSafe(place, (int) ((LocalDate) value).toEpochDay());
      case LIST:
        return list((ListVector) vector, path);
      case LARGELIST:
        return list((LargeListVector) vector, path);
      case FIXED_SIZE_LIST:
        return list((FixedSizeListVector) vector, path);
      case MAP:
        return map((MapVector) vector, path);
      case STRUCT:
        return struct((StructVector) vector, path);
      default:
        return vector instanceof TimeStampVector ? instant((TimeStampVector) vector) : time(vector, path);
    }
  }

  private static long within(Object value, long least, long most, String path) {
    try {
      long number = value instanceof BigDecimal decimal ? decimal.longValueExact() : ((Number) value).longValue();
      if (number >= least && number <= most) {
        return number;
      }
    } catch (ArithmeticException cause) {
      // Told below.
    }
    throw new SqlFailure("a value of the column `" + path + "` is out of range");
  }

  private static BigDecimal scaled(Object value, int scale, int digits, String path) {
    BigDecimal decimal = value instanceof BigDecimal given ? given : new BigDecimal(value.toString());
    // Asked before the digits are written out: of 1E1000000000 and 1E-1000000000 they are more than memory holds.
    long whole = (long) decimal.precision() - decimal.scale();
    if (decimal.signum() == 0 || whole < -scale) {
      return BigDecimal.valueOf(0, scale);
    }
    BigDecimal scaled = whole > digits - scale ? null : decimal.setScale(scale, RoundingMode.HALF_UP);
    if (scaled == null || scaled.precision() > digits) {
      throw new SqlFailure("a decimal of the column `" + path + "` has more than " + digits + " digits");
    }
    return scaled;
  }

  private static byte[] bytes(Object value) {
    return value instanceof byte[] ? (byte[]) value : value.toString().getBytes(StandardCharsets.UTF_8);
  }

  private static Setter fixed(FixedSizeBinaryVector vector, String path) {
    int width = vector.getByteWidth();
    return (place, value) -> {
      byte[] bytes = (byte[]) value;
      if (bytes.length != width) {
        throw new SqlFailure("bytes of the column `" + path + "` are not of the declared width");
      }
      vector.setSafe(place, bytes);
    };
  }

  private static Setter instant(TimeStampVector vector) {
    TimeUnit unit = ((ArrowType.Timestamp) vector.getField().getType()).getUnit();
    switch (unit) {
      case SECOND:
        return (place, value) -> vector.setSafe(place, Math.floorDiv(millis(value), 1_000L));
      case MILLISECOND:
        return (place, value) -> vector.setSafe(place, millis(value));
      case MICROSECOND:
        return (place, value) -> vector.setSafe(place, times(millis(value), 1_000L, vector));
      default:
        return (place, value) -> vector.setSafe(place, times(millis(value), 1_000_000L, vector));
    }
  }

  private static long times(long millis, long factor, FieldVector vector) {
    try {
      return Math.multiplyExact(millis, factor);
    } catch (ArithmeticException cause) {
      throw new SqlFailure("a timestamp of the column `" + vector.getName() + "` is out of range");
    }
  }

  private static long millis(Object value) {
    if (value instanceof LocalDateTime) {
      return ((LocalDateTime) value).toInstant(ZoneOffset.UTC).toEpochMilli();
    }
    return ((ReadableInstant) value).getMillis();
  }

  private static Setter time(FieldVector vector, String path) {
    if (vector instanceof TimeSecVector seconds) {
      return (place, value) -> seconds.setSafe(place, ((LocalTime) value).toSecondOfDay());
    }
    if (vector instanceof TimeMilliVector millis) {
      return (place, value) -> millis.setSafe(place, (int) (((LocalTime) value).toNanoOfDay() / 1_000_000L));
    }
    if (vector instanceof TimeMicroVector micros) {
      return (place, value) -> micros.setSafe(place, ((LocalTime) value).toNanoOfDay() / 1_000L);
    }
    if (vector instanceof TimeNanoVector nanos) {
      return (place, value) -> nanos.setSafe(place, ((LocalTime) value).toNanoOfDay());
    }
    throw new ArrowTypes.Unsupported(path, vector.getField().getType());
  }

  private static Setter list(ListVector vector, String path) {
    Setter items = items(vector.getDataVector(), path);
    return (place, value) -> {
      items.set(vector.startNewValue(place), value);
      vector.endValue(place, ((Collection<?>) value).size());
    };
  }

  private static Setter list(LargeListVector vector, String path) {
    Setter items = items(vector.getDataVector(), path);
    return (place, value) -> {
      items.set((int) vector.startNewValue(place), value);
      vector.endValue(place, ((Collection<?>) value).size());
    };
  }

  private static Setter list(FixedSizeListVector vector, String path) {
    Setter items = items(vector.getDataVector(), path);
    int size = vector.getListSize();
    return (place, value) -> {
      if (((Collection<?>) value).size() != size) {
        throw new SqlFailure("a list of the column `" + path + "` is not of the declared length");
      }
      items.set(vector.startNewValue(place), value);
    };
  }

  /** Writes all items of a collection, the first of them at the place. */
  private static Setter items(FieldVector vector, String path) {
    Setter item = of(vector, path + "[]");
    return (place, value) -> {
      int at = place;
      for (Object one : (Collection<?>) value) {
        item.set(at++, one);
      }
    };
  }

  private static Setter map(MapVector vector, String path) {
    StructVector entries = (StructVector) vector.getDataVector();
    Setter key = of((FieldVector) entries.getChildByOrdinal(0), path + "{key}");
    Setter item = of((FieldVector) entries.getChildByOrdinal(1), path + "{}");
    return (place, value) -> {
      Map<?, ?> map = (Map<?, ?>) value;
      int at = vector.startNewValue(place);
      for (Map.Entry<?, ?> entry : map.entrySet()) {
        hold(entries, at);
        entries.setIndexDefined(at);
        key.set(at, entry.getKey());
        item.set(at, entry.getValue());
        at++;
      }
      vector.endValue(place, map.size());
    };
  }

  private static Setter struct(StructVector vector, String path) {
    Setter[] setters = all(vector.getChildrenFromFields(), path + ".");
    return (place, value) -> {
      List<?> values = value instanceof Row ? ((Row) value).getValues() : (List<?>) value;
      hold(vector, place);
      vector.setIndexDefined(place);
      for (int field = 0; field < setters.length; field++) {
        setters[field].set(place, values.get(field));
      }
    };
  }

  /** The setters of the columns of a table, or of the fields of a struct; `above` is what their paths begin with. */
  static Setter[] all(List<FieldVector> vectors, String above) {
    return vectors.stream().map(one -> of(one, above + one.getName())).toArray(Setter[]::new);
  }
}
