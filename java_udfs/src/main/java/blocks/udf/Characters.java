package blocks.udf;

import java.util.Arrays;

/**
 * What the masks write instead of a character: by its class, as ksqlDB's MASK does, and by code point, which ksqlDB
 * does not. The same as the library's mask methods of these names.
 *
 * <p>Upper case, lower case and digits are those of Unicode 13, whatever the Java that runs knows: the same text is
 * masked alike on every Java from 17 on, in DuckDB and in Python. A letter that came later is of no class.
 */
final class Characters {
  private static final Characters USUAL = new Characters("X", "x", "n", "-");

  /** Letters and digits of Unicode 14 to 16: first and last of each range, in order; nothing older lies in them. */
  private static final int[] LATER = {
    0x1C89, 0x1C8A, 0x2C2F, 0x2C2F, 0x2C5F, 0x2C5F, 0xA7C0, 0xA7C1, 0xA7CB, 0xA7DC, 0x10570,
    0x105BC, 0x10D40, 0x10D85, 0x116D0, 0x116E3, 0x11BF0, 0x11BF9, 0x11F50, 0x11F59, 0x16130,
    0x16139, 0x16AC0, 0x16AC9, 0x16D70, 0x16D79, 0x1CCF0, 0x1CCF9, 0x1DF00, 0x1DF2A, 0x1E4F0,
    0x1E5FA
  };

  /** Code point to write, or -1 to leave the class as it is. */
  private final int upper;

  private final int lower;
  private final int digit;
  private final int other;

  private Characters(String upper, String lower, String digit, String other) {
    this.upper = one(upper);
    this.lower = one(lower);
    this.digit = one(digit);
    this.other = one(other);
  }

  /** X for upper case, x for lower case, n for digits, - for anything else. */
  static Characters usual() {
    return USUAL;
  }

  /** One's own; null leaves a class as it is. */
  static Characters of(String upper, String lower, String digit, String other) {
    return new Characters(upper, lower, digit, other);
  }

  private static int one(String character) {
    if (character == null) {
      return -1;
    }
    if (character.codePointCount(0, character.length()) != 1) {
      throw new IllegalArgumentException("a mask character must be one character, or NULL to leave the class as it is");
    }
    return character.codePointAt(0);
  }

  /** The text with its code points [from, to) masked; both are cut to its length. */
  String mask(String text, long from, long to) {
    StringBuilder masked = new StringBuilder(text.length());
    long place = 0;
    for (int index = 0; index < text.length(); place++) {
      int point = text.codePointAt(index);
      masked.appendCodePoint(place >= from && place < to ? masked(point) : point);
      index += Character.charCount(point);
    }
    return masked.toString();
  }

  private int masked(int point) {
    int kind = isLater(point) ? Character.UNASSIGNED : Character.getType(point);
    int instead =
        switch (kind) {
          case Character.UPPERCASE_LETTER -> upper;
          case Character.LOWERCASE_LETTER -> lower;
          case Character.DECIMAL_DIGIT_NUMBER -> digit;
          default -> other;
        };
    return instead < 0 ? point : instead;
  }

  private static boolean isLater(int point) {
    if (point < LATER[0]) {
      return false;
    }
    int place = Arrays.binarySearch(LATER, point);
    // Of a place between two numbers, an odd one is within a range.
    return place >= 0 || (-place - 1) % 2 == 1;
  }
}
