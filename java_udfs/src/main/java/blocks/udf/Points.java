package blocks.udf;

/** The code points of two texts that are compared with each other, in time that grows with both lengths. */
final class Points {
  static final int MOST = 10_000;

  private Points() {}

  static int[] of(String text) {
    int[] points = text.codePoints().toArray();
    if (points.length > MOST) {
      throw new IllegalArgumentException("a text to compare has more than " + MOST + " characters: cut it first");
    }
    return points;
  }
}
