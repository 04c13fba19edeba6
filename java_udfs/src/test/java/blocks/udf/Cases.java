package blocks.udf;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import org.joda.time.Instant;

/** The tables of cases in functions/NAME.json, which the tests in Python run through Beam SQL too. */
final class Cases {
  private static final ObjectMapper JSON = new ObjectMapper();

  private Cases() {}

  /** A call of a scalar function, or the rows that an aggregate goes over with the types of its arguments. */
  record Case(List<Object> arguments, List<List<Object>> rows, List<String> types, Object result, String error) {}

  /** The functions of the index, made anew from the classes. */
  static JsonNode index() {
    try {
      return JSON.readTree(Indexer.index(classes(), Indexer.class.getClassLoader())).get("functions");
    } catch (IOException cause) {
      throw new UncheckedIOException(cause);
    }
  }

  /** Where the compiled functions are. */
  static Path classes() {
    try {
      return Path.of(Indexer.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    } catch (URISyntaxException cause) {
      throw new IllegalStateException(cause);
    }
  }

  static List<Case> of(String function) {
    List<Case> cases = new ArrayList<>();
    try (InputStream table = Cases.class.getResourceAsStream("/functions/" + function + ".json")) {
      for (JsonNode one : JSON.readTree(Objects.requireNonNull(table, function)).get("cases")) {
        List<List<Object>> rows = new ArrayList<>();
        one.path("rows").forEach(row -> rows.add(list(row)));
        List<String> types = new ArrayList<>();
        one.path("types").forEach(type -> types.add(type.asText()));
        String error = one.path("error").asText("");
        cases.add(new Case(list(one.path("arguments")), rows, types, value(one.path("result")), error));
      }
    } catch (IOException cause) {
      throw new UncheckedIOException(cause);
    }
    return cases;
  }

  private static List<Object> list(JsonNode items) {
    List<Object> values = new ArrayList<>();
    items.forEach(item -> values.add(value(item)));
    return values;
  }

  private static Object value(JsonNode node) {
    if (node.isObject()) {
      JsonNode inner = node.elements().next();
      return switch (node.fieldNames().next()) {
        case "bytes" -> HexFormat.of().parseHex(inner.asText());
        case "double" -> Double.valueOf(inner.asText());
        case "decimal" -> new BigDecimal(inner.asText());
        case "timestamp" -> Instant.ofEpochMilli(inner.asLong());
        case "date" -> LocalDate.parse(inner.asText());
        default -> throw new IllegalArgumentException("no kind of value of the tables");
      };
    }
    if (node.isArray()) {
      return list(node);
    }
    if (node.isNull() || node.isMissingNode()) {
      return null;
    }
    return node.isBoolean()
        ? (Object) node.asBoolean()
        : node.isIntegralNumber() ? (Object) node.asLong() : node.isNumber() ? (Object) node.asDouble() : node.asText();
  }
}
