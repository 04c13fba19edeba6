package blocks.service;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.util.List;

/**
 * Says which function is meant, on any worker.
 *
 * @param name in SQL
 * @param type class that has it
 * @param method descriptor of the `eval` of a scalar function, or the place of an aggregate among its overloads
 * @param jars archives of the user that it may need, as paths; where they are not there, the class path has them
 * @param deadlineMillis how long one call may take
 */
public record FunctionSpec(String name, String type, String method, List<String> jars, long deadlineMillis)
    implements Serializable {
  private static final ObjectMapper JSON = new ObjectMapper();

  public FunctionSpec {
    jars = List.copyOf(jars);
  }

  /** As text, for generated code. */
  public String text() {
    try {
      return JSON.writeValueAsString(List.of(name, type, method, jars, deadlineMillis));
    } catch (JsonProcessingException cause) {
      throw new UncheckedIOException(cause);
    }
  }

  /** Reads what {@link #text} gives. */
  public static FunctionSpec of(String text) {
    try {
      var parts = JSON.readTree(text);
      var texts = JSON.getTypeFactory().constructCollectionType(List.class, String.class);
      List<String> jars = JSON.convertValue(parts.get(3), texts);
      return new FunctionSpec(
          parts.get(0).asText(), parts.get(1).asText(), parts.get(2).asText(), jars, parts.get(4).asLong());
    } catch (JsonProcessingException cause) {
      throw new UncheckedIOException(cause);
    }
  }
}
