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
import java.util.function.Function;
import org.apache.beam.sdk.schemas.Schema.FieldType;
import org.apache.beam.sdk.schemas.logicaltypes.SqlTypes;
import org.joda.time.Instant;
import org.joda.time.ReadableInstant;

/** The types of values that an aggregate of any type takes: each with one form for a value, an order, and bytes. */
public enum Kind implements Comparator<Object> {
  BOOLEAN(
      FieldType.BOOLEAN,
      Boolean.class::cast,
      Boolean::compare,
      (value, out) -> out.writeBoolean(value),
      DataInput::readBoolean),
  BIGINT(
      FieldType.INT64, Numbers::toLong, Long::compare, (value, out) -> out.writeLong(value), DataInput::readLong),
  /** One zero and one NaN, which is greater than all else. */
  DOUBLE(
      FieldType.DOUBLE,
      given -> Numbers.toDouble(given) + 0.0,
      Double::compare,
      (value, out) -> out.writeLong(Double.doubleToLongBits(value)),
      in -> Double.longBitsToDouble(in.readLong())),
  /** 1.50 and 1.5 are one value. */
  DECIMAL(FieldType.DECIMAL, Kind::plain, BigDecimal::compareTo, Kind::writeDecimal, Kind::readDecimal),
  /** In the order of code points, which is that of UTF-8 and not that of Java's chars. */
  VARCHAR(
      FieldType.STRING,
      String.class::cast,
      Kind::byCodePoint,
      (value, out) -> writeBytes(value.getBytes(StandardCharsets.UTF_8), out),
      in -> new String(readBytes(in), StandardCharsets.UTF_8)),
  VARBINARY(FieldType.BYTES, byte[].class::cast, Arrays::compareUnsigned, Kind::writeBytes, Kind::readBytes),
  DATE(
      FieldType.logicalType(SqlTypes.DATE),
      LocalDate.class::cast,
      LocalDate::compareTo,
      (value, out) -> out.writeLong(value.toEpochDay()),
      in -> LocalDate.ofEpochDay(in.readLong())),
  TIME(
      FieldType.logicalType(SqlTypes.TIME),
      LocalTime.class::cast,
      LocalTime::compareTo,
      (value, out) -> out.writeLong(value.toNanoOfDay()),
      in -> LocalTime.ofNanoOfDay(in.readLong())),
  /** In milliseconds, as Beam SQL has it. */
  TIMESTAMP(
      FieldType.DATETIME,
      given -> ((ReadableInstant) given).toInstant(),
      Comparator.comparingLong(Instant::getMillis),
      (value, out) -> out.writeLong(value.getMillis()),
      in -> Instant.ofEpochMilli(in.readLong()));

  /** Of a decimal that is written out in full; SQL's have 38 at most. */
  private static final int MOST_DIGITS = 1000;

  private final FieldType type;
  private final Function<Object, ?> form;
  private final Comparator<Object> order;
  private final Writer<Object> writer;
  private final Reader<?> reader;

  @SuppressWarnings("unchecked")
  <T> Kind(FieldType type, Function<Object, T> form, Comparator<T> order, Writer<T> writer, Reader<T> reader) {
    this.type = type;
    this.form = form;
    this.order = (Comparator<Object>) order;
    this.writer = (Writer<Object>) writer;
    this.reader = reader;
  }

  private interface Writer<T> {
    void write(T value, DataOutput out) throws IOException;
  }

  private interface Reader<T> {
    T read(DataInput in) throws IOException;
  }

  /** The type as Beam writes it. */
  public FieldType type() {
    return type;
  }

  /** The one form of a value: two that are equal in SQL are equal here. */
  public Object of(Object given) {
    return form.apply(given);
  }

  /** The order of values in their one form. */
  @Override
  public int compare(Object left, Object right) {
    return order.compare(left, right);
  }

  /** Writes a value in its one form. */
  public void write(Object value, DataOutput out) throws IOException {
    writer.write(value, out);
  }

  /** Reads what {@link #write} wrote. */
  public Object read(DataInput in) throws IOException {
    return reader.read(in);
  }

  private static BigDecimal plain(Object given) {
    BigDecimal value = Numbers.toDecimal(given).stripTrailingZeros();
    return value.scale() < 0 && value.precision() - value.scale() < MOST_DIGITS ? value.setScale(0) : value;
  }

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

  private static void writeDecimal(BigDecimal value, DataOutput out) throws IOException {
    out.writeInt(value.scale());
    writeBytes(value.unscaledValue().toByteArray(), out);
  }

  private static BigDecimal readDecimal(DataInput in) throws IOException {
    int scale = in.readInt();
    return new BigDecimal(new BigInteger(readBytes(in)), scale);
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
