package blocks.udf;

import java.util.List;

/** Classes that say they are functions and are none that SQL can call: all of their problems. */
public final class IndexException extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final List<String> problems;

  IndexException(List<String> problems) {
    super(String.join("\n", problems));
    this.problems = List.copyOf(problems);
  }

  /** Each begins with the class it is about. */
  public List<String> problems() {
    return problems;
  }
}
