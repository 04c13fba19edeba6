package blocks.service;

import java.nio.charset.StandardCharsets;
import java.time.LocalDate;
import java.time.LocalTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntUnaryOperator;
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
import org.apache.arrow.vector.LargeVarCharVector;
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
import org.apache.beam.sdk.schemas.Schema;
import org.apache.beam.sdk.schemas.Schema.FieldType;
import org.apache.beam.sdk.values.Row;
import org.joda.time.Instant;

/**
 * Reads values out of Arrow vectors as Beam's rows hold them.
 *
 * <p>Beam's own {@code ArrowConversion} fails on timestamps, decimals, dates, structs and maps.
 */
final class ArrowGetters {
  private ArrowGetters() {}

  /** The value at a place of one vector. */
  @FunctionalInterface
  interface Getter {
    Object get(int place);
  }

  /** A getter of a vector whose nulls are null. */
  static Getter of(FieldVector vector, FieldType type) {
    Getter present = present(vector, type);
    if (vector.getNullCount() == 0) {
      return present;
    }
    return place -> vector.isNull(place) ? null : present.get(place);
  }

  private static Getter present(FieldVector vector, FieldType type) {
    switch (vector.getMinorType()) {
      case BIT:
        BitVector bits = (BitVector) vector;
        return place -> bits.get(place) != 0;
      case TINYINT:
        TinyIntVector bytes = (TinyIntVector) vector;
        return bytes::get;
      case SMALLINT:
        SmallIntVector shorts = (SmallIntVector) vector;
        return shorts::get;
      case INT:
        IntVector ints = (IntVector) vector;
        return ints::get;
      case BIGINT:
        BigIntVector longs = (BigIntVector) vector;
        return longs::get;
      case UINT1:
        UInt1Vector unsigned1 = (UInt1Vector) vector;
        return place -> (short) (unsigned1.get(place) & 0xff);
      case UINT2:
        UInt2Vector unsigned2 = (UInt2Vector) vector;
        return place -> (int) unsigned2.get(place);
      case UINT4:
        UInt4Vector unsigned4 = (UInt4Vector) vector;
        return place -> Integer.toUnsignedLong(unsigned4.get(place));
      case FLOAT4:
        Float4Vector floats = (Float4Vector) vector;
        return floats::get;
      case FLOAT8:
        Float8Vector doubles = (Float8Vector) vector;
        return doubles::get;
      case DECIMAL:
        DecimalVector decimals = (DecimalVector) vector;
        return decimals::getObject;
      case DECIMAL256:
        Decimal256Vector wide = (Decimal256Vector) vector;
        return wide::getObject;
      case VARCHAR:
        BaseVariableWidthVector texts = (BaseVariableWidthVector) vector;
        return place -> text(texts, place);
      case LARGEVARCHAR:
        LargeVarCharVector large = (LargeVarCharVector) vector;
        return place -> new String(large.get(place), StandardCharsets.UTF_8);
      case VARBINARY:
      case LARGEVARBINARY:
        return place -> vector.getObject(place);
      case FIXEDSIZEBINARY:
        FixedSizeBinaryVector fixed = (FixedSizeBinaryVector) vector;
        return fixed::get;
      case DATEDAY:
        DateDayVector days = (DateDayVector) vector;
        return place -> LocalDate.ofEpochDay(days.get(place));
      case LIST:
        ListVector list = (ListVector) vector;
        return items(list.getDataVector(), type, list::getElementStartIndex, list::getElementEndIndex);
      case LARGELIST:
        LargeListVector longer = (LargeListVector) vector;
        return items(
            longer.getDataVector(),
            type,
            place -> (int) longer.getElementStartIndex(place),
            place -> (int) longer.getElementEndIndex(place));
      case FIXED_SIZE_LIST:
        FixedSizeListVector even = (FixedSizeListVector) vector;
        return items(even.getDataVector(), type, even::getElementStartIndex, even::getElementEndIndex);
      case MAP:
        return map((MapVector) vector, type);
      case STRUCT:
        return struct((StructVector) vector, type.getRowSchema());
      default:
        return vector instanceof TimeStampVector ? instant((TimeStampVector) vector) : time(vector);
    }
  }

  private static String text(BaseVariableWidthVector vector, int place) {
    int start = vector.getStartOffset(place);
    byte[] utf8 = new byte[vector.getEndOffset(place) - start];
    vector.getDataBuffer().getBytes(start, utf8);
    return new String(utf8, StandardCharsets.UTF_8);
  }

  private static Getter instant(TimeStampVector vector) {
    TimeUnit unit = ((ArrowType.Timestamp) vector.getField().getType()).getUnit();
    switch (unit) {
      case SECOND:
        return place -> Instant.ofEpochSecond(vector.get(place));
      case MILLISECOND:
        return place -> Instant.ofEpochMilli(vector.get(place));
      case MICROSECOND:
        return place -> Instant.ofEpochMilli(Math.floorDiv(vector.get(place), 1_000L));
      default:
        return place -> Instant.ofEpochMilli(Math.floorDiv(vector.get(place), 1_000_000L));
    }
  }

  private static Getter time(FieldVector vector) {
    if (vector instanceof TimeSecVector seconds) {
      return place -> LocalTime.ofSecondOfDay(seconds.get(place));
    }
    if (vector instanceof TimeMilliVector millis) {
      return place -> LocalTime.ofNanoOfDay(millis.get(place) * 1_000_000L);
    }
    if (vector instanceof TimeMicroVector micros) {
      return place -> LocalTime.ofNanoOfDay(micros.get(place) * 1_000L);
    }
    if (vector instanceof TimeNanoVector nanos) {
      return place -> LocalTime.ofNanoOfDay(nanos.get(place));
    }
    throw new ArrowTypes.Unsupported(vector.getName(), vector.getField().getType());
  }

  private static Getter items(FieldVector inner, FieldType type, IntUnaryOperator start, IntUnaryOperator end) {
    Getter item = of(inner, type.getCollectionElementType());
    return place -> {
      int last = end.applyAsInt(place);
      int at = start.applyAsInt(place);
      List<Object> found = new ArrayList<>(last - at);
      for (; at < last; at++) {
        found.add(item.get(at));
      }
      return found;
    };
  }

  private static Getter map(MapVector vector, FieldType type) {
    StructVector entries = (StructVector) vector.getDataVector();
    Getter key = of((FieldVector) entries.getChildByOrdinal(0), type.getMapKeyType());
    Getter value = of((FieldVector) entries.getChildByOrdinal(1), type.getMapValueType());
    return place -> {
      Map<Object, Object> found = new LinkedHashMap<>();
      int end = vector.getElementEndIndex(place);
      for (int at = vector.getElementStartIndex(place); at < end; at++) {
        found.put(key.get(at), value.get(at));
      }
      return found;
    };
  }

  private static Getter struct(StructVector vector, Schema schema) {
    Getter[] fields = all(vector.getChildrenFromFields(), schema);
    return place -> row(fields, schema, place);
  }

  /** The getters of the columns of a table. */
  static Getter[] all(List<FieldVector> vectors, Schema schema) {
    Getter[] getters = new Getter[vectors.size()];
    for (int column = 0; column < getters.length; column++) {
      getters[column] = of(vectors.get(column), schema.getField(column).getType());
    }
    return getters;
  }

  /** A row of a table; the list is the row's own. */
  static Row row(Getter[] getters, Schema schema, int place) {
    List<Object> values = new ArrayList<>(getters.length);
    for (Getter getter : getters) {
      values.add(getter.get(place));
    }
    return Row.withSchema(schema).attachValues(values);
  }
}
