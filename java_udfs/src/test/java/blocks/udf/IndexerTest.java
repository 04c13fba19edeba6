package blocks.udf;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import blocks.udf.faulty.Faulty;
import blocks.udf.plain.SumOfSquares;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The index agrees with annotations and byte code, or says what does not. */
final class IndexerTest {
  @TempDir Path folder;

  private static byte[] code(Class<?> type) throws IOException {
    String file = "/" + type.getName().replace('.', '/') + ".class";
    return Objects.requireNonNull(type.getResourceAsStream(file)).readAllBytes();
  }

  private void copy(Class<?> type, byte[] code) throws IOException {
    Path file = folder.resolve(type.getName().replace('.', '/') + ".class");
    Files.createDirectories(file.getParent());
    Files.write(file, code);
  }

  @Test
  void theCommittedIndexIsThatOfTheClasses() throws IOException {
    Path committed = Path.of(System.getProperty("blocks.index", "index.json"));
    assertTrue(Files.exists(committed), "run the tests in java_udfs");
    assertEquals(Files.readString(committed), Indexer.index(Cases.classes(), getClass().getClassLoader()));
  }

  @Test
  void atLeastAThirdIsInScalaAndEveryFunctionHasCases() {
    int scala = 0;
    int all = 0;
    for (var function : Cases.index()) {
      all++;
      scala += function.get("language").asText().equals("scala") ? 1 : 0;
      assertTrue(Cases.of(function.get("name").asText()).size() > 3, function.get("name").asText());
    }
    assertTrue(3 * scala >= all, scala + " of " + all);
  }

  @Test
  void everyFaultOfEveryClassIsTold() throws IOException {
    for (Class<?> type : Faulty.class.getDeclaredClasses()) {
      copy(type, code(type));
    }
    IndexException error =
        assertThrows(IndexException.class, () -> Indexer.index(folder, getClass().getClassLoader()));
    List<String> expected =
        List.of(
            "BadName: `BadName` has a name that is not in snake case",
            "NoWords: `no_words` has a version below 1",
            "NoWords: `no_words` has no description",
            "NoWords: `no_words` has no example",
            "NoWords: `no_words` names two arguments alike",
            "Primitive: `primitive` has an argument or result of type long: write the boxed type",
            "Strange: `strange` has an argument or result of type java.util.Optional<java.lang.Long>",
            "Strange: `strange` has an eval that throws a checked exception",
            "Counted: `counted` has an example that does not call it",
            "Counted: `counted` names 1 arguments, and its longest overload has 2",
            "NoEval: `no_eval` has no public method eval",
            "Unmade: `unmade` has no public constructor without arguments",
            "Hidden: `hidden` is not a public class",
            "Neither: `neither` is neither a BeamSqlUdf nor a CombineFn",
            "Forgetful: `forgetful` says the wrong thing of nulls",
            "Forgetful: `forgetful` has an accumulator that is not what it was",
            "TwiceAgain: blocks.udf.faulty.Faulty$Twice is named `twice` too");
    for (String problem : expected) {
      assertTrue(error.getMessage().contains("Faulty$" + problem), problem + " is not in\n" + error.getMessage());
    }
    long few = error.problems().stream().filter(problem -> expected.stream().noneMatch(problem::contains)).count();
    assertEquals(0, few, error.getMessage());
  }

  @Test
  void aUsersArchiveIsIndexedWithItsOwnLoader() throws IOException {
    Path jar = folder.resolve("user.jar");
    try (JarOutputStream out = new JarOutputStream(Files.newOutputStream(jar))) {
      out.putNextEntry(new JarEntry("blocks/udf/plain/SumOfSquares.class"));
      out.write(code(SumOfSquares.class));
    }
    try (URLClassLoader loader = new URLClassLoader(new URL[] {jar.toUri().toURL()}, getClass().getClassLoader())) {
      String index = Indexer.index(jar, loader);
      assertTrue(index.contains("\"name\": \"value\", \"type\": \"BIGINT\", \"optional\": false"), index);
      assertTrue(index.contains("\"returns\": \"BIGINT\""), index);
      assertTrue(index.contains("\"from\": \"(VALUES (2), (3)) AS t (x)\""), index);
    }
  }

  @Test
  void aClassForANewerJavaIsNamedWithItsVersion() throws IOException {
    byte[] code = code(SumOfSquares.class);
    code[7] = 99;
    copy(SumOfSquares.class, code);
    // No parent that has the class already.
    try (URLClassLoader loader = new URLClassLoader(new URL[] {folder.toUri().toURL()}, null)) {
      IndexException error = assertThrows(IndexException.class, () -> Indexer.index(folder, loader));
      assertTrue(error.getMessage().contains("compiled for Java 55"), error.getMessage());
      assertTrue(error.getMessage().contains("--release 17"), error.getMessage());
    }
  }

  @Test
  void aClassWhoseNeedsAreNotThereIsNamed() throws IOException {
    copy(SumOfSquares.class, code(SumOfSquares.class));
    try (URLClassLoader loader = new URLClassLoader(new URL[] {folder.toUri().toURL()}, null)) {
      IndexException error = assertThrows(IndexException.class, () -> Indexer.index(folder, loader));
      assertTrue(error.getMessage().contains("put what it needs into the archive"), error.getMessage());
    }
  }

  @Test
  void whatIsNoArchiveIsRefused() throws IOException {
    Path file = Files.writeString(folder.resolve("user.jar"), "not a jar");
    assertThrows(UncheckedIOException.class, () -> Indexer.index(file, getClass().getClassLoader()));
    assertThrows(UncheckedIOException.class, () -> Indexer.index(folder.resolve("none.jar"), null));
  }
}
