package blocks.udf;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** The index of functions as JSON: sorted by name, an overload a line. */
final class FunctionIndex {
  static final int FORMAT = 1;

  private FunctionIndex() {}

  /** One argument of an overload. */
  record Argument(String name, String type, boolean optional) {}

  /** One way to call a function. */
  record Overload(List<Argument> arguments, String returns, String type) {}

  /** A function with what its annotation and its byte code say. */
  record Entry(Function says, String kind, String language, Class<?> type, List<Overload> overloads) {}

  static String json(List<Entry> entries) {
    List<String> functions = new ArrayList<>();
    for (Entry entry : entries) {
      Map<String, String> fields = new LinkedHashMap<>();
      fields.put("name", text(entry.says.name()));
      fields.put("version", String.valueOf(entry.says.version()));
      fields.put("kind", text(entry.kind));
      fields.put("language", text(entry.language));
      fields.put("class", text(entry.type.getName()));
      fields.put("description", text(entry.says.description()));
      fields.put("deterministic", String.valueOf(entry.says.deterministic()));
      fields.put("nulls", text(entry.says.nulls().name().toLowerCase(Locale.ROOT)));
      fields.put("overloads", list(entry.overloads.stream().map(FunctionIndex::overload).toList()));
      fields.put("examples", list(List.of(entry.says.examples()).stream().map(FunctionIndex::example).toList()));
      functions.add(object(fields, ",\n      ", "{\n      ", "\n    }"));
    }
    String head = "{\n  \"format\": " + FORMAT + ",\n  \"functions\": [\n    ";
    return head + String.join(",\n    ", functions) + "\n  ]\n}\n";
  }

  private static String overload(Overload overload) {
    List<String> arguments = new ArrayList<>();
    for (Argument argument : overload.arguments) {
      Map<String, String> fields = new LinkedHashMap<>();
      fields.put("name", text(argument.name));
      fields.put("type", text(argument.type));
      fields.put("optional", String.valueOf(argument.optional));
      arguments.add(object(fields, ", ", "{", "}"));
    }
    Map<String, String> fields = new LinkedHashMap<>();
    fields.put("arguments", "[" + String.join(", ", arguments) + "]");
    fields.put("returns", text(overload.returns));
    fields.put("class", text(overload.type));
    return object(fields, ", ", "{", "}");
  }

  private static String example(Example example) {
    Map<String, String> fields = new LinkedHashMap<>();
    fields.put("call", text(example.call()));
    if (!example.from().isEmpty()) {
      fields.put("from", text(example.from()));
    }
    fields.put("result", text(example.result()));
    return object(fields, ", ", "{", "}");
  }

  private static String list(List<String> lines) {
    return "[\n        " + String.join(",\n        ", lines) + "\n      ]";
  }

  private static String object(Map<String, String> fields, String between, String open, String close) {
    List<String> written = new ArrayList<>();
    fields.forEach((name, value) -> written.add(text(name) + ": " + value));
    return open + String.join(between, written) + close;
  }

  private static String text(String value) {
    StringBuilder quoted = new StringBuilder("\"");
    for (char character : value.toCharArray()) {
      if (character == '"' || character == '\\') {
        quoted.append('\\').append(character);
      } else if (character < ' ' || character > '~') {
        quoted.append(String.format("\\u%04x", (int) character));
      } else {
        quoted.append(character);
      }
    }
    return quoted.append('"').toString();
  }
}
