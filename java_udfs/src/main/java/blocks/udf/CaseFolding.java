package blocks.udf;

import java.text.Normalizer;
import java.util.HashMap;
import java.util.Map;

/**
 * Texts as they are compared: Unicode's full case folding, which Java lacks (upper and then lower case is not it:
 * dotless i, Cherokee). From a table, so that no new version of Java changes a result.
 */
final class CaseFolding {
  private static final Map<Integer, String> FOLDED = table();
  private static final String[] SMALL = "abcdefghijklmnopqrstuvwxyz".split("");

  private CaseFolding() {}

  /** Every code point folded; the same as Python's str.casefold. */
  static String fold(String text) {
    StringBuilder folded = null;
    for (int index = 0; index < text.length(); ) {
      int point = text.codePointAt(index);
      int next = index + Character.charCount(point);
      String instead = foldOne(point);
      if (instead != null && folded == null) {
        folded = new StringBuilder(text.length() + 8).append(text, 0, index);
      }
      if (folded != null) {
        if (instead == null) {
          folded.appendCodePoint(point);
        } else {
          folded.append(instead);
        }
      }
      index = next;
    }
    return folded == null ? text : folded.toString();
  }

  /** Unicode NFC, case folded, white space trimmed and runs of it one space: the library's form of a text for joins. */
  static String canonical(String text) {
    String folded = fold(Normalizer.normalize(text, Normalizer.Form.NFC));
    // Folding can give sequences that compose again.
    String composed = Normalizer.normalize(folded, Normalizer.Form.NFC);
    StringBuilder spaced = new StringBuilder(composed.length());
    boolean gap = false;
    for (int index = 0; index < composed.length(); index++) {
      char character = composed.charAt(index);
      if (isSpace(character)) {
        gap = spaced.length() > 0;
      } else {
        if (gap) {
          spaced.append(' ');
        }
        gap = false;
        spaced.append(character);
      }
    }
    return spaced.toString();
  }

  /** White space as Python has it; all of it is in the first plane. */
  private static boolean isSpace(char character) {
    return character <= ' '
        ? character == ' ' || character >= '\t' && character <= '\r' || character >= 0x1C && character <= 0x1F
        : character == 0x85 || character >= 0xA0 && Character.isSpaceChar(character);
  }

  private static String foldOne(int point) {
    if (point < 0x80) {
      return point >= 'A' && point <= 'Z' ? SMALL[point - 'A'] : null;
    }
    return FOLDED.get(point);
  }

  private static Map<Integer, String> table() {
    Map<Integer, String> folded = new HashMap<>();
    for (String[] points : Tables.rows("casefolding.txt", " ")) {
      StringBuilder instead = new StringBuilder();
      for (int place = 1; place < points.length; place++) {
        instead.appendCodePoint(Integer.parseInt(points[place], 16));
      }
      folded.put(Integer.parseInt(points[0], 16), instead.toString());
    }
    return folded;
  }
}
