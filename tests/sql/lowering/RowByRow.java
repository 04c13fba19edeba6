import com.fasterxml.jackson.databind.*;
import com.fasterxml.jackson.databind.node.*;
import java.io.*;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.time.*;
import java.util.*;
import org.apache.beam.sdk.Pipeline;
import org.apache.beam.sdk.extensions.sql.SqlTransform;
import org.apache.beam.sdk.options.*;
import org.apache.beam.sdk.runners.TransformHierarchy;
import org.apache.beam.sdk.schemas.Schema;
import org.apache.beam.sdk.schemas.Schema.*;
import org.apache.beam.sdk.schemas.logicaltypes.SqlTypes;
import org.apache.beam.sdk.testing.CrashingRunner;
import org.apache.beam.sdk.transforms.*;
import org.apache.beam.sdk.values.*;
import org.codehaus.janino.ScriptEvaluator;

/**
 * What Beam SQL makes of rows, one by one and without a runner: a line of JSON with fields, rows and queries in, a line
 * with the result of each query out. The code that runs is what Beam generates for its workers.
 */
public class RowByRow {
  static final ObjectMapper JSON = new ObjectMapper();

  static FieldType type(JsonNode n) {
    FieldType f;
    switch (n.get("t").asText()) {
      case "BOOLEAN": f = FieldType.BOOLEAN; break;
      case "TINYINT": f = FieldType.BYTE; break;
      case "SMALLINT": f = FieldType.INT16; break;
      case "INTEGER": f = FieldType.INT32; break;
      case "BIGINT": f = FieldType.INT64; break;
      case "FLOAT": f = FieldType.FLOAT; break;
      case "DOUBLE": f = FieldType.DOUBLE; break;
      case "DECIMAL": f = FieldType.DECIMAL; break;
      case "VARCHAR": f = FieldType.STRING; break;
      case "VARBINARY": f = FieldType.BYTES; break;
      case "DATE": f = FieldType.logicalType(SqlTypes.DATE); break;
      case "TIME": f = FieldType.logicalType(SqlTypes.TIME); break;
      case "TIMESTAMP": f = FieldType.DATETIME; break;
      case "ARRAY": f = FieldType.array(type(n.get("e"))); break;
      case "MAP": f = FieldType.map(type(n.get("k")), type(n.get("e"))); break;
      case "ROW": f = FieldType.row(schema(n.get("f"))); break;
      default: throw new RuntimeException(n.toString());
    }
    return f.withNullable(n.path("n").asBoolean(true));
  }

  static Schema schema(JsonNode fields) {
    Schema.Builder b = Schema.builder();
    for (JsonNode f : fields) b.addField(Field.of(f.get("name").asText(), type(f.get("type"))));
    return b.build();
  }

  static Object in(JsonNode v, FieldType t) {
    if (v.isNull()) return null;
    switch (t.getTypeName()) {
      case BOOLEAN: return v.asBoolean();
      case BYTE: return (byte) v.asLong();
      case INT16: return (short) v.asLong();
      case INT32: return (int) v.asLong();
      case INT64: return Long.parseLong(v.asText());
      case FLOAT: return Float.intBitsToFloat(Integer.parseUnsignedInt(v.asText(), 16));
      case DOUBLE: return Double.longBitsToDouble(Long.parseUnsignedLong(v.asText(), 16));
      case DECIMAL: return new BigDecimal(v.asText());
      case STRING: return v.asText();
      case BYTES: return hex(v.asText());
      case DATETIME: return org.joda.time.Instant.ofEpochMilli(Long.parseLong(v.asText()));
      case ARRAY: { List<Object> l = new ArrayList<>(); for (JsonNode e : v) l.add(in(e, t.getCollectionElementType())); return l; }
      case MAP: { Map<Object,Object> m = new LinkedHashMap<>(); for (JsonNode e : v) m.put(in(e.get(0), t.getMapKeyType()), in(e.get(1), t.getMapValueType())); return m; }
      case ROW: { List<Object> l = new ArrayList<>(); int i = 0; for (JsonNode e : v) l.add(in(e, t.getRowSchema().getField(i++).getType())); return Row.withSchema(t.getRowSchema()).addValues(l).build(); }
      case LOGICAL_TYPE:
        if (t.getLogicalType().getIdentifier().equals(SqlTypes.DATE.getIdentifier())) return LocalDate.ofEpochDay(v.asLong());
        return LocalTime.ofNanoOfDay(Long.parseLong(v.asText()) * 1000);
      default: throw new RuntimeException();
    }
  }

