package blocks.udf;

/** Which part of a text a mask with a number of characters hides. */
enum Part {
  LEFT,
  RIGHT,
  ALL_BUT_LEFT,
  ALL_BUT_RIGHT;

  /** The text with this part of it masked; null where text or number is. */
  String masked(String text, Long count, Characters characters) {
    if (text == null || count == null) {
      return null;
    }
    if (count < 0) {
      throw new IllegalArgumentException("the number of characters must be 0 or more");
    }
    return switch (this) {
      case LEFT -> characters.mask(text, 0, count);
      case RIGHT -> characters.mask(text, before(text, count), Long.MAX_VALUE);
      case ALL_BUT_LEFT -> characters.mask(text, count, Long.MAX_VALUE);
      case ALL_BUT_RIGHT -> characters.mask(text, 0, before(text, count));
    };
  }

  /** How many characters stand before so many at the end. */
  private static long before(String text, long count) {
    return Math.max(text.codePointCount(0, text.length()) - count, 0);
  }
}
