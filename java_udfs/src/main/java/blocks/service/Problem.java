package blocks.service;

import java.util.LinkedHashMap;
import java.util.Map;

/** What is wrong with a query or with what comes with it, for the one who wrote it. */
public final class Problem extends RuntimeException {
  private final String kind;
  private final int line;
  private final int column;
  private final int endLine;
  private final int endColumn;

  Problem(String kind, String message) {
    this(kind, message, 0, 0, 0, 0);
  }

  Problem(String kind, String message, int line, int column, int endLine, int endColumn) {
    super(message, null, false, false);
    this.kind = kind;
    this.line = line;
    this.column = column;
    this.endLine = endLine;
    this.endColumn = endColumn;
  }

  /** For the answer; lines and columns count from 1, 0 if there is no place. */
  Map<String, Object> json() {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("kind", kind);
    json.put("message", getMessage());
    json.put("line", line);
    json.put("column", column);
    json.put("end_line", endLine);
    json.put("end_column", endColumn);
    return json;
  }
}
