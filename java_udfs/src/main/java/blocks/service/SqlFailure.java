package blocks.service;

/** A row that cannot be processed, with a message that holds no value of it. */
final class SqlFailure extends RuntimeException {
  /** What every such message begins with: a message without it may hold values. */
  static final String MARK = "blocks.sql: ";

  /** Without a stack: it is thrown for rows, and its message says it all. */
  SqlFailure(String message) {
    super(MARK + message, null, false, false);
  }
}
