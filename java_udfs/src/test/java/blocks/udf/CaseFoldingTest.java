package blocks.udf;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.text.Normalizer;
import org.junit.jupiter.api.Test;

/** What hashing and normal forms stand on. */
final class CaseFoldingTest {
  @Test
  void foldingTwiceIsFoldingOnce() {
    for (int point = 0; point <= Character.MAX_CODE_POINT; point++) {
      String folded = CaseFolding.fold(Character.toString(point));
      assertEquals(folded, CaseFolding.fold(folded));
    }
  }

  @Test
  void whatJavasLowerCaseGetsWrongIsRight() {
    assertEquals("ss", CaseFolding.fold("ß"));
    assertEquals("ss", CaseFolding.fold("ẞ"));
    assertEquals("ı", CaseFolding.fold("ı"));
    assertEquals("οδοσ", CaseFolding.fold("ΟΔΟΣ"));
    assertEquals("\ud801\udc28", CaseFolding.fold("\ud801\udc00"));
    assertEquals("\ud801", CaseFolding.fold("\ud801"));
  }

  @Test
  void normalizingATextTwiceIsNormalizingItOnce() {
    for (int point = 0; point <= Character.MAX_CODE_POINT; point++) {
      String once = TextNormalize.eval(Character.toString(point));
      assertEquals(once, TextNormalize.eval(once), () -> Character.getName(once.codePointAt(0)));
    }
  }

  @Test
  void canonicalTextsTrimAndCollapseEveryKindOfSpace() {
    assertEquals("a b", CaseFolding.canonical("\u3000A\t\u00a0\u2003\u0085b\u001c\n"));
    assertEquals("", CaseFolding.canonical(" \u2028"));
    assertEquals("a\u200bb", CaseFolding.canonical("a\u200bb"));
    assertEquals(
        CaseFolding.canonical("caf\u00e9"),
        CaseFolding.canonical(Normalizer.normalize("CAF\u00c9", Normalizer.Form.NFD)));
  }
}
