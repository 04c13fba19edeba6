package blocks.udf;

import java.text.Normalizer;
import java.text.Normalizer.Form;
import org.apache.beam.sdk.extensions.sql.BeamSqlUdf;

@Function(
    name = "text_normalize",
    description =
        "A text as people look for it: Unicode NFKC (full-width and styled letters, ligatures), case folded, and"
            + " without accents (the combining diacritical marks of Unicode; vowel signs of other scripts stay, and"
            + " so do letters that are no composition, such as o with a stroke).",
    arguments = "text",
    examples = {
      @Example(call = "text_normalize('ÉCOLE Straße')", result = "'ecole strasse'"),
      @Example(call = "text_normalize('')", result = "''")
    })
public final class TextNormalize implements BeamSqlUdf {
  public static String eval(String text) {
    if (text == null) {
      return null;
    }
    String folded = CaseFolding.fold(Normalizer.normalize(text, Form.NFKC));
    String apart = Normalizer.normalize(folded, Form.NFKD);
    StringBuilder plain = new StringBuilder(apart.length());
    // Every mark that goes is in the first plane.
    for (int index = 0; index < apart.length(); index++) {
      char character = apart.charAt(index);
      if (!isAccent(character)) {
        plain.append(character);
      }
    }
    return Normalizer.normalize(plain, Form.NFKC);
  }

  private static boolean isAccent(char character) {
    return character >= 0x300 && character <= 0x36F
        || character >= 0x1AB0 && character <= 0x1AFF
        || character >= 0x1DC0 && character <= 0x1DFF
        || character >= 0x20D0 && character <= 0x20FF
        || character >= 0xFE20 && character <= 0xFE2F;
  }
}