  static byte[] hex(String s) { byte[] b = new byte[s.length() / 2]; for (int i = 0; i < b.length; i++) b[i] = (byte) Integer.parseInt(s.substring(2*i, 2*i+2), 16); return b; }

  static JsonNode out(Object v, FieldType t) {
    if (v == null) return NullNode.instance;
    switch (t.getTypeName()) {
      case BOOLEAN: return BooleanNode.valueOf((Boolean) v);
      case BYTE: case INT16: case INT32: case INT64: return new TextNode(v.toString());
      case FLOAT: return new TextNode(Integer.toHexString(Float.floatToRawIntBits((Float) v)));
      case DOUBLE: return new TextNode(Long.toHexString(Double.doubleToRawLongBits((Double) v)));
      case DECIMAL: return new TextNode(((BigDecimal) v).toPlainString());
      case STRING: return new TextNode((String) v);
      case BYTES: { StringBuilder b = new StringBuilder(); for (byte x : (byte[]) v) b.append(String.format("%02x", x)); return new TextNode(b.toString()); }
      case DATETIME: return new TextNode("" + ((org.joda.time.ReadableInstant) v).getMillis());
      case ARRAY: case ITERABLE: { ArrayNode a = JSON.createArrayNode(); for (Object e : (Iterable<?>) v) a.add(out(e, t.getCollectionElementType())); return a; }
      case MAP: { ArrayNode a = JSON.createArrayNode(); for (Map.Entry<?,?> e : ((Map<?,?>) v).entrySet()) { ArrayNode p = JSON.createArrayNode(); p.add(out(e.getKey(), t.getMapKeyType())); p.add(out(e.getValue(), t.getMapValueType())); a.add(p); } return a; }
      case ROW: { ArrayNode a = JSON.createArrayNode(); Row r = (Row) v; for (int i = 0; i < r.getFieldCount(); i++) a.add(out(r.getValue(i), t.getRowSchema().getField(i).getType())); return a; }
      case LOGICAL_TYPE:
        if (t.getLogicalType().getIdentifier().equals(SqlTypes.DATE.getIdentifier())) return new TextNode("" + ((LocalDate) v).toEpochDay());
        if (v instanceof LocalTime) return new TextNode("" + ((LocalTime) v).toNanoOfDay() / 1000);
        return out(v, t.getLogicalType().getBaseType());
      default: throw new RuntimeException(t.toString());
    }
  }

  static String name(FieldType t) {
    switch (t.getTypeName()) {
      case BYTE: return "TINYINT"; case INT16: return "SMALLINT"; case INT32: return "INTEGER"; case INT64: return "BIGINT";
      case STRING: return "VARCHAR"; case BYTES: return "VARBINARY"; case DATETIME: return "TIMESTAMP";
      case ARRAY: case ITERABLE: return "ARRAY<" + name(t.getCollectionElementType()) + ">";
      case MAP: return "MAP<" + name(t.getMapKeyType()) + ", " + name(t.getMapValueType()) + ">";
      case ROW: { StringJoiner j = new StringJoiner(", ", "ROW<", ">"); for (Field f : t.getRowSchema().getFields()) j.add(f.getName() + " " + name(f.getType())); return j.toString(); }
      case LOGICAL_TYPE: {
        String id = t.getLogicalType().getIdentifier();
        if (id.equals(SqlTypes.DATE.getIdentifier())) return "DATE";
        if (id.equals(SqlTypes.TIME.getIdentifier())) return "TIME";
        return id; }
      default: return t.getTypeName().toString();
    }
  }

  static Object value(Class<?> owner, Object of, String field) throws Exception {
    java.lang.reflect.Field found = owner.getDeclaredField(field);
    found.setAccessible(true);
    return found.get(of);
  }


