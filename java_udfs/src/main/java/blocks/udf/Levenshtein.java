package blocks.udf;

import org.apache.beam.sdk.extensions.sql.BeamSqlUdf;

@Function(
    name = "levenshtein",
    description =
        "How many characters to insert, delete or replace to make one text of the other. With a limit, which makes it"
            + " faster, every distance beyond it is the limit plus one. Texts of at most 10,000 characters.",
    arguments = {"left", "right", "limit"},
    examples = {
      @Example(call = "levenshtein('kitten', 'sitting')", result = "3"),
      @Example(call = "levenshtein('kitten', 'sitting', 1)", result = "2")
    })
public final class Levenshtein implements BeamSqlUdf {
  public static Integer eval(String left, String right) {
    return eval(left, right, (long) Points.MOST);
  }

  public static Integer eval(String left, String right, Long limit) {
    if (left == null || right == null || limit == null) {
      return null;
    }
    if (limit < 0) {
      throw new IllegalArgumentException("the limit of a distance must be 0 or more");
    }
    return distance(Points.of(left), Points.of(right), (int) Math.min(limit, Points.MOST));
  }

  /** The table of Wagner and Fischer row by row, and of a row only what the limit lets matter. */
  private static int distance(int[] left, int[] right, int limit) {
    int beyond = limit + 1;
    if (Math.abs(left.length - right.length) > limit) {
      return beyond;
    }
    int[] above = new int[right.length + 1];
    int[] row = new int[right.length + 1];
    for (int column = 0; column <= right.length; column++) {
      above[column] = Math.min(column, beyond);
    }
    for (int line = 1; line <= left.length; line++) {
      int from = Math.max(1, line - limit);
      int to = Math.min(right.length, line + limit);
      row[from - 1] = from == 1 ? Math.min(line, beyond) : beyond;
      int least = row[from - 1];
      for (int column = from; column <= to; column++) {
        int replaced = above[column - 1] + (left[line - 1] == right[column - 1] ? 0 : 1);
        row[column] = Math.min(beyond, Math.min(replaced, Math.min(above[column], row[column - 1]) + 1));
        least = Math.min(least, row[column]);
      }
      if (to < right.length) {
        row[to + 1] = beyond;
      }
      if (least > limit) {
        return beyond;
      }
      int[] swap = above;
      above = row;
      row = swap;
    }
    return above[right.length];
  }
}
