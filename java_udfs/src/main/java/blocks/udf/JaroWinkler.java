package blocks.udf;

import org.apache.beam.sdk.extensions.sql.BeamSqlUdf;

@Function(
    name = "jaro_winkler",
    description =
        "How alike two texts are, from 0 to 1, by Jaro and Winkler: 0.1 for each of up to four equal first characters,"
            + " where Jaro's similarity is above 0.7. Two empty texts are alike. Texts of at most 10,000 characters.",
    arguments = {"left", "right"},
    examples = {
      @Example(call = "jaro_winkler('same', 'same')", result = "1.0"),
      @Example(call = "jaro_winkler('abc', 'xyz')", result = "0.0")
    })
public final class JaroWinkler implements BeamSqlUdf {
  private static final double THRESHOLD = 0.7;
  private static final double WEIGHT = 0.1;
  private static final int PREFIX = 4;

  public static Double eval(String left, String right) {
    if (left == null || right == null) {
      return null;
    }
    int[] one = Points.of(left);
    int[] other = Points.of(right);
    double jaro = jaro(one, other);
    int shared = 0;
    while (shared < Math.min(PREFIX, Math.min(one.length, other.length)) && one[shared] == other[shared]) {
      shared++;
    }
    return jaro > THRESHOLD ? jaro + shared * WEIGHT * (1 - jaro) : jaro;
  }

  private static double jaro(int[] left, int[] right) {
    if (left.length == 0 || right.length == 0) {
      return left.length == right.length ? 1 : 0;
    }
    int reach = Math.max(Math.max(left.length, right.length) / 2 - 1, 0);
    boolean[] inLeft = new boolean[left.length];
    boolean[] inRight = new boolean[right.length];
    int matches = match(left, right, reach, inLeft, inRight);
    if (matches == 0) {
      return 0;
    }
    double transposed = outOfOrder(left, right, inLeft, inRight) / 2;
    double found = matches;
    return (found / left.length + found / right.length + (found - transposed) / found) / 3;
  }

  private static int match(int[] left, int[] right, int reach, boolean[] inLeft, boolean[] inRight) {
    int matches = 0;
    for (int index = 0; index < left.length; index++) {
      int to = Math.min(right.length - 1, index + reach);
      for (int place = Math.max(0, index - reach); place <= to; place++) {
        if (!inRight[place] && left[index] == right[place]) {
          inLeft[index] = true;
          inRight[place] = true;
          matches++;
          break;
        }
      }
    }
    return matches;
  }

  private static int outOfOrder(int[] left, int[] right, boolean[] inLeft, boolean[] inRight) {
    int many = 0;
    int place = 0;
    for (int index = 0; index < left.length; index++) {
      if (inLeft[index]) {
        while (!inRight[place]) {
          place++;
        }
        many += left[index] == right[place] ? 0 : 1;
        place++;
      }
    }
    return many;
  }
}