  static ObjectNode run(Schema schema, List<Row> rows, String query) {
    ObjectNode result = JSON.createObjectNode();
    try {
      PipelineOptions options = PipelineOptionsFactory.create();
      options.setRunner(CrashingRunner.class);
      options.setStableUniqueNames(PipelineOptions.CheckEnabled.OFF);
      Pipeline pipeline = Pipeline.create(options);
      PCollection<Row> out =
          pipeline.apply(Create.of(rows).withRowSchema(schema)).apply("SQL", SqlTransform.query(query));
      Schema schemaOut = out.getSchema();
      ArrayNode fields = result.putArray("fields");
      for (Field field : schemaOut.getFields()) {
        fields.addObject().put("name", field.getName()).put("type", name(field.getType())).put("nullable", field.getType().getNullable());
      }
      List<Object> steps = new ArrayList<>();
      pipeline.traverseTopologically(
          new Pipeline.PipelineVisitor.Defaults() {
            @Override
            public void visitPrimitiveTransform(TransformHierarchy.Node node) {
              if (!node.getFullName().startsWith("SQL")) return;
              PTransform<?, ?> step = node.getTransform();
              Object fn = step instanceof ParDo.MultiOutput ? ((ParDo.MultiOutput<?, ?>) step).getFn() : null;
              if (fn == null || !fn.getClass().getSimpleName().equals("CalcFn")) {
                throw new IllegalArgumentException("not row by row: " + node.getFullName());
              }
              steps.add(fn);
            }
          });
      evaluate(steps, rows, schemaOut, result.putArray("rows"));
    } catch (Throwable error) {
      StringBuilder text = new StringBuilder();
      for (Throwable cause = error; cause != null && text.length() < 2000; cause = cause.getCause()) {
        text.append(cause).append(" | ");
      }
      result.put("error", text.toString());
    }
    return result;
  }

  /** Runs the code that BeamCalcRel generated over each row by itself: one that fails is told, the others go on. */
  static void evaluate(List<Object> steps, List<Row> rows, Schema schemaOut, ArrayNode result) throws Exception {
    List<ScriptEvaluator> code = new ArrayList<>();
    List<Schema> schemas = new ArrayList<>();
    Object context = null;
    Method toRow = null;
    for (Object step : steps) {
      Class<?> rel = step.getClass().getEnclosingClass();
      ScriptEvaluator evaluator = new ScriptEvaluator();
      Class<?> root = Class.forName("org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.DataContext");
      evaluator.setParameters(new String[] {"row", "root"}, new Class<?>[] {Row.class, root});
      evaluator.setReturnType(Object[].class);
      evaluator.cook((String) value(step.getClass(), step, "processElementBlock"));
      code.add(evaluator);
      schemas.add((Schema) value(step.getClass(), step, "outputSchema"));
      context = value(rel, null, "CONTEXT_INSTANCE");
      toRow = rel.getDeclaredMethod("toBeamRow", List.class, Schema.class, boolean.class);
      toRow.setAccessible(true);
    }
    for (Row row : rows) {
      try {
        Row at = row;
        for (int step = 0; step < code.size() && at != null; step++) {
          Object[] values = (Object[]) code.get(step).evaluate(new Object[] {at, context});
          at = values == null ? null : (Row) toRow.invoke(null, Arrays.asList(values), schemas.get(step), false);
        }
        result.add(at == null ? NullNode.instance : cells(at, schemaOut));
      } catch (InvocationTargetException error) {
        result.addObject().put("failed", error.getCause().toString());
      }
    }
  }

  static ArrayNode cells(Row r, Schema os) {
    ArrayNode a = JSON.createArrayNode();
    for (int i = 0; i < os.getFieldCount(); i++) a.add(out(r.getValue(i), os.getField(i).getType()));
    return a;
  }

  public static void main(String[] args) throws Exception {
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    PrintStream o = new PrintStream(new FileOutputStream(FileDescriptor.out), true, "UTF-8");
    System.setOut(System.err);
    String line;
    while ((line = in.readLine()) != null) {
      JsonNode q = JSON.readTree(line);
      Schema s = schema(q.get("fields"));
      List<Row> rows = new ArrayList<>();
      for (JsonNode r : q.get("rows")) { List<Object> l = new ArrayList<>(); int i = 0; for (JsonNode v : r) l.add(in(v, s.getField(i++).getType())); rows.add(Row.withSchema(s).addValues(l).build()); }
      ArrayNode a = JSON.createArrayNode();
      for (JsonNode x : q.get("queries")) a.add(run(s, rows, x.asText()));
      o.println(JSON.writeValueAsString(a));
    }
  }
}
