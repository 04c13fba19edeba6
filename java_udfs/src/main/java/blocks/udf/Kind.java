package blocks.udf;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.time.LocalDate;
import java.time.LocalTime;
import java.util.Arrays;
import java.util.Comparator;
import org.apache.beam.sdk.schemas.Schema.FieldType;
import org.apache.beam.sdk.schemas.logicaltypes.SqlTypes;
import org.joda.time.Instant;
import org.joda.time.ReadableInstant;

/** The types of values that an aggregate of any type takes: each with one form for a value, an order, and bytes. */
public enum Kind implements Comparator<Object> {
  BOOLEAN(FieldType.BOOLEAN) {
    @Override
    public int compare(Object left, Object right) {
      return ((Boolean) left).compareTo((Boolean) right);
    }

    @Override
    public void write(Object value, DataOutput out) throws IOException {
      out.writeBoolean((Boolean) value);
    }

    @Override
    public Object read(DataInput in) throws IOException {
      return in.readBoolean();
    }
  },
  BIGINT(FieldType.INT64) {
    @Override
    public Object of(Object given) {
      return Numbers.toLong(given);
    }

    @Override
    public int compare(Object left, Object right) {
      return ((Long) left).compareTo((Long) right);
    }

    @Override
    public void write(Object value, DataOutput out) throws IOException {
      out.writeLong((Long) value);
    }

    @Override
    public Object read(DataInput in) throws IOException {
      return in.readLong();
    }
  },
  /** One zero and one NaN, which is greater than all else. */
  DOUBLE(FieldType.DOUBLE) {
    @Override
    public Object of(Object given) {
      return ((Number) given).doubleValue() + 0.0;
    }

    @Override
    public int compare(Object left, Object right) {
      return ((Double) left).compareTo((Double) right);
    }

    @Override
    public void write(Object value, DataOutput out) throws IOException {
      out.writeLong(Double.doubleToLongBits((Double) value));
    }

    @Override
    public Object read(DataInput in) throws IOException {
      return Double.longBitsToDouble(in.readLong());
    }
  },
  /** 1.50 and 1.5 are one value. */
  DECIMAL(FieldType.DECIMAL) {
    @Override
    public Object of(Object given) {
      BigDecimal value = Numbers.toDecimal(given).stripTrailingZeros();
      return value.scale() < 0 && value.precision() - value.scale() < MOST_DIGITS ? value.setScale(0) : value;
    }

    @Override
    public int compare(Object left, Object right) {
      return ((BigDecimal) left).compareTo((BigDecimal) right);
    }

    @Override
    public void write(Object value, DataOutput out) throws IOException {
      out.writeInt(((BigDecimal) value).scale());
      writeBytes(((BigDecimal) value).unscaledValue().toByteArray(), out);
    }

    @Override
    public Object read(DataInput in) throws IOException {
      int scale = in.readInt();
      return new BigDecimal(new BigInteger(readBytes(in)), scale);
    }
  },
  /** In the order of code points, which is that of UTF-8 and not that of Java's chars. */
  VARCHAR(FieldType.STRING) {
    @Override
    public int compare(Object left, Object right) {
      return byCodePoint((String) left, (String) right);
    }

    @Override
    public void write(Object value, DataOutput out) throws IOException {
      writeBytes(((String) value).getBytes(StandardCharsets.UTF_8), out);
    }

    @Override
    public Object read(DataInput in) throws IOException {
      return new String(readBytes(in), StandardCharsets.UTF_8);
    }
  },
  VARBINARY(FieldType.BYTES) {
    @Override
    public int compare(Object left, Object right) {
      return Arrays.compareUnsigned((byte[]) left, (byte[]) right);
    }

    @Override
    public void write(Object value, DataOutput out) throws IOException {
      writeBytes((byte[]) value, out);
    }

    @Override
    public Object read(DataInput in) throws IOException {
      return readBytes(in);
    }
  },
  DATE(FieldType.logicalType(SqlTypes.DATE)) {
    @Override
    public int compare(Object left, Object right) {
      return ((LocalDate) left).compareTo((LocalDate) right);
    }

    @Override
    public void write(Object value, DataOutput out) throws IOException {
      out.writeLong(((LocalDate) value).toEpochDay());
    }

    @Override
    public Object read(DataInput in) throws IOException {
      return LocalDate.ofEpochDay(in.readLong());
    }
  },
  TIME(FieldType.logicalType(SqlTypes.TIME)) {
    @Override
    public int compare(Object left, Object right) {
      return ((LocalTime) left).compareTo((LocalTime) right);
    }

    @Override
    public void write(Object value, DataOutput out) throws IOException {
      out.writeLong(((LocalTime) value).toNanoOfDay());
    }

    @Override
    public Object read(DataInput in) throws IOException {
      return LocalTime.ofNanoOfDay(in.readLong());
    }
  },
  /** In milliseconds, as Beam SQL has it. */
  TIMESTAMP(FieldType.DATETIME) {
    @Override
    public Object of(Object given) {
      return ((ReadableInstant) given).toInstant();
    }

    @Override
    public int compare(Object left, Object right) {
      return Long.compare(((Instant) left).getMillis(), ((Instant) right).getMillis());
    }

    @Override
    public void write(Object value, DataOutput out) throws IOException {
      out.writeLong(((Instant) value).getMillis());
    }

    @Override
    public Object read(DataInput in) throws IOException {
      return Instant.ofEpochMilli(in.readLong());
    }
  };

  /** Of a decimal that is written out in full; SQL's have 38 at most. */
  private static final int MOST_DIGITS = 1000;

  private final FieldType type;

  Kind(FieldType type) {
    this.type = type;
  }

  /** The type as Beam writes it. */
  public FieldType type() {
    return type;
  }

  /** The one form of a value: two that are equal in SQL are equal here. */
  public Object of(Object given) {
    return given;
  }

  /** The order of values in their one form. */
  @Override
  public abstract int compare(Object left, Object right);

  /** Writes a value in its one form. */
  public abstract void write(Object value, DataOutput out) throws IOException;

  /** Reads what {@link #write} wrote. */
  public abstract Object read(DataInput in) throws IOException;

  private static int byCodePoint(String left, String right) {
    int length = Math.min(left.length(), right.length());
    for (int index = 0; index < length; index++) {
      char one = left.charAt(index);
      char other = right.charAt(index);
      if (one != other) {
        // A surrogate stands for a code point beyond all that one char can be.
        boolean beyond = Character.isSurrogate(one);
        return beyond == Character.isSurrogate(other) ? one - other : beyond ? 1 : -1;
      }
    }
    return left.length() - right.length();
  }

  private static void writeBytes(byte[] bytes, DataOutput out) throws IOException {
    out.writeInt(bytes.length);
    out.write(bytes);
  }

  private static byte[] readBytes(DataInput in) throws IOException {
    byte[] bytes = new byte[in.readInt()];
    in.readFully(bytes);
    return bytes;
  }
}
