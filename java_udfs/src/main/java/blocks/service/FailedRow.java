package blocks.service;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.arrow.vector.FieldVector;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.arrow.vector.ipc.ArrowStreamWriter;
import org.apache.arrow.vector.types.pojo.ArrowType;
import org.apache.arrow.vector.types.pojo.Field;
import org.apache.arrow.vector.types.pojo.FieldType;
import org.apache.beam.sdk.schemas.Schema;

/**
 * Writes a row in which an expression failed, with the function's name and without what the failure says of values.
 *
 * <p>An Arrow IPC stream of one row: `function` (empty for one of the engine), `message`, `table` (empty where the step
 * reads another step) and `row`, a struct of all columns that the step is given.
 */
final class FailedRow implements Serializable {
  private static final long serialVersionUID = 1L;
  private static final Pattern FUNCTION = Pattern.compile("^the function `([^`]+)`");

  private final String table;
  private final byte[] columns;
  private transient org.apache.arrow.vector.types.pojo.Schema schema;

  private FailedRow(String table, byte[] columns) {
    this.table = table;
    this.columns = columns;
  }

  /** Of a table, as its batches are. */
  static FailedRow of(BatchTable table) {
    return new FailedRow(table.name(), table.arrowSchema());
  }

  /** Of a step within a query. */
  static FailedRow of(Schema schema) {
    return new FailedRow("", ArrowTypes.write(ArrowTypes.arrowSchema(schema)));
  }

  /** The message. */
  byte[] stream(List<?> row, RuntimeException cause) {
    if (schema == null) {
      schema = schema(ArrowTypes.read(columns).getFields());
    }
    String message = message(cause);
    Matcher function = FUNCTION.matcher(message);
    List<Object> values = List.of(function.find() ? function.group(1) : "", message, table, row);
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (VectorSchemaRoot root = VectorSchemaRoot.create(schema, BatchReader.ALLOCATOR);
        ArrowStreamWriter writer = new ArrowStreamWriter(root, null, out)) {
      for (int column = 0; column < values.size(); column++) {
        FieldVector vector = root.getVector(column);
        vector.setInitialCapacity(1);
        vector.allocateNew();
        ArrowSetters.of(vector, vector.getName()).set(0, values.get(column));
      }
      root.setRowCount(1);
      writer.start();
      writer.writeBatch();
      writer.end();
    } catch (IOException failure) {
      throw new UncheckedIOException(failure);
    }
    return out.toByteArray();
  }

  private static org.apache.arrow.vector.types.pojo.Schema schema(List<Field> columns) {
    List<Field> fields = new ArrayList<>();
    for (String name : List.of("function", "message", "table")) {
      fields.add(Field.notNullable(name, new ArrowType.Utf8()));
    }
    fields.add(new Field("row", FieldType.nullable(new ArrowType.Struct()), columns));
    return new org.apache.arrow.vector.types.pojo.Schema(fields);
  }

  /** What a failure says that is sure to hold no value. */
  static String message(RuntimeException cause) {
    String said = cause.getMessage() == null ? "" : cause.getMessage();
    if (cause instanceof SqlFailure) {
      return said.substring(SqlFailure.MARK.length());
    }
    if (cause instanceof ArithmeticException && said.contains("by zero")) {
      return "division by zero";
    }
    if (cause instanceof NumberFormatException) {
      return "a text that is not a number";
    }
    if (said.contains("out of range") || said.contains("overflow")) {
      return "a number out of range";
    }
    return "an expression failed with " + cause.getClass().getSimpleName();
  }
}
